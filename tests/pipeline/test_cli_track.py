import shutil

import pytest

from pipeline.cli import app
from pipeline.cli_options import console


@pytest.fixture
def track(tmp_path, finished_runs, empty_database, capsys, monkeypatch):
    """Call the command in this process; gives what it printed."""
    monkeypatch.setattr(console, "width", 500)
    shutil.copytree(finished_runs, tmp_path / "runs")
    shutil.copy(empty_database, tmp_path / "mlflow.db")

    def track(*tokens):
        app(["track", "--workspace", str(tmp_path), *tokens], result_action="return_value")
        return capsys.readouterr().out.splitlines()

    return track


def test_what_is_not_there_yet_is_logged(track, tmp_path):
    where = f"mlflow ui --backend-store-uri sqlite:///{tmp_path.resolve()}/mlflow.db"
    assert track() == ["2 logged, 0 logged before", where]
    assert track() == ["0 logged, 2 logged before", where]


def test_what_cannot_be_logged_is_status_1(track, tmp_path, capsys):
    (tmp_path / "mlartifacts").write_text("no folder")
    with pytest.raises(SystemExit) as ended:
        track()
    assert ended.value.code == 1
    assert capsys.readouterr().out.startswith("0 logged, 0 logged before")
