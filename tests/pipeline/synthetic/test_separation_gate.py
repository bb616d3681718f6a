"""Whether our own preset of MInD separates what can be separated, also in a small training."""

import pytest

from pipeline.checkpoint import load_checkpoint
from pipeline.synthetic.alignment_scores import retrieval_recall
from pipeline.synthetic.contenders import find_contender
from pipeline.synthetic.encoding import encode
from pipeline.synthetic.generator import generate
from pipeline.synthetic.generator_config import SyntheticConfig
from pipeline.synthetic.probe_matrix import representations
from pipeline.synthetic.ridge_probe import explained_variance, fit_ridge_probe
from pipeline.synthetic.separation_scores import separation_scores
from pipeline.training import train_seed
from pipeline.training_config import TrainingConfig

SIZES = SyntheticConfig(n_train=3000, n_valid=400, n_test=2, n_probe_train=1500, n_probe_test=1000)
TRAINING = TrainingConfig(
    max_epochs=15, batch_size=64, learning_rate=1e-3, patience=15, plateau=1, device="cpu"
)


def linear_matrix(data, old, new):
    codes, new_codes = representations(old), representations(new)
    truth = data.factors_of("probe_test")
    return {
        row: {
            group: explained_variance(
                prediction=fit_ridge_probe(inputs=inputs, targets=factors).predict(new_codes[row]),
                target=truth[group],
            ).mean()
            for group, factors in data.factors_of("probe_train").items()
        }
        for row, inputs in codes.items()
    }


@pytest.mark.slow
def test_strong_preset_separates_shared_from_private(tmp_path):
    data = generate(SIZES)
    contender = find_contender("mind_strong")
    train_seed(
        dataset=data.dataset,
        split=data.split,
        model_name=contender.model,
        model_config=dict(contender.settings),
        config=TRAINING,
        seed=0,
        folder=tmp_path,
    )
    checkpoint = load_checkpoint(tmp_path / "model.safetensors")
    old, new = (
        encode(
            model=checkpoint.model,
            normaliser=checkpoint.normaliser,
            dataset=data.dataset,
            index=data.positions[split],
        ).parts
        for split in ("probe_train", "probe_test")
    )
    scores = separation_scores(linear_matrix(data, old, new))
    assert scores["separation"] >= 0.3
    assert scores["retention_shared"] >= 0.8
    assert scores["retention_private"] >= 0.4
    recall = retrieval_recall(queries=new["S"]["audio"][:500], gallery=new["S"]["vision"][:500])
    assert recall >= 0.05
