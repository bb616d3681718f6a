"""How loud the sound is that an opening mouth makes louder."""

from collections.abc import Iterable, Iterator

import numpy as np
import scipy.signal

from extractors.framing import Samples
from extractors.rotation import Float64Array

# Values a second; mouths do not move faster than half of it.
ENVELOPE_RATE = 25
# Hz: where the sound's energy follows the opening of the lips best, around the second formant
# (Grant & Seitz 2000, "The use of visible speech cues for improving auditory detection of spoken
# sentences", JASA 108(3)).
LOW, HIGH = 800.0, 2500.0
# Loudness grows with this power of the intensity (Stevens 1955).
LOUDNESS_EXPONENT = 0.3
# The loudest moments of a clip, of which the value is about 1.
LOUD_QUANTILE = 0.95
# Windows are two hops long and made of this many parts a hop.
PARTS = 8


def sound_envelope(*, pieces: Iterable[Samples], sample_rate: int) -> Float64Array:
    """Measure the loudness between 800 and 2500 Hz.

    Parameters
    ----------
    pieces : iterable of ndarray of float, shape (n,)
        Sound from the clip's start, N samples in pieces of any length; a minute of it is kept.
    sample_rate : int
        In Hz, above 5000.

    Returns
    -------
    ndarray, shape (1 + floor(25 N / sample_rate),)
        Loudness at the times 0, 1/25, 2/25 ... s, under Hann windows of 80 ms, in parts of the
        clip's own 95 % quantile; all 0 if the sound is silent.

    Raises
    ------
    ValueError
        If the sampling rate is too low for the band.
    """
    if sample_rate <= 2 * HIGH:
        raise ValueError(
            f"sampling rate {sample_rate} Hz does not reach {HIGH:.0f} Hz; resample to 16000 Hz"
        )
    parts = _band_energy(pieces=pieces, sample_rate=sample_rate)
    window = scipy.signal.windows.hann(2 * PARTS)
    padded = np.concatenate([np.zeros(PARTS), parts, np.zeros(PARTS)])
    energy = np.convolve(padded, window, "valid")[::PARTS] / window.sum()
    loudness: Float64Array = np.maximum(energy, 0.0) ** LOUDNESS_EXPONENT
    loud = float(np.quantile(loudness, LOUD_QUANTILE)) if loudness.size else 0.0
    return loudness / loud if loud > 0.0 else np.zeros_like(loudness)


def _band_energy(*, pieces: Iterable[Samples], sample_rate: int) -> Float64Array:
    """Sum the squares of the band-passed sound over every part, a minute at a time."""
    band = scipy.signal.butter(2, (LOW, HIGH), "bandpass", fs=sample_rate, output="sos")
    state = np.zeros((len(band), 2))
    per_second = ENVELOPE_RATE * PARTS
    energy = [np.zeros(0)]
    for minute in _blocks(pieces, size=60 * sample_rate):
        parts = len(minute) * per_second // sample_rate
        edges = np.arange(parts + 1) * sample_rate // per_second
        if parts:
            passed, state = scipy.signal.sosfilt(band, minute[: edges[-1]], zi=state)
            energy.append(np.add.reduceat(passed**2, edges[:-1]))
    return np.concatenate(energy)


def _blocks(pieces: Iterable[Samples], *, size: int) -> Iterator[Samples]:
    """Cut a signal into blocks of one size, of which the last can be shorter."""
    waiting: list[Samples] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= size:
            joined = np.concatenate(waiting)
            whole = length // size * size
            yield from np.split(joined[:whole], whole // size)
            waiting, length = [joined[whole:]], length - whole
    if waiting:
        yield np.concatenate(waiting)
