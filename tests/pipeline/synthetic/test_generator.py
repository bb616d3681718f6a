import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeCV

from models.batch import MODALITIES
from pipeline.normalise import Normaliser
from pipeline.synthetic.generator import generate
from pipeline.synthetic.generator_config import SYNTHETIC_SPLITS, SyntheticConfig

SMALL = {"n_train": 40, "n_valid": 6, "n_test": 8, "n_probe_train": 10, "n_probe_test": 5}


@pytest.fixture(scope="module")
def data():
    return generate(SyntheticConfig(n_train=2000, n_valid=2, n_test=2, n_probe_train=1500))


def time_means(data, name, split):
    ragged = data.dataset.modalities[name]
    rows = torch.repeat_interleave(ragged.offsets.diff())
    sums = torch.zeros(len(data.dataset), ragged.values.shape[1]).index_add(0, rows, ragged.values)
    return (sums / ragged.offsets.diff()[:, None])[data.positions[split]].numpy()


def same(one, other, split):
    a, b = one.positions[split], other.positions[split]
    for name in MODALITIES:
        left, right = (x.dataset.modalities[name] for x in (one, other))
        rows = [
            ragged.values[ragged.offsets[p[0]] : ragged.offsets[p[-1] + 1]]
            for ragged, p in ((left, a), (right, b))
        ]
        if not torch.equal(*rows):
            return False
    return torch.equal(one.dataset.labels[a], other.dataset.labels[b])


def test_splits_follow_each_other_and_cover_everything():
    data = generate(SyntheticConfig(**SMALL, n_unlabelled=3))
    assert tuple(data.positions) == SYNTHETIC_SPLITS
    assert torch.equal(torch.cat(list(data.positions.values())), torch.arange(len(data.dataset)))
    assert len(data.split.train) == 43
    assert data.split.test[0] == "test_iid-000000"
    assert data.factors_of("valid")["private_audio"].shape == (6, 3)


def test_labels_are_the_sentiment_scaled_and_clipped(data):
    sentiment = data.factors["sentiment"][:, 0]
    expected = np.clip(1.5 * sentiment, -3, 3)
    np.testing.assert_allclose(data.dataset.labels, expected, rtol=1e-6)
    assert (np.abs(1.5 * sentiment) > 3).any()


def test_same_configuration_same_data_other_seed_other_data():
    one, two = (generate(SyntheticConfig(**SMALL)) for _ in range(2))
    assert one.dataset.digest == two.dataset.digest
    assert all(same(one, two, split) for split in SYNTHETIC_SPLITS if split != "unlabelled")
    other = generate(SyntheticConfig(**SMALL, seed=1))
    assert other.dataset.digest != one.dataset.digest
    assert not same(one, other, "train")


def test_a_split_does_not_depend_on_the_sizes_of_others():
    one = generate(SyntheticConfig(**SMALL))
    other = generate(SyntheticConfig(**SMALL | {"n_train": 11}, n_unlabelled=4))
    assert same(one, other, "probe_train")
    assert same(one, other, "test_ood")


def test_nuisance_follows_the_label_in_training_only():
    sizes = {"n_train": 4000, "n_valid": 4000, "n_test": 4000}
    data = generate(SyntheticConfig(**SMALL | sizes, nuisance_correlation=0.6))
    expected = {"train": 0.6, "valid": 0.6, "test_iid": 0.6, "test_ood": 0, "test_reversed": -0.6}
    for split, rho in expected.items():
        factors = data.factors_of(split)
        for name in MODALITIES:
            pair = factors[f"nuisance_{name}"][:, 0], factors["sentiment"][:, 0]
            assert np.corrcoef(*pair)[0, 1] == pytest.approx(rho, abs=0.04), (split, name)


def test_missing_modalities_leave_at_least_one_and_probes_whole():
    sizes = {"n_train": 2000, "n_valid": 2, "n_test": 2}
    data = generate(SyntheticConfig(**SMALL | sizes, missing_rate=0.5))
    lengths = torch.stack([r.offsets.diff() for r in data.dataset.modalities.values()])
    present = lengths > 0
    assert present.any(dim=0).all()
    # three lots missing one in two, and one given back where all are: (1/2)^3 / 3 = 1/24
    share = present[:, data.positions["train"]].float().mean()
    assert share == pytest.approx(0.5 + 1 / 24, abs=0.02)
    probes = torch.cat([data.positions["probe_train"], data.positions["probe_test"]])
    assert present[:, probes].all()
    for ragged in data.dataset.modalities.values():
        assert ragged.offsets[-1] == len(ragged.values)


def test_batches_are_masked_by_length(data):
    normaliser = Normaliser.fit({n: r.values for n, r in data.dataset.modalities.items()})
    batch = data.dataset.batch(torch.tensor([5, 1, 9]), normaliser)
    for name, sequence in batch.sequences.items():
        lengths = data.dataset.modalities[name].offsets.diff()[[5, 1, 9]]
        assert torch.equal(sequence.mask.sum(1), lengths)
        assert (sequence.values[~sequence.mask] == 0).all()


def test_unlabelled_and_classified_clips():
    data = generate(SyntheticConfig(**SMALL, n_unlabelled=7, classification=True))
    unlabelled = torch.isnan(data.dataset.labels)
    assert torch.equal(unlabelled.nonzero().ravel(), data.positions["unlabelled"])
    signs = np.sign(data.factors["sentiment"][~unlabelled.numpy(), 0])
    np.testing.assert_array_equal(data.dataset.labels[~unlabelled], signs)


def test_real_widths_and_a_partial_factor():
    data = generate(SyntheticConfig(**SMALL, real_dims=True, partial_shared=True))
    assert data.dataset.dimensions == {"text": 768, "audio": 74, "vision": 47}
    assert data.factors["shared"].shape[1] == 3
    assert data.factors["partial"].shape[1] == 1


@pytest.mark.parametrize("name", MODALITIES)
def test_the_mean_frame_tells_own_factors_but_not_all_and_no_foreign_ones(data, name):
    probe = RidgeCV(alphas=np.logspace(-2, 4, 13))
    probe_inputs, inputs = (time_means(data, name, s) for s in ("probe_train", "probe_test"))
    for group, values in data.factors_of("probe_train").items():
        truth = data.factors_of("probe_test")[group]
        score = probe.fit(probe_inputs, values).score(inputs, truth)
        own = group == "shared" or group.endswith(name)
        # the noisy copies limit shared factors to 1 / 1.04
        low, high = (0.5, 0.98) if own else (-0.03, 0.03)
        if group != "sentiment":
            assert low < score < high, group
        else:
            assert 0.3 < score < 0.7
