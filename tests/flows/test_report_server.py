from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from flows.report_server import page_address, serving_reports
from pipeline.errors import PipelineError


def read(address):
    with urlopen(address, timeout=10) as answer:
        return answer.read(), answer.headers.get_content_type()


@pytest.fixture
def served(tmp_path):
    folder = tmp_path / "my runs" / "mind-1"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<h1>run</h1>")
    (folder / "weights.safetensors").write_bytes(b"weights")
    (tmp_path / "secret.html").write_text("secret")
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    with serving_reports(tmp_path / "my runs") as environment:
        yield folder, environment


def test_a_report_is_served_where_its_address_says(served):
    folder, environment = served
    address = page_address(folder / "report.html", environment)
    assert address.startswith("http://127.0.0.1:")
    assert read(address) == (b"<h1>run</h1>", "text/html")


@pytest.mark.parametrize(
    "path",
    [
        "mind-1/weights.safetensors",
        "mind-1/",
        "",
        "mind-1/none.html",
        "../secret.html",
        "%2e%2e/secret.html",
        "mind-1/link.html",
    ],
)
def test_nothing_else_is(served, path):
    _, environment = served
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{environment['WINNOW_REPORTS_URL']}/{path}", timeout=10)
    refused.value.close()
    assert refused.value.code == 404


def test_a_file_that_is_not_served_has_a_file_address(served, tmp_path):
    _, environment = served
    path = tmp_path / "other" / "report.html"
    assert page_address(path, environment) == path.as_uri()
    assert page_address(served[0] / "report.html", {}) == (served[0] / "report.html").as_uri()


def test_a_taken_port_is_an_error(served):
    _, environment = served
    port = int(environment["WINNOW_REPORTS_URL"].rpartition(":")[2])
    with (
        pytest.raises(PipelineError, match=f"port {port}.*in use"),
        serving_reports(served[0], port=port),
    ):
        pass
