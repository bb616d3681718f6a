import csv
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.bootstrap import bootstrap_intervals
from pipeline.errors import DataError, StoreError
from pipeline.run_predictions import Predictions, predict_seeds, read_predictions
from pipeline.run_task import RunTask
from pipeline.splits import Split


def predictions(**by_seed):
    scores = {int(name.removeprefix("s")): np.array(values) for name, values in by_seed.items()}
    return Predictions(ids=("u000", "u001", "u002"), by_seed=scores)


def test_mean_and_deviation_are_over_the_seeds():
    found = predictions(s0=[1.0, 2.0, 3.0], s7=[2.0, 2.0, 0.0])
    assert found.mean.tolist() == [1.5, 2.0, 1.5]
    np.testing.assert_allclose(found.sd, [math.sqrt(0.5), 0.0, math.sqrt(4.5)])


def test_one_seed_has_no_deviation():
    found = predictions(s0=[1.0, 2.0, 3.0])
    assert found.mean.tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(found.sd).all()


def test_targets_leave_unlabelled_ones_out(dataset):
    dataset.labels[1] = float("nan")
    rows, target = predictions(s0=[0.0] * 3).targets(dataset, ("u002", "u001", "u000"))
    assert rows.tolist() == [2, 0]
    assert target.tolist() == [float(dataset.labels[2]), float(dataset.labels[0])]


def test_intervals_are_over_clips_and_leave_unlabelled_ones_out(dataset):
    names = ("a$_$1", "a$_$2", "b$_$1", "c$_$1", "d$_$1")
    labels = dataset.labels[: len(names)]
    labels[4] = float("nan")
    named = replace(dataset, ids=names + dataset.ids[5:])
    one, two = np.random.default_rng(0).normal(size=(2, 5))
    found = Predictions(ids=names, by_seed={0: one, 1: two})
    of_seeds, of_mean = found.intervals(named, names)
    given = {"target": labels[:4].double().numpy(), "clips": ["a", "a", "b", "c"]}
    assert of_seeds == bootstrap_intervals(predictions=[one[:4], two[:4]], **given)
    assert of_mean == bootstrap_intervals(predictions=(one + two)[:4] / 2, **given)
    assert of_mean["mae"].low < of_mean["mae"].high


def test_the_file_has_a_row_an_utterance(tmp_path, dataset):
    dataset.labels[1] = float("nan")
    split = Split(train=("u000",), valid=("u002",), test=("u001",))
    predictions(s3=[1.0, 2.0, 0.1], s4=[2.0, 2.0, 0.2]).save(
        tmp_path / "p.csv", dataset=dataset, split=split
    )
    with (tmp_path / "p.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["segment", "split", "target", "seed 3", "seed 4", "mean"]
    assert rows[1] == ["u000", "train", f"{float(dataset.labels[0]):g}", "1", "2", "1.5"]
    assert rows[2] == ["u001", "test", "", "2", "2", "2"]
    assert rows[3][1] == "valid"
    assert float(rows[3][5]) == pytest.approx(0.15)


def test_the_file_is_read_again(tmp_path, dataset):
    dataset.labels[1] = float("nan")
    split = Split(train=("u000",), valid=(), test=("u001", "u002"))
    path = tmp_path / "p.csv"
    predictions(s3=[1.0, 2.0, 1 / 3], s4=[2.0, 2.0, 0.2]).save(path, dataset=dataset, split=split)
    found = read_predictions(path, on="test")
    assert found.ids == ("u002",)
    assert found.target == pytest.approx([float(dataset.labels[2])])
    np.testing.assert_allclose(found.by_seed, [[1 / 3], [0.2]], rtol=1e-5)
    for damaged in (path.read_text()[:12], path.read_text().replace("0.333333", "a")):
        path.write_text(damaged)
        with pytest.raises(StoreError, match=str(path)):
            read_predictions(path, on="test")


def test_seeds_are_read_from_the_run(run, tmp_path, dataset):
    report = run()
    folder = tmp_path / "runs" / report.id
    chosen = {"folder": folder, "dataset": dataset, "device": "cpu"}
    found = predict_seeds(**chosen, seeds=(1,), ids=("u030", "u002"))
    whole = predict_seeds(**chosen, seeds=(0, 1), ids=dataset.ids)
    assert list(found.by_seed) == [1]
    np.testing.assert_allclose(found.by_seed[1], whole.by_seed[1][[30, 2]], rtol=1e-5)
    assert not np.allclose(whole.by_seed[0], whole.by_seed[1])
    with pytest.raises(DataError, match="'who'"):
        predict_seeds(**chosen, seeds=(1,), ids=("who",))
    with pytest.raises(StoreError, match="seed-9"):
        predict_seeds(**chosen, seeds=(9,), ids=("u030",))


def test_predicting_leaves_random_numbers_alone(run, tmp_path, dataset):
    report = run()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    predict_seeds(
        folder=tmp_path / "runs" / report.id,
        seeds=(0,),
        dataset=dataset,
        ids=dataset.ids,
        device="cpu",
    )
    assert torch.equal(torch.rand(3), expected)


def test_the_file_of_a_run_of_classes_names_them(tmp_path, dataset):
    labels = torch.tensor([2.0, float("nan"), 0.0])
    named = replace(dataset, labels=torch.cat([labels, dataset.labels[3:]]))
    classes = ("joke", "ask, again", "thank")
    likely = {0: np.full((3, 3), [0.2, 0.5, 0.3]), 1: np.full((3, 3), [0.7, 0.1, 0.2])}
    said = Predictions(
        ids=("u000", "u001", "u002"),
        by_seed={0: np.ones(3), 1: np.zeros(3)},
        probabilities=likely,
        task=RunTask(classes=classes, numbered=True),
    )
    path = tmp_path / "p.csv"
    split = Split(train=("u000", "u001"), valid=(), test=("u002",))
    said.save(path, dataset=named, split=split)
    with path.open(newline="") as stream:
        heading, *rows = csv.reader(stream)
    assert heading[2:] == ["target", "seed 0", "seed 1", "together", *(f"p({c})" for c in classes)]
    assert rows[0][:6] == ["u000", "train", "thank", "ask, again", "joke", "joke"]
    assert [float(value) for value in rows[0][6:]] == pytest.approx([0.45, 0.3, 0.25])
    assert rows[1][2] == ""
    found = read_predictions(path, on="test", classes=classes)
    assert (found.ids, found.target.tolist()) == (("u002",), [0.0])
    assert found.by_seed.tolist() == [[1.0], [0.0]]
    np.testing.assert_allclose(found.probabilities, [[0.45, 0.3, 0.25]])
    with pytest.raises(StoreError, match="train again"):
        read_predictions(path, on="test", classes=classes[1:])
