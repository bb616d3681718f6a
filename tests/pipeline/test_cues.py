from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cue_text import Mark, mark_character
from pipeline.cues import Cue, passages_of_cues, refuse_beyond
from pipeline.errors import SourceError
from pipeline.passages import align_passages, spread_words
from pipeline.repair_log import RepairLog

PATH = Path("a.srt")


def read(*cues, duration=100.0):
    """Passages of ``(start, end, text)``, each in a line of its own, and codes of repairs."""
    log = RepairLog(PATH)
    made = [cue if isinstance(cue, Cue) else Cue(*cue, line) for line, cue in enumerate(cues, 1)]
    passages = passages_of_cues(cues=made, duration=duration, log=log)
    return passages, [repair.code for repair in log.repairs()]


def told(*cues, **more):
    """Spans with words, and codes of repairs."""
    passages, codes = read(*cues, **more)
    return [(p.start, p.end, " ".join(p.tokens)) for p in passages], codes


def timed(start, end, *pieces, line=1):
    """A cue with times between its words."""
    marks = [Mark(piece) for piece in pieces if not isinstance(piece, str)]
    numbers = iter(range(len(marks)))
    text = "".join(
        piece if isinstance(piece, str) else mark_character(next(numbers)) for piece in pieces
    )
    return Cue(start, end, text, line, tuple(marks))


def test_cues_in_order_are_left_alone():
    cues = [(0.0, 1.0, "a b"), (1.0, 2.0, "c"), (5.0, 5.25, "d")]
    assert told(*cues) == (cues, [])


def test_lines_and_speakers_and_events():
    passages, _ = read((0.0, 2.0, "ANN: a b\nBO: [laughs] c"), (2.0, 3.0, "[Music]"))
    assert [(p.span, p.tokens, p.speaker, p.events, p.line, p.is_turn) for p in passages] == [
        ((0, 2), ("a", "b"), "ANN", (), 1, True),
        ((0, 2), ("c",), "BO", ("laughs",), 1, True),
        ((2, 3), (), None, ("Music",), 2, False),
    ]
    assert not any(p.words for p in passages)


@pytest.mark.parametrize(
    ("end", "codes"), [(5.0, []), (5.4, []), (5.6, ["beyond_clip"]), (359999.0, ["beyond_clip"])]
)
def test_what_is_shown_after_the_clip_is_cut_at_its_end(end, codes):
    assert told((1.0, end, "a"), duration=5.0) == ([(1.0, 5.0, "a")], codes)


@pytest.mark.parametrize(
    ("cue", "code", "message"),
    [
        ((2.0, 1.0, "a"), "bad_transcript", "ends at 1.000 s before it begins at 2.000 s"),
        ((5.0, 6.0, "a"), "transcript_beyond_clip", "begins at 5.00 s, the clip lasts 5.00 s"),
        ((float("nan"), 6.0, "a"), "bad_transcript", "begins at nan s"),
    ],
)
def test_what_cannot_be_mended_is_refused(cue, code, message):
    with pytest.raises(SourceError, match=f"a.srt, line 2: .*{message}") as caught:
        read((0.0, 1.0, "fine"), cue, duration=5.0)
    assert caught.value.code == code


def test_the_end_of_the_clip_itself_is_beyond_it():
    log = RepairLog(PATH)
    refuse_beyond(4.9, 5.0, log, 3)
    with pytest.raises(SourceError, match="line 3"):
        refuse_beyond(5.0, 5.0, log, 3)


def test_out_of_order():
    cues = [(3.0, 4.0, "c"), (1.0, 2.0, "a"), (2.0, 3.0, "b")]
    assert told(*cues) == (sorted(cues), ["unsorted"])


def test_before_the_clip():
    cues = [(-3.0, -2.0, "a"), (-1.0, 0.0, "b"), (-1.0, 1.0, "c"), (0.0, 0.0, "d")]
    spans, codes = told(*cues)
    assert spans == [(0.0, 1.0, "d"), (0.0, 1.0, "c")]
    assert codes == ["negative_time", "negative_time", "overlap"]


@pytest.mark.parametrize(
    ("cue", "following", "end"),
    [
        ((1.0, 1.0, "a b"), (9.0, 10.0, "c"), 2.0),
        ((1.0, 1.19, "a b"), (1.5, 2.0, "c"), 1.5),
        ((1.0, 1.0, "a b"), (9.0, 10.0, "[Music]"), 2.0),
        ((4.9, 4.9, "a b"), (4.95, 5.0, "[Music]"), 5.0),
    ],
)
def test_one_that_is_too_short_for_its_words_lasts_longer(cue, following, end):
    passages, codes = read(cue, following, duration=max(5.0, following[1]))
    assert passages[0].span == (cue[0], end)
    assert codes == ["too_short"]


