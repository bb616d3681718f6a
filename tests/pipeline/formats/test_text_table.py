import pytest

from pipeline.errors import SourceError
from pipeline.formats.base import recognise
from pipeline.formats.text_table import TextTable


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return list(TextTable().read(path))


def test_an_id_is_video_and_clip(tmp_path):
    found = read(
        tmp_path / "a.csv",
        "id,split,label,english,chinese\n-a_b_3,val,-1.5,well,好\nfilm$_$7_1,test,,no,不\nalone,,2,x,y\n",
    )
    assert [(one.video, one.clip, one.id) for one in found] == [
        ("-a_b", "3", "-a_b$_$3"),
        ("film", "7_1", "film$_$7_1"),
        ("alone", "", "alone"),
    ]
    assert [one.split for one in found] == ["valid", "test", None]
    assert [one.label for one in found] == [-1.5, None, 2.0]
    assert [one.text for one in found] == ["well", "no", "x"]


def test_two_columns_of_names(tmp_path):
    (one,) = read(tmp_path / "a.csv", "video_id,clip_id,text,label,mode\n01,0_2,hi there,1,train\n")
    assert (one.video, one.clip, one.split, one.text) == ("01", "0_2", "train", "hi there")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("label,text\n1,a\n", "neither a column 'id'"),
        ("id,text\na,b\n", r"\['label'\]"),
        ("id,label\na_1,1\na_1,2\n", r"line 3: clip .*twice"),
        ("id,label\n,1\n", "line 2: clip .*nameless"),
        ("id,label\na,much\n", "line 2: label 'much'"),
        ("id,label,split\na,1,later\n", "line 2: split 'later'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, text, problem):
    with pytest.raises(SourceError, match=problem):
        read(tmp_path / "a.csv", text)


def test_tables_of_other_formats_are_left_to_them(tmp_path):
    assert recognise(tmp_path / "a.csv").name == "table"
    assert recognise(tmp_path / "label.csv").name == "sims"
    assert recognise(tmp_path / "labels.csv").name == "folder"


def test_real_tables(reference):
    found = list(TextTable().read(reference / "datasets" / "mosi" / "mosi_labels_text.csv"))
    splits = [one.split for one in found]
    assert [splits.count(name) for name in ("train", "valid", "test")] == [1284, 229, 686]
    assert all(one.text and one.label is not None for one in found)
    assert len({one.video for one in found}) == 93
    mosei = list(TextTable().read(reference / "datasets" / "mosei" / "mosei_label_text.csv"))
    splits = [one.split for one in mosei]
    assert [splits.count(name) for name in ("train", "valid", "test")] == [16274, 1861, 4653]
