from pathlib import Path

import pytest

from flows.bare_names import DEPLOYMENTS
from flows.deployments import ARRIVED, FLOWS, make_deployments
from flows.notifications import tell_failure
from flows.watcher import videos_trigger
from pipeline.config import RunConfig

CONFIG = RunConfig(jobs=3)


@pytest.fixture(scope="module")
def made():
    deployments = make_deployments(
        videos="some/videos", workspace=Path("space"), config=CONFIG, schedules=["0 3 * * *"]
    )
    return {deployment.name: deployment for deployment in deployments}


def test_there_are_five_of_the_names_of_their_flows(made):
    assert tuple(made) == DEPLOYMENTS
    assert [deployment.flow_name for deployment in made.values()] == list(DEPLOYMENTS)


def test_a_worker_elsewhere_finds_the_flows_by_their_module(made):
    assert made["maintain-store"].entrypoint == "flows.maintain_store.maintain_store"


def test_paths_do_not_depend_on_where_a_worker_runs(made):
    parameters = made["extract-and-train"].parameters
    assert parameters["videos"] == str(Path.cwd() / "some" / "videos")
    assert parameters["workspace"] == str(Path.cwd() / "space")
    assert "videos" not in made["maintain-store"].parameters


def test_an_address_stays_one():
    made = make_deployments(videos="https://host/list", workspace=Path(), config=CONFIG)
    assert made[0].parameters["videos"] == "https://host/list"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_settings_are_parameters_and_checked(made, name):
    assert RunConfig.model_validate(made[name].parameters["config"]) == CONFIG
    assert made[name].enforce_parameter_schema
    schema = made[name]._parameter_openapi_schema
    assert "config" in schema.properties
    jobs = schema.definitions["RunConfig"]["properties"]["jobs"]
    assert jobs["description"] == "Processes that extract features; 0 for one a processor core."


def test_only_what_has_a_schedule_runs_by_itself(made):
    crons = {name: [entry.schedule.cron for entry in d.schedules] for name, d in made.items()}
    assert crons == {name: [] for name in DEPLOYMENTS} | {"scheduled-retrain": ["0 3 * * *"]}


def test_videos_that_arrive_start_their_extraction(made):
    triggers = {name: [t.name for t in deployment.triggers] for name, deployment in made.items()}
    assert triggers == {name: [] for name in DEPLOYMENTS} | {"extract-new-videos": [ARRIVED]}
    (trigger,) = made["extract-new-videos"].triggers
    assert trigger.match == videos_trigger("some/videos").match


def test_somebody_is_told_of_every_failure():
    for flow in FLOWS:
        assert flow.on_failure_hooks == [tell_failure]
        assert flow.on_crashed_hooks == [tell_failure]
