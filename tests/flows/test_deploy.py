"""A pool on a server of its own: the shared one's deployments are served."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.bare_names import DEPLOYMENTS
from flows.deploy import Pool, deploy
from flows.safeguards import AUTOMATION
from flows.server import free_port, prefect_environment, running_process, running_server
from pipeline.errors import ConfigError

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "deploy"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    environment = prefect_environment(folder / "home", port)
    with running_server(environment=environment, port=port, log=folder / "log"):
        yield environment


@pytest.fixture
def client(server):
    with (
        temporary_settings({PREFECT_API_URL: server["PREFECT_API_URL"]}),
        get_client(sync_client=True) as client,
    ):
        yield client


def test_what_can_be_checked_is_checked_before_a_server_is_asked(tmp_path):
    nobody = "http://127.0.0.1:9/api"
    with pytest.raises(ConfigError, match="is not a schedule"):
        deploy(api=nobody, schedule=("0 3 * *",))
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        deploy(api=nobody, config=tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("content", "message"), [("{", "cannot be read as JSON"), ("{}", "has job_configuration")]
)
def test_a_template_that_is_none_is_refused(tmp_path, content, message):
    (tmp_path / "pool.json").write_text(content)
    with pytest.raises(ConfigError, match=message):
        Pool(pool_template=tmp_path / "pool.json").template()


def test_containers_are_told_their_image():
    assert "image" not in Pool().job_variables
    assert Pool(pool_type="docker", image="own:1").job_variables["image"] == "own:1"
    beat = Pool(pool_type="kubernetes").job_variables["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
    assert beat == "30"


@pytest.mark.slow
@pytest.mark.flow
def test_nobody_answers_is_an_error_in_words():
    with pytest.raises(ConfigError, match="no Prefect server answers there"):
        deploy(api="http://127.0.0.1:9/api")


@pytest.mark.slow
@pytest.mark.flow
def test_deployments_are_registered_with_all_they_need(server, client, tmp_path):
    options = {"api": server["PREFECT_API_URL"], "workspace": tmp_path}
    deploy(**options, schedule=("0 3 * * *", "maintain-store=0 5 * * *"))
    # again, with other schedules: these are all there are then
    deploy(**options, schedule=("extract-new-videos=0 * * * *",), gpus=2)
    known = {found.name: found for found in client.read_deployments()}
    assert sorted(known) == sorted(DEPLOYMENTS)
    crons = {name: [s.schedule.cron for s in found.schedules] for name, found in known.items()}
    assert crons == {name: [] for name in DEPLOYMENTS} | {"extract-new-videos": ["0 * * * *"]}
    assert {found.work_pool_name for found in known.values()} == {"winnow"}
    assert client.read_work_pool("winnow").type == "process"
    assert len(client.read_automations_by_name(AUTOMATION)) == 1
    assert client.read_global_concurrency_limit_by_name("tag:gpu").limit == 2


@pytest.mark.slow
@pytest.mark.flow
def test_a_pool_of_another_type_is_not_taken(server, client, tmp_path):
    client.read_work_pool("winnow")
    with pytest.raises(ConfigError, match="'winnow' starts process, not docker"):
        deploy(api=server["PREFECT_API_URL"], workers=Pool(pool_type="docker"))


@pytest.mark.slow
@pytest.mark.flow
@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_the_templates_are_taken_by_a_server(server, client, kind):
    template = TEMPLATES / f"{kind}-pool.json"
    pool = Pool(pool=f"{kind}-pool", pool_type=kind, pool_template=template)
    deploy(api=server["PREFECT_API_URL"], workers=pool)
    made = client.read_work_pool(f"{kind}-pool")
    assert made.type == kind
    assert made.base_job_template == json.loads(template.read_text())


@pytest.mark.slow
@pytest.mark.flow
def test_a_worker_of_the_pool_runs_them(server, tmp_path):
    deploy(api=server["PREFECT_API_URL"], workspace=tmp_path / "space")
    prefect = str(Path(sys.executable).parent / "prefect")
    worker = [prefect, "worker", "start", "--pool", "winnow"]
    run = [prefect, "deployment", "run", "maintain-store", "--watch"]
    with (
        (tmp_path / "log").open("wb") as log,
        # not where the code is: the installed package is what a worker has
        running_process(["env", "--chdir", str(tmp_path), *worker], server, output=log),
    ):
        done = subprocess.run(
            run, env=server, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT
        )
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "log").read_text()
    assert "Completed" in done.stdout


def test_the_help_shows_schedules_as_they_are_written():
    command = Path(sys.executable).with_name("winnow")
    done = subprocess.run([command, "deploy", "--help"], capture_output=True, text=True, check=True)
    said = " ".join(done.stdout.replace("│", " ").split())
    assert "0 3 * * *, which" in said
    assert "extract-new-videos=*/15 * * * *." in said
