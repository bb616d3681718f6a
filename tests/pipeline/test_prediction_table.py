import csv

import numpy as np

from pipeline.prediction_table import CLASS_COLUMNS, COLUMNS, prediction_csv
from pipeline.records import Clip, Segment
from pipeline.run_predictions import Predictions
from pipeline.run_task import RunTask


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


def test_classes_have_their_names_and_probabilities(dataset):
    dataset.labels[1] = float("nan")
    clip = Clip(
        id="a" * 64, path="/v/a.mp4", duration=9.0, fps=25.0, sample_rate=None, size=1,
        modified_ns=0,
    )  # fmt: skip
    segments = [Segment(id="u001", clip_id=clip.id, start=1.0, end=1.25, text="Hm.")]
    n = len(dataset.ids)
    predictions = Predictions(
        ids=dataset.ids,
        by_seed={0: np.ones(n), 1: np.full(n, 2.0)},
        probabilities={0: np.full((n, 3), [0.1, 0.7, 0.2]), 1: np.full((n, 3), [0.1, 0.4, 0.5])},
        task=RunTask(classes=("Agree", "Ask", "Leave"), numbered=True),
    )
    text = prediction_csv(dataset=dataset, predictions=predictions, segments=segments, clips=[clip])
    assert list(csv.reader(text.splitlines())) == [
        list(CLASS_COLUMNS),
        ["/v/a.mp4", "1.000", "1.250", "Hm.", "Ask", "0.5500", "0.2121"],
    ]
