from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.repair_log import RepairLog
from pipeline.textgrid import read_textgrid

SAMPLES = Path(__file__).parent / "transcript_samples"


def read(text, *, duration=100.0):
    log = RepairLog(Path("a.TextGrid"))
    passages = read_textgrid(text=text, duration=duration, log=log)
    return passages, [repair.code for repair in log.repairs()]


def words(text):
    return [(w.text, w.start, w.end, w.source) for p in read(text)[0] for w in p.words]


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def short_form(*tiers):
    """Tiers of ``(class, name, rows)`` as Praat's short text file has them."""
    values = ['"ooTextFile"', '"TextGrid"', "0", "99.5", "<exists>", len(tiers)]
    for kind, name, rows in tiers:
        values += [quoted(kind), quoted(name), "0", "99.5", len(rows)]
        values += [quoted(v) if isinstance(v, str) else v for row in rows for v in row]
    return "File type = " + "\n".join(map(str, values)) + "\n"


def long_form(*tiers):
    """The same as Praat's text file has them."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 "]
    lines += ["xmax = 99.5 ", "tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for number, (kind, name, rows) in enumerate(tiers, 1):
        what, keys = {
            "IntervalTier": ("intervals", ("xmin", "xmax", "text")),
            "TextTier": ("points", ("number", "mark")),
        }[kind]
        lines += [f"    item [{number}]:", f"        class = {quoted(kind)} "]
        lines += [f"        name = {quoted(name)} ", "        xmin = 0 ", "        xmax = 99.5 "]
        lines += [f"        {what}: size = {len(rows)} "]
        for index, row in enumerate(rows, 1):
            lines += [f"        {what} [{index}]:"]
            values = [quoted(v) if isinstance(v, str) else v for v in row]
            lines += [f"            {k} = {v} " for k, v in zip(keys, values, strict=True)]
    return "\n".join(lines) + "\n"


TEXTS = st.text("ab\"\n! 1.5<>[]'é", max_size=8)
POINTS = st.tuples(
    st.just("TextTier"), TEXTS, st.lists(st.tuples(st.floats(0, 9), TEXTS), max_size=3)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abé\"!1.5'", min_size=1, max_size=6), max_size=9), POINTS)
def test_both_forms_say_the_same(texts, points):
    said = [text for text in texts if any(sign.isalnum() for sign in text)]
    rows = [(i / 4, (i + 1) / 4, text) for i, text in enumerate(said)]
    tiers = (points, ("IntervalTier", "words", rows))
    expected = [(text, start, end, "given") for start, end, text in rows]
    assert words(short_form(*tiers)) == expected
    assert words(long_form(*tiers)) == expected


@pytest.mark.parametrize("name", ["long.TextGrid", "short.TextGrid"])
def test_samples(name):
    passages, codes = read((SAMPLES / name).read_text())
    assert [(w.text, w.start, w.end) for p in passages for w in p.words] == [
        ("déjà", 0.25, 0.5),
        ('"vu"', 0.5, 1.0),
        ("leaks", 1.75, 2.4),
    ]
    assert {p.speaker for p in passages} == {"Mary" if name == "long.TextGrid" else None}
    assert [p.line for p in passages][:1] == [29 if name == "long.TextGrid" else 16]
    assert codes == []


ROWS = [(0, 1, "a"), (1, 2, ""), (2, 3, "b")]


@pytest.mark.parametrize(
    "name", ["words", "Word", "WORDS", "ORT", "ORT-MAU", "tokens", "mots", " words "]
)
def test_the_tier_of_words_is_chosen_by_name(name):
    others = ("IntervalTier", "phones", [(0, 3, "x")]), ("IntervalTier", "swords", [(0, 3, "x")])
    text = short_form(others[0], ("IntervalTier", name, ROWS), others[1])
    assert [w[0] for w in words(text)] == ["a", "b"]


def test_every_speaker_has_a_tier():
    text = long_form(
        ("IntervalTier", "Ann - words", ROWS), ("IntervalTier", "Bo - words", [(0.5, 1.5, "c")])
    )
    assert [(p.tokens, p.speaker) for p in read(text)[0]] == [
        (("a",), "Ann"),
        (("c",), "Bo"),
        (("b",), "Ann"),
    ]


def test_the_only_tier_needs_no_name():
    text = short_form(
        ("IntervalTier", "", []), ("TextTier", "x", [(1, "c")]), ("IntervalTier", "what", ROWS)
    )
    assert [w[0] for w in words(text)] == ["a", "b"]


def test_several_tiers_without_a_name_leave_the_choice_open():
    text = long_form(("IntervalTier", "one", ROWS), ("IntervalTier", "two", ROWS))
    with pytest.raises(SourceError, match="line 11: of the interval tiers 'one', 'two' none"):
        read(text)


def test_intervals_of_several_words_time_lines():
    rows = [(0, 2, "so it leaks"), (2, 3, ""), (3, 4, "BO: no [sighs]"), (4, 5, "why though")]
    passages, _ = read(short_form(("IntervalTier", "sentences", rows)))
    assert [(p.span, p.tokens, p.words, p.speaker, p.events) for p in passages] == [
        ((0, 2), ("so", "it", "leaks"), (), None, ()),
        ((3, 4), ("no",), (), "BO", ("sighs",)),
        ((4, 5), ("why", "though"), (), None, ()),
    ]


def test_comments_are_for_people():
    text = short_form(("IntervalTier", "words", ROWS))
    assert words(text.replace("<exists>", '! "x" 3\n<exists> (flag) ! 7')) == words(text)


def test_no_tiers():
    text = 'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<absent>\n'
    assert read(text) == ((), [])


GOOD = short_form(("IntervalTier", "words", ROWS))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", 'line 1: the file ends where "ooTextFile" is expected'),
        ("ooBinaryFile\x08TextGrid", "line 1: is a binary TextGrid"),
        ("so it goes", "line 1: the file ends where"),
        (GOOD.replace("ooTextFile", "ooSound"), "line 1: 'ooSound' stands where 'ooTextFile'"),
        (GOOD.replace('"TextGrid"', '"Pitch 1"'), "line 2: 'Pitch 1' stands where 'TextGrid'"),
        (GOOD.replace("IntervalTier", "PitchTier"), "line 7: 'PitchTier' is no class of tiers"),
        (GOOD.replace("<exists>\n1", "<exists>\n1.5"), "line 6: the number of tiers is 1.5, not a"),
        (GOOD.replace("<exists>\n1", "<exists>\n-1"), "line 6: the number of tiers is -1"),
        (GOOD.replace("<exists>\n1", "<exists>\n2"), "the file ends where a tier's class"),
        (GOOD.replace("99.5\n3", "99.5\n4"), "line 21: the file ends where an interval's beg"),
        (GOOD.replace('"b"', "b"), "line 21: the file ends where an interval's text"),
        (GOOD.replace("0\n1\n", "0\n--undefined--\n"), "line 13: an interval's end is undefined"),
        (GOOD.replace("99.5\n3", "99.5\n1e999"), "line 11: the size of a tier is 1e999, too"),
        (GOOD.replace("0\n1\n", "0\n1e999\n"), "line 13: an interval's end is 1e999, too large"),
        (GOOD.replace("0\n1\n", "0.5\n0.2\n"), "line 12: 'a' ends at 0.2 s and begins at 0.5 s"),
        (GOOD.replace("2\n3\n", "200\n300\n"), "line 18: begins at 200.00 s, the clip lasts"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(text, told):
    with pytest.raises(SourceError, match=rf"a\.TextGrid, .*{told}"):
        read(text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), st.text(max_size=4))
def test_damaged_files_are_read_or_refused(first, last, between):
    try:
        read(GOOD[:first] + between + GOOD[last:])
    except SourceError as error:
        assert str(error).startswith("a.TextGrid, line")  # noqa: PT017
