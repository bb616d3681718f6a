import subprocess
import sys
from importlib.metadata import entry_points

import pytest

PROGRAM = """
import sys
from flows import cli
sys.argv = ["winnow", *{arguments!r}]
try:
    cli.main()
except SystemExit as left:
    status = left.code
print("STATUS", status, "PREFECT", "prefect" in sys.modules)
"""


def winnow(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(arguments=list(arguments))],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_winnow_knows_deploy_and_does_not_import_prefect_for_the_rest():
    said = winnow("--help")
    assert "Register the five deployments on a Prefect server" in said
    assert "Extract the features that are missing." in said
    assert "PREFECT False" in said


def test_the_installed_command_is_this_one():
    (command,) = entry_points(group="console_scripts", name="winnow")
    assert command.value == "flows.cli:main"
