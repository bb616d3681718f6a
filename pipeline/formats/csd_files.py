"""CMU-MultimodalSDK's computational sequences as files: entries with features and intervals."""

import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.atomic import replacing
from pipeline.errors import SourceError
from pipeline.formats.utterance import WIDEST

# gzip cannot pack tighter than 1032 to 1, so a claim beyond that is no data but a claim.
_TIGHTEST = 1100
_FREE = 1_000_000
_EMPTY = (
    "computational sequence description",
    "dataset name",
    "dataset version",
    "creator",
    "contact",
    "featureset bib citation",
    "dataset bib citation",
)


class Entry(NamedTuple):
    """One entry of a computational sequence.

    Attributes
    ----------
    name : str
        A video's name, or ``<video>[<number>]`` of an aligned segment.
    features : ndarray, shape (n, D), numbers or bytes
        A row an interval.
    intervals : ndarray of float64, shape (n, 2)
        Start and end in seconds; no end before its start.
    """

    name: str
    features: npt.NDArray[Any]
    intervals: npt.NDArray[np.float64]


class CsdFile:
    """An open file; of several sequences in it, the first, as the SDK does it.

    Parameters
    ----------
    path : Path
        A ``.csd`` file.

    Raises
    ------
    SourceError
        If it is no such file, or cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise SourceError(
                f"{path}: cannot be read as HDF5, which .csd files are ({error})", code="unreadable"
            ) from error
        self.root = next(iter(self._file), "")
        root = _own(self._file, self.root)
        data = _own(root, "data") if isinstance(root, h5py.Group) else None
        if not isinstance(data, h5py.Group):
            self.close()
            raise SourceError(
                f"{path}: holds no group '<name>/data', so it is no computational sequence",
                code="bad_format",
            )
        self._data: h5py.Group = data
        self.names: tuple[str, ...] = tuple(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def entry(self, name: str) -> Entry:
        """Read one entry.

        Parameters
        ----------
        name : str
            One of ``names``.

        Returns
        -------
        Entry
            Sorted by time.

        Raises
        ------
        SourceError
            If parts are missing, disagree, or claim more than the file holds.
        """
        group = _own(self._data, name)
        parts = {
            key: _own(group, key) if isinstance(group, h5py.Group) else None
            for key in ("features", "intervals")
        }
        where = f"{self.path}, key {self.root}/data/{name}"
        features = _read(parts["features"], f"{where}/features")
        intervals = _read(parts["intervals"], f"{where}/intervals")
        rows = len(features) if features.ndim else 0
        if intervals.shape != (rows, 2) or intervals.dtype.kind not in "fiu":
            raise SourceError(
                f"{where}/intervals: shape {intervals.shape} of {intervals.dtype} is not ({rows}, "
                f"2) numbers, as features of shape {features.shape} need",
                code="bad_format",
            )
        times = intervals.astype(np.float64)
        if not np.isfinite(times).all():
            raise SourceError(f"{where}/intervals: not all are finite", code="bad_format")
        times[:, 1] = times.max(axis=1, initial=-np.inf)
        order = np.argsort(times[:, 0], kind="stable")
        table = features.reshape(rows, -1) if rows else features.reshape(0, 0)
        return Entry(name, table[order], times[order])

    def column_names(self) -> list[str]:
        """Read the names of the features' columns.

        Returns
        -------
        list of str
            Distinct; empty if the metadata do not tell.
        """
        stored = self._file.get(f"{self.root}/metadata/dimension names")
        try:
            names = json.loads(stored[0]) if isinstance(stored, h5py.Dataset) else []
        except (ValueError, TypeError, OSError, IndexError):
            return []
        if not isinstance(names, list) or len(set(map(str, names))) != len(names):
            return []
        return [str(name) for name in names]


@contextmanager
def csd_file(path: Path) -> Iterator[CsdFile]:
    """Open a file and close it afterwards.

    Parameters
    ----------
    path : Path
        A ``.csd`` file.

    Yields
    ------
    CsdFile
        Open.
    """
    file = CsdFile(path)
    try:
        yield file
    finally:
        file.close()


def write_csd(
    path: Path, entries: Iterable[Entry], *, root: str, dimension_names: Iterable[str]
) -> None:
    """Write a computational sequence that the SDK reads, entry by entry, atomically.

    Parameters
    ----------
    path : Path
        Where to.
    entries : iterable of Entry
        Names without ``/``.
    root : str
        The sequence's name.
    dimension_names : iterable of str
        Of the features' columns.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        group = file.create_group(root)
        data = group.create_group("data")
        for entry in entries:
            place = data.create_group(entry.name)
            for key, values in (("features", entry.features), ("intervals", entry.intervals)):
                place.create_dataset(key, data=values, compression="gzip", compression_opts=9)
        metadata = group.create_group("metadata")
        for key, value in _metadata(root, list(dimension_names)).items():
            metadata.create_dataset(
                key, (1,), dtype=h5py.string_dtype(), data=json.dumps(value).encode()
            )


def _metadata(root: str, names: list[str]) -> dict[str, Any]:
    """Give the SDK's keys; it asks for the last as well, a comma is missing in its list."""
    return {
        **dict.fromkeys(_EMPTY, ""),
        "root name": root,
        "creator": "winnow",
        "alignment compatible": True,
        "uuid": str(uuid.uuid4()),
        "md5": None,
        "dimension names": names,
        "computational sequence version": "1",
        "dimension namescomputational sequence version": "1",
    }


def _own(group: h5py.Group, name: str) -> Any:
    """Get what lies in the file itself: no link may lead to another file."""
    link = group.get(name, getlink=True)
    return group.get(name) if isinstance(link, h5py.HardLink) else None


def _read(dataset: Any, where: str) -> npt.NDArray[Any]:
    if not isinstance(dataset, h5py.Dataset):
        raise SourceError(f"{where}: is missing, or no array in this file", code="bad_format")
    claimed, stored = dataset.size * dataset.dtype.itemsize, dataset.id.get_storage_size()
    if dataset.is_virtual or dataset.external or claimed > _TIGHTEST * stored + _FREE:
        raise SourceError(
            f"{where}: shape {dataset.shape} of {dataset.dtype} takes {claimed} bytes, the file "
            f"holds {stored} of them",
            code="bad_format",
        )
    is_text = h5py.check_string_dtype(dataset.dtype) is not None
    if not (is_text or dataset.dtype.kind in "fiu") or dataset.ndim == 0:
        raise SourceError(
            f"{where}: shape {dataset.shape} of {dataset.dtype} is neither numbers nor words a row",
            code="bad_format",
        )
    if dataset.size > WIDEST * max(len(dataset), 1):
        raise SourceError(f"{where}: shape {dataset.shape} is too wide", code="bad_format")
    try:
        values: npt.NDArray[Any] = dataset[()]
    except OSError as error:
        raise SourceError(
            f"{where}: shape {dataset.shape} cannot be read ({error})", code="bad_format"
        ) from error
    return values
