"""Pieces of a long sound that a recogniser hears at once."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from extractors.framing import Samples
from extractors.sequence import Seconds

# Sound kept around speech, for what the detector cuts off.
MARGIN: Seconds = 0.2
# A longer pause ends a chunk: recognisers invent words in silence.
LONGEST_PAUSE: Seconds = 2.0
BLOCK: Seconds = 0.02
# Loudness is looked at over this many blocks.
SMOOTHED_BLOCKS = 5


class SpeechChunk(NamedTuple):
    """A piece of sound with speech in it.

    Attributes
    ----------
    start, end : Seconds
        Its span ``[start, end)`` in the sound.
    """

    start: Seconds
    end: Seconds


def speech_chunks(
    *,
    signal: Samples,
    sample_rate: int,
    spans: Sequence[tuple[Seconds, Seconds]],
    longest: Seconds,
) -> list[SpeechChunk]:
    """Pack stretches of speech into chunks of bounded length, cut in pauses.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound.
    sample_rate : int
        Sampling rate in Hz, > 0.
    spans : sequence of (Seconds, Seconds)
        Where somebody speaks, in order, not overlapping.
    longest : Seconds
        Longest chunk, > 0. A stretch without a pause that is longer is cut where it is quietest
        in the second half of what fits.

    Returns
    -------
    list of SpeechChunk
        In order, not overlapping, inside the sound; no pause of more than 2 s within.

    References
    ----------
    Bain et al. (2023), "WhisperX: Time-Accurate Speech Transcription of Long-Form Audio",
    Interspeech, section 2.2 (cut and merge).
    """
    chunks: list[SpeechChunk] = []
    for wide in _widened(spans=spans, duration=len(signal) / sample_rate):
        for piece in _cut(signal=signal, sample_rate=sample_rate, span=wide, longest=longest):
            last = chunks[-1] if chunks else None
            if (
                last is not None
                and piece.start - last.end <= LONGEST_PAUSE
                and piece.end - last.start <= longest
            ):
                chunks[-1] = SpeechChunk(last.start, piece.end)
            else:
                chunks.append(piece)
    return chunks


def _widened(
    *, spans: Sequence[tuple[Seconds, Seconds]], duration: Seconds
) -> list[tuple[Seconds, Seconds]]:
    """Add a margin on both sides, at most up to the middle of the pause."""
    inside = [(max(0.0, s), min(e, duration)) for s, e in spans if min(e, duration) > max(0.0, s)]
    middles = [(e + s) / 2 for (_, e), (s, _) in itertools.pairwise(inside)]
    return [
        (max(start - MARGIN, before), min(end + MARGIN, after))
        for (start, end), before, after in zip(
            inside, [0.0, *middles], [*middles, duration], strict=False
        )
    ]


def _cut(
    *, signal: Samples, sample_rate: int, span: tuple[Seconds, Seconds], longest: Seconds
) -> list[SpeechChunk]:
    """Cut a stretch at its quietest moments until every piece is short enough."""
    start, end = span
    pieces = []
    while end - start > longest:
        cut = _quietest(
            signal=signal, sample_rate=sample_rate, start=start + longest / 2, end=start + longest
        )
        pieces.append(SpeechChunk(start, cut))
        start = cut
    return [*pieces, SpeechChunk(start, end)]


def _quietest(*, signal: Samples, sample_rate: int, start: Seconds, end: Seconds) -> Seconds:
    """Find the middle of the quietest tenth of a second."""
    size = max(1, round(BLOCK * sample_rate))
    first = round(start * sample_rate)
    part = np.asarray(signal[first : round(end * sample_rate)], np.float64)
    count = len(part) // size
    if count <= SMOOTHED_BLOCKS:
        return end
    energy = np.square(part[: count * size]).reshape(count, size).mean(axis=1)
    smooth = np.convolve(energy, np.ones(SMOOTHED_BLOCKS), mode="valid")
    block = int(np.argmin(smooth)) + SMOOTHED_BLOCKS / 2
    return (first + block * size) / sample_rate
