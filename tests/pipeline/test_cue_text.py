import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cue_text import Mark, is_telling, mark_character, read_cue_text, without_private


def parts(text, **more):
    """Every turn's speaker, words and events."""
    read = read_cue_text(text=text, **more)
    return [
        (
            turn.speaker,
            " ".join(token.text for token in read.tokens if token.turn == number),
            turn.events,
        )
        for number, turn in enumerate(read.turns)
        if turn.events or any(token.turn == number for token in read.tokens)
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<i>Hi</i>, <b>lov</b>ed &amp; it", "Hi, loved & it"),
        ("one<br>two<BR />three\\Nfour", "one two three four"),
        ("{\\an8}{\\i1}up{\\i0} {y:i}there", "up there"),
        (
            '<font color="#ff0000">red</font> <c.yellow.bg_blue>and</c> <lang en-GB>so</lang>',
            "red and so",
        ),
        ("x&nbsp;y&#160;z &lrm;a", "x y z a"),
        ("漢<rt>kan</rt>字", "漢 字"),
        ("I <3 you, 2 < 3 > 1", "I <3 you, 2 < 3 > 1"),
        ("so\u200b soft\u00adly \ufeffnow", "so softly now"),
        ("AT&T &copy; &unknown;", "AT&T© &unknown;"),
        ("it costs 5 % & 3 $", "it costs 5 % & 3 $"),
    ],
)
def test_markup_is_no_word(text, said):
    assert parts(without_private(text)) == [(None, said, [])]


def test_plain_text_has_no_markup():
    assert parts("a &amp; b \\N <3", is_markup=False) == [(None, "a &amp; b \\N <3", [])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<v Mary Ann>Hi <i>you</i></v>", [("Mary Ann", "Hi you", [])]),
        ("<v.loud.first Mary>Hi\n<v Paul>Ho", [("Mary", "Hi", []), ("Paul", "Ho", [])]),
        ("MARY: Hi\nPAUL O'NEIL: Ho", [("MARY", "Hi", []), ("PAUL O'NEIL", "Ho", [])]),
        ("Speaker 12: Hi", [("Speaker 12", "Hi", [])]),
        ("[SPEAKER_01]: Hi", [("SPEAKER_01", "Hi", [])]),
        (">> Hi\n&gt;&gt; MARY: Ho", [(None, "Hi", []), ("MARY", "Ho", [])]),
        (">>> MARY: Ho", [("MARY", "Ho", [])]),
        ("- Hi.\n- Ho - ho.", [(None, "Hi.", []), (None, "Ho- ho.", [])]),
        ("–Hi.\n–Ho.", [(None, "Hi.", []), (None, "Ho.", [])]),
        ("MARY:\nHi\nthere", [("MARY", "Hi there", [])]),
        ("ÉLÈVE: Oui", [("ÉLÈVE", "Oui", [])]),
    ],
)
def test_speakers_are_no_words(text, expected):
    assert parts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Remember: it leaks",
        "he said: no",
        "at 10:30 sharp",
        "-5 degrees",
        "it is -- well",
        "well, MARY: hi",
        "THIS IS WHAT I MEAN: no",
        "注意: 好",
    ],
)
def test_what_is_said_is_no_speaker(text):
    ((speaker, said, _),) = parts(text)
    assert speaker is None
    assert said.replace(" ", "") == text.replace(" ", "")


def test_who_speaks_is_told_apart_from_that_somebody_else_does():
    read = read_cue_text(text="hm\n- yes\n<v Ann>no")
    assert [(turn.speaker, turn.is_new) for turn in read.turns if turn is not None] == [
        (None, False),
        ("Ann", False),
        (None, True),
    ]
    assert [(t.text, read.turns[t.turn].speaker) for t in read.tokens] == [
        ("hm", None),
        ("yes", None),
        ("no", "Ann"),
    ]


def test_a_speaker_from_elsewhere():
    assert parts("Hi\nBO: Ho", speaker="Ann") == [("Ann", "Hi", []), ("BO", "Ho", [])]


