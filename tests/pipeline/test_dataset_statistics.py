import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

import pipeline.ragged
from pipeline.dataset_statistics import fit_normaliser


@pytest.mark.parametrize("block", [None, 50])
def test_statistics_are_those_of_the_valid_rows(dataset, examples, monkeypatch, block):
    if block is not None:
        monkeypatch.setattr(pipeline.ragged, "BLOCK_VALUES", block)
    index = torch.tensor([7, 1, 3, 30])
    found = fit_normaliser(dataset, index)
    chosen = [examples()[i] for i in index.tolist()]
    for name in dataset.modalities:
        sequences = [e.features[name] for e in chosen if name in e.features]
        rows = np.concatenate([one.values[one.valid] for one in sequences]).astype(np.float64)
        scaler = StandardScaler().fit(rows)
        assert found.mean[name].numpy() == pytest.approx(scaler.mean_, rel=1e-6)
        assert found.scale[name].numpy() == pytest.approx(scaler.scale_, rel=1e-6)
