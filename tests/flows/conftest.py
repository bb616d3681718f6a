import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.demo import wait_until_registered
from flows.serve import serve_command
from flows.server import free_port, prefect_environment, running_process, running_server
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_videos"
PREFECT = Path(sys.executable).parent / "prefect"
CONFIG = "training: {seeds: [0], max_epochs: 2, device: cpu}\n"


def copy_sample(stem: str, folder: Path) -> None:
    """Copy a video and what lies beside it."""
    for path in SAMPLES.glob(f"{stem}.*"):
        shutil.copy(path, folder)


@dataclass
class Service:
    """A served deployment on a server of its own."""

    videos: Path
    workspace: Workspace
    environment: dict[str, str]
    address: str
    served: "subprocess.Popen[bytes]"

    copy_sample = staticmethod(copy_sample)

    def prefect(self, *arguments: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [PREFECT, *arguments],
            env=self.environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )


@pytest.fixture(scope="package")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    videos = folder / "my videos"
    videos.mkdir()
    for stem in ("sample_04", "sample_08", "sample_10", "sample_11"):
        copy_sample(stem, videos)
    shutil.copy(SAMPLES / "labels.csv", videos)
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    workspace, port = Workspace(root=folder / "workspace"), free_port()
    environment = prefect_environment(workspace.prefect, port)
    command = serve_command(videos, workspace.root, config, ["0 3 * * *"])
    with (
        running_server(environment=environment, port=port, log=folder / "server.log") as address,
        running_process(command, environment) as served,
    ):
        wait_until_registered(environment, served)
        yield Service(videos, workspace, environment, address, served)
