"""The feature store: what was extracted once is never extracted again."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from extractors.base import Extractor
from extractors.sequence import FeatureSequence
from pipeline.errors import StoreError
from pipeline.fingerprint import settings_digest
from pipeline.store_files import StoreFiles

SUFFIX = ".safetensors"
#: What settings stand for, in the folder of what was made with them.
DESCRIPTION = "extractor.json"
#: To list a folder is cheaper than to ask for so many of its files.
WORTH_LISTING = 32
# What the store writes: sequences, descriptions, and either while it is being written.
_OURS = re.compile(
    r"[^/]+/[0-9a-f]{16}/([0-9a-f]{64}(-[0-9a-f]{16})?\.safetensors|extractor\.json|\.[^/]+\.part)"
)


@dataclass(frozen=True, kw_only=True)
class FeatureKey:
    """What decides the values of a feature sequence.

    Parameters
    ----------
    extractor : str
        Registered name.
    settings : str
        Digest of the extractor's :func:`describe_extractor`.
    clip_id : str
        Digest of the clip's bytes.
    words : str
        Digest of the clip's words for an extractor that reads them, otherwise empty.
    """

    extractor: str
    settings: str
    clip_id: str
    words: str = ""

    @property
    def path(self) -> str:
        """Where it lies below the store's root."""
        name = f"{self.clip_id}-{self.words[:16]}" if self.words else self.clip_id
        return f"{self.extractor}/{self.settings[:16]}/{name}{SUFFIX}"


class StoredFile(NamedTuple):
    """One file of the store.

    Attributes
    ----------
    path : str
        Below the store's root.
    size : int
        Bytes.
    modified : float
        When it was written, seconds since 1970; 0 where the file system does not say.
    """

    path: str
    size: int
    modified: float = 0.0


def describe_extractor(extractor: Extractor) -> dict[str, Any]:
    """Everything that decides an extractor's values, apart from the clip.

    Parameters
    ----------
    extractor : Extractor
        Configured.

    Returns
    -------
    dict
        Name, version, settings, digest of the weights, versions of the libraries.
    """
    return {
        "extractor": extractor.name,
        "version": extractor.version,
        "settings": asdict(extractor.config),
        "weights": extractor.weights_digest(),
        "libraries": {name: version(name) for name in sorted(extractor.libraries)},
    }


def settings_folders(extractors: Mapping[str, Extractor]) -> list[str]:
    """Name the folders of a store that hold what extractors give.

    Parameters
    ----------
    extractors : mapping of str to Extractor
        Configured, by name.

    Returns
    -------
    list of str
        Below the store's root: ``<name>/<16 hexadecimal digits of the settings digest>``.
    """
    return [
        f"{name}/{settings_digest(describe_extractor(extractor))[:16]}"
        for name, extractor in extractors.items()
    ]


