"""What a frozen model makes of clips."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.base import Output, SentimentModel
from pipeline.dataset import PackedDataset
from pipeline.normalise import Normaliser
from pipeline.randomness import seeded

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoding:
    """Predictions and parts of n clips.

    Parameters
    ----------
    prediction : ndarray, shape (n,)
        Sentiment.
    parts : dict of str to dict of str to ndarray, shape (n, d)
        Part to modality to codes, as in :class:`models.base.Output`.
    """

    prediction: Floats
    parts: dict[str, dict[str, Floats]]


@torch.no_grad()
def encode(
    *,
    model: SentimentModel,
    normaliser: Normaliser,
    dataset: PackedDataset,
    index: Tensor,
    batch_size: int = 256,
) -> Encoding:
    """Run a model in evaluation mode.

    Parameters
    ----------
    model : SentimentModel
        On the data set's device; left in evaluation mode.
    normaliser : Normaliser
        Statistics of the model's training split.
    dataset : PackedDataset
        With the model's columns.
    index : Tensor of int64, shape (n,)
        Positions in the data set, n >= 1.
    batch_size : int
        Clips at once, >= 1.

    Returns
    -------
    Encoding
        Of the clips in the order of ``index``; noise that the model draws is the same in every
        call.
    """
    model.eval()
    with seeded(0):
        outputs = [
            model(dataset.batch(rows, normaliser))
            for rows in torch.split(index.to(dataset.labels.device), batch_size)
        ]
    first: Output = outputs[0]
    return Encoding(
        prediction=_join([output.prediction for output in outputs]),
        parts={
            part: {
                name: _join([output.parts[part][name].flatten(1) for output in outputs])
                for name in codes
            }
            for part, codes in first.parts.items()
        },
    )


def _join(tensors: list[Tensor]) -> Floats:
    return torch.cat(tensors).double().cpu().numpy()
