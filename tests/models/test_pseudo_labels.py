import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from models.pseudo_labels import (
    PseudoLabels,
    generated_label,
    momentum_update,
    relative_distance,
)

WIDTHS = {"text": 3, "audio": 2}
JOINT = 4
ITEMS = 12
EPSILON = 1e-8


def make(*, limit=3.0, exclude_zero=True):
    return PseudoLabels(
        joint_width=JOINT,
        widths=WIDTHS,
        limit=limit,
        exclude_zero=exclude_zero,
        ratio_epsilon=EPSILON,
    )


def targets():
    return np.array([-3, -2.2, -1, -0.4, 0, 0, 0.2, 1, 1.6, 2, 2.4, 3], np.float32)


def steps(epochs, seed=0):
    """Batches of 5, 5 and 2 items in a new order every epoch, with features of each item."""
    rng, target = np.random.default_rng(seed), targets()
    for epoch in range(epochs):
        order = rng.permutation(ITEMS)
        for index in (order[:5], order[5:10], order[10:]):
            features = {
                name: (rng.standard_normal((len(index), width)) + 0.4 * target[index, None]).astype(
                    np.float32
                )
                for name, width in {"joint": JOINT, **WIDTHS}.items()
            }
            yield epoch, index, target[index], features


def show(labels, epoch, index, target, features):
    features = {name: torch.from_numpy(values) for name, values in features.items()}
    labels.update(
        index=torch.from_numpy(index),
        target=torch.from_numpy(target),
        joint=features.pop("joint"),
        features=features,
        epoch=epoch,
    )


class ItemByItem:
    """The published rules over dictionaries and single items, in double precision."""

    def __init__(self, *, limit, exclude_zero):
        self.limit, self.exclude_zero = limit, exclude_zero
        self.labels = {name: {} for name in ("joint", *WIDTHS)}
        self.features = {name: {} for name in self.labels}

    def centre(self, name, positive):
        labels, chosen = self.labels[name], []
        for item, values in self.features[name].items():
            is_positive = labels[item] > 0 or (labels[item] == 0 and not self.exclude_zero)
            if is_positive if positive else labels[item] < 0:
                chosen.append(values)
        return sum(chosen) / len(chosen)

    def distance(self, name, values):
        near = np.sqrt(((values - self.centre(name, True)) ** 2).sum())
        far = np.sqrt(((values - self.centre(name, False)) ** 2).sum())
        return (far - near) / (near + EPSILON)

    def show(self, epoch, index, target, features):
        new = {name: {} for name in WIDTHS}
        for row, item in enumerate(index):
            for name in self.labels:
                self.labels[name].setdefault(item, float(target[row]))
        if epoch:
            for row, item in enumerate(index):
                y = float(target[row])
                joint = self.distance("joint", features["joint"][row].astype(float))
                for name in WIDTHS:
                    own = self.distance(name, features[name][row].astype(float))
                    generated = 0.5 * own / (joint + EPSILON) * y + 0.5 * (y + own - joint)
                    generated = min(max(generated, -self.limit), self.limit)
                    n = epoch + 1
                    new[name][item] = (n - 1) / (n + 1) * self.labels[name][item] + 2 / (
                        n + 1
                    ) * generated
        for name, labels in new.items():
            self.labels[name].update(labels)
        for name, values in features.items():
            for row, item in enumerate(index):
                self.features[name][item] = values[row].astype(float)


@pytest.mark.parametrize("exclude_zero", [True, False])
@pytest.mark.parametrize("limit", [3.0, 0.8])
def test_four_epochs_against_the_rules_item_by_item(limit, exclude_zero):
    ours = make(limit=limit, exclude_zero=exclude_zero)
    theirs = ItemByItem(limit=limit, exclude_zero=exclude_zero)
    everything, target = torch.arange(ITEMS), torch.from_numpy(targets())
    for step in steps(4):
        show(ours, *step)
        theirs.show(*step)
        found, _ = ours.lookup(index=everything, target=target)
        for name in WIDTHS:
            expected = [theirs.labels[name].get(i, float(target[i])) for i in range(ITEMS)]
            np.testing.assert_allclose(found[name].numpy(), expected, rtol=2e-4, atol=2e-4)
    assert (found["text"] - target).abs().max() > 0.3


def test_first_epoch_generates_nothing():
    labels, target = make(), torch.from_numpy(targets())
    for step in steps(1):
        show(labels, *step)
    found, clamped = labels.lookup(index=torch.arange(ITEMS), target=target)
    assert torch.equal(found["text"], target)
    assert torch.equal(found["audio"], target)
    assert clamped == 0
    assert labels.known.all()


def test_unseen_items_have_their_own_label():
    labels = make()
    target = torch.tensor([0.5, -1.5])
    for index in (torch.tensor([0, 3]), torch.tensor([3, ITEMS + 9])):
        found, clamped = labels.lookup(index=index, target=target)
        assert torch.equal(found["audio"], target)
        assert clamped == 0
    for step in steps(3):
        show(labels, *step)
    found, _ = labels.lookup(index=torch.tensor([3, ITEMS + 9]), target=target)
    assert found["audio"][1] == -1.5
    assert found["audio"][0] != 0.5


