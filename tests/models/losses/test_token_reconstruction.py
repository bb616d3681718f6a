import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from models.losses.token_reconstruction import token_reconstruction_loss


def test_equals_the_mean_over_the_valid_positions():
    rng = np.random.default_rng(0)
    logits, ids = rng.standard_normal((3, 4, 7)), rng.integers(0, 7, (3, 4))
    mask = rng.random((3, 4)) < 0.6
    expected = -np.mean([log_softmax(logits[b, t])[ids[b, t]] for b, t in np.argwhere(mask)])
    found = token_reconstruction_loss(
        logits=torch.from_numpy(logits), token_ids=torch.from_numpy(ids), mask=torch.tensor(mask)
    )
    assert found.item() == pytest.approx(expected)


def test_equal_scores_give_the_logarithm_of_the_vocabulary():
    found = token_reconstruction_loss(
        logits=torch.zeros(2, 3, 50),
        token_ids=torch.zeros(2, 3, dtype=torch.int64),
        mask=torch.ones(2, 3, dtype=torch.bool),
    )
    assert found.item() == pytest.approx(math.log(50))


def test_nothing_to_rebuild_is_0_with_a_graph():
    logits = torch.randn(2, 3, 5, requires_grad=True)
    loss = token_reconstruction_loss(
        logits=logits,
        token_ids=torch.zeros(2, 3, dtype=torch.int64),
        mask=torch.zeros(2, 3, dtype=torch.bool),
    )
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
