"""Files of a folder or a bucket, each there whole or not at all."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from pipeline.atomic import write_bytes
from pipeline.errors import ConfigError, StoreError

#: Settings are shown in Prefect's pages and written into reports.
SECRETS = frozenset(
    [
        "key",
        "secret",
        "password",
        "username",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "account_key",
        "sas_token",
        "connection_string",
    ]
)
# What the libraries below fsspec raise that is no OSError, by protocol.
_ERRORS = {
    "s3": ("botocore.exceptions", ("BotoCoreError", "ClientError")),
    "gs": ("aiohttp", ("ClientError",)),
}
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


def refuse_secrets(options: Mapping[str, Any]) -> None:
    """Refuse options of a store that everybody would get to see.

    Parameters
    ----------
    options : mapping of str to object
        For fsspec, possibly nested.

    Raises
    ------
    ConfigError
        If one is a secret; it is named, its value is not.
    """
    for name, value in options.items():
        if name in SECRETS or (name == "token" and isinstance(value, Mapping)):
            raise ConfigError(
                f"store_options: {name!r} would be shown in reports and pages; set credentials in "
                "the environment of every worker (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS), or in fsspec's own configuration"
            )
        if isinstance(value, Mapping):
            refuse_secrets(value)


class StoreFiles:
    """The files below a root, known by their paths below it.

    Parameters
    ----------
    root : str
        A folder or an fsspec URL.
    options : mapping of str to object
        For the file system.

    Raises
    ------
    ConfigError
        If the URL's kind is unknown or its package is not installed, or an option is unknown.
    """

    def __init__(self, root: str, options: Mapping[str, Any]) -> None:
        self.root = root
        # others write, too: what was listed a moment ago is not what is there
        chosen = {"use_listings_cache": False} | dict(options)
        try:
            self._files, self._base = url_to_fs(root, **chosen)
        except ImportError as error:
            extra = _EXTRAS.get(root.partition(":")[0], "s3")
            raise ConfigError(
                f"store {root}: needs a package that is not installed ({error}); "
                f"pip install 'winnow[{extra}]'"
            ) from error
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"store {root}: cannot be opened ({error}); name a folder, s3://bucket/folder or "
                "gs://bucket/folder, and see store_options"
            ) from error
        self.is_local = isinstance(self._files, LocalFileSystem)

    @property
    def location(self) -> str:
        """The root written out, the same for every process that means the same place."""
        return str(self._files.unstrip_protocol(self._base))

    def exists(self, path: str) -> bool:
        """Tell whether a file is there."""
        with self._reached():
            return bool(self._files.exists(self._at(path)))

    def names(self, folder: str) -> set[str]:
        """List what is in one folder; none if it is not there."""
        try:
            with self._reached():
                listed = self._files.ls(self._at(folder), detail=False)
        except FileNotFoundError:
            return set()
        return {str(path).rstrip("/").rpartition("/")[2] for path in listed}

    def found(self, folder: str = "") -> dict[str, dict[str, Any]]:
        """List all files below a folder by path, with what the file system says of each."""
        place = self._at(folder) if folder else self._base
        with self._reached():
            if not self._files.exists(place):
                return {}
            found: dict[str, dict[str, Any]] = self._files.find(place, detail=True)
        return {path.removeprefix(self._base).lstrip("/"): found[path] for path in sorted(found)}

    def read(self, path: str) -> bytes:
        """Read a whole file.

        Parameters
        ----------
        path : str
            Below the root.

        Returns
        -------
        bytes
            Its content.

        Raises
        ------
        FileNotFoundError
            If it is not there.
        StoreError
            With code ``store_unreachable`` if a bucket does not answer.
        """
        with self._reached():
            return bytes(self._files.cat_file(self._at(path)))

    def write(self, path: str, content: bytes) -> None:
        """Write a whole file: aside and renamed in a folder, by one upload to a bucket.

        Parameters
        ----------
        path : str
            Below the root.
        content : bytes
            The whole content.

        Raises
        ------
        StoreError
            With code ``store_unreachable`` if a bucket does not answer or is not there.
        """
        if self.is_local:
            write_bytes(Path(self._at(path)), content)
            return
        try:
            with self._reached():
                self._files.pipe_file(self._at(path), content)
        except FileNotFoundError as error:
            raise self._unreachable(error) from error

    def renew(self, path: str) -> None:
        """Say that a folder's file is in use; a bucket, and a folder of others, cannot be told."""
        if self.is_local:
            with suppress(FileNotFoundError, PermissionError):
                os.utime(self._at(path))

    def remove(self, path: str) -> None:
        """Delete a file; one that is gone already is no error."""
        with suppress(FileNotFoundError), self._reached():
            self._files.rm_file(self._at(path))

    def _at(self, path: str) -> str:
        return f"{self._base}/{path}"

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Say of a bucket that it cannot be reached; a folder's errors say what they are."""
        if self.is_local:
            yield
            return
        try:
            yield
        except FileNotFoundError:
            raise
        except self._errors() as error:
            raise self._unreachable(error) from error

    def _errors(self) -> tuple[type[Exception], ...]:
        protocols = self._files.protocol
        names = {protocols} if isinstance(protocols, str) else set(protocols)
        kinds: list[type[Exception]] = [OSError]
        for module, classes in (_ERRORS[name] for name in names & _ERRORS.keys()):
            kinds += [getattr(import_module(module), kind) for kind in classes]
        return tuple(kinds)

    def _unreachable(self, error: Exception) -> StoreError:
        return StoreError(
            f"store {self.root}: cannot be used ({type(error).__name__}: {error}); see that the "
            "bucket is there, that credentials are set in the environment, and that "
            "store_options names its endpoint_url unless it is the provider's own",
            code="store_unreachable",
        )
