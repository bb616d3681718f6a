"""What lies in deploy/, as far as it can be checked without the machines that it is for."""

import configparser
import importlib
import json
import re
import tomllib
from pathlib import Path

import jsonschema
import prefect
import pytest
import yaml

from flows.bare_names import DEPLOYMENTS
from flows.deployments import FLOWS
from flows.schedules import read_schedules

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OWN_TEMPLATES = (
    Path(prefect.__file__).parent
    / "server/api/collections_data/views/aggregate-worker-metadata.json"
)


def read_yaml(name):
    return yaml.safe_load((DEPLOY / name).read_text())


def placeholders(tree):
    return set(re.findall(r"{{ (\w+) }}", json.dumps(tree)))


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_pools_are_prefects_own_with_our_volumes(kind):
    ours = json.loads((DEPLOY / f"{kind}-pool.json").read_text())
    own = json.loads(OWN_TEMPLATES.read_text())[f"prefect-{kind}"][kind]
    own = own["default_base_job_configuration"]
    # a variable that is used and not known would be left out without a word
    assert placeholders(ours["job_configuration"]) <= ours["variables"]["properties"].keys()
    assert placeholders(own["job_configuration"]) <= placeholders(ours["job_configuration"])
    assert own["job_configuration"].keys() == ours["job_configuration"].keys()
    defaults = {
        name: facts["default"]
        for name, facts in ours["variables"]["properties"].items()
        if "default" in facts
    }
    jsonschema.validate(defaults, ours["variables"])
    assert defaults["image"] == "winnow:latest"
    assert "/data/workspace" in json.dumps(ours)


def test_prefect_yaml_names_the_flows_that_there_are():
    deployments = read_yaml("prefect.yaml")["deployments"]
    assert tuple(entry["name"] for entry in deployments) == DEPLOYMENTS
    for entry, flow in zip(deployments, FLOWS, strict=True):
        module, _, name = entry["entrypoint"].rpartition(".")
        assert getattr(importlib.import_module(module), name) is flow
        assert flow.validate_parameters(entry["parameters"])
        for schedule in entry.get("schedules", ()):
            assert read_schedules([f"{entry['name']}={schedule['cron']}"])


def test_compose_starts_what_the_image_has():
    services = read_yaml("compose.yaml")["services"]
    for name, service in services.items():
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in services[needed], (name, needed)
    command = services["worker"]["command"]
    assert command[:3] == ["prefect", "worker", "start"]
    assert services["deploy"]["entrypoint"][2:4] == ["winnow", "deploy"]
    assert services["worker"]["environment"]["PREFECT_API_URL"].startswith("http://server:")


def test_the_image_is_made_of_what_is_here():
    text = (DEPLOY / "Dockerfile").read_text()
    sources = [word for line in re.findall(r"^COPY (.*) \S+$", text, re.M) for word in line.split()]
    assert all((ROOT / source).exists() for source in sources), sources
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wheel = wheel["targets"]["wheel"]
    assert {*wheel["packages"], *wheel.get("force-include", {})} <= set(sources)
    assert (ROOT / re.search(r"ARG CONSTRAINTS=(\S+)", text)[1]).exists()


@pytest.mark.parametrize("name", ["winnow-worker", "winnow-serve"])
def test_units_of_systemd_are_complete(name):
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read(DEPLOY / f"{name}.service")
    assert unit["Service"]["Restart"] == "always"
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    command = unit["Service"]["ExecStart"]
    assert "prefect worker start" in command or "flows.serve" in command
    for schedule in re.findall(r'--schedule "([^"]+)"', command):
        assert read_schedules([schedule])
