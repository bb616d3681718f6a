from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset_statistics import fit_normaliser
from pipeline.errors import DataError
from pipeline.splits import Split
from pipeline.training_unlabelled import (
    domain_shift,
    pair_unlabelled,
    unlabelled_ids,
    unlabelled_pool,
)


@pytest.fixture
def partly(dataset):
    """Without labels: 4, 9, 26 and the last five of forty."""
    labels = dataset.labels.clone()
    labels[[4, 9, 26, *range(35, 40)]] = float("nan")
    return replace(dataset, labels=labels)


def test_the_pool_is_what_has_no_label_and_is_not_held_out(partly):
    ids = partly.ids
    split = Split(train=ids[:20], valid=ids[20:30], test=(*ids[30:35], ids[37]))
    assert unlabelled_pool(dataset=partly, split=split).tolist() == [4, 9, 35, 36, 38, 39]


@given(
    n=st.integers(1, 30), m=st.integers(1, 50), split_rate=st.integers(0, 5), seed=st.integers(0, 9)
)
def test_pairs_are_the_authors_index_around_the_pool(n, m, split_rate, seed):
    order = torch.randperm(n + m, generator=torch.Generator().manual_seed(seed))
    labelled, pool = order[:n], order[n:]
    pairs = pair_unlabelled(labelled=labelled, pool=pool, split_rate=split_rate, utterances=n + m)
    assert pairs.shape == (n + m, split_rate)
    for i, position in enumerate(labelled.tolist()):
        expected = [int(pool[(i + k * n) % m]) for k in range(split_rate)]
        assert pairs[position].tolist() == expected
    assert (pairs[pool] == -1).all()
    # every utterance comes equally often, up to one
    counts = torch.bincount(pairs[labelled].flatten(), minlength=n + m)[pool]
    assert counts.max() - counts.min() <= 1


def test_without_a_pool_unlabelled_utterances_are_refused():
    nothing, labelled = torch.zeros(0, dtype=torch.int64), torch.arange(3)
    pairs = pair_unlabelled(labelled=labelled, pool=nothing, split_rate=0, utterances=5)
    assert pairs.shape == (5, 0)
    with pytest.raises(DataError, match="split_rate is 2"):
        pair_unlabelled(labelled=labelled, pool=nothing, split_rate=2, utterances=5)


def test_shift_is_in_standard_deviations_of_the_labelled(dataset):
    labelled, pool = torch.arange(20), torch.arange(20, 40)
    normaliser = fit_normaliser(dataset, labelled)
    found = domain_shift(dataset=dataset, pool=pool, normaliser=normaliser)
    for name, ragged in dataset.modalities.items():
        cut, whole = int(ragged.offsets[20]), ragged.values.double().numpy()
        valid = ragged.valid.numpy()
        own, other = whole[:cut][valid[:cut]], whole[cut:][valid[cut:]]
        expected = np.abs((other.mean(0) - own.mean(0)) / own.std(0)).mean()
        assert found[name] == pytest.approx(expected, rel=1e-4)
    # the labelled ones are where they are
    own = domain_shift(dataset=dataset, pool=labelled, normaliser=normaliser)
    assert max(own.values()) < 1e-5


def test_a_modality_that_the_pool_does_not_have_has_no_shift(dataset):
    # every fifth utterance has no vision
    found = domain_shift(
        dataset=dataset,
        pool=torch.tensor([5, 10]),
        normaliser=fit_normaliser(dataset, torch.arange(20)),
    )
    assert set(found) == {"text", "audio"}


def test_the_pool_has_nothing_of_a_clip_that_validates_or_tests(partly):
    ids = tuple(f"{'abcd'[row // 10]}:{row}.000-{row + 1}.000" for row in range(40))
    made = replace(partly, ids=ids)
    split = Split(train=(*ids[:4], *ids[10:20]), valid=ids[20:22], test=ids[30:32])
    assert unlabelled_pool(dataset=made, split=split).tolist() == [4, 9]
    # a was frozen for testing and has no label any more
    split = Split(train=(*ids[:4], *ids[10:20]), valid=(), test=ids[30:32], held=("a",))
    assert unlabelled_pool(dataset=made, split=split).tolist() == [26]
    assert unlabelled_ids(dataset=made, split=split, split_rate=2) == (ids[26],)
    assert unlabelled_ids(dataset=made, split=split, split_rate=0) == ()
