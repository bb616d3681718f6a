import csv
import json
import math
import platform
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error

from pipeline.errors import ConfigError, DataError, RunError
from pipeline.run_folder import discard_run, load_run
from pipeline.runs import predict_run, run_id


def fail(*arguments):
    pytest.fail("trained again")


def read_predictions(folder):
    with (folder / "predictions.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_leaves_everything_behind(run, tmp_path):
    report = run()
    folder = tmp_path / "runs" / report.id
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        *("config.json", "predictions.csv", "report.html", "report.json", "report.md"),
        *(f"figures/{name}.png" for name in ("labels", "losses", "scatter")),
        *(f"seed-{n}/{name}" for n in (0, 1) for name in ("model.safetensors", "result.json")),
    }
    config = json.loads((folder / "config.json").read_text())
    assert config["model_config"] == {"dropout": 0.2, "size_weight": 0.01}
    assert len(config["split"]["test"]) == 8


def test_the_metrics_are_those_of_the_predictions_written(run, tmp_path):
    report = run()
    rows = read_predictions(tmp_path / "runs" / report.id)
    assert len(rows) == 40
    for split, size in (("train", 24), ("valid", 8), ("test", 8)):
        chosen = [row for row in rows if row["split"] == split]
        assert len(chosen) == size
        target = [float(row["target"]) for row in chosen]
        for seed in report.seeds:
            scores = [float(row[f"seed {seed.seed}"]) for row in chosen]
            found = seed.metrics[split]
            assert found.mae == pytest.approx(mean_absolute_error(target, scores), abs=1e-5)
            assert found.correlation == pytest.approx(pearsonr(target, scores)[0], abs=1e-4)
        mean = np.mean([[float(row[f"seed {n}"]) for n in (0, 1)] for row in chosen], axis=1)
        assert [float(row["mean"]) for row in chosen] == pytest.approx(mean.tolist(), abs=1e-5)
        assert report.ensemble[split].mae == pytest.approx(
            mean_absolute_error(target, mean), abs=1e-5
        )


def test_validation_metrics_are_those_that_selected(run):
    for seed in run().seeds:
        errors = [record.valid_mae for record in seed.history]
        assert seed.metrics["valid"].mae == pytest.approx(min(errors), rel=1e-5)
        assert seed.best_epoch == int(np.argmin(errors))


def test_the_report_says_what_was_used(run, dataset, split, short):
    context = {
        "timings": {"extract": 2.5},
        "failures": [{"item": "a.mp4", "step": "ingest", "code": "x", "detail": "y"}],
        "extraction": {"voice": 3},
        "data": {"clips": 7},
    }
    report = run(context=context)
    assert report.data_digest == "synthetic"
    assert report.data["utterances"] == {"train": 24, "valid": 8, "test": 8}
    assert report.data["clips"] == 7
    vision = report.data["modalities"]["vision"]
    assert (vision["features"], vision["without"]) == (3, 8)
    assert vision["valid"] == int(dataset.modalities["vision"].valid.sum()) < vision["rows"]
    assert report.versions["python"] == platform.python_version()
    assert report.versions["torch"] == torch.__version__
    assert report.timings["extract"] == 2.5
    assert report.timings["train"] == pytest.approx(
        sum(record.seconds for seed in report.seeds for record in seed.history)
    )
    assert report.failures == tuple(context["failures"])
    assert report.extraction == {"voice": 3}
    assert report.device == "cpu"
    assert report.training["max_epochs"] == short.max_epochs
    train = dataset.labels[dataset.positions(split.train)].double().numpy()
    test = dataset.labels[dataset.positions(split.test)].double().numpy()
    assert report.constant["test"].mae == pytest.approx(np.abs(test - np.median(train)).mean())


def test_a_complete_run_is_not_trained_again(run, tmp_path):
    first = run()
    path = tmp_path / "runs" / first.id / "report.json"
    before = path.read_bytes()
    again = run(on_progress=fail)
    assert again.id == first.id
    assert again.seeds == first.seeds
    assert path.read_bytes() == before


def test_a_complete_run_reports_the_present_failures(run, tmp_path):
    first = run()
    broken = {"item": "b.mp4", "step": "ingest", "code": "not_media", "detail": "b.mp4: broken"}
    again = run(context={"failures": [broken]}, on_progress=fail)
    assert again.failures == (broken,)
    assert again.seeds == first.seeds
    folder = tmp_path / "runs" / first.id
    assert load_run(tmp_path / "runs").failures == (broken,)
    assert "b.mp4: broken" in (folder / "report.md").read_text()


def test_latest_is_the_run_that_was_asked_for_last(run, short, tmp_path):
    first = run()
    other = run(training=replace(short, max_epochs=1))
    assert load_run(tmp_path / "runs").id == other.id != first.id
    run(on_progress=fail)
    assert load_run(tmp_path / "runs").id == first.id


