"""Predictions as a table."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from pipeline.dataset import PackedDataset
from pipeline.records import Clip, Segment
from pipeline.run_predictions import Predictions

COLUMNS = ("video", "start", "end", "text", "prediction", "sd")
CLASS_COLUMNS = ("video", "start", "end", "text", "class", "prediction", "sd")


def prediction_csv(
    *,
    dataset: PackedDataset,
    predictions: Predictions,
    segments: Sequence[Segment],
    clips: Iterable[Clip],
) -> str:
    """Write down the predictions of the utterances that have no label.

    Parameters
    ----------
    dataset : PackedDataset
        What was predicted.
    predictions : Predictions
        Of all its utterances.
    segments : sequence of Segment
        Where the utterances lie in their clips; their order is the table's.
    clips : iterable of Clip
        At least those of the segments.

    Returns
    -------
    str
        CSV with :data:`COLUMNS`: the clip's path, seconds, text, mean and standard deviation over
        the run's seeds. Of classes with :data:`CLASS_COLUMNS`: the most probable one, and mean and
        deviation of its probability.
    """
    cells = dict(zip(predictions.ids, _cells(predictions), strict=True))
    unlabelled = torch.isnan(dataset.labels).tolist()
    wanted = {i for i, without in zip(dataset.ids, unlabelled, strict=True) if without}
    paths = {clip.id: clip.path for clip in clips}
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(CLASS_COLUMNS if predictions.task.classes else COLUMNS)
    for segment in segments:
        if segment.id in wanted:
            span = (f"{segment.start:.3f}", f"{segment.end:.3f}")
            path = paths[segment.clip_id]
            writer.writerow([path, *span, segment.text, *cells[segment.id]])
    return stream.getvalue()


def _cells(predictions: Predictions) -> Iterator[list[str]]:
    """Yield of every utterance the class, if there are some, the mean and the deviation."""
    names, scores = predictions.task.classes, predictions.stacked
    number = predictions.together.astype(int)
    if names:
        rows = np.arange(len(number))
        scores = predictions.class_probabilities[:, rows, number]
    of_one = Predictions(ids=predictions.ids, by_seed=dict(enumerate(scores)))
    for row, (mean, sd) in enumerate(zip(of_one.mean, of_one.sd, strict=True)):
        yield [*([names[number[row]]] if names else []), f"{mean:.4f}", f"{sd:.4f}"]
