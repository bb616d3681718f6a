import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from models.neighbours import choose_neighbours


def clip_by_clip(features, target, has_target, count, class_interval):
    similarity = cosine_similarity(features)
    classes = np.round(target / class_interval)
    rows = len(features)
    positives, negatives = np.zeros((rows, rows), bool), np.zeros((rows, rows), bool)
    for i in np.flatnonzero(has_target):
        order = [j for j in np.argsort(-similarity[i]) if has_target[j] and j != i]
        same = [j for j in order if classes[j] == classes[i]]
        unlike = [j for j in order if classes[j] != classes[i]]
        positives[i, same[:count]] = True
        negatives[i, unlike[:count] + unlike[-count:]] = True
    return positives, negatives


@pytest.mark.parametrize(
    ("count", "class_interval", "scale"),
    [(2, 1.0, 3.0), (5, 1.0, 3.0), (40, 1.0, 3.0), (1, 0.2, 1.0)],
)
def test_neighbours_are_those_of_each_clip_by_itself(count, class_interval, scale):
    generator = torch.Generator().manual_seed(5)
    features = torch.randn(24, 6, generator=generator)
    target = (torch.rand(24, generator=generator) * 2 - 1) * scale
    has_target = torch.rand(24, generator=generator) > 0.2
    found = choose_neighbours(
        features=features,
        target=torch.where(has_target, target, torch.nan),
        has_target=has_target,
        count=count,
        class_interval=class_interval,
    )
    expected = clip_by_clip(
        features.numpy(), target.numpy(), has_target.numpy(), count, class_interval
    )
    for mask, wanted in zip(found, expected, strict=True):
        assert np.array_equal(mask.numpy(), wanted)
        assert wanted.any()


def test_labels_of_tenths_are_of_the_class_that_they_round_to():
    target = torch.tensor([-0.6, -0.6, 0.6, 0.6, 0.59, -0.8])
    positives, _ = choose_neighbours(
        features=torch.randn(6, 3),
        target=target,
        has_target=torch.ones(6, dtype=torch.bool),
        count=5,
        class_interval=0.2,
    )
    classes = torch.tensor([-3, -3, 3, 3, 3, -4])
    same = (classes[:, None] == classes[None]) & ~torch.eye(6, dtype=torch.bool)
    assert torch.equal(positives, same)


def test_one_clip_has_no_neighbours():
    positives, negatives = choose_neighbours(
        features=torch.randn(1, 3),
        target=torch.zeros(1),
        has_target=torch.ones(1, dtype=torch.bool),
        count=2,
    )
    assert not positives.any()
    assert not negatives.any()