def test_items_that_join_later_start_from_their_own_label():
    ours, theirs = make(), ItemByItem(limit=3.0, exclude_zero=True)
    for step in steps(2):
        show(ours, *step)
        theirs.show(*step)
    before = copy.deepcopy(ours.state_dict())
    features = {
        name: np.full((1, width), 0.3, np.float32)
        for name, width in {"joint": JOINT, **WIDTHS}.items()
    }
    joined = (2, np.array([20]), np.array([1.0], np.float32), features)
    show(ours, *joined)
    theirs.show(*joined)
    assert ours.known.nonzero().flatten().tolist() == [*range(ITEMS), 20]
    assert all(torch.equal(v[:ITEMS], before[name]) for name, v in ours.state_dict().items())
    for name in WIDTHS:
        label = ours.get_buffer(f"labels_{name}")[20].item()
        assert label == pytest.approx(theirs.labels[name][20], rel=1e-4)
        assert abs(label - 1) > 1e-3


def test_loading_takes_the_size_of_what_was_saved():
    large, small = make(), make()
    for step in steps(1):
        show(large, *step)
    large.load_state_dict(small.state_dict())
    assert all(not len(value) for value in large.state_dict().values())


@pytest.mark.parametrize("only", [1.0, -1.0, 0.0])
def test_labels_stay_while_a_class_is_empty(only):
    labels = make()
    target = np.full(ITEMS, only, np.float32)
    for epoch, index, _, features in steps(3):
        show(labels, epoch, index, target[index], features)
    found, clamped = labels.lookup(index=torch.arange(ITEMS), target=torch.zeros(ITEMS))
    assert torch.equal(found["text"], torch.full((ITEMS,), only))
    assert clamped == 0


def test_share_of_clamped_labels_is_counted():
    labels, target = make(limit=0.5), torch.from_numpy(targets())
    last = []
    for step in steps(2):
        show(labels, *step)
        last.append(step)
    for name in WIDTHS:
        stored = labels.get_buffer(f"clamped_{name}")
        at_limit = labels.get_buffer(f"labels_{name}")
        expected = ((3 * at_limit - target) / 2).abs() > 0.5 - 1e-5
        assert torch.equal(stored, expected)
    _, share = labels.lookup(index=torch.arange(ITEMS), target=target)
    flags = [labels.get_buffer(f"clamped_{name}") for name in WIDTHS]
    assert share.item() == pytest.approx(torch.cat(flags).float().mean().item())
    assert 0 < share < 1


def test_a_saved_memory_goes_on_as_if_never_saved():
    whole, parts = make(), make()
    for step in steps(3):
        show(whole, *step)
        show(parts, *step)
        stored = save(parts.state_dict())
        parts = make()
        parts.load_state_dict(load(stored))
    for name, value in whole.state_dict().items():
        assert torch.equal(parts.state_dict()[name], value), name


def test_an_empty_batch_changes_nothing():
    labels = make()
    for step in steps(2):
        show(labels, *step)
    before = copy.deepcopy(labels.state_dict())
    empty = {
        name: np.zeros((0, width), np.float32) for name, width in {"joint": JOINT, **WIDTHS}.items()
    }
    show(labels, 2, np.zeros(0, np.int64), np.zeros(0, np.float32), empty)
    assert all(torch.equal(value, before[name]) for name, value in labels.state_dict().items())


def test_relative_distance_by_hand():
    found = relative_distance(
        features=torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.5, 2.0]]),
        positive=torch.tensor([3.0, 4.0]),
        negative=torch.tensor([0.0, 0.0]),
        epsilon=0.5,
    )
    assert found.tolist() == pytest.approx([-5 / 5.5, 5 / 0.5, 0.0])


@given(
    distance=st.floats(-5, 5),
    joint=st.floats(-5, 5),
    target=st.floats(-3, 3),
    limit=st.sampled_from([1.0, 3.0]),
)
@settings(deadline=None, max_examples=100)
def test_generated_label_by_its_formula(distance, joint, target, limit):
    epsilon = 1e-3
    label, clamped = generated_label(
        distance=torch.tensor([distance], dtype=torch.float64),
        joint_distance=torch.tensor([joint], dtype=torch.float64),
        target=torch.tensor([target], dtype=torch.float64),
        limit=limit,
        epsilon=epsilon,
    )
    if joint == -epsilon:
        return
    free = (target * distance / (joint + epsilon) + target + distance - joint) / 2
    assert label.item() == pytest.approx(np.clip(free, -limit, limit), rel=1e-6, abs=1e-9)
    assert clamped.item() == (abs(free) > limit)


def test_a_modality_that_leans_as_the_fusion_does_keeps_the_label():
    distance, target = torch.tensor([0.7, -0.2]), torch.tensor([2.0, -1.0])
    label, clamped = generated_label(
        distance=distance, joint_distance=distance, target=target, limit=3.0
    )
    torch.testing.assert_close(label, target)
    assert not clamped.any()


def test_the_first_generated_label_weighs_two_thirds_and_later_ones_less():
    label, generated = torch.tensor([1.0]), torch.tensor([4.0])
    weights = [
        (momentum_update(label=label, generated=generated, epoch=n).item() - 1) / 3
        for n in (2, 3, 4, 9)
    ]
    assert weights == pytest.approx([2 / 3, 1 / 2, 2 / 5, 1 / 5])
