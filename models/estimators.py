"""Fitting a model's estimators to its codes, between the steps of the model itself."""

from torch import Tensor
from torch.optim import Adam

from models.base import Output, SentimentModel
from models.batch import Batch


def estimator_optimizer(*, model: SentimentModel) -> Adam | None:
    """Make the optimiser of a model's estimators.

    Parameters
    ----------
    model : SentimentModel
        On the device where it is trained.

    Returns
    -------
    Adam or None
        Over :meth:`SentimentModel.estimator_parameters`; None if there are none.
    """
    parameters = model.estimator_parameters()
    rate = model.estimator_learning_rate
    return Adam(parameters, lr=rate, fused=True) if parameters else None


def fit_estimators(
    *, model: SentimentModel, optimizer: Adam, batch: Batch, output: Output
) -> Tensor | None:
    """Take the model's ``estimator_steps`` steps on the codes of one batch.

    The codes stay as they are, so this equals running the model anew in every step without
    training it, at a fraction of the cost.

    Parameters
    ----------
    model : SentimentModel
        With estimators.
    optimizer : Adam
        From :func:`estimator_optimizer`.
    batch : Batch
        The batch.
    output : Output
        What the model returned for it; its graph is left alone.

    Returns
    -------
    Tensor or None
        Loss before the last step, without a graph; None if the model gave none for this batch.
    """
    output = output.detach()
    loss = None
    for _ in range(model.estimator_steps):
        loss = model.estimator_loss(batch, output)
        if loss is None:
            return None
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    optimizer.zero_grad()
    return None if loss is None else loss.detach()