@pytest.mark.parametrize("end", [1.0, 1.1])
def test_one_that_is_too_short_ends_where_the_next_begins(end):
    cues = [(1.0, end, "a b"), (1.1, 2.0, "c")]
    assert told(*cues)[0][0][:2] == (1.0, 1.1)


def test_of_two_that_overlap_the_first_ends_where_the_second_begins():
    spans, codes = told((0.0, 3.0, "a b"), (2.0, 5.0, "c"), (5.0, 6.0, "d"))
    assert spans == [(0.0, 2.0, "a b"), (2.0, 5.0, "c"), (5.0, 6.0, "d")]
    assert codes == ["overlap"]


@pytest.mark.parametrize("later", [0.0, 0.15])
def test_two_that_are_shown_together_share_their_span(later):
    spans, codes = told((1.0, 3.0, "a b"), (1.0 + later, 5.0, "c"), (4.0, 6.0, "d"))
    assert spans == [(1.0, 4.0, "a b"), (1.0, 4.0, "c"), (4.0, 6.0, "d")]
    assert codes == ["overlap"]


CUES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20), st.lists(st.sampled_from("abc"), max_size=4)),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(CUES)
def test_words_keep_the_order_of_what_is_shown(drawn):
    """Words of cues that overlap are never shuffled, and none is lost where none is repeated."""
    cues = [
        (start / 10, (start + length) / 10, " ".join(f"{letter}{number}" for letter in letters))
        for number, (start, length, letters) in enumerate(drawn)
    ]
    passages, _ = read(*cues)
    placed = align_passages(passages=passages, aligner=spread_words)
    words = [word for passage in placed for word in passage.words]
    in_order = sorted(cues, key=lambda cue: cue[:2])
    assert [word.text for word in words] == " ".join(cue[2] for cue in in_order).split()
    starts = [word.start for word in words]
    assert starts == sorted(starts)


ROLLING = [
    (0.0, 2.0, "this kettle"),
    (2.0, 2.01, "this kettle"),
    (2.01, 4.0, "this kettle\nand it"),
    (4.0, 4.01, "and it"),
    (4.01, 6.0, "and it\nleaks"),
]


def test_rolling_captions_are_read_once():
    spans, codes = told(*ROLLING)
    assert spans == [(0.0, 2.0, "this kettle"), (2.01, 4.0, "and it"), (4.01, 6.0, "leaks")]
    assert codes == ["repeated_lines"]


def test_growing_captions_are_read_once():
    spans, _ = told((0.0, 1.0, "we"), (1.0, 2.0, "we are"), (2.0, 3.0, "we are here\nnow"))
    assert spans == [(0.0, 1.0, "we"), (1.0, 2.0, "are"), (2.0, 3.0, "here now")]


def test_two_lines_that_roll():
    spans, _ = told((0.0, 1.0, "a b\nc d"), (1.0, 2.0, "c d\ne"), (2.0, 3.0, "e\nf g"))
    assert spans == [(0.0, 1.0, "a b c d"), (1.0, 2.0, "e"), (2.0, 3.0, "f g")]


def test_sounds_between_do_not_hide_that_captions_roll():
    passages, codes = read(
        (0.0, 2.0, "[Music]"),
        (2.0, 2.01, "[Music]"),
        (2.01, 4.0, "[Music]\nhello there"),
        (4.0, 4.01, "hello there"),
        (4.01, 6.0, "hello there\n[Applause]"),
        (6.0, 6.01, "[Applause]"),
        (6.01, 8.0, "[Applause]\nyes"),
    )
    assert " ".join(token for p in passages for token in p.tokens) == "hello there yes"
    assert [event for p in passages for event in p.events] == ["Music", "Applause"]
    assert codes == ["repeated_lines"]


def test_a_line_above_a_timed_one_is_a_repeated_one_even_after_a_pause():
    passages, codes = read(
        timed(0.0, 2.0, "this ", 1.0, "kettle"), timed(5.0, 8.0, "this kettle\nand ", 6.0, "it")
    )
    assert [p.tokens for p in passages] == [("this", "kettle"), ("and", "it")]
    assert [w[:3] for w in words(passages)][2:] == [("and", 5.0, 6.0), ("it", 6.0, 8.0)]
    assert codes == ["repeated_lines"]


@pytest.mark.parametrize(
    "cues",
    [
        # said twice
        [(0.0, 1.0, "No."), (1.0, 2.0, "No.")],
        [(0.0, 1.0, "La la"), (1.0, 2.0, "La la"), (2.0, 3.0, "La la"), (3.0, 4.0, "La la")],
        # once, among others
        [(0.0, 1.0, "No."), (1.0, 2.0, "No. It leaks"), (2.0, 3.0, "a"), (3.0, 4.0, "b")],
        # after a while
        [(0.0, 1.0, "No."), (3.0, 4.0, "No. It leaks"), (6.0, 7.0, "No. It leaks so")],
        # the end of a line
        [(0.0, 1.0, "I say no"), (1.0, 2.0, "no it leaks"), (2.0, 3.0, "leaks badly")],
    ],
)
def test_who_says_a_thing_twice_is_heard_twice(cues):
    assert told(*cues) == (cues, [])


