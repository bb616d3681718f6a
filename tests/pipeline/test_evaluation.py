import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error

from pipeline.checkpoint import build_model
from pipeline.dataset_statistics import fit_normaliser
from pipeline.errors import DataError
from pipeline.evaluation import constant_baseline, evaluate, labelled, predict


@pytest.fixture
def trained(dataset, masked_mean):
    model = build_model(masked_mean, {"dropout": 0.5}, dataset.dimensions)
    return {
        "model": model,
        "normaliser": fit_normaliser(dataset, torch.arange(len(dataset))),
        "dataset": dataset,
    }


def test_predictions_follow_the_index_and_not_the_batches(trained):
    index = torch.tensor([9, 0, 33, 9, 21])
    whole = predict(**trained, index=index)
    one_by_one = predict(**trained, index=index, batch_size=1)
    torch.testing.assert_close(whole, one_by_one)
    assert whole[0] == whole[3]
    assert len(set(whole.tolist())) == 4
    assert not trained["model"].training


def test_no_utterance_has_no_prediction(trained):
    assert predict(**trained, index=torch.zeros(0, dtype=torch.int64)).shape == (0,)


def test_predictions_carry_no_gradient(trained):
    assert not predict(**trained, index=torch.arange(3)).requires_grad


def test_evaluation_is_of_these_utterances(trained, dataset):
    index = torch.arange(5, 17)
    found = evaluate(**trained, index=index)
    expected = mean_absolute_error(dataset.labels[index], predict(**trained, index=index))
    assert found.mae == pytest.approx(expected, rel=1e-6)
    assert found.n == 12


def test_an_unlabelled_utterance_cannot_be_evaluated(trained, dataset):
    labels = dataset.labels.clone()
    labels[3] = float("nan")
    trained["dataset"] = replace(dataset, labels=labels)
    with pytest.raises(DataError, match="1 of 10 targets"):
        evaluate(**trained, index=torch.arange(10))
    assert labelled(trained["dataset"], dataset.ids[:6]).tolist() == [0, 1, 2, 4, 5]


def test_the_constant_is_the_median_of_train(dataset, split):
    labels = dataset.labels.double().numpy()
    train, test = labels[:24], labels[32:]
    found = constant_baseline(dataset=dataset, split=split)
    assert found.mae == pytest.approx(np.abs(test - np.median(train)).mean(), rel=1e-6)
    assert math.isnan(found.correlation)
    assert found.n == 8


def test_no_constant_has_a_smaller_error_on_train(dataset, split):
    train = dataset.labels.double().numpy()[:24]
    best = min(np.abs(train - guess).mean() for guess in np.linspace(-3, 3, 601))
    found = constant_baseline(dataset=dataset, split=split, on="train").mae
    assert found <= best + 1e-9


def test_a_split_without_labels_is_refused(dataset, split):
    nothing = replace(dataset, labels=torch.full((len(dataset),), float("nan")))
    with pytest.raises(DataError, match="training split"):
        constant_baseline(dataset=nothing, split=split)
    with pytest.raises(DataError, match="n >= 1"):
        constant_baseline(dataset=dataset, split=replace(split, test=()))