@pytest.mark.parametrize(
    ("text", "said", "events"),
    [
        ("[Music]", "", ["Music"]),
        ("so [upbeat\nmusic] there [ __ ]", "so there", ["upbeat music", "__"]),
        ("(Laughter)", "", ["Laughter"]),
        ("(door opens)\nwell", "well", ["door opens"]),
        ("well (laughs) yes", "well yes", ["laughs"]),
        ("*sighs* well", "well", ["sighs"]),
        ("♪ la la ♪♪", "la la", ["♪"]),
        ("<unk> yes", "yes", ["unk"]),
        ("（笑）好", "好", ["笑"]),
        ("【掌声】", "", ["掌声"]),
        ("[]", "", []),
        ("and (I think) so", "and (I think) so", []),
        ("(I really do not know why that is)", "(I really do not know why that is)", []),
        ("(Yes!)", "(Yes!)", []),
        ("it *really* leaks, 2*3*4", "it *really* leaks, 2*3*4", []),
    ],
)
def test_events_are_no_words(text, said, events):
    read = read_cue_text(text=text)
    assert " ".join(token.text for token in read.tokens) == said
    assert [event for turn in read.turns for event in turn.events] == events


def test_an_event_belongs_to_its_turn():
    assert parts("MARY: hm (coughs)\nPAUL: [sighs]") == [
        ("MARY", "hm", ["coughs"]),
        ("PAUL", "", ["sighs"]),
    ]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Bonjour !", ["Bonjour!"]),
        ("¿ Qué ? ¡ Ya !", ["¿Qué?", "¡Ya!"]),
        ("-- well — yes ...", ["--well—", "yes..."]),
        ("« Oui »", ["«Oui»"]),
        ("so ( ( a", ["so", "((a"]),
        ("so «", ["so«"]),
        ("? ?a", ["??a"]),
        ("...", []),
        ("你好，世界。ok吗", ["你", "好，", "世", "界。", "ok", "吗"]),
        ("ありがとう!", ["あ", "り", "が", "と", "う!"]),
        ("안녕 하세요", ["안녕", "하세요"]),
    ],
)
def test_words(text, tokens):
    assert [token.text for token in read_cue_text(text=text).tokens] == tokens


def test_rows():
    read = read_cue_text(text="one\n<v Ann>two\n[x\ny] three")
    rows = [token.row for token in read.tokens]
    assert rows == sorted(rows)
    assert len(set(rows)) == 3


def marked(*pieces):
    """Text in which every number is a mark of that time."""
    marks, text = [], ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        else:
            text += mark_character(len(marks))
            marks.append(Mark(piece))
    read = read_cue_text(text=text, marks=marks)
    return [token.text for token in read.tokens], [[m.time for m in gap] for gap in read.gaps]


@pytest.mark.parametrize(
    ("pieces", "tokens", "gaps"),
    [
        (["a", 1.0, " b"], ["a", "b"], [[], [1.0], []]),
        ([0.0, "a", 1.0, " ", 2.0, "b", 3.0], ["a", "b"], [[0.0], [1.0, 2.0], [3.0]]),
        (["ka", 1.0, "ra", 2.0, "oke ok"], ["karaoke", "ok"], [[], [], []]),
        (["你好", 1.0, "世界"], ["你好", "世界"], [[], [1.0], []]),
        (["a", 1.0, " !", 2.0, " b"], ["a!", "b"], [[], [1.0, 2.0], []]),
        ([1.0, "¿", 2.0, " a"], ["¿a"], [[1.0, 2.0], []]),
        (["a", 1.0, " [x", 2.0, "y] ", 3.0, "b"], ["a", "b"], [[], [1.0, 2.0, 3.0], []]),
        ([1.0, "[x]", 2.0], [], [[1.0, 2.0]]),
        ([1.0, "BO: ", 2.0, "a"], ["a"], [[1.0, 2.0], []]),
        ([1.0, "- ", 2.0, "a"], ["a"], [[1.0, 2.0], []]),
    ],
)
def test_marks_stand_between_words(pieces, tokens, gaps):
    assert marked(*pieces) == (tokens, gaps)


def test_only_marks_that_tell_something_time_a_text():
    assert [is_telling(mark) for mark in (Mark(None), Mark(0.0), Mark(None, "aligned"))] == [
        False,
        True,
        True,
    ]
    assert read_cue_text(text=mark_character(0), marks=[Mark(0.0)]).is_timed
    assert not read_cue_text(text=mark_character(0), marks=[Mark(None)]).is_timed


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.booleans())
def test_any_text_can_be_taken_apart(text, is_markup):
    read = read_cue_text(text=without_private(text), is_markup=is_markup)
    assert len(read.gaps) == len(read.tokens) + 1
    assert all(token.text == "".join(token.text.split()) != "" for token in read.tokens)
    assert {token.turn for token in read.tokens} <= set(range(len(read.turns)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.sampled_from("abcdéßж漢あ.,!?'«「"), min_size=1), max_size=12))
def test_no_letter_is_lost(words):
    read = read_cue_text(text=" ".join(words))
    if any(character.isalnum() for word in words for character in word):
        assert "".join(token.text for token in read.tokens) == "".join(words)
