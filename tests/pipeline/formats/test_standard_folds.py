import csv

import pytest

from pipeline.formats.standard_folds import standard_fold


def test_videos_of_other_data_sets_have_no_fold():
    assert standard_fold("talk") is None


@pytest.mark.parametrize(
    ("file", "count"), [("mosi/mosi_labels_text.csv", 2199), ("mosei/mosei_label_text.csv", 22788)]
)
def test_every_labelled_segment_is_where_others_have_it(reference, file, count):
    with (reference / "datasets" / file).open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        split = row.get("mode") or row["split"]
        video = row.get("video_id") or row["id"].rpartition("_")[0]
        assert standard_fold(f"{video}[3]") == {"val": "valid"}.get(split, split)
    assert len(rows) == count
