"""Statistics of some utterances of a data set."""

from torch import Tensor

from pipeline.dataset import PackedDataset
from pipeline.normalise import Normaliser


def fit_normaliser(dataset: PackedDataset, index: Tensor) -> Normaliser:
    """Measure the statistics of some utterances.

    Parameters
    ----------
    dataset : PackedDataset
        The features; never more than a block of them is copied.
    index : Tensor of int64, shape (n,)
        Positions of the training utterances.

    Returns
    -------
    Normaliser
        Over their valid rows.
    """
    return Normaliser.fit_blocks(
        {name: ragged.measured(index) for name, ragged in dataset.modalities.items()}
    )
