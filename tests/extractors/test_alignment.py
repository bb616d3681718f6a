import csv
import json
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from extractors.alignment import align_words, is_alignable
from extractors.media import Media

RATE = 16000
SAMPLES = Path(__file__).parents[2] / "sample_videos"


class Sample:
    """A sample video, whose utterances lie where its labels say."""

    def __init__(self, name: str) -> None:
        self.signal = Media(path=SAMPLES / f"{name}.mp4").audio(sample_rate=RATE)
        with (SAMPLES / "labels.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["video"] == f"{name}.mp4"]
        self.spans = [(float(row["start"]), float(row["end"])) for row in rows]
        self.sentences = [row["text"].split() for row in rows]

    @property
    def tokens(self) -> list[str]:
        return [token for sentence in self.sentences for token in sentence]

    def align(self, tokens=None, spans=None, signal=None):
        signal = self.signal if signal is None else signal
        return align_words(
            tokens=self.tokens if tokens is None else tokens,
            signal=signal,
            sample_rate=RATE,
            spans=spans or [(0.0, len(signal) / RATE)],
        )

    def by_sentence(self, words):
        """The words of each sentence."""
        ends = np.cumsum([len(sentence) for sentence in self.sentences])
        return [words[end - len(s) : end] for end, s in zip(ends, self.sentences, strict=True)]


@pytest.fixture(scope="module")
def sample():
    return Sample("sample_01")


@pytest.fixture(scope="module")
def aligned(sample):
    return sample.align()


def share_inside(words, start, end, slack=0.15):
    return np.mean([start - slack <= word.start and word.end <= end + slack for word in words])


def test_every_word_is_found_in_its_sentence(sample, aligned):
    assert [word.text for word in aligned] == sample.tokens
    for words, (start, end) in zip(sample.by_sentence(aligned), sample.spans, strict=True):
        assert words[0].start == pytest.approx(start, abs=0.1)
        assert words[-1].end == pytest.approx(end, abs=0.15)
        assert share_inside(words, start, end) == 1


def test_words_that_are_said_are_found_with_confidence(aligned):
    assert np.mean([word.source == "aligned" for word in aligned]) > 0.9
    assert np.median([word.confidence for word in aligned if word.confidence is not None]) > 0.8


def test_order_and_hull(aligned, sample):
    starts = [word.start for word in aligned]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert max(word.end for word in aligned) <= len(sample.signal) / RATE


def test_words_of_one_subtitle_stay_in_its_span(sample):
    span = sample.spans[2]
    words = sample.align(tokens=sample.sentences[2], spans=[span])
    assert words[0].start >= span[0]
    assert words[-1].end <= span[1]
    assert [w.text for w in words if w.source == "aligned"] == sample.sentences[2]


def test_spans_leave_out_what_lies_between(sample):
    words = sample.align(
        tokens=sample.sentences[0] + sample.sentences[3], spans=[sample.spans[0], sample.spans[3]]
    )
    first, second = words[: len(sample.sentences[0])], words[len(sample.sentences[0]) :]
    assert share_inside(first, *sample.spans[0], slack=0.25) == 1
    assert share_inside(second, *sample.spans[3], slack=0.25) == 1


def test_a_sentence_that_nobody_says_does_not_derail_the_rest(sample):
    invented = ["Yesterday", "seventeen", "elephants", "quietly", "walked", "across", "Manchester"]
    tokens = [*sample.sentences[0], *invented]
    tokens += [token for sentence in sample.sentences[1:] for token in sentence]
    words = sample.align(tokens=tokens)
    doubtful = [0.0 if word.confidence is None else word.confidence
                for word in words[len(sample.sentences[0]) :][: len(invented)]]  # fmt: skip
    assert np.mean(np.array(doubtful) < 0.5) >= 0.75
    kept = words[: len(sample.sentences[0])] + words[len(sample.sentences[0]) + len(invented) :]
    for found, (start, end) in zip(sample.by_sentence(kept), sample.spans, strict=True):
        assert share_inside(found, start, end) >= 0.8


def test_a_sentence_missing_in_the_text_does_not_derail_the_rest(sample):
    tokens = [token for i, sentence in enumerate(sample.sentences) if i != 2 for token in sentence]
    words = sample.align(tokens=tokens)
    rest = iter(words)
    for i, (sentence, (start, end)) in enumerate(zip(sample.sentences, sample.spans, strict=True)):
        if i != 2:
            assert share_inside([next(rest) for _ in sentence], start, end) >= 0.8


def test_text_of_another_clip_gets_little_confidence(sample, aligned):
    def share_of_sure(words):
        return np.mean([(word.confidence or 0.0) >= 0.5 for word in words])

    # Even another film's review holds words of this one.
    other = Sample("sample_06").tokens
    assert share_of_sure(sample.align(tokens=other)) < 0.4 < 0.7 < share_of_sure(aligned)


def test_tokens_that_are_not_spoken_share_a_gap(sample):
    first = sample.sentences[0]
    words = sample.align(tokens=[*first, "♪", "—", *sample.sentences[1]])
    left_out = words[len(first) : len(first) + 2]
    assert [word.source for word in left_out] == ["interpolated"] * 2
    assert words[len(first) - 1].end <= left_out[0].start
    assert left_out[1].end <= words[len(first) + 2].start


def test_silence_places_nothing():
    words = align_words(
        tokens=["nobody", "speaks"], signal=np.zeros(RATE), sample_rate=RATE, spans=[(0.0, 1.0)]
    )
    assert [word.text for word in words] == ["nobody", "speaks"]
    assert all(0 <= word.start <= word.end <= 1 for word in words)
    assert all((word.confidence or 0) < 0.5 for word in words)


@pytest.mark.parametrize("samples", [0, 10, 500])
def test_hardly_any_sound(samples):
    words = align_words(
        tokens=["a", "b"], signal=np.zeros(samples), sample_rate=RATE, spans=[(0.0, 0.02)]
    )
    assert [word.source for word in words] == ["interpolated"] * 2


def test_a_wrong_call_is_refused():
    with pytest.raises(ValueError, match="16000 Hz"):
        align_words(tokens=["a"], signal=np.zeros(10), sample_rate=8000, spans=[(0, 1)])
    with pytest.raises(ValueError, match="no span"):
        align_words(tokens=["a"], signal=np.zeros(10), sample_rate=RATE, spans=[])


def test_only_english_is_alignable(sample):
    assert is_alignable(tokens=sample.tokens)
    german = "Der Film war leider viel zu lang und ziemlich öde"
    assert not is_alignable(tokens=german.split(" "))
    assert not is_alignable(tokens=[])


def joined(names):
    """Several samples after each other: sound, and sentences with their spans."""
    samples = [Sample(name) for name in names]
    offsets = np.cumsum([0, *(len(sample.signal) for sample in samples)]) / RATE
    spans = [
        (start + offset, end + offset)
        for sample, offset in zip(samples, offsets, strict=False)
        for start, end in sample.spans
    ]
    sentences = [sentence for sample in samples for sentence in sample.sentences]
    return np.concatenate([sample.signal for sample in samples]), sentences, spans


def share_of_starts(words, sentences, spans):
    """Share of words that start in their sentence."""
    inside, rest = [], iter(words)
    for sentence, (start, end) in zip(sentences, spans, strict=True):
        inside += [start - 0.15 <= next(rest).start <= end for _ in sentence]
    return np.mean(inside)


LONG = ["sample_01", "sample_03", "sample_06", "sample_08", "sample_10"]


def test_more_than_a_window_of_sound():
    signal, sentences, spans = joined(LONG)
    assert len(signal) / RATE > 100
    tokens = [token for sentence in sentences for token in sentence]
    words = align_words(tokens=tokens, signal=signal, sample_rate=RATE, spans=[(0, 1e4)])
    assert share_of_starts(words, sentences, spans) > 0.97


@pytest.mark.slow
def test_more_than_a_window_that_is_not_written():
    signal, sentences, spans = joined(LONG)
    written = [*range(6), *range(24, 30)]
    sentences, spans = [sentences[i] for i in written], [spans[i] for i in written]
    assert spans[6][0] - spans[5][1] > 60
    tokens = [token for sentence in sentences for token in sentence]
    words = align_words(tokens=tokens, signal=signal, sample_rate=RATE, spans=[(0, 1e4)])
    assert share_of_starts(words, sentences, spans) > 0.9


@pytest.mark.slow
def test_much_text_that_is_not_said():
    signal, sentences, spans = joined(LONG)
    strangers = [token for sentence in Sample("sample_09").sentences for token in sentence] * 8
    tokens = [token for sentence in sentences for token in sentence]
    before = sum(map(len, sentences[:12]))
    words = align_words(
        tokens=[*tokens[:before], *strangers, *tokens[before:]],
        signal=signal,
        sample_rate=RATE,
        spans=[(0, 1e4)],
    )
    assert len(strangers) > 400
    said = [*words[:before], *words[before + len(strangers) :]]
    assert share_of_starts(said, sentences, spans) > 0.9


def frication(signal, start, end):
    """Middles of pieces of 25 ms that hold more energy above 4 kHz than below."""
    pieces = signal[: len(signal) // 400 * 400].reshape(-1, 400)
    power = np.abs(np.fft.rfft(pieces, axis=1)) ** 2
    hissing = power[:, 100:].sum(axis=1) > power[:, :100].sum(axis=1)
    times = (np.arange(len(pieces)) + 0.5) * 0.025
    return times[hissing & (times > start) & (times < end)]


def test_a_recorded_utterance_agrees_with_its_waveform(reference):
    clip, begin, end = "mosi_Oz06ZWiO20M_6.mp4", 66.87, 74.31
    signal = Media(path=reference / "clips" / "edge" / clip).audio(sample_rate=RATE)
    with h5py.File(reference / "datasets" / "mosi" / "mosi_words_timestamps.csd") as file:
        video = next(iter(file.values()))["data"]["Oz06ZWiO20M"]
        times, texts = video["intervals"][:], video["features"][:, 0]
    inside = (times[:, 0] >= begin) & (times[:, 1] <= end + 0.05) & (texts != b"sp")
    tokens = [text.decode() for text in texts[inside]]
    words = align_words(
        tokens=tokens, signal=signal, sample_rate=RATE, spans=[(0.0, len(signal) / RATE)]
    )
    assert np.mean([word.source == "aligned" for word in words]) > 0.9
    # The second word begins with an s; the next to last has one in its second quarter or third.
    second, late = words[1], words[-2]
    assert frication(signal, 0.1, 0.5)[0] - 0.0125 == pytest.approx(second.start, abs=0.05)
    hiss = frication(signal, late.start + 0.1, late.end)
    assert len(hiss) >= 3
    assert 0.2 < (hiss.mean() - late.start) / (late.end - late.start) < 0.75


def test_recorded_talks(reference):
    folder = reference / "clips" / "ted"
    for clip in json.loads((folder / "clips.json").read_text("utf-8"))[:4]:
        if not (folder / clip["file"]).is_file():
            continue
        signal = Media(path=folder / clip["file"]).audio(sample_rate=RATE)
        sentences = [sentence.split() for sentence in [*clip["context"], clip["punchline"]]]
        tokens = [token for sentence in sentences for token in sentence]
        started = time.process_time()
        words = align_words(
            tokens=tokens, signal=signal, sample_rate=RATE, spans=[(0.0, len(signal) / RATE)]
        )
        assert time.process_time() - started < 3
        starts = [word.start for word in words]
        assert starts == sorted(starts)
        found = np.array([word.source == "aligned" for word in words])
        ends = np.cumsum([len(sentence) for sentence in sentences])
        assert all(found[end - len(s) : end].any() for end, s in zip(ends, sentences, strict=True))
        assert np.mean([(word.confidence or 0) >= 0.5 for word in words]) > 0.7
