"""A page as a browser shows it: its document after scripts, its complaints, what it fetched."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

_QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
    *("--enable-logging=stderr", "--virtual-time-budget=30000", "--dump-dom"),
)


class Shown(NamedTuple):
    dom: str
    complaints: list[str]
    fetched: set[str]


def show(page: Path, folder: Path) -> Shown:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium")
    log = folder / "net.json"
    home = f"--user-data-dir={folder / 'browser'}"
    done = subprocess.run(
        [program, *_QUIET, home, f"--log-net-log={log}", page.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    told = done.stderr.decode(errors="replace").splitlines()
    events = json.loads(log.read_text())["events"]
    params = [event.get("params", {}) for event in events]
    # the browser's own requests have no origin
    asked = [p for p in params if p.get("initiator", "not an origin") != "not an origin"]
    addresses = {str(p.get("url", "")) for p in asked}
    return Shown(
        dom=done.stdout.decode(),
        complaints=[line for line in told if "CONSOLE" in line],
        fetched={address for address in addresses if address.startswith(("http", "ws"))},
    )
