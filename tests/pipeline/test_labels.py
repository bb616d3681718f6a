import os
import unicodedata
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.failure_log import FailureLog
from pipeline.labels import find_labels, read_labels
from pipeline.records import Clip


def clip(path, *, number=0, duration=10.0):
    return Clip(
        id=f"{number:064x}",
        path=str(path),
        duration=duration,
        fps=25.0,
        sample_rate=None,
        size=1,
        modified_ns=1,
    )


def write(folder, *rows, header="video,start,end,text,label,split", encoding="utf-8"):
    path = folder / "labels.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join([header, *rows, ""]).encode(encoding))
    return path


def find(folder, *names):
    log = FailureLog()
    seen = [(folder / name, clip(folder / name, number=i)) for i, name in enumerate(names)]
    return find_labels(folders=[folder], seen=seen, log=log), log.failures


def test_every_column_is_read(tmp_path):
    path = write(tmp_path, 'a.mp4,1.5,2.25,"Yes, ""really""", -2.5 ,train')
    (label,), failures = read_labels(path)
    assert failures == []
    assert label[1:] == ("a.mp4", 1.5, 2.25, 'Yes, "really"', -2.5, "train")
    assert label.item == f"{path}, line 2"


def test_two_columns_are_enough(tmp_path):
    path = write(tmp_path, "a,3", "b,", header="video,label")
    labels, _ = read_labels(path)
    assert [label[1:] for label in labels] == [
        ("a", None, None, "", 3.0, None),
        ("b", None, None, "", None, None),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_spreadsheets_write_a_byte_order_mark(tmp_path, encoding):
    path = write(tmp_path, "a,1", header="video,label", encoding=encoding)
    assert len(read_labels(path)[0]) == 1


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("a.mp4,,,,3.01,", "label_out_of_range"),
        ("a.mp4,,,,-4,", "label_out_of_range"),
        ("a.mp4,,,,good,", "bad_number"),
        ("a.mp4,,,,nan,", "bad_number"),
        ("a.mp4,,,,inf,", "bad_number"),
        ('a.mp4,,,,"1,5",', "bad_number"),
        ("a.mp4,x,2,,1,", "bad_number"),
        ("a.mp4,1,,,1,", "bad_span"),
        ("a.mp4,,1,,1,", "bad_span"),
        ("a.mp4,2,1,,1,", "bad_span"),
        ("a.mp4,1,1,,1,", "bad_span"),
        ("a.mp4,-1,1,,1,", "bad_span"),
        ("a.mp4,,,,1,dev", "bad_split"),
    ],
)
def test_a_bad_row_is_recorded_and_the_others_are_read(tmp_path, row, code):
    path = write(tmp_path, "a.mp4,0,1,,1,", row, "a.mp4,1,2,,2,")
    labels, (failure,) = read_labels(path)
    assert [label.label for label in labels] == [1, 2]
    assert (failure.item, failure.step, failure.code) == (f"{path}, line 3", "labels", code)
    assert failure.detail.startswith(failure.item)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", r"no column \['video', 'label'\]"),
        (b"video,sentiment\na,1\n", r"no column \['label'\]; it has \['video', 'sentiment'\]"),
        (b"video,label\ncaf\xe9,1\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_label_file_is_an_error(tmp_path, content, told):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=told) as caught:
        read_labels(path)
    assert caught.value.code == "bad_labels"
    found, (failure,) = find(tmp_path, "a.mp4")
    assert (found, failure.code, failure.item) == ([], "bad_labels", str(path))


@pytest.mark.parametrize(
    "name",
    [
        "a.mp4",
        "a",
        "with space.mp4",
        "it's.mp4",
        "two\nlines.mp4",
        "Zoë.mp4",
        "北京.mp4",
        "b.c.mp4",
    ],
)
def test_names(tmp_path, name):
    write(tmp_path, f'"{name}",1', header="video,label")
    file = name if name.endswith(".mp4") else f"{name}.mp4"
    ((label, found),), failures = find(tmp_path, file)
    assert (label.video, found.path, failures) == (name, str(tmp_path / file), [])


@pytest.mark.parametrize(("on_disk", "in_file"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_written_in_either_way(tmp_path, on_disk, in_file):
    file = unicodedata.normalize(on_disk, "Zoë é.mp4")
    name = unicodedata.normalize(in_file, "Zoë é")
    assert file.removesuffix(".mp4") != name
    write(tmp_path, f"{name},1", header="video,label")
    found, failures = find(tmp_path, file)
    assert (len(found), failures) == (1, [])


def test_paths_are_below_the_label_file(tmp_path):
    write(tmp_path, "one/a.mp4,1", "a.mp4,2", header="video,label")
    write(tmp_path / "two", "a.mp4,3", header="video,label")
    found, (failure,) = find(tmp_path, "one/a.mp4", "two/a.mp4")
    assert {(label.label, Path(c.path).parent.name) for label, c in found} == {
        (1.0, "one"),
        (3.0, "two"),
    }
    assert failure.code == "unknown_clip"


def test_hidden_folders_are_left_alone(tmp_path):
    write(tmp_path / ".trash", "a.mp4,3", header="video,label")
    assert find(tmp_path, "a.mp4") == ([], [])


def test_a_folder_that_is_not_utf8(tmp_path):
    path = write(tmp_path / os.fsdecode(b"caf\xe9"), "a.mp4,9", header="video,label")
    found, (failure,) = find(tmp_path, "a.mp4")
    assert (found, failure.code) == ([], "label_out_of_range")
    assert failure.item == str(path).replace("\udce9", "\\udce9") + ", line 2"


@pytest.mark.parametrize("name", ["b.mp4", "A.mp4", "a.mp3", ""])
def test_an_unknown_clip(tmp_path, name):
    path = write(tmp_path, "a.mp4,1", f'"{name}",2', header="video,label")
    found, (failure,) = find(tmp_path, "a.mp4")
    assert len(found) == 1
    assert (failure.item, failure.code) == (f"{path}, line 3", "unknown_clip")
    assert repr(name) in failure.detail


def test_a_span_beyond_the_clip(tmp_path):
    write(tmp_path, "a.mp4,10,11,,1,", "a.mp4,9,11,,2,")
    ((label, found),), (failure,) = find(tmp_path, "a.mp4")
    assert label.span(found) == (9.0, 10.0)
    assert failure.code == "bad_span"
    assert "lasts 10.00 s" in failure.detail


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("a.mp4,1,2,,1,", "a.mp4,1,2,,-1,"),
        ("a.mp4,1,2,,1,", "a,1.0,2.0001,,-1,"),
        ("a.mp4,,,,1,", "a.mp4,0,10,,-1,"),
        ("a.mp4,5,11,,1,", "a.mp4,5,12,,-1,"),
    ],
)
def test_a_repeated_utterance(tmp_path, first, again):
    path = write(tmp_path, first, again)
    ((label, _),), (failure,) = find(tmp_path, "a.mp4")
    assert label.label == 1
    assert (failure.code, failure.item) == ("repeated_label", f"{path}, line 3")
    assert "line 2" in failure.detail


def test_two_names_of_one_clip_repeat_each_other(tmp_path):
    write(tmp_path, "a.mp4,1", "copy.mp4,2", header="video,label")
    same = clip(tmp_path / "a.mp4")
    log = FailureLog()
    seen = [(tmp_path / "a.mp4", same), (tmp_path / "copy.mp4", same)]
    found = find_labels(folders=[tmp_path], seen=seen, log=log)
    assert [label.label for label, _ in found] == [1]
    assert [failure.code for failure in log.failures] == ["repeated_label"]


def test_a_divided_clip_stays_where_it_was_first(tmp_path):
    rows = ["a,0,1,,1,", "a,1,2,,1,train", "a,2,3,,1,test", "a,3,4,,1,train", "b,0,1,,1,test"]
    path = write(tmp_path, *rows)
    found, (failure,) = find(tmp_path, "a.mp4", "b.mp4")
    kept = [(label.video, label.start, label.split) for label, _ in found]
    assert kept == [
        ("a", 0, None),
        ("a", 1, "train"),
        ("a", 3, "train"),
        ("b", 0, "test"),
    ]
    assert (failure.code, failure.item) == ("divided_clip", f"{path}, line 4")


def test_a_talk_is_not_an_utterance(tmp_path):
    write(tmp_path, "talk.mp4,1", "talk.mp4,2", header="video,label")
    log = FailureLog()
    talk = clip(tmp_path / "talk.mp4", duration=60.1)
    found = find_labels(folders=[tmp_path], seen=[(tmp_path / "talk.mp4", talk)], log=log)
    assert found == []
    assert {failure.code for failure in log.failures} == {"too_long"}
    assert "write start and end" in log.failures[0].detail


def test_a_minute_is(tmp_path):
    write(tmp_path, "talk.mp4,10,70,1", header="video,start,end,label")
    log = FailureLog()
    talk = clip(tmp_path / "talk.mp4", duration=600.0)
    found = find_labels(folders=[tmp_path], seen=[(tmp_path / "talk.mp4", talk)], log=log)
    assert [row.span(talk) for row, _ in found] == [(10.0, 70.0)]
    assert log.failures == []
