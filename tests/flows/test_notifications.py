import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed, Failed

from flows.notifications import WEBHOOK, failure_message, tell_failure


@flow(name="some-flow")
def some_flow() -> None:
    pass


RUN = FlowRun(id=uuid4(), flow_id=uuid4(), name="brave-otter")


@pytest.fixture
def webhook(monkeypatch):
    """A webhook on loopback, and what it received."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv(WEBHOOK, f"http://127.0.0.1:{server.server_address[1]}/hook")
        yield received
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("state", [Failed(message="disk full"), Crashed(message="disk full")])
def test_a_failure_is_posted(webhook, state):
    tell_failure(some_flow, RUN, state)
    ((kind, message),) = webhook
    assert kind == "application/json"
    assert message == failure_message("some-flow", RUN, state)
    assert message["state"] == state.name
    assert message["message"] == "disk full"
    for part in ("some-flow", "brave-otter", state.name, "disk full", str(RUN.id)):
        assert part in message["text"]


def test_a_webhook_that_is_gone_costs_nothing(monkeypatch, caplog):
    monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:9/secret")
    tell_failure(some_flow, RUN, Failed(message="disk full"))
    assert "nobody could be told" in caplog.text
    assert "secret" not in caplog.text


def test_only_webhooks_are_written_to(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv(WEBHOOK, (tmp_path / "file").as_uri())
    tell_failure(some_flow, RUN, Failed())
    assert "must begin with http" in caplog.text


def test_nobody_is_told_without_an_address(monkeypatch, caplog):
    monkeypatch.delenv(WEBHOOK, raising=False)
    tell_failure(some_flow, RUN, Failed())
    assert caplog.text == ""
