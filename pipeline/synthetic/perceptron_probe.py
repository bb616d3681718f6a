"""Nonlinear probe: a perceptron of two layers."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from pipeline.randomness import mixed_seed, seeded
from pipeline.synthetic.ridge_probe import column_scale

Floats = npt.NDArray[np.float64]

_HIDDEN, _EPOCHS, _BATCH = 256, 40, 128
_LEARNING_RATE, _WEIGHT_DECAY = 4e-3, 1e-2
_HELD_OUT = 0.2


def perceptron_predictions(
    *, inputs: Floats, targets: Floats, new_inputs: Floats, seed: int
) -> Floats:
    """Fit a perceptron and predict with it.

    All targets share the hidden layer of 256 units; each is predicted by the weights after the
    epoch that was best for it on a fifth of the clips, which are not learned from.

    Parameters
    ----------
    inputs : ndarray, shape (n, d)
        Codes, n >= 10; standardised here.
    targets : ndarray, shape (n, k)
        Factors.
    new_inputs : ndarray, shape (m, d)
        Codes to predict from.
    seed : int
        Of weights, order and held-out clips.

    Returns
    -------
    ndarray, shape (m, k)
        Predicted factors.
    """
    mean, scale = column_scale(inputs)
    target_mean, target_scale = column_scale(targets)
    x = torch.from_numpy((inputs - mean) / scale).float()
    y = torch.from_numpy((targets - target_mean) / target_scale).float()
    new = torch.from_numpy((new_inputs - mean) / scale).float()
    with seeded(mixed_seed(seed, "probe")):
        predicted = _fit_predict(x, y, new).double().numpy()
    result: Floats = predicted * target_scale + target_mean
    return result


def _fit_predict(x: Tensor, y: Tensor, new: Tensor) -> Tensor:
    order = torch.randperm(len(x))
    held, used = order[: int(_HELD_OUT * len(x))], order[int(_HELD_OUT * len(x)) :]
    network = nn.Sequential(
        nn.Linear(x.shape[1], _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, y.shape[1])
    )
    optimizer = AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    steps = -(-len(used) // _BATCH)
    schedule = OneCycleLR(optimizer, max_lr=_LEARNING_RATE, total_steps=steps * _EPOCHS)
    # before the first epoch: the mean, which is what is known of an unpredictable target
    best = y[held].square().mean(dim=0)
    predicted = new.new_zeros(len(new), y.shape[1])
    for _ in range(_EPOCHS):
        for rows in torch.split(used[torch.randperm(len(used))], _BATCH):
            optimizer.zero_grad()
            (network(x[rows]) - y[rows]).square().mean().backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            error = (network(x[held]) - y[held]).square().mean(dim=0)
            better = error < best
            best = torch.where(better, error, best)
            predicted[:, better] = network(new)[:, better]
    return predicted
