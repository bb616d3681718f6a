from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.base import available
from pipeline.checkpoint import build_model, save_checkpoint
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError
from pipeline.evaluation import predict
from pipeline.modality_contributions import coalitions, predict_coalitions, shapley_values
from pipeline.normalise import Normaliser


def games(players):
    subsets = coalitions(players)
    numbers = st.lists(st.floats(-10, 10), min_size=len(subsets), max_size=len(subsets))
    return numbers.map(
        lambda found: {s: np.array([v]) for s, v in zip(subsets, found, strict=True)}
    )


@pytest.mark.parametrize("players", ["a", "ab", "abc"])
def test_mean_over_all_orders_of_joining(players):
    generator = np.random.default_rng(0)
    values = {subset: generator.normal(size=4) for subset in coalitions(players)}
    orders = list(permutations(players))
    expected = {player: np.zeros(4) for player in players}
    for order in orders:
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            expected[player] += (values[before | {player}] - values[before]) / len(orders)
    found = shapley_values(values)
    assert set(found) == set(players)
    for player in players:
        np.testing.assert_allclose(found[player], expected[player])


@given(games("abc"))
def test_shares_sum_to_what_all_add(values):
    total = values[frozenset("abc")] - values[frozenset()]
    np.testing.assert_allclose(sum(shapley_values(values).values()), total, atol=1e-9)


@given(games("ab"))
def test_who_never_adds_gets_nothing(values):
    with_idler = {s: values[s - {"c"}] for s in coalitions("abc")}
    found = shapley_values(with_idler)
    np.testing.assert_allclose(found.pop("c"), 0, atol=1e-9)
    for player, share in shapley_values(values).items():
        np.testing.assert_allclose(found[player], share, atol=1e-9)


def test_additive_game():
    worth = {"text": 2.0, "audio": -0.5, "vision": 0.25}
    values = {s: np.array([1 + sum(worth[p] for p in s)]) for s in coalitions(worth)}
    assert {p: v.item() for p, v in shapley_values(values).items()} == pytest.approx(worth)


def saved_run(folder, name, dataset, seeds=(3,), settings: Mapping | None = None):
    rows = {m: r.values[r.valid] for m, r in dataset.modalities.items()}
    for seed in seeds:
        torch.manual_seed(seed)
        model = build_model(name, settings or {}, dataset.dimensions)
        save_checkpoint(
            folder / f"seed-{seed}" / "model.safetensors",
            model=model,
            normaliser=Normaliser.fit(rows),
            names={m: r.names for m, r in dataset.modalities.items()},
        )


@pytest.mark.parametrize("name", available())
def test_every_model_predicts_from_any_modalities(tmp_path, examples, name):
    dataset = PackedDataset.pack(examples(n=6), digest="few")
    saved_run(tmp_path, name, dataset)
    (values,) = predict_coalitions(folder=tmp_path, seeds=(3,), dataset=dataset, device="cpu")
    assert set(values) == set(coalitions(dataset.modalities))
    assert all(np.isfinite(value).all() for value in values.values())
    shares = shapley_values(values)
    moved = values[frozenset(dataset.modalities)] - values[frozenset()]
    np.testing.assert_allclose(sum(shares.values()), moved, atol=1e-9)
    # every fifth example has no vision: it cannot have moved anything
    np.testing.assert_allclose(shares["vision"][[0, 5]], 0, atol=1e-5)


def test_a_linear_model_gives_its_terms(tmp_path, examples, masked_mean):
    """Of a linear model the share is weight times mean, since the zero of a missing one is 0."""
    dataset = PackedDataset.pack(examples(n=6), digest="few")
    saved_run(tmp_path, masked_mean, dataset, seeds=(1, 2))
    found = predict_coalitions(folder=tmp_path, seeds=(1, 2), dataset=dataset, device="cpu")
    rows = {m: r.values[r.valid] for m, r in dataset.modalities.items()}
    normaliser = Normaliser.fit(rows)
    torch.manual_seed(2)
    model = build_model(masked_mean, {}, dataset.dimensions)
    weights = model.linear.weight[0].split(list(dataset.dimensions.values()))
    shares = shapley_values(found[1])
    for (name, ragged), weight in zip(dataset.modalities.items(), weights, strict=True):
        for row in range(6):
            span = slice(ragged.offsets[row], ragged.offsets[row + 1])
            valid = normaliser.apply(name, ragged.values[span])[ragged.valid[span]]
            mean = valid.mean(0) if len(valid) else torch.zeros(valid.shape[1])
            assert shares[name][row] == pytest.approx((mean @ weight).item(), abs=1e-5)
    whole = predict(
        model=model, normaliser=normaliser, dataset=dataset, index=torch.arange(6)
    ).numpy()
    np.testing.assert_allclose(found[1][frozenset(dataset.modalities)], whole, atol=1e-6)


def test_other_columns_are_refused(tmp_path, examples, masked_mean):
    saved_run(tmp_path, masked_mean, PackedDataset.pack(examples(n=6), digest="few"))
    other = PackedDataset.pack(examples(n=6, widths={"audio": 5}), digest="other")
    with pytest.raises(DataError, match="audio"):
        predict_coalitions(folder=tmp_path, seeds=(3,), dataset=other, device="cpu")


def test_without_room_on_the_device_values_stay_on_the_host(
    tmp_path, examples, masked_mean, request
):
    dataset = PackedDataset.pack(examples(n=6), digest="few")
    saved_run(tmp_path, masked_mean, dataset)
    asked = {"folder": tmp_path, "seeds": (3,), "dataset": dataset, "device": "cpu"}
    (moved,) = predict_coalitions(**asked)
    request.getfixturevalue("no_room")
    (hosted,) = predict_coalitions(**asked)
    assert hosted.keys() == moved.keys()
    assert all(np.array_equal(hosted[kept], moved[kept]) for kept in moved)
