from fractions import Fraction

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.word_alignment import proportional_alignment


def by_hand(steps, frames):
    """Exact overlaps of [j/n, (j+1)/n] and [t/T, (t+1)/T], by loops over fractions."""
    weights = np.zeros((len(steps), len(frames)))
    n = sum(steps)
    total = max((t + 1 for t, valid in enumerate(frames) if valid), default=0)
    for place, step in enumerate(steps):
        if not step or not total:
            continue
        j = sum(steps[:place])
        overlaps = [
            max(
                Fraction(0),
                min(Fraction(j + 1, n), Fraction(t + 1, total))
                - max(Fraction(j, n), Fraction(t, total)),
            )
            * bool(valid)
            for t, valid in enumerate(frames)
        ]
        if sum(overlaps):
            weights[place] = [float(overlap / sum(overlaps)) for overlap in overlaps]
    return weights


masks = st.lists(st.booleans(), min_size=1, max_size=9)


@settings(deadline=None)
@given(steps=masks, frames=masks)
def test_weights_are_the_exact_overlaps(steps, frames):
    found = proportional_alignment(steps=torch.tensor([steps]), frames=torch.tensor([frames]))
    np.testing.assert_allclose(found[0], by_hand(steps, frames), atol=1e-6)


def test_aligned_data_stays_as_it_is():
    there = torch.arange(6) < torch.tensor([[6], [4]])
    found = proportional_alignment(steps=there, frames=there)
    assert torch.equal(found, torch.diag_embed(there.float()))


def test_two_steps_share_a_frame_in_the_middle():
    found = proportional_alignment(
        steps=torch.tensor([[False, True, True, False]]), frames=torch.ones(1, 3, dtype=torch.bool)
    )
    expected = [[0.0] * 3, [2 / 3, 1 / 3, 0.0], [0.0, 1 / 3, 2 / 3], [0.0] * 3]
    torch.testing.assert_close(found[0], torch.tensor(expected))


def test_padding_changes_nothing():
    steps, frames = torch.arange(5) < 4, torch.arange(13) < 11
    found = proportional_alignment(steps=steps[None], frames=frames[None])
    padded = proportional_alignment(
        steps=torch.cat([steps, torch.zeros(3, dtype=torch.bool)])[None],
        frames=torch.cat([frames, torch.zeros(7, dtype=torch.bool)])[None],
    )
    torch.testing.assert_close(padded[:, :5, :13], found)
    assert not padded[:, 5:].any()
    assert not padded[:, :, 13:].any()
