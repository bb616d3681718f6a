"""When the words of a known English transcript are said."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from extractors.framing import Samples
from extractors.pronunciation import dictionary_share, pronunciations
from extractors.sequence import FloatArray, Seconds
from extractors.sphinx_features import FRAME_RATE, SAMPLE_RATE, dynamic_features, mel_cepstra
from extractors.sphinx_model import SILENCE, STATES, AcousticModel, IntArray, english_model
from extractors.word_path import PathWord, best_path, word_graph
from extractors.words import Word

Span = tuple[Seconds, Seconds]
#: Least share of a text's different words that an English dictionary must hold.
LEAST_DICTIONARY_SHARE = 0.8
#: Frames and words searched at once; a talk has four words a second at most.
WINDOW_FRAMES, WINDOW_WORDS = 6000, 400
# Words searched for where none of those fits, and at the end.
_MOST_WORDS = 1200
# What is found in the last part of a window is searched for again from the next.
_SETTLED_FRAMES = 4000
# Words in a row that must fit on average before a window's end is believed.
_FIRM_RUN = 6
_MARGIN: Seconds = 0.25
_CONTEXT: Seconds = 5.0
# Scores are natural logarithms of densities, less the likeliest phone's on the same frame.
# Noise between words, and a stretch of speech that is not written.
_SHORT_FILLER, _LONG_FILLER = -8.0, -5.5
_FILLER_COSTS = (5.0, 400.0)
_SKIP_COSTS = (60.0, 30.0)
_GAP_SCORE = -30.0
_GAP_FRAMES = 3
# A boundary between frames lies between the centres of their windows.
_BOUNDARY: Seconds = 0.0078
# Where words of synthesised speech, clean, noisy and with wrong transcripts, are as often right
# (within 0.1 s) as wrong (0.15 s off, or not said); there the logistic function's slope is 1.
_HALF_CONFIDENT = -3.0
# Words on either side whose evidence counts too.
_NEIGHBOURS = 2
_LONGEST_PHONE = 25


def is_alignable(*, tokens: Sequence[str]) -> bool:
    """Tell whether a text is English enough to be searched for with an English model.

    Parameters
    ----------
    tokens : sequence of str
        Words as written.

    Returns
    -------
    bool
        Whether an English dictionary holds most of them.
    """
    return dictionary_share(tokens) >= LEAST_DICTIONARY_SHARE


def align_words(
    *, tokens: Sequence[str], signal: Samples, sample_rate: int, spans: Sequence[Span]
) -> list[Word]:
    """Find words in sound (forced alignment; filler and skips as in Katsamanis et al. 2011).

    Parameters
    ----------
    tokens : sequence of str
        English words as written, in the order in which they are said.
    signal : ndarray of float, shape (N,)
        The whole clip, nominally in [-1, 1].
    sample_rate : int
        16000 Hz.
    spans : sequence of (start, end)
        Where somebody may say them, in time order, at least one.

    Returns
    -------
    list of Word
        One for each token, in order, inside the first span's start and the last one's end.
        ``aligned`` words carry a confidence, ``1 / (1 + exp(-(e + 3)))``: the evidence ``e`` is
        the mean log likelihood ratio of the word's states and the likeliest phone of each frame,
        averaged with the same for the words around it. It is halved where a word takes no more
        frames than it has states, or a quarter of a second for each phone. Words that were not
        found share the gap between their neighbours and are ``interpolated``.

    Raises
    ------
    ValueError
        If the sampling rate is not 16 kHz, or there is no span.
    MissingModelError
        If the acoustic model is not installed.
    """
    _check(sample_rate, spans)
    if not tokens:
        return []
    begin, end = spans[0][0], max(stop for _, stop in spans)
    spoken = [(i, said) for i, token in enumerate(tokens) if (said := pronunciations(token))]
    placed: dict[int, Word] = {}
    sound = _Sound.of(signal=signal, spans=spans)
    path = list(_search([said for _, said in spoken], sound))
    for found, evidence in zip(path, _evidence(path), strict=True):
        token, said = spoken[found.word]
        start = min(max(sound.time(found.start), begin), end)
        stop = max(start, min(sound.time(found.end - 1, frames=1), end))
        placed[token] = Word(
            text=tokens[token],
            start=start,
            end=stop,
            source="aligned",
            confidence=_confidence(found, evidence, [len(one) for one in said]),
        )
    return _filled(tokens, placed, begin, end)


class _Sound(NamedTuple):
    """Frames where somebody may speak.

    Attributes
    ----------
    features : ndarray, shape (3, T, 13)
        Of all frames near the spans, with their mean.
    frames : ndarray of int, shape (R,)
        Those inside the spans, and -1 where time is left out.
    first : int
        Frames of the clip before frame 0.
    """

    features: FloatArray
    frames: IntArray
    first: int

    @classmethod
    def of(cls, *, signal: Samples, spans: Sequence[Span]) -> "_Sound":
        first = max(0, math.floor((spans[0][0] - _CONTEXT) * FRAME_RATE))
        last = math.ceil((max(end for _, end in spans) + _CONTEXT) * FRAME_RATE)
        hop = SAMPLE_RATE // FRAME_RATE
        features = dynamic_features(cepstra=mel_cepstra(signal=signal[first * hop : last * hop]))
        inside = np.zeros(features.shape[1], bool)
        for start, end in spans:
            low = math.floor((start - _MARGIN) * FRAME_RATE) - first
            inside[max(low, 0) : max(0, math.ceil((end + _MARGIN) * FRAME_RATE) - first)] = True
        frames = np.flatnonzero(inside)
        cuts = np.flatnonzero(np.diff(frames) > 1) + 1
        frames = np.insert(frames, np.repeat(cuts, _GAP_FRAMES), -1)
        return cls(features, frames, first)

    def time(self, row: int, *, frames: int = 0) -> Seconds:
        """When a row of ``frames`` begins, or so many frames later."""
        return (self.first + int(self.frames[row]) + frames) / FRAME_RATE + _BOUNDARY

    def scores(
        self, rows: slice, columns: IntArray, model: AcousticModel
    ) -> tuple[FloatArray, FloatArray]:
        """Scores of senones and of the filler; columns begin with all phones' own senones."""
        frames = self.frames[rows]
        heard = frames[frames >= 0]
        around = slice(
            max(0, int(heard[0] - _CONTEXT * FRAME_RATE)), int(heard[-1] + _CONTEXT * FRAME_RATE)
        )
        features = self.features[:, heard]
        features[0] -= self.features[0, around].mean(axis=0)
        found = model.log_likelihoods(features=features, senones=columns)
        found -= found[:, : len(model.phone_senones)].max(axis=1, keepdims=True)
        silence = STATES * model.phone_index(SILENCE)
        silent = np.median(found[:, silence : silence + STATES], axis=1)
        kinds = [np.maximum(silent, least) for least in (_SHORT_FILLER, _LONG_FILLER)]
        filler = np.stack(kinds, axis=1)
        if len(heard) == len(frames):
            return found, filler
        scores = np.full((len(frames), len(columns)), _GAP_SCORE, np.float32)
        scores[frames >= 0] = found
        fillers = np.zeros((len(frames), len(kinds)), np.float32)
        fillers[frames >= 0] = filler
        return scores, fillers


