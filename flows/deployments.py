"""Offer the main job as a deployment: ``python -m flows.deployments``."""

from pathlib import Path

from cyclopts import run
from prefect.types.entrypoint import EntrypointType

from flows.extract_and_train import extract_and_train
from pipeline.config import load_config


def serve(
    *,
    videos: Path = Path("sample_videos"),
    workspace: Path = Path("workspace"),
    config: Path | None = None,
    cron: str | None = None,
) -> None:
    """Serve the deployment ``extract-and-train`` until stopped.

    Parameters
    ----------
    videos : Path
        The folder that a run without ``-p videos=...`` takes.
    workspace : Path
        Where everything that is made lies.
    config : Path
        A YAML file of settings.
    cron : str
        When to run by itself, such as "0 3 * * *".
    """
    extract_and_train.serve(
        name=extract_and_train.name,
        parameters={
            "videos": str(videos.resolve()),
            "workspace": str(workspace.resolve()),
            "config": load_config(config).model_dump(mode="json"),
        },
        cron=cron,
        entrypoint_type=EntrypointType.MODULE_PATH,
        print_starting_message=False,
    )


if __name__ == "__main__":
    run(serve)
