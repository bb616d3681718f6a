import math

import pytest

from pipeline.errors import StoreError
from pipeline.synthetic.score_card import ScoreCard, score_model


def test_true_factors_separate_perfectly(card):
    scores = card.scores
    assert scores["separation"] == pytest.approx(1.0, abs=0.03)
    assert scores["perceptron_separation"] == pytest.approx(1.0, abs=0.1)
    assert scores["retention_joint"] == pytest.approx(1.0, abs=0.01)
    assert scores["purity_gain"] == pytest.approx(1.0, abs=0.03)
    assert abs(scores["anything_in_noise"]) < 0.03
    assert scores["retrieval"] == 1.0
    assert scores["canonical_correlation"] == pytest.approx(1.0, abs=0.01)
    assert scores["cka"] == pytest.approx(1.0)
    assert scores["block_disentanglement"] > 0.95
    assert scores["swap_shared_follows"] > 0.99


def test_mixed_factors_do_not(mixed_oracle, normaliser, small_data, card):
    scores = score_model(model=mixed_oracle, normaliser=normaliser, data=small_data, seed=0).scores
    assert scores["separation"] == pytest.approx(0.0, abs=0.02)
    assert scores["retention_joint"] == pytest.approx(1.0, abs=0.01)
    assert scores["block_gap"] < card.scores["block_gap"] - 0.3


def test_prediction_is_scored_on_every_test_split(card, small_data):
    labels = small_data.dataset.labels[small_data.positions["test_iid"]].double()
    assert card.scores["mae_test_iid"] == pytest.approx(0.5, abs=1e-5)
    expected = 1 - 0.25 / float(labels.var(correction=0))
    assert card.scores["r2_test_iid"] == pytest.approx(expected, abs=1e-5)
    drop = card.scores["r2_test_iid"] - card.scores["r2_test_ood"]
    assert card.scores["r2_drop"] == pytest.approx(drop)


def test_a_card_is_stored_with_what_it_lacks(card, tmp_path):
    path = tmp_path / "card.json"
    partial = ScoreCard(
        probes=card.probes, scores={"cka": float("nan"), "separation": 0.5}, dependence={}
    )
    partial.save(path)
    again = ScoreCard.load(path)
    assert math.isnan(again.scores["cka"])
    assert again.probes == card.probes
    path.write_text("{")
    with pytest.raises(StoreError, match=r"card\.json"):
        ScoreCard.load(path)