def test_events_roll_too():
    passages, _ = read(*ROLLING, (6.0, 6.01, "leaks\n[Music]"), (6.01, 8.0, "[Music]\nso"))
    assert [event for passage in passages for event in passage.events] == ["Music"]
    assert passages[-1].tokens == ("so",)


def test_a_line_that_is_shown_again_is_no_new_turn():
    passages, _ = read(
        (0.0, 1.0, ">> a"), (1.0, 2.0, ">> a\nb"), (2.0, 3.0, "b\n>> c"), (3.0, 4.0, ">> c\nd")
    )
    assert [(p.tokens, p.is_turn) for p in passages] == [
        (("a",), True),
        (("b",), False),
        (("c",), True),
        (("d",), False),
    ]


def words(passages):
    return [(w.text, w.start, w.end, w.source, w.confidence) for p in passages for w in p.words]


def test_times_between_words():
    passages, codes = read(timed(1.0, 5.0, "a ", 2.0, "b c", 3.0, " ", 4.0, "d"))
    assert words(passages) == [
        ("a", 1.0, 2.0, "subtitle", None),
        ("b", 2.0, 2.5, "interpolated", None),
        ("c", 2.5, 3.0, "interpolated", None),
        ("d", 4.0, 5.0, "subtitle", None),
    ]
    assert passages[0].has_word_times
    assert codes == []


def test_an_end_behind_the_last_word():
    passages, _ = read(timed(1.0, 5.0, "a ", 2.0, "b", 3.0))
    assert [w[:3] for w in words(passages)] == [("a", 1.0, 2.0), ("b", 2.0, 3.0)]
    assert passages[0].span == (1.0, 3.0)


def test_words_end_with_the_clip():
    passages, _ = read(timed(1.0, 5.0, "a ", 2.0, "b ", 3.0, "c"), duration=2.5)
    assert [w[:3] for w in words(passages)] == [("a", 1, 2), ("b", 2, 2.5), ("c", 2.5, 2.5)]


def test_sources_and_confidences():
    marks = (Mark(None, "aligned", 0.5), Mark(2.0, "recognised"), Mark(3.0, "interpolated", 0.1))
    a, b, c = map(mark_character, range(3))
    passages, _ = read(Cue(1.0, 4.0, f"{a}x {b}y {c}z", 1, marks))
    assert words(passages) == [
        ("x", 1.0, 2.0, "aligned", 0.5),
        ("y", 2.0, 3.0, "recognised", None),
        ("z", 3.0, 4.0, "interpolated", 0.1),
    ]


@pytest.mark.parametrize("times", [(3.0, 2.0), (0.5, 2.0), (2.0, 6.0)])
def test_times_of_words_that_cannot_be_are_not_used(times):
    passages, codes = read(timed(1.0, 5.0, "a ", times[0], "b ", times[1], "c"))
    assert [(p.span, p.tokens, p.words) for p in passages] == [((1, 5), ("a", "b", "c"), ())]
    assert codes == ["word_times"]


def test_timed_words_overlap_as_they_like():
    passages, codes = read(timed(0.0, 4.0, "a ", 2.0, "b"), timed(3.0, 5.0, "c ", 4.0, "d"))
    assert [p.span for p in passages] == [(0.0, 4.0), (3.0, 5.0)]
    assert codes == []


def test_two_speakers_in_a_timed_cue():
    passages, _ = read(timed(0.0, 4.0, "- a ", 1.0, "b\n", 2.0, "- c"))
    assert [(p.tokens, p.span) for p in passages] == [(("a", "b"), (0, 2)), (("c",), (2, 4))]


def test_a_timed_line_is_never_a_repeated_one():
    cues = [timed(0.0, 1.0, "no ", 0.5, "no"), timed(1.0, 2.0, "no ", 1.5, "no")]
    assert [p.tokens for p in read(*cues)[0]] == [("no", "no"), ("no", "no")]


def test_the_single_word_of_a_timed_line_begins_with_it():
    cues = [
        timed(0.0, 2.0, "this ", 1.0, "kettle", line=1),
        Cue(2.0, 2.01, "this kettle", 2),
        Cue(2.01, 4.0, "this kettle\nleaks", 3),
    ]
    assert words(read(*cues)[0])[-1] == ("leaks", 2.01, 4.0, "subtitle", None)
