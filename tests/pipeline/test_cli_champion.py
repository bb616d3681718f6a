import re
import shutil

import pytest

from pipeline.cli import app
from pipeline.cli_options import console
from pipeline.errors import RunError, SourceError
from pipeline.run_folder import load_run
from pipeline.workspace import Workspace


@pytest.fixture
def workspace(finished_runs, tmp_path):
    shutil.copytree(finished_runs, tmp_path / "runs")
    return Workspace(root=tmp_path)


@pytest.fixture
def winnow(workspace, capsys, monkeypatch):
    """Call the command in this process; gives what it printed, without line breaks."""
    monkeypatch.setattr(console, "width", 500)

    def winnow(*tokens):
        app([*tokens, "--workspace", str(workspace.root)], result_action="return_value")
        return " ".join(capsys.readouterr().out.split())

    return winnow


def test_a_champion_is_set_shown_and_cleared(winnow, workspace):
    latest = load_run(workspace.runs).id
    (other,) = {path.parent.name for path in workspace.runs.glob("*/report.json")} - {latest}
    assert winnow("champion", "show") == "there is no champion"
    assert winnow("champion", "history") == "0 decisions"
    assert winnow("champion", "set", "latest") == f"champion: {latest}"
    assert load_run(workspace.runs, "champion").id == latest
    assert winnow("champion", "set", other, "--new-test") == f"champion: {other}"
    told = winnow("champion", "show")
    assert re.search(f"^champion: {other}, since 20.* set: by hand before it: {latest} ", told)
    assert told.endswith("test split: version 1, 8 clips")
    assert winnow("champion", "clear") == "there is no champion"
    told = winnow("champion", "history")
    assert told.endswith("3 decisions")
    assert re.search(rf"│ set │ runs/{other}/report\.html │ runs/{latest}/report\.html │", told)


def test_a_narrow_history_shows_names_as_a_whole(winnow, workspace, monkeypatch, capsys):
    run = load_run(workspace.runs).id
    winnow("champion", "set", run)
    monkeypatch.setattr(console, "width", 80)
    app(["champion", "history", "--workspace", str(workspace.root)], result_action="return_value")
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert "".join(row[3].strip() for row in rows) == f"runs/{run}/report.html"


def test_errors_are_raised(winnow, workspace):
    with pytest.raises(RunError, match="no complete run 'none'"):
        winnow("champion", "set", "none")
    with pytest.raises(SourceError, match="nothing was ingested"):
        winnow("retrain")
    assert not workspace.champion.exists()
