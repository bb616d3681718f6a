"""Predictions of a model, and how good they are."""

import numpy as np
import torch
from torch import Tensor

from models.base import SentimentModel
from models.class_output import scores_of
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError
from pipeline.metrics import SentimentMetrics, sentiment_metrics
from pipeline.normalise import Normaliser
from pipeline.randomness import seeded
from pipeline.run_task import Metrics, RunTask
from pipeline.splits import Split

_SENTIMENT = RunTask()


def predict(
    *,
    model: SentimentModel,
    normaliser: Normaliser,
    dataset: PackedDataset,
    index: Tensor,
    batch_size: int = 64,
) -> Tensor:
    """Predict sentiment, or numbers of classes.

    A model that draws noise in evaluation draws the same in every call.

    Parameters
    ----------
    model : SentimentModel
        On the data set's device; left in evaluation mode.
    normaliser : Normaliser
        Statistics of the model's training split.
    dataset : PackedDataset
        With the model's columns.
    index : Tensor of int64, shape (n,)
        Positions in the data set.
    batch_size : int
        Utterances at once, >= 1.

    Returns
    -------
    Tensor of float32, shape (n,)
        Scores on the CPU, in the order of ``index``; of classes the number of the most probable.
    """
    scores = predict_scores(
        model=model, normaliser=normaliser, dataset=dataset, index=index, batch_size=batch_size
    )
    return scores if scores.ndim == 1 else scores.argmax(dim=1).float()


@torch.no_grad()
def predict_scores(
    *,
    model: SentimentModel,
    normaliser: Normaliser,
    dataset: PackedDataset,
    index: Tensor,
    batch_size: int = 64,
) -> Tensor:
    """Predict sentiment, or what every class scores.

    Parameters
    ----------
    model, normaliser, dataset, index, batch_size
        As for :func:`predict`.

    Returns
    -------
    Tensor of float32, shape (n,) or (n, classes)
        On the CPU, in the order of ``index``; of classes unnormalised log probabilities.
    """
    model.eval()
    batches = torch.split(index.to(dataset.labels.device), batch_size) if len(index) else ()
    with seeded(0):
        parts = [
            scores_of(model(dataset.batch(part, normaliser))) for part in dataset.ahead(batches)
        ]
    return torch.cat(parts).float().cpu() if parts else torch.zeros(0)


def labelled(dataset: PackedDataset, ids: tuple[str, ...]) -> Tensor:
    """Look up those of some utterances that have a label.

    Parameters
    ----------
    dataset : PackedDataset
        Where to.
    ids : tuple of str
        Segment ids.

    Returns
    -------
    Tensor of int64, shape (n,)
        Positions, on the data set's device.

    Raises
    ------
    DataError
        If an id is not in the data set.
    """
    index = dataset.positions(ids).to(dataset.labels.device)
    return index[~torch.isnan(dataset.labels[index])]


def evaluate(
    *,
    model: SentimentModel,
    normaliser: Normaliser,
    dataset: PackedDataset,
    index: Tensor,
    batch_size: int = 64,
) -> SentimentMetrics:
    """Compare a model's predictions with the labels.

    Parameters
    ----------
    model, normaliser, dataset, index, batch_size
        As for :func:`predict`; all utterances of ``index`` are labelled.

    Returns
    -------
    SentimentMetrics
        Over these utterances.

    Raises
    ------
    DataError
        If there are no utterances or one is not labelled.
    """
    prediction = predict(
        model=model, normaliser=normaliser, dataset=dataset, index=index, batch_size=batch_size
    )
    return sentiment_metrics(
        prediction=prediction, target=dataset.labels[index.to(dataset.labels.device)]
    )


def constant_baseline(
    *, dataset: PackedDataset, split: Split, on: str = "test", task: RunTask = _SENTIMENT
) -> Metrics:
    """Score the best constant guess: the training split's median label, or its commonest class.

    What does not beat it has learned nothing.

    Parameters
    ----------
    dataset : PackedDataset
        With labels.
    split : Split
        Of the data set.
    on : {"train", "valid", "test"}
        Where to score it.
    task : RunTask
        What is predicted.

    Returns
    -------
    SentimentMetrics or CategoryMetrics
        Of the constant; its correlation is NaN.

    Raises
    ------
    DataError
        If there are no labels to learn from or to compare with.
    """
    known, target = (
        dataset.labels[labelled(dataset, ids)].double().cpu().numpy()
        for ids in (split.train, getattr(split, on))
    )
    if not len(known):
        raise DataError("the training split has no labelled utterance; label some videos")
    return task.metrics(np.full(len(target), task.constant(known)), target)
