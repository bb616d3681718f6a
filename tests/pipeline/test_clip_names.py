import pytest

from pipeline.clip_names import clip_names
from pipeline.formats.utterance import Utterance


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("0123456789abcdef:0.000-4.250", "0123456789abcdef"),
        ("0123456789abcdef:12-13.5", "0123456789abcdef"),
        (Utterance(video="c5xsKMxpXnc", clip="3").id, "c5xsKMxpXnc"),
        (Utterance(video="a:1.0-2.0", clip="4").id, "a:1.0-2.0"),
        (Utterance(video="humor-17").id, "humor-17"),
        ("S04_E01_17", "S04_E01_17"),
        ("a:b", "a:b"),
        ("", ""),
    ],
)
def test_names_of_clips(name, clip):
    assert clip_names([name]) == [clip]


def test_one_for_each():
    assert clip_names(["v$_$0", "w$_$0", "v$_$1"]) == ["v", "w", "v"]
    assert clip_names([]) == []
