import pytest

from pipeline.errors import SourceError
from pipeline.formats.tables import number_in, read_table, split_of


@pytest.fixture
def save(tmp_path):
    def save(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return save


def test_cells_stay_text_and_know_their_line(save):
    path = save('id,text\n0001,"a ""b"", c"\n2,"x\ny"\n3\n', "utf-8-sig")
    rows = read_table(path, needed=("id", "text"))
    assert [row["id"] for row in rows] == ["0001", "2", "3"]
    assert [row["text"] for row in rows] == ['a "b", c', "x\ny", ""]
    assert [row["line"] for row in rows] == ["2", "4", "5"]


def test_quotation_marks_between_tabs_are_text(save):
    path = save('id\ttext\n1\t"oh" he\n2\t"open\n')
    rows = read_table(path, needed=("id",), delimiter="\t")
    assert [row["text"] for row in rows] == ['"oh" he', '"open']


def test_what_cannot_be_read_is_told(save, tmp_path):
    with pytest.raises(SourceError, match=r"table\.csv: has no column \['label'\]; it has \['id'"):
        read_table(save("id,text\n"), needed=("id", "label"))
    with pytest.raises(SourceError, match="cannot be read"):
        read_table(save("id\nä\n", "latin-1"), needed=("id",))
    with pytest.raises(SourceError, match="cannot be read"):
        read_table(tmp_path / "none.csv", needed=())


def test_numbers(tmp_path):
    row = {"line": "4", "a": " -0.5 ", "b": "", "c": "one", "d": "nan", "e": "1e999"}
    assert number_in(tmp_path, row, "a") == -0.5
    assert number_in(tmp_path, row, "b") is None
    assert number_in(tmp_path, row, "x") is None
    for column in "cde":
        with pytest.raises(SourceError, match=f"line 4: {column}"):
            number_in(tmp_path, row, column)


def test_splits_by_all_their_names(tmp_path):
    names = ["train", "valid", "val", "dev", "Test", ""]
    assert [split_of(tmp_path, name) for name in names] == [
        "train",
        "valid",
        "valid",
        "valid",
        "test",
        None,
    ]
    with pytest.raises(SourceError, match="'other'"):
        split_of(tmp_path, "other")