def _check(sample_rate: int, spans: Sequence[Span]) -> None:
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"words are aligned in sound of 16000 Hz, got {sample_rate} Hz; resample")
    if not spans:
        raise ValueError("no span to look for words in; give at least one (start, end)")


def _search(spoken: Sequence[tuple[tuple[str, ...], ...]], sound: _Sound) -> Iterator[PathWord]:
    """Search window by window, each from where the last is believed."""
    model = english_model()
    row, word, reach = 0, 0, WINDOW_WORDS
    while row < len(sound.frames) and word < len(spoken):
        while row < len(sound.frames) and sound.frames[row] < 0:
            row += 1
        rows = slice(row, min(row + WINDOW_FRAMES, len(sound.frames)))
        final = rows.stop == len(sound.frames)
        reach = _MOST_WORDS if final else reach
        graph = word_graph(pronunciations=spoken[word : word + reach], model=model)
        scores, filler = sound.scores(rows, graph.columns, model)
        path = best_path(
            graph=graph,
            scores=scores,
            filler=filler,
            skip_costs=_SKIP_COSTS,
            filler_costs=_FILLER_COSTS,
            open_end=not final or word + reach < len(spoken),
        )
        if not final:
            path = path[: _settled(path)]
        for found in path:
            yield found._replace(
                word=found.word + word, start=found.start + row, end=found.end + row
            )
        if final:
            return
        if path:
            row, word, reach = row + path[-1].end, word + path[-1].word + 1, WINDOW_WORDS
        elif reach < _MOST_WORDS and word + reach < len(spoken):
            reach = _MOST_WORDS
        else:
            row += _SETTLED_FRAMES


def _settled(path: Sequence[PathWord]) -> int:
    """Count the words up to the last that ends a run of fitting ones early enough."""
    for count in range(len(path), _FIRM_RUN - 1, -1):
        run = path[count - _FIRM_RUN : count]
        together = run[-1].word - run[0].word == _FIRM_RUN - 1
        fitting = _mean_score(run) > _HALF_CONFIDENT
        if run[-1].end <= _SETTLED_FRAMES and together and fitting:
            return count
    return 0


def _evidence(path: Sequence[PathWord]) -> Iterator[float]:
    for i, found in enumerate(path):
        around = path[max(0, i - _NEIGHBOURS) : i + _NEIGHBOURS + 1]
        yield (found.score + _mean_score(around)) / 2


def _mean_score(words: Sequence[PathWord]) -> float:
    frames = [found.end - found.start for found in words]
    return sum(n * found.score for n, found in zip(frames, words, strict=True)) / sum(frames)


def _confidence(found: PathWord, evidence: float, phones: Sequence[int]) -> float:
    certain = 1 / (1 + math.exp(_HALF_CONFIDENT - evidence))
    frames = found.end - found.start
    squeezed = frames <= STATES * min(phones)
    stretched = frames >= _LONGEST_PHONE * max(*phones, 2)
    return certain / 2 if squeezed or stretched else certain


def _filled(
    tokens: Sequence[str], placed: dict[int, Word], begin: Seconds, end: Seconds
) -> list[Word]:
    """Share gaps out among the words that are not placed, by their length in letters."""
    words: list[Word] = []
    missing: list[str] = []
    for number in range(len(tokens) + 1):
        if number < len(tokens) and number not in placed:
            missing.append(tokens[number])
            continue
        start = words[-1].end if words else begin
        stop = max(start, placed[number].start if number < len(tokens) else end)
        total = sum(len(token) + 1 for token in missing)
        done = 0
        for token in missing:
            left = start + (stop - start) * done / total
            done += len(token) + 1
            right = start + (stop - start) * done / total
            words.append(Word(text=token, start=left, end=right, source="interpolated"))
        missing = []
        if number < len(tokens):
            words.append(placed[number])
    return words
