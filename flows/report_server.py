"""Reports for the browser: Prefect's pages may not link to files on a disk."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

from pipeline.errors import PipelineError

#: Environment variables that name what is served to the flows, which link to it.
ADDRESS, FOLDER = "WINNOW_REPORTS_URL", "WINNOW_REPORTS_FOLDER"
#: Pages and what they show; no video, no weights.
SUFFIXES = frozenset((".html", ".md", ".png", ".svg", ".csv", ".json", ".vtt"))


@contextmanager
def serving_reports(folder: Path, *, port: int = 0) -> Iterator[dict[str, str]]:
    """Serve the pages of a folder on loopback while the body runs.

    Parameters
    ----------
    folder : Path
        Where runs lie; need not be there yet.
    port : int
        Where to listen; 0 for any that is free.

    Yields
    ------
    dict of str to str
        What :func:`page_address` needs in the environment.

    Raises
    ------
    PipelineError
        If the port is taken.
    """
    root = folder.resolve()
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Pages, directory=str(root)))
    except OSError as error:
        raise PipelineError(
            f"reports cannot be served on port {port} ({error.strerror}); name another"
        ) from error
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield {ADDRESS: f"http://127.0.0.1:{server.server_address[1]}", FOLDER: str(root)}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def page_address(path: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Say where a browser finds a file.

    Parameters
    ----------
    path : Path
        The file.
    environment : mapping of str to str
        Names the address and the folder that are served, if any.

    Returns
    -------
    str
        ``http://`` for what is served, ``file://`` for everything else.
    """
    path = path.resolve()
    address, folder = environment.get(ADDRESS), environment.get(FOLDER)
    if address and folder and path.is_relative_to(folder):
        return f"{address.rstrip('/')}/{quote(path.relative_to(folder).as_posix())}"
    return path.as_uri()


class _Pages(SimpleHTTPRequestHandler):
    def send_head(self):  # type: ignore[no-untyped-def]
        path = Path(self.translate_path(self.path))
        inside = path.resolve().is_relative_to(self.directory)
        if not inside or not path.is_file() or path.suffix not in SUFFIXES:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is the server's."""
