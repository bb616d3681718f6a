"""Predicted sentiment as a table."""

import csv
import io
from collections.abc import Iterable, Sequence

import torch

from pipeline.dataset import PackedDataset
from pipeline.records import Clip, Segment
from pipeline.run_predictions import Predictions

COLUMNS = ("video", "start", "end", "text", "prediction", "sd")


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
        the run's seeds.
    """
    scores = dict(
        zip(predictions.ids, zip(predictions.mean, predictions.sd, strict=True), strict=True)
    )
    unlabelled = torch.isnan(dataset.labels).tolist()
    wanted = {i for i, without in zip(dataset.ids, unlabelled, strict=True) if without}
    paths = {clip.id: clip.path for clip in clips}
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for segment in segments:
        if segment.id in wanted:
            span = (f"{segment.start:.3f}", f"{segment.end:.3f}")
            score = (f"{value:.4f}" for value in scores[segment.id])
            writer.writerow([paths[segment.clip_id], *span, segment.text, *score])
    return stream.getvalue()
