"""What one batch goes through in training, as one module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from models.base import Losses, Output, SentimentModel
from models.batch import Batch
from pipeline.dataset import PackedDataset
from pipeline.errors import ConfigError
from pipeline.normalise import Normaliser


class TrainingStep(nn.Module):
    """Model and losses as one module whose inputs and outputs are tensors, as Fabric wants.

    The model runs in the precision of the context; its outputs and losses are float32.

    Parameters
    ----------
    model : SentimentModel
        What is trained.
    dataset : PackedDataset
        Where batches come from.
    normaliser : Normaliser
        Statistics of the training split.
    compiled : bool
        Whether the model is compiled by torch.

    Attributes
    ----------
    losses : Losses
        Terms of the last batch's loss, with their graph until it is differentiated.
    weights : dict of str to float
        Their weights, and those of what is reported like a term.
    seen : tuple of Batch and Output
        The last batch and what the model said of it.
    """

    def __init__(
        self,
        model: SentimentModel,
        dataset: PackedDataset,
        normaliser: Normaliser,
        *,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.model, self.dataset, self.normaliser = model, dataset, normaliser
        # the bound method, not the module: a compiled module's weights have other names
        self._call: Callable[[Batch], Output] = (
            torch.compile(model.forward, dynamic=True) if compiled else model.__call__
        )
        self.weights: dict[str, float] = {}
        self.losses: Losses
        self.seen: tuple[Batch, Output]

    def forward(self, index: Tensor, progress: float) -> dict[str, Tensor]:
        """Predict and compute the losses.

        Parameters
        ----------
        index : Tensor of int64, shape (B,)
            Positions in the data set.
        progress : float
            Share of the planned training that is done, 0 to 1.

        Returns
        -------
        dict of str to Tensor
            ``total``, with its graph, and ``term <name>`` for each unweighted term; scalars.
        """
        batch = self.dataset.batch(index, self.normaliser)
        output = as_float32(self._call(batch))
        with torch.autocast(index.device.type, enabled=False):
            self.losses = self.model.losses(batch, output, progress)
            total = self.losses.total
        self.weights, self.seen = self.losses.weights, (batch, output)
        return {"total": total, **{f"term {n}": t.detach() for n, t in self.losses.terms.items()}}


def as_float32(output: Output) -> Output:
    """Bring what a model says to the precision that losses are computed in.

    Parameters
    ----------
    output : Output
        In any precision.

    Returns
    -------
    Output
        With float32 in place of other floating-point types.
    """
    return replace(
        output,
        prediction=output.prediction.float(),
        parts={
            part: {modality: code.float() for modality, code in codes.items()}
            for part, codes in output.parts.items()
        },
        extras={
            name: value.float() if value.is_floating_point() else value
            for name, value in output.extras.items()
        },
    )


@contextmanager
def explained_precision(model: SentimentModel) -> Iterator[None]:
    """Say what to do where an operation of a model is not there in bfloat16.

    Parameters
    ----------
    model : SentimentModel
        What is computed within.

    Yields
    ------
    None
        Forward or backward pass.

    Raises
    ------
    ConfigError
        In place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if "bfloat16" not in str(error).lower():
            raise
        raise ConfigError(
            f"model {model.name!r} cannot be trained in bf16 ({error}); set training.precision "
            "to 32"
        ) from error
