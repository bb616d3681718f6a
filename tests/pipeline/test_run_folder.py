import pytest

from models.base import get as get_model
from pipeline.errors import RunError
from pipeline.run_folder import discard_run, load_run, mark_latest, selected_on
from pipeline.runs import run_id


def test_selected_on_is_what_trained_and_what_selected(run, split, tmp_path):
    report = run()
    for name in ("latest", report.id):
        assert set(selected_on(tmp_path / "runs", name)) == {*split.train, *split.valid}


def test_unknown_run_lists_what_there_is(run, tmp_path):
    report = run()
    with pytest.raises(RunError, match=rf"'other'.*there are: {report.id}"):
        load_run(tmp_path / "runs", "other")
    with pytest.raises(RunError, match="'other'"):
        selected_on(tmp_path / "runs", "other")


def test_no_run_at_all(tmp_path):
    with pytest.raises(RunError, match="there are: none"):
        load_run(tmp_path)


def test_a_name_cannot_lead_out_of_the_folder(run, tmp_path):
    report = run()
    with pytest.raises(RunError):
        load_run(tmp_path / "runs" / report.id, f"../{report.id}")


def test_latest_that_was_discarded_is_not_found(run, tmp_path):
    report = run()
    discard_run(tmp_path / "runs", report.id)
    with pytest.raises(RunError, match="there are: none"):
        load_run(tmp_path / "runs")


def test_latest_can_be_set(run, tmp_path):
    report = run()
    mark_latest(tmp_path / "runs", "nothing")
    with pytest.raises(RunError, match="'nothing'"):
        load_run(tmp_path / "runs")
    mark_latest(tmp_path / "runs", report.id)
    assert load_run(tmp_path / "runs").id == report.id


def test_a_model_of_another_version_is_another_run(masked_mean, dataset, split, short, monkeypatch):
    identity = {
        "dataset": dataset,
        "split": split,
        "model_name": masked_mean,
        "model_config": {},
        "training": short,
    }
    before = run_id(**identity)
    assert run_id(**identity) == before
    monkeypatch.setattr(get_model(masked_mean), "version", 2)
    assert run_id(**identity) != before
