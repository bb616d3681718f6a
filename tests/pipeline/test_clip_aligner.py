import json
from itertools import islice
from pathlib import Path

import pytest

from extractors.errors import MissingModelError
from extractors.media import probe
from pipeline.clip_aligner import SURE, ClipAligner
from pipeline.passages import spread_words
from pipeline.records import Clip
from pipeline.word_config import WordConfig

SAMPLES = Path(__file__).parents[2] / "sample_videos"


def described(path):
    info = probe(path)
    return Clip(
        id="0" * 64,
        path=str(path),
        duration=info.duration,
        fps=info.fps,
        sample_rate=info.sample_rate,
        size=1,
        modified_ns=0,
    )


ENGLISH = ["I", "really", "loved", "this", "film"]
GERMAN = ["Ich", "habe", "diesen", "Film", "nicht", "verstanden"]


def aligner(path, text=ENGLISH, **settings):
    return ClipAligner(
        clip=described(path), path=Path("a.txt"), config=WordConfig(**settings), text=text
    )


def spoken(stem):
    return json.loads((SAMPLES / "truth" / f"{stem}.json").read_text())["utterances"]


@pytest.mark.parametrize("stem", ["sample_04", "sample_10"])
def test_words_lie_where_they_were_spoken(stem):
    utterances = spoken(stem)
    tokens = [token for u in utterances for token in u["text"].split()]
    align = aligner(SAMPLES / f"{stem}.mp4")
    spans = [(u["start"], u["end"]) for u in utterances]
    words = align(tokens, spans)
    assert [word.text for word in words] == tokens
    assert sum(word.source == "aligned" for word in words) > 0.8 * len(words)
    remaining = iter(words)
    for utterance in utterances:
        said = islice(remaining, len(utterance["text"].split()))
        for word in (word for word in said if word.source == "aligned"):
            assert utterance["start"] - 0.15 < word.start < word.end < utterance["end"] + 0.15
    assert align.repairs() == ()


def test_the_words_of_another_clip_are_reported():
    tokens = " ".join(u["text"] for u in spoken("sample_05")).split()
    align = aligner(SAMPLES / "sample_01.mp4")
    words = align(tokens, [(0.0, 8.0)])
    assert [word.text for word in words] == tokens
    assert sum((word.confidence or 0) >= SURE for word in words) < len(tokens) / 2
    (repair,) = align.repairs()
    assert repair.code == "poor_alignment"
    assert f"of {len(tokens)} words" in repair.detail


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"alignment": "none"}, ["I", "really", "loved", "this"]),
        ({"language": "de"}, ["I", "really", "loved", "this"]),
        ({}, GERMAN),
    ],
)
def test_words_that_cannot_be_found_are_interpolated(settings, tokens):
    align = aligner(SAMPLES / "sample_01.mp4", tokens, **settings)
    spans = [(0.5, 1.0), (2.0, 3.0)]
    assert align(tokens, spans) == spread_words(tokens, spans)
    assert align.repairs() == ()


def test_the_whole_transcript_tells_the_language_of_a_line():
    spans, both, name = [(0.4, 3.5)], ["Der", "Mann", "war", "so", "wild"], ["Vishwanathan!"]
    german = aligner(SAMPLES / "sample_01.mp4", [*GERMAN, *both])
    assert german(both, spans) == spread_words(both, spans)
    english = aligner(SAMPLES / "sample_01.mp4", [*ENGLISH, *name])
    assert [word.source for word in english([*name, *ENGLISH[:1]], spans)][-1] == "aligned"


def test_a_language_is_english_in_every_country():
    align = aligner(SAMPLES / "sample_01.mp4", language="en-GB")
    words = align(ENGLISH, [(0.4, 3.5)])
    assert {word.source for word in words} == {"aligned"}


def test_a_clip_without_sound(make_clip):
    align = aligner(make_clip(sound=None))
    assert align(["yes"], [(0.0, 1.0)]) == spread_words(["yes"], [(0.0, 1.0)])
    assert align.repairs() == ()


def test_sound_that_cannot_be_decoded(make_clip):
    path = make_clip(path="a.wav", picture=None)
    align = aligner(path)
    path.unlink()
    assert align(["yes"], [(0.0, 1.0)]) == spread_words(["yes"], [(0.0, 1.0)])
    (repair,) = align.repairs()
    assert repair.code == "not_aligned"
    assert "a.wav" in repair.detail


def test_a_ctc_model_that_is_not_there(tmp_path):
    align = aligner(
        SAMPLES / "sample_01.mp4", alignment="ctc", ctc_model=str(tmp_path / "none"), language="de"
    )
    with pytest.raises(MissingModelError, match="none"):
        align(GERMAN, [(0.4, 3.5)])