class FeatureStore:
    """Feature sequences as safetensors files, one a clip and extractor.

    A file that is there is whole: local files are written aside and renamed, objects of a bucket
    appear when their upload ends.

    Parameters
    ----------
    root : Path or str
        A folder or an fsspec URL.
    options : mapping of str to object, optional
        What fsspec is to know of the file system besides, such as ``endpoint_url`` of an
        S3-compatible server.
    """

    def __init__(self, root: Path | str, *, options: Mapping[str, Any] | None = None) -> None:
        self.root, self.options = str(root), dict(options or {})
        self._files = StoreFiles(self.root, self.options)

    def __contains__(self, key: FeatureKey) -> bool:
        return self._files.exists(key.path)

    @property
    def location(self) -> str:
        """Its root written out, the same for every process that means the same store."""
        return self._files.location

    @property
    def is_local(self) -> bool:
        """Whether it is a folder, and not a bucket, whose answers are waited for."""
        return self._files.is_local

    def present(self, keys: Iterable[FeatureKey]) -> set[FeatureKey]:
        """Find which sequences are there, without asking for each one.

        Parameters
        ----------
        keys : iterable of FeatureKey
            Any number.

        Returns
        -------
        set of FeatureKey
            Those that are stored.
        """
        by_folder: dict[str, list[FeatureKey]] = {}
        for key in keys:
            by_folder.setdefault(key.path.rpartition("/")[0], []).append(key)
        found: set[FeatureKey] = set()
        for folder, wanted in by_folder.items():
            if len(wanted) < WORTH_LISTING:
                found.update(key for key in wanted if key in self)
            else:
                names = self._files.names(folder)
                found.update(key for key in wanted if key.path.rpartition("/")[2] in names)
        return found

    def is_noted(self, key: FeatureKey) -> bool:
        """Tell whether the settings of a key were planned with in this store.

        Parameters
        ----------
        key : FeatureKey
            Any, stored or not.

        Returns
        -------
        bool
            Whether :meth:`note_extractor` has been here.
        """
        folder = key.path.rpartition("/")[0]
        return self._files.exists(f"{folder}/{DESCRIPTION}")

    def put(self, key: FeatureKey, sequence: FeatureSequence) -> None:
        """Store a sequence.

        Parameters
        ----------
        key : FeatureKey
            What decides its values.
        sequence : FeatureSequence
            The values.
        """
        arrays: dict[str, Any] = {
            "values": np.ascontiguousarray(sequence.values),
            "times": np.ascontiguousarray(sequence.times),
            "valid": np.ascontiguousarray(sequence.valid),
        }
        header = {"names": sequence.names, "digest": _digest(arrays, sequence.names)}
        self._files.write(key.path, save(arrays, metadata={"winnow": json.dumps(header)}))

    def get(self, key: FeatureKey) -> FeatureSequence:
        """Read a sequence.

        Parameters
        ----------
        key : FeatureKey
            What was stored.

        Returns
        -------
        FeatureSequence
            As stored.

        Raises
        ------
        StoreError
            If it is not there, or damaged.
        """
        return self._read(key.path)

    def note_extractor(self, extractor: Extractor) -> str:
        """Say in ``extractor.json`` what a settings digest stands for, and that it is in use.

        Parameters
        ----------
        extractor : Extractor
            Configured.

        Returns
        -------
        str
            The settings digest.
        """
        description = describe_extractor(extractor)
        digest = settings_digest(description)
        path = f"{extractor.name}/{digest[:16]}/{DESCRIPTION}"
        if self._files.exists(path):
            self._files.renew(path)
        else:
            self._files.write(path, json.dumps(description, indent=1).encode())
        return digest

    def files(self) -> Iterator[StoredFile]:
        """List what is stored.

        Yields
        ------
        StoredFile
            In the order of their paths, descriptions and left-over temporary files included.
        """
        for path, info in self._files.found().items():
            yield StoredFile(path, info["size"], _modified(info))

    def verify(self) -> list[str]:
        """Read every sequence and compare it with its digest.

        Returns
        -------
        list of str
            One message for each damaged file.
        """
        return [message for _, message in self.damaged(self.files())]

    def damaged(self, stored: Iterable[StoredFile]) -> Iterator[tuple[StoredFile, str]]:
        """Read sequences and compare each with its digest.

        Parameters
        ----------
        stored : iterable of StoredFile
            From :meth:`files`; what is no sequence is passed over.

        Yields
        ------
        stored : StoredFile
            A damaged one.
        message : str
            What is wrong with it.
        """
        for entry in stored:
            if not _is_sequence(entry.path):
                continue
            try:
                self._read(entry.path)
            except StoreError as error:
                # deleted since it was listed: nothing is wrong with that
                if error.code != "not_stored":
                    yield entry, str(error)

    def unreachable(self, keys: Iterable[FeatureKey]) -> list[StoredFile]:
        """Find what no setting in use can reach.

        Parameters
        ----------
        keys : iterable of FeatureKey
            Every key in use.

        Returns
        -------
        list of StoredFile
            All other sequences, descriptions of settings without sequences in use, and temporary
            files that a killed run left; never a file that the store did not write.
        """
        wanted = {key.path for key in keys}
        folders = {path.rpartition("/")[0] for path in wanted}
        wanted |= {f"{folder}/{DESCRIPTION}" for folder in folders}
        return [
            stored
            for stored in self.files()
            if stored.path not in wanted and _OURS.fullmatch(stored.path)
        ]

    def remove(self, stored: Iterable[StoredFile]) -> None:
        """Delete files.

        Parameters
        ----------
        stored : iterable of StoredFile
            From :meth:`unreachable`; those that are gone already are no error.
        """
        for entry in stored:
            self._files.remove(entry.path)

    def _read(self, path: str) -> FeatureSequence:
        try:
            content = self._files.read(path)
            arrays = load(content)
            header = _metadata(content)
            names = tuple(header["names"])
            if header["digest"] != _digest(arrays, names):
                raise ValueError("its content does not have its digest")
            return FeatureSequence(names=names, **arrays)
        except FileNotFoundError as error:
            raise StoreError(
                f"{self.root}: {path} is not there; extract again", code="not_stored"
            ) from error
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self.root}: {path} is damaged ({error}); delete it and extract again"
            ) from error


def _modified(info: Mapping[str, Any]) -> float:
    """Find the time among what a file system says of a file; each has its own name for it."""
    for name in ("mtime", "LastModified", "updated", "created"):
        value = info.get(name)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if value is not None:
            return value.timestamp() if isinstance(value, datetime) else float(value)
    return 0.0


def _is_sequence(path: str) -> bool:
    return path.endswith(SUFFIX) and not path.rpartition("/")[2].startswith(".")


def _digest(arrays: dict[str, Any], names: tuple[str, ...]) -> str:
    digest = hashlib.sha256(json.dumps(names).encode())
    for name in ("values", "times", "valid"):
        digest.update(str(arrays[name].shape).encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def _metadata(content: bytes) -> dict[str, Any]:
    """Read our entry of a safetensors header; the library reads it from files only."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    entry: dict[str, Any] = json.loads(header["__metadata__"]["winnow"])
    return entry
