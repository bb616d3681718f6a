"""Which modality moved a prediction: Shapley values over the modalities of a model."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import factorial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from pipeline.checkpoint import Checkpoint, load_checkpoint
from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import place
from pipeline.evaluation import predict_scores

Floats = npt.NDArray[np.float64]
#: Predictions by the modalities that were left in.
Coalitions = Mapping[frozenset[str], Floats]


def coalitions(players: Iterable[str]) -> list[frozenset[str]]:
    """List all subsets.

    Parameters
    ----------
    players : iterable of str
        n names.

    Returns
    -------
    list of frozenset of str
        2 ** n, the empty one first, all of them together last.
    """
    names = list(players)
    return [frozenset(some) for n in range(len(names) + 1) for some in combinations(names, n)]


def shapley_values(values: Coalitions) -> dict[str, Floats]:
    """Divide what all players reach together among them.

    Each gets the mean, over all orders in which they may join, of what it adds to those before it:
    ``sum over S without i of |S|! (n - |S| - 1)! / n! (v(S with i) - v(S))``. The shares sum to
    ``v(all) - v(none)``, and who never adds anything gets 0.

    Parameters
    ----------
    values : mapping of frozenset of str to ndarray
        ``v`` of every subset of n players, all of one shape.

    Returns
    -------
    dict of str to ndarray of float64
        By player, in alphabetical order.

    References
    ----------
    Shapley: A value for n-person games (1953), equation 12; for features of a model Štrumbelj,
    Kononenko: Explaining prediction models and individual predictions with feature contributions,
    Knowledge and Information Systems 41 (2014), equation 4.
    """
    players = max(values, key=len)
    n = len(players)
    shares = {}
    for player in sorted(players):
        share = np.zeros_like(np.asarray(values[frozenset()], np.float64))
        for before in coalitions(players - {player}):
            orders = factorial(len(before)) * factorial(n - len(before) - 1) / factorial(n)
            share = share + orders * (values[before | {player}] - values[before])
        shares[player] = share
    return shares


def predict_coalitions(
    *, folder: Path, seeds: Sequence[int], dataset: PackedDataset, device: str
) -> list[dict[frozenset[str], Floats]]:
    """Predict from every subset of a run's modalities, with every seed.

    A modality that is left out is one that the utterance lacks, which every model knows: none of
    its rows is measured.

    Parameters
    ----------
    folder : Path
        The run's, with ``seed-<n>/model.safetensors``.
    seeds : sequence of int
        s of them.
    dataset : PackedDataset
        n utterances.
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    list of dict of frozenset of str to ndarray of float64, shape (n,) or (n, classes)
        By seed, what is predicted from these modalities alone; of classes that the model has an
        output each for their probabilities.

    Raises
    ------
    StoreError
        If a checkpoint is damaged.
    DataError
        If the data set's columns are not those of the training.
    """
    found = []
    for seed in seeds:
        checkpoint = load_checkpoint(folder / f"seed-{seed}" / "model.safetensors")
        whole = place(checkpoint.fit(dataset), device=device)
        checkpoint.model.to(device)
        found.append(
            {kept: _predict_from(kept, checkpoint, whole) for kept in coalitions(checkpoint.names)}
        )
    return found


def _predict_from(kept: frozenset[str], checkpoint: Checkpoint, dataset: PackedDataset) -> Floats:
    left = PackedDataset(
        modalities={name: rows for name, rows in dataset.modalities.items() if name in kept},
        labels=dataset.labels,
        ids=dataset.ids,
        digest=dataset.digest,
    ).select(checkpoint.names)
    scores = predict_scores(
        model=checkpoint.model,
        normaliser=checkpoint.normaliser,
        dataset=left,
        index=left.positions(left.ids),
    )
    values: Floats = scores.double().numpy()
    return values if values.ndim == 1 else softmax(values, axis=1)
