"""Where somebody speaks, by a small neural voice activity detector."""

import functools
import warnings
from typing import Any

import numpy as np

from extractors.framing import Samples
from extractors.sequence import FloatArray, Seconds

SUPPORTED_RATES = (8000, 16000)
CHUNK_SECONDS = 0.032


def speech_spans(*, signal: Samples, sample_rate: int) -> list[tuple[Seconds, Seconds]]:
    """Find the stretches of speech with Silero VAD, whose weights come with its package.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound, nominally in [-1, 1].
    sample_rate : int
        8000 or 16000 Hz.

    Returns
    -------
    list of (Seconds, Seconds)
        Start and end of every stretch, in order, not overlapping; empty if nobody speaks.

    Raises
    ------
    ValueError
        If the detector does not know the sampling rate.
    """
    _check(sample_rate)
    if not np.any(signal):
        return []
    silero_vad, model = _detector()
    torch = _torch()
    found = silero_vad.get_speech_timestamps(
        torch.from_numpy(np.ascontiguousarray(signal, np.float32)),
        model,
        sampling_rate=sample_rate,
    )
    return [(part["start"] / sample_rate, part["end"] / sample_rate) for part in found]


def speech_probabilities(*, signal: Samples, sample_rate: int) -> FloatArray:
    """Probability of speech in adjoining pieces of 32 ms, by Silero VAD.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound, nominally in [-1, 1].
    sample_rate : int
        8000 or 16000 Hz.

    Returns
    -------
    ndarray of float32, shape (ceil(N / (0.032 * sample_rate)),)
        In [0, 1]; the last piece is filled up with silence.

    Raises
    ------
    ValueError
        If the detector does not know the sampling rate.
    """
    _check(sample_rate)
    torch = _torch()
    _, model = _detector()
    length = round(CHUNK_SECONDS * sample_rate)
    found = np.zeros(-(-len(signal) // length), np.float32)
    model.reset_states()
    with torch.inference_mode():
        for i in range(len(found)):
            piece = np.zeros(length, np.float32)
            part = signal[i * length : (i + 1) * length]
            piece[: len(part)] = part
            found[i] = model(torch.from_numpy(piece), sample_rate).item()
    return found


def _check(sample_rate: int) -> None:
    if sample_rate not in SUPPORTED_RATES:
        raise ValueError(
            f"speech is detected in sound of 8000 or 16000 Hz, got {sample_rate} Hz; resample it"
        )


def _torch() -> Any:
    import torch

    return torch


@functools.cache
def _detector() -> tuple[Any, Any]:
    """Load the detector once, without its side effect on the number of threads."""
    torch = _torch()
    threads = torch.get_num_threads()
    try:
        import silero_vad
    finally:
        torch.set_num_threads(threads)
    with warnings.catch_warnings():
        # the package has no newer format of its weights
        warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", DeprecationWarning)
        return silero_vad, silero_vad.load_silero_vad()
