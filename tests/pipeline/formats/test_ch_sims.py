import pytest

from pipeline.errors import SourceError
from pipeline.formats.ch_sims import ChSims

HEAD = "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n"


def save(tmp_path, *rows):
    (tmp_path / "label.csv").write_text(HEAD + "".join(f"{r}\n" for r in rows), encoding="utf-8")
    return tmp_path / "label.csv"


def test_names_stay_text_and_labels_of_modalities_are_kept(tmp_path):
    path = save(tmp_path, "video_0001,0002,你好,-0.4,-0.2,0,-0.6,Negative,valid")
    (found,) = ChSims().read(path)
    assert (found.id, found.split, found.label) == ("video_0001$_$0002", "valid", -0.4)
    assert found.modality_labels == {"text": -0.2, "audio": 0.0, "vision": -0.6}
    assert found.text == "你好"


@pytest.mark.parametrize("row", ["v,1,x,much,,,,,train", "v,1,x,0,,,,,other", ",1,x,0,,,,,train"])
def test_a_row_that_cannot_be_is_named(tmp_path, row):
    with pytest.raises(SourceError, match=r"label\.csv, line 2"):
        list(ChSims().read(save(tmp_path, row)))


def test_a_clip_twice_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"line 3: clip 'v\$_\$1'"):
        list(ChSims().read(save(tmp_path, *["v,1,x,0,,,,,train"] * 2)))


def test_real_labels(reference):
    found = list(ChSims().read(reference / "datasets" / "mosei" / "mosei_label_text.csv"))
    splits = [one.split for one in found]
    counts = [splits.count(name) for name in ("train", "valid", "test")]
    # counted by the dataset's own mode column
    assert counts == [16274, 1861, 4653]
    assert (found[0].video, found[0].clip, found[0].label) == ("-3g5yACwYnA", "82_7645", 1.0)
    assert all(-3 <= one.label <= 3 for one in found)