def test_a_discarded_run_is(run, tmp_path):
    first = run()
    discard_run(tmp_path / "runs", first.id)
    assert not (tmp_path / "runs" / first.id).exists()
    discard_run(tmp_path / "runs", first.id)
    seen = []
    again = run(on_progress=lambda seed, record: seen.append((seed, record.epoch)))
    assert seen[0] == (0, 0)
    assert {seed for seed, _ in seen} == {0, 1}
    assert [seed.metrics for seed in again.seeds] == [seed.metrics for seed in first.seeds]


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (0, 4), (1, 2)])
def test_an_interrupted_run_ends_like_one_that_was_not(run, tmp_path, seed, epoch):
    whole = run()

    def stop(at_seed, record):
        if (at_seed, record.epoch) == (seed, epoch):
            raise KeyboardInterrupt

    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(KeyboardInterrupt):
        run(runs_folder=elsewhere, on_progress=stop)
    with pytest.raises(RunError):
        load_run(elsewhere)
    seen = []
    again = run(runs_folder=elsewhere, on_progress=lambda s, r: seen.append((s, r.epoch)))
    assert seen[0] == ((seed, epoch + 1) if epoch < 5 else (seed + 1, 0))
    assert again.id == whole.id
    for name in ("predictions.csv", "seed-0/model.safetensors", "seed-1/model.safetensors"):
        one, other = (folder / whole.id / name for folder in (elsewhere, tmp_path / "runs"))
        assert one.read_bytes() == other.read_bytes()


def test_the_id_is_of_what_the_result_depends_on(masked_mean, dataset, split, short):
    base = {
        "dataset": dataset,
        "split": split,
        "model_name": masked_mean,
        "model_config": {},
        "training": short,
    }
    name = run_id(**base)
    assert name.startswith("masked_mean-")
    assert len(name) == len("masked_mean-") + 12
    for change in (
        {"model_config": {"dropout": 0.2}},
        {"training": replace(short, device="auto")},
    ):
        assert run_id(**(base | change)) == name
    changed = [
        run_id(**(base | change))
        for change in (
            {"dataset": replace(dataset, digest="other")},
            {"split": replace(split, test=split.test[:-1])},
            {"model_name": "mind"},
            {"model_config": {"dropout": 0.3}},
            {"training": replace(short, seeds=(0, 2))},
            {"training": replace(short, max_epochs=7)},
        )
    ]
    assert len({name, *changed}) == 7


def test_latest_is_the_last_made(run, tmp_path, short):
    first = run()
    second = run(training=replace(short, seeds=(3,)))
    folder = tmp_path / "runs"
    assert load_run(folder).id == second.id
    assert load_run(folder, first.id).id == first.id
    with pytest.raises(RunError, match=first.id):
        load_run(folder, "masked_mean-000000000000")
    with pytest.raises(RunError, match="there are: none"):
        load_run(tmp_path / "nowhere")


def test_new_utterances_are_predicted_by_all_seeds(run, tmp_path, dataset):
    report = run()
    rows = {row["segment"]: row for row in read_predictions(tmp_path / "runs" / report.id)}
    unlabelled = replace(dataset, labels=torch.full((len(dataset),), float("nan")), digest="new")
    found = predict_run(runs_folder=tmp_path / "runs", run="latest", dataset=unlabelled)
    assert found.ids == dataset.ids
    by_hand = np.array([[float(rows[i][f"seed {n}"]) for n in (0, 1)] for i in found.ids])
    np.testing.assert_allclose(found.mean, by_hand.mean(1), atol=1e-4)
    np.testing.assert_allclose(found.sd, by_hand.std(1, ddof=1), atol=1e-4)
    assert found.sd.max() > 0


def test_other_columns_cannot_be_predicted_from(run, tmp_path, dataset):
    run()
    text = dataset.modalities["text"]
    other = replace(dataset, modalities={"text": replace(text, names=tuple(reversed(text.names)))})
    with pytest.raises(DataError, match="text"):
        predict_run(runs_folder=tmp_path / "runs", run="latest", dataset=other)


def test_a_split_without_test_fails_before_training(run, split):
    with pytest.raises(DataError):
        run(split=replace(split, test=()), on_progress=fail)


def test_unknown_context_is_refused(run):
    with pytest.raises(ConfigError, match=r"\['clips'\].*timings"):
        run(context={"clips": 3}, on_progress=fail)


def test_labels_of_test_reach_only_the_test_metrics(run, dataset, split, tmp_path):
    honest = run()
    labels = dataset.labels.clone()
    labels[dataset.positions(split.test)] = -3.0
    lied = run(
        dataset=replace(dataset, labels=labels, digest="lied"), runs_folder=tmp_path / "lied"
    )
    for one, other in zip(honest.seeds, lied.seeds, strict=True):
        assert one.metrics["train"] == other.metrics["train"]
        assert one.metrics["valid"] == other.metrics["valid"]
        assert one.best_epoch == other.best_epoch
        assert one.metrics["test"] != other.metrics["test"]
        assert math.isnan(other.metrics["test"].correlation)


@pytest.mark.slow
def test_the_real_model_runs(run):
    small = {"width": 8, "layers": 1, "heads": 2, "statistics_width": 8, "decoder_width": 8}
    report = run(model_name="mind", model_config=small)
    terms = report.seeds[0].history[0].terms
    assert len(terms) == 7
    assert all(math.isfinite(value) for value in terms.values())
