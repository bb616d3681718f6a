import hashlib
from dataclasses import replace

import pytest

from extractors.words import Word
from pipeline.failure_log import FailureLog
from pipeline.records import Clip
from pipeline.segments import SegmentConfig
from pipeline.speech_finder import SpeechFinder
from pipeline.utterance_cuts import KeptCuts
from pipeline.utterances import Cutter
from pipeline.workspace import Workspace

WORDS = tuple(
    Word(text=text, start=start, end=start + 0.4)
    for text, start in [("I", 0.0), ("did.", 0.5), ("Not", 2.0), ("bad.", 2.5)]
)
CLIP = Clip(
    id=hashlib.sha256(b"0").hexdigest(),
    path="a.mp4",
    duration=4.0,
    fps=25.0,
    sample_rate=None,
    size=1,
    modified_ns=1,
)


class Counting:
    """A cutter that says how often it was asked."""

    def __init__(self, workspace, config=SegmentConfig()):  # noqa: B008
        speech = SpeechFinder(workspace)
        self.config, self.asked = config, 0
        self._cut = Cutter(config=config, speech=speech, log=FailureLog())

    def __call__(self, *arguments):
        self.asked += 1
        return self._cut(*arguments)


@pytest.fixture
def kept(tmp_path):
    workspace = Workspace(root=tmp_path)

    def make(**settings):
        counting = Counting(workspace, SegmentConfig(**settings))
        return KeptCuts(counting, workspace.utterances), counting

    return make


def test_the_same_words_are_cut_once(kept):
    first, counting = kept()
    cut = first(CLIP, WORDS)
    assert [segment.text for segment in cut] == ["I did.", "Not bad."]
    assert (first(CLIP, WORDS), counting.asked) == (cut, 1)
    first.save()
    second, counting = kept()
    assert (second(CLIP, WORDS, ()), counting.asked) == (cut, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"words": (*WORDS[:3], replace(WORDS[3], text="good."))},
        {"words": (*WORDS[:3], replace(WORDS[3], start=3.6, end=3.9))},
        {"barriers": (2.45,)},
        {"clip": replace(CLIP, id="f" * 64)},
        {"settings": {"pause": 0.05}},
    ],
)
def test_whatever_changes_the_cut_cuts_again(kept, change):
    first, _ = kept()
    cut = first(CLIP, WORDS)
    first.save()
    second, counting = kept(**change.get("settings", {}))
    clip, words = change.get("clip", CLIP), change.get("words", WORDS)
    assert second(clip, words, change.get("barriers", ())) != cut
    assert counting.asked == 1


def test_what_is_not_asked_for_any_more_is_forgotten(kept):
    first, _ = kept()
    first(CLIP, WORDS)
    first.save()
    second, _ = kept()
    second.save()
    third, counting = kept()
    third(CLIP, WORDS)
    assert counting.asked == 1


def test_a_clip_without_words_is_cut_from_its_speech(kept):
    cuts, counting = kept()
    assert cuts(CLIP, ()) == cuts(CLIP, ())
    assert counting.asked == 2
