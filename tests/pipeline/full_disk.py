"""Fill a small disk while features are extracted to it; see test_disk_space.py."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.chain import Project
from pipeline.config import load_config
from pipeline.errors import WorkspaceError
from pipeline.workspace import Workspace


def refused(step, *arguments, **named):
    with pytest.raises(WorkspaceError) as caught:
        step(*arguments, **named)
    assert caught.value.code == "disk_full", caught.value
    return str(caught.value)


def main(folder: Path) -> None:
    settings = {
        "extractors": {"covarep": {}},
        "words": {"alignment": "none", "asr": "none"},
        "jobs": 1,
        "reserve_megabytes": 0.1,
    }
    disk = folder / "disk"
    project = Project(workspace=Workspace(root=disk), config=load_config(None, settings))
    project.ingest(folder / "videos")
    plan = project.plan()

    # more room in reserve than there is: told before anything is done
    careful = project.config.model_copy(update={"reserve_megabytes": 1.0})
    told = refused(Project(workspace=project.workspace, config=careful).require_space, plan)
    assert "extraction from 5 clips needs about 0.4 MB" in told, told
    project.require_space(plan)

    # another program fills the disk after the first clip
    ballast = (disk / "ballast").open("wb", buffering=0)

    def fill(clip):
        with suppress(OSError):
            while True:
                ballast.write(bytes(1000))

    told = refused(project.extract, plan, on_clip=fill)
    assert "the disk is full" in told, told
    files = list(project.store.files())
    stored = [file for file in files if file.path.endswith(".safetensors")]
    assert 1 <= len(stored) < 5, files
    assert not any(".part" in file.path for file in files), files
    assert project.store.verify() == []
    before = project.workspace.clips.read_text()
    # what the failed sequence had taken is free again
    fill(None)
    with pytest.raises((OSError, WorkspaceError), match="No space left"):
        project.ingest(folder / "videos")
    assert project.workspace.clips.read_text() == before

    # once there is room the rest is done, and only that
    ballast.truncate(0)
    report = project.extract(project.plan())
    assert report.stored == {"covarep": len(stored)}, report
    assert report.extracted == {"covarep": 5 - len(stored)}, report
    project.finish_extraction(report)
    assert project.failures() == [] or {f.step for f in project.failures()} == {"transcript"}
    assert project.quarantine.held == []

    # the packed copy would leave less than is in reserve
    told = refused(project.pack)
    assert "packing needs about 0.7 MB" in told, told
    assert not project.workspace.packed.exists()
    assert project.store.verify() == []
    print("all is there")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
