import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.text_encoding import read_text

PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.just("\n"))


def read(folder, content):
    path = folder / "a.srt"
    path.write_bytes(content)
    text, repairs = read_text(path)
    return text, [repair.code for repair in repairs]


# Finding the signs of all those categories for the first time takes a while.
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PRINTABLE, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_what_was_written_is_read(tmp_path_factory, text, encoding):
    text = text.lstrip("\ufeff")
    assert read(tmp_path_factory.mktemp("a"), text.encode(encoding)) == (text, [])


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"\xfe\xff", "utf-16-be"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\x00\x00\xfe\xff", "utf-32-be"),
        (b"\xff\xfe\x00\x00", "utf-32-le"),
    ],
)
def test_byte_order_marks(tmp_path, mark, encoding):
    assert read(tmp_path, mark + "été 漢".encode(encoding)) == ("été 漢", [])


@pytest.mark.parametrize("text", ["déjà vu", "Größe — “naïve”", "El niño cumplió años, ¡qué bien!"])
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_latin_1_is_guessed(tmp_path, text, encoding):
    if encoding == "latin-1":
        text = text.replace("—", "-").replace("“", "«").replace("”", "»")
    assert read(tmp_path, text.encode(encoding)) == (text, ["guessed_encoding"])


def test_a_guess_is_told_with_its_line(tmp_path):
    path = tmp_path / "a.srt"
    path.write_bytes(b"1\r\n\r\ncaf\xe9\r\n")
    _, (repair,) = read_text(path)
    assert repair.detail.startswith(f"{path}, line 3: is not UTF-8 and was read as Latin-1")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a\nпривет всем".encode("cp1251"), "line 2: is not UTF-8 at byte 2"),
        ("γειά σου κόσμε".encode("cp1253"), "line 1: is not UTF-8"),
        ("我们喜欢这个水壶".encode("gb18030"), "line 1: is not UTF-8"),
        ("déjà\nvu".encode() + b"\xff", "line 2: is not UTF-8 at byte 9"),
        ("one\ntwo".encode("utf-16") + b"x", "line 2: is not UTF-16-LE at byte 16"),
        ("one\ntwo".encode("utf-16-le"), "line 1: holds zero bytes"),
        (b"one\ntwo\n\x00", "line 3: holds zero bytes"),
        (b"ab\x81cd \xe9", "line 1: is not UTF-8"),
    ],
)
def test_what_would_come_out_wrong_is_refused(tmp_path, content, told):
    with pytest.raises(SourceError, match=f"a.srt, {told}") as caught:
        read(tmp_path, content)
    assert caught.value.code == "bad_encoding"


def test_control_characters_are_spaces(tmp_path):
    assert read(tmp_path, b"so\x02what\x1b\n\x1a") == ("so what \n", ["control_characters"])


def test_an_end_mark_of_old_systems_is_no_word(tmp_path):
    assert read(tmp_path, b"so\n\x1a\x1a") == ("so\n", [])


@pytest.mark.parametrize("name", ["none.srt", "folder"])
def test_a_file_that_cannot_be_read(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=f"{name}: cannot be read") as caught:
        read_text(tmp_path / name)
    assert caught.value.code == "unreadable"
