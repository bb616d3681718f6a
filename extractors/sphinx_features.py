"""Cepstra as the acoustic models of CMU Sphinx were trained on."""

import functools

import numpy as np
import scipy.fft

from extractors.framing import Samples
from extractors.sequence import FloatArray

SAMPLE_RATE = 16000
FRAME_RATE = 100
HOP = SAMPLE_RATE // FRAME_RATE
WINDOW = 410
CEPSTRA = 13
_FFT = 512
_FILTERS = 25
_LOWEST_HZ, _HIGHEST_HZ = 130.0, 6800.0
_LIFTER = 22
_PREEMPHASIS = 0.97
# A recording is never quieter than 40 dB below its loud parts, so that digital silence between
# words sounds like the rooms the models were trained in.
_LOUD_PERCENTILE, _FLOOR = 95, 1e-4
# Frames at a time, so that memory does not grow with the sound's length.
_BLOCK = 4096


def mel_cepstra(*, signal: Samples) -> FloatArray:
    """Mel-frequency cepstra (Davis & Mermelstein 1980) with CMU Sphinx's settings.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound at 16 kHz, nominally in [-1, 1].

    Returns
    -------
    ndarray of float32, shape (T, 13)
        One row every 10 ms, the first centred 12.8 ms into the sound; none if it is shorter than
        a window of 25.6 ms.
    """
    count = max(0, 1 + (len(signal) - WINDOW) // HOP)
    energies = np.empty((count, _FILTERS), np.float32)
    for first in range(0, count, _BLOCK):
        last = min(first + _BLOCK, count)
        begin = first * HOP
        samples = np.asarray(signal[begin : begin + (last - first - 1) * HOP + WINDOW], np.float32)
        before = np.float32(signal[begin - 1] if begin else 0.0)
        emphasised = samples - np.float32(_PREEMPHASIS) * np.r_[before, samples[:-1]]
        frames = np.lib.stride_tricks.sliding_window_view(emphasised, WINDOW)[::HOP]
        energies[first:last] = _energies(frames)
    return _cepstra(energies)


def dynamic_features(*, cepstra: FloatArray) -> FloatArray:
    """Append first and second differences over time, after taking the mean off.

    Parameters
    ----------
    cepstra : ndarray of float32, shape (T, 13)
        From :func:`mel_cepstra`.

    Returns
    -------
    ndarray of float32, shape (3, T, 13)
        Cepstra without their mean, ``c[t+2] - c[t-2]``, and the difference of that over two frames.
    """
    if not len(cepstra):
        return np.zeros((3, 0, CEPSTRA), np.float32)
    static = cepstra - cepstra.mean(axis=0)
    padded = np.pad(static, ((3, 3), (0, 0)), mode="edge")
    count = len(static)

    def at(shift: int) -> FloatArray:
        return padded[3 + shift : 3 + shift + count]

    return np.stack([static, at(2) - at(-2), at(3) - at(-1) - at(1) + at(-3)])


def _energies(frames: FloatArray) -> FloatArray:
    spectrum = scipy.fft.rfft(frames * _hamming() * np.float32(32768), _FFT)
    energies: FloatArray = (np.abs(spectrum) ** 2) @ _mel_filters()
    return energies


def _cepstra(energies: FloatArray) -> FloatArray:
    if not len(energies):
        return np.zeros((0, CEPSTRA), np.float32)
    loud = np.percentile(energies.mean(axis=1), _LOUD_PERCENTILE)
    cepstra: FloatArray = np.log(energies + np.float32(max(loud * _FLOOR, 1.0))) @ _cosines()
    return cepstra


@functools.cache
def _hamming() -> FloatArray:
    return np.hamming(WINDOW).astype(np.float32)


@functools.cache
def _mel_filters() -> FloatArray:
    """Triangles of equal area with corners on bins of the spectrum, shape (257, 25)."""

    def mel(hertz: float) -> float:
        return 2595 * float(np.log10(1 + hertz / 700))

    bin_hz = SAMPLE_RATE / _FFT
    corners = 700 * (
        10 ** (np.linspace(mel(_LOWEST_HZ), mel(_HIGHEST_HZ), _FILTERS + 2) / 2595) - 1
    )
    corners = np.floor(corners / bin_hz + 0.5) * bin_hz
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    hertz = np.arange(_FFT // 2 + 1)[:, None] * bin_hz
    rise, fall = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
    filters = np.maximum(0, np.minimum(rise, fall)) * 2 / (right - left)
    return np.array(filters, np.float32)


@functools.cache
def _cosines() -> FloatArray:
    """Orthonormal cosine transform and lifter, shape (25, 13)."""
    transform = scipy.fft.dct(np.eye(_FILTERS), type=2, norm="ortho", axis=1)[:, :CEPSTRA]
    lifter = 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / _LIFTER)
    return np.array(transform * lifter, np.float32)
