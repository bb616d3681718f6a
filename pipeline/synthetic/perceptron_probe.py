"""Nonlinear probe: a perceptron of two layers on top of a linear probe."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from pipeline.randomness import mixed_seed, seeded
from pipeline.synthetic.ridge_probe import column_scale, fit_ridge_probe

Floats = npt.NDArray[np.float64]

_HIDDEN, _EPOCHS, _BATCH = 256, 40, 128
_LEARNING_RATE, _WEIGHT_DECAY = 4e-3, 1e-2
_HELD_OUT = 0.2


def perceptron_predictions(
    *, inputs: Floats, targets: Floats, new_inputs: Floats, seed: int
) -> Floats:
    """Fit a perceptron to what a linear probe leaves, and predict with both.

    All targets share the hidden layer of 256 units; each is predicted by the weights after the
    epoch that was best for it on a fifth of the clips, which neither probe learns from, or by the
    linear probe alone if no epoch was better. What is found is so at least what a line finds.

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
    with seeded(mixed_seed(seed, "probe")):
        order = torch.randperm(len(inputs))
        count = int(_HELD_OUT * len(inputs))
        held, used = order[:count], order[count:]
        line = fit_ridge_probe(inputs=inputs[used.numpy()], targets=targets[used.numpy()])
        _, scale = column_scale(targets)
        x, new = (
            torch.from_numpy((values - line.mean) / line.scale).float()
            for values in (inputs, new_inputs)
        )
        y = torch.from_numpy((targets - line.predict(inputs)) / scale).float()
        rest = _fit_predict(x=x, y=y, used=used, held=held, new=new)
    result: Floats = line.predict(new_inputs) + rest.double().numpy() * scale
    return result


def _fit_predict(*, x: Tensor, y: Tensor, used: Tensor, held: Tensor, new: Tensor) -> Tensor:
    network = nn.Sequential(
        nn.Linear(x.shape[1], _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, y.shape[1])
    )
    optimizer = AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    steps = -(-len(used) // _BATCH)
    schedule = OneCycleLR(optimizer, max_lr=_LEARNING_RATE, total_steps=steps * _EPOCHS)
    # before the first epoch: the linear probe alone
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
