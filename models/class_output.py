"""Classes without an order as what a model predicts, such as MIntRec's intents."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import Output
from models.batch import Batch
from models.losses.regression import RegressionKind, regression_loss

#: Where the scores of all classes stand in :attr:`~models.base.Output.extras`.
CLASS_SCORES = "class_scores"


def last_layers(*, width: int, classes: Sequence[str]) -> tuple[nn.Module, ...]:
    """Build the end of a head.

    Parameters
    ----------
    width : int
        Of the vector that it predicts from.
    classes : sequence of str
        Their names; none for a sentiment score.

    Returns
    -------
    tuple of nn.Module
        From (B, width) to (B,), or to one score a class, (B, C).
    """
    if classes:
        return (nn.Linear(width, len(classes)),)
    return (nn.Linear(width, 1), nn.Flatten(0))


def task_output(
    scores: Tensor,
    *,
    parts: dict[str, dict[str, Tensor]],
    extras: dict[str, Tensor] | None = None,
) -> Output:
    """Make an output of what a head says.

    Parameters
    ----------
    scores : Tensor, shape (B,) or (B, C)
        Sentiment, or unnormalised log probabilities of C classes.
    parts, extras
        As of :class:`~models.base.Output`.

    Returns
    -------
    Output
        Of classes the prediction is the number of the most probable one, and the scores stand in
        ``extras["class_scores"]``.
    """
    extras = extras or {}
    if scores.ndim == 1:
        return Output(prediction=scores, parts=parts, extras=extras)
    number = scores.detach().argmax(dim=1).to(scores.dtype)
    return Output(prediction=number, parts=parts, extras=extras | {CLASS_SCORES: scores})


def task_loss(*, scores: Tensor, batch: Batch, kind: RegressionKind) -> Tensor:
    """Mean error of the task over the rows that have a target.

    Parameters
    ----------
    scores : Tensor, shape (B,) or (B, C)
        As of :func:`task_output`.
    batch : Batch
        Whose targets are sentiment, or numbers of classes from 0 to C - 1.
    kind : {"l1", "mse", "mse_l1", "logistic"}
        Of the error of sentiment; that of classes is the cross entropy.

    Returns
    -------
    Tensor
        Scalar; 0 with a gradient of 0 if no row has a target.
    """
    if scores.ndim == 1:
        return regression_loss(
            prediction=scores, target=batch.target, has_target=batch.has_target, kind=kind
        )
    target = torch.where(batch.has_target, batch.target, 0.0).round().long()
    error = F.cross_entropy(scores, target, reduction="none")
    # a row without a target must not reach the gradient
    error = torch.where(batch.has_target, error, 0.0)
    return error.sum() / batch.has_target.sum().clamp(min=1)


def scores_of(output: Output) -> Tensor:
    """Get what :func:`task_output` was made of.

    Parameters
    ----------
    output : Output
        Of a model.

    Returns
    -------
    Tensor, shape (B,) or (B, C)
        Sentiment, or one score a class.
    """
    return output.extras.get(CLASS_SCORES, output.prediction)


def check_classes(classes: Sequence[str]) -> None:
    """Refuse names that are no classes.

    Parameters
    ----------
    classes : sequence of str
        Two or more distinct names, or none.

    Raises
    ------
    ValueError
        If there is one, or a name is there twice.
    """
    if len(classes) == 1 or len(set(classes)) != len(classes):
        raise ValueError(f"classes must be two or more distinct names, or none, got {classes}")
