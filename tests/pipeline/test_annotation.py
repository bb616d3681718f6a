from pathlib import Path

import pytest

from pipeline.annotation import PAUSES, Interval, passages_of_intervals
from pipeline.errors import SourceError
from pipeline.repair_log import RepairLog


def read(*rows, duration=100.0, speaker=None):
    log = RepairLog(Path("a.csd"), unit="row")
    intervals = [Interval(*row, number) for number, row in enumerate(rows, 1)]
    passages = passages_of_intervals(
        intervals=intervals, duration=duration, log=log, speaker=speaker
    )
    return passages, [repair.code for repair in log.repairs()]


def told(*rows, **more):
    passages, codes = read(*rows, **more)
    words = [[(w.text, w.start, w.end, w.source) for w in p.words] for p in passages]
    return words, codes


@pytest.mark.parametrize("pause", [*sorted(PAUSES), "SIL", " sp "])
def test_words_between_pauses(pause):
    rows = [(0.0, 1.0, pause), (1.0, 2.0, "a"), (2.0, 3.0, "b"), (3.0, 4.0, pause), (4.0, 5.0, "c")]
    assert told(*rows) == (
        [[("a", 1, 2, "given"), ("b", 2, 3, "given")], [("c", 4, 5, "given")]],
        [],
    )


def test_spans_lines_and_speakers():
    passages, _ = read((1.0, 2.0, "a"), (2.0, 2.5, "sp"), (3.0, 4.0, "b"), speaker="Ann")
    assert [(p.span, p.line, p.speaker) for p in passages] == [
        ((1.0, 2.0), 1, "Ann"),
        ((3.0, 4.0), 3, "Ann"),
    ]
    assert all(passage.has_word_times for passage in passages)


@pytest.mark.parametrize("text", ["{LG}", "[LG]", "<LG>", "(LG)"])
def test_events_are_no_words(text):
    (passage,), _ = read((0.0, 1.0, "a"), (1.0, 2.0, text))
    assert (passage.tokens, passage.events) == (("a",), ("LG",))


def test_several_words_share_their_interval():
    words, _ = told((1.0, 3.0, "ab ab"), (3.0, 4.0, "c"))
    assert words == [
        [("ab", 1, 2, "interpolated"), ("ab", 2, 3, "interpolated"), ("c", 3, 4, "given")]
    ]


def test_out_of_order():
    words, codes = told((2.0, 3.0, "b"), (1.0, 2.0, "a"))
    assert ([w[0] for w in words[0]], codes) == (["a", "b"], ["unsorted"])


def test_before_the_clip():
    words, codes = told((-2.0, -1.0, "a"), (-1.0, 0.0, "b"), (-1.0, 1.0, "c"), (0.0, 0.0, "d"))
    assert [w[:3] for w in words[0]] == [("d", 0, 0), ("c", 0, 1)]
    assert codes == ["negative_time"]


def test_words_end_with_the_clip_and_pauses_may_lie_behind_it():
    words, codes = told((1.0, 6.0, "a"), (6.0, 7.0, "sp"), duration=5.0)
    assert (words, codes) == ([[("a", 1.0, 5.0, "given")]], ["beyond_clip"])


@pytest.mark.parametrize(
    ("row", "code", "message"),
    [
        ((2.0, 1.0, "a"), "bad_transcript", "row 2: 'a' ends at 1.0 s and begins at 2.0 s"),
        ((2.0, 1.0, "sp"), "bad_transcript", "row 2: 'sp' ends"),
        ((float("nan"), 1.0, "a"), "bad_transcript", "row 2: 'a' ends at 1.0 s and begins at nan"),
        ((1.0, float("nan"), "a"), "bad_transcript", "row 2: "),
        ((5.0, 6.0, "a"), "transcript_beyond_clip", "row 2: begins at 5.00 s"),
    ],
)
def test_what_cannot_be_mended_is_refused(row, code, message):
    with pytest.raises(SourceError, match=message) as caught:
        read((0.0, 1.0, "fine"), row, duration=5.0)
    assert caught.value.code == code
