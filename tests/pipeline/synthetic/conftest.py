"""Data of a few seconds, and models whose parts are the true factors."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from models.base import Losses, Output, SentimentModel
from models.batch import MODALITIES
from pipeline.normalise import Normaliser
from pipeline.synthetic.generator import generate
from pipeline.synthetic.generator_config import SyntheticConfig
from pipeline.synthetic.score_card import score_model


@dataclass(frozen=True, kw_only=True)
class NoConfig:
    pass


class Oracle(SentimentModel):
    """Looks the factors up by the clip's position; ``mixing`` blends the two parts."""

    name = "oracle"
    Config = NoConfig

    def __init__(self, data, *, mixing=0.0):
        super().__init__(None, data.dataset.dimensions)
        self.linear = nn.Linear(1, 1)
        self.mixing, self.target = mixing, data.dataset.labels
        self.factors = {n: torch.from_numpy(v).float() for n, v in data.factors.items()}

    def forward(self, batch):
        rows = {name: values[batch.index] for name, values in self.factors.items()}
        parts = {part: {} for part in "SPZN"}
        for name in MODALITIES:
            s, p = rows["shared"], rows[f"private_{name}"]
            parts["S"][name] = torch.cat([s, self.mixing * p], 1)
            parts["P"][name] = torch.cat([p, self.mixing * s], 1)
            parts["Z"][name] = torch.cat([s, p, rows[f"nuisance_{name}"]], 1)
            parts["N"][name] = torch.randn(len(s), 2)
        return Output(prediction=self.target[batch.index] + 0.5, parts=parts)

    def losses(self, batch, output, progress):
        return Losses(terms={"task": output.prediction.mean()}, weights={"task": 1.0})

    def decode(self, parts):
        return {name: torch.cat([parts["S"][name], parts["P"][name]], 1) for name in MODALITIES}


@pytest.fixture(scope="session")
def small_config():
    return SyntheticConfig(n_train=64, n_valid=32, n_test=100, n_probe_train=600, n_probe_test=500)


@pytest.fixture(scope="session")
def small_data(small_config):
    return generate(small_config)


@pytest.fixture(scope="session")
def normaliser(small_data):
    return Normaliser.fit({n: r.values for n, r in small_data.dataset.modalities.items()})


@pytest.fixture(scope="session")
def oracle(small_data):
    return Oracle(small_data)


@pytest.fixture(scope="session")
def mixed_oracle(small_data):
    return Oracle(small_data, mixing=1.0)


@pytest.fixture(scope="session")
def card(oracle, normaliser, small_data):
    return score_model(model=oracle, normaliser=normaliser, data=small_data, seed=0)


@pytest.fixture
def generator():
    return np.random.default_rng(0)
