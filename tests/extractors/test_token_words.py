import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.token_words import words_of_tokens


def split(pieces: list[str | bytes], *, spaced: bool = True) -> list[tuple[str, int, int]]:
    """Words of tokens that stand for these pieces of UTF-8."""
    raw = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]

    def decode(tokens):
        return b"".join(raw[token] for token in tokens).decode(errors="replace")

    words = words_of_tokens(tokens=range(len(raw)), decode=decode, spaced=spaced)
    return [tuple(word) for word in words]


def test_a_word_begins_with_a_space():
    assert split([" I", " don", "'t", " know", "."]) == [
        ("I", 0, 1),
        ("don't", 1, 3),
        ("know.", 3, 5),
    ]


def test_the_first_word_needs_no_space():
    assert split(["Yes", ",", " sir"]) == [("Yes,", 0, 2), ("sir", 2, 3)]


def test_marks_that_stand_alone_join_a_neighbour():
    assert split([" he", " -", ' "', "yes", '"', " !", " $", "5", " %"]) == [
        ("he-", 0, 2),
        ('"yes"!', 2, 6),
        ("$5%", 6, 9),
    ]


def test_signs_that_are_no_words_are_left_out():
    assert split([" ♪", " la", " ♪"]) == [("la", 1, 2)]
    assert split([" ...", " [", " "]) == []
    assert split([]) == []


def test_without_spaces_every_whole_character_is_a_word():
    assert split(["你", "好", "。", "世界"], spaced=False) == [
        ("你", 0, 1),
        ("好。", 1, 3),
        ("世界", 3, 4),
    ]


@pytest.mark.parametrize("spaced", [True, False])
def test_tokens_that_share_a_character_stay_together(spaced):
    e_acute, flag = "é".encode(), "𝟙".encode()
    pieces = [" caf", e_acute[:1], e_acute[1:], *(bytes([b]) for b in flag)]
    words = split(pieces, spaced=spaced)
    assert "".join(word for word, _, _ in words) == "café𝟙"
    assert [word for word, _, _ in words] == (["café𝟙"] if spaced else ["caf", "é", "𝟙"])


def test_bytes_that_never_become_a_character_do_not_swallow_the_rest():
    assert split([" a", b"\xe4\xbd", " b", " c"]) == [("a", 0, 2), ("b", 2, 3), ("c", 3, 4)]


@given(st.lists(st.text("ab é你", min_size=1), max_size=12), st.booleans())
def test_no_letter_is_lost_and_tokens_are_in_order(pieces, spaced):
    words = split(pieces, spaced=spaced)
    letters = "".join("".join(pieces).split())
    assert "".join("".join(text.split()) for text, _, _ in words) == letters
    ends = [0, *(edge for _, first, last in words for edge in (first, last)), len(pieces)]
    assert ends == sorted(ends)
    assert all(first < last for _, first, last in words)
