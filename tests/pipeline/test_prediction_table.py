import csv

import numpy as np

from pipeline.prediction_table import COLUMNS, prediction_csv
from pipeline.records import Clip, Segment
from pipeline.run_predictions import Predictions


def test_unlabelled_utterances_are_written_in_the_order_of_the_segments(dataset):
    dataset.labels[[1, 2]] = float("nan")
    clips = [
        Clip(id=letter * 64, path=f"/v/{letter},1.mp4", duration=9.0, fps=25.0, sample_rate=None,
             size=1, modified_ns=0)
        for letter in "ab"
    ]  # fmt: skip
    segments = [
        Segment(id="u002", clip_id="b" * 64, start=1.0, end=2.5, text='He said "no".'),
        Segment(id="u000", clip_id="a" * 64, start=0.0, end=1.0, text="labelled", label=1.0),
        Segment(id="u001", clip_id="a" * 64, start=1.0, end=1.25, text=""),
        Segment(id="none", clip_id="a" * 64, start=2.0, end=3.0, text="without features"),
    ]
    by_seed = {seed: np.full(len(dataset.ids), 0.5) for seed in (0, 1)}
    by_seed[1][2] = 1.5
    predictions = Predictions(ids=dataset.ids, by_seed=by_seed)
    text = prediction_csv(dataset=dataset, predictions=predictions, segments=segments, clips=clips)
    assert list(csv.reader(text.splitlines())) == [
        list(COLUMNS),
        ["/v/b,1.mp4", "1.000", "2.500", 'He said "no".', "1.0000", "0.7071"],
        ["/v/a,1.mp4", "1.000", "1.250", "", "0.5000", "0.0000"],
    ]
