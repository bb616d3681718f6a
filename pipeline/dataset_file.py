"""The file of a packed data set, written a piece at a time."""

import json
import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.atomic import replacing
from pipeline.examples import Laid

_NAMES = {"<f4": "F32", "<i8": "I64", "|b1": "BOOL"}


class Stored(NamedTuple):
    """An array whose bytes are in a file.

    Attributes
    ----------
    path : Path
        Holds them and nothing else.
    dtype : str
        Of little-endian numpy, one of ``<f4``, ``<i8``, ``|b1``.
    shape : tuple of int
        Of the array, in C order.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]


def write_dataset(
    path: Path,
    *,
    values: Mapping[str, npt.NDArray[np.float32] | Stored],
    laid: Mapping[str, Laid],
    labels: npt.NDArray[np.float32],
    ids: Sequence[str],
    digest: str,
) -> None:
    """Write a packed data set as one safetensors file, atomically, nothing of it twice in memory.

    Parameters
    ----------
    path : Path
        Where to; its folder is made.
    values : mapping of str to ndarray or Stored, shape (sum of T, D)
        Modality to values; those in files are removed when they are copied.
    laid : mapping of str to Laid
        Modality to the rest.
    labels : ndarray of float32, shape (N,)
        Sentiment, NaN where unlabelled.
    ids : sequence of str, length N
        Segment ids.
    digest : str
        Of what the data set was made from.
    """
    arrays: dict[str, npt.NDArray[Any] | Stored] = {"labels": labels}
    for modality, one in laid.items():
        arrays |= {
            f"{modality}/values": values[modality],
            f"{modality}/valid": one.valid,
            f"{modality}/offsets": one.offsets,
        }
    names = {modality: one.names for modality, one in laid.items()}
    about = json.dumps({"ids": ids, "names": names, "digest": digest})
    _write_safetensors(path, arrays=arrays, metadata={"winnow": about})


def _write_safetensors(
    path: Path,
    *,
    arrays: Mapping[str, npt.NDArray[Any] | Stored],
    metadata: Mapping[str, str],
) -> None:
    described = {name: _described(array) for name, array in arrays.items()}
    # wide elements first, so that every array lies at a multiple of its element's size
    order = sorted(described, key=lambda name: (-np.dtype(described[name][0]).itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    begin = 0
    for name in order:
        dtype, shape = described[name]
        end = begin + int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        header[name] = {
            "dtype": _NAMES[dtype],
            "shape": list(shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            _write(stream, arrays[name])


def _described(array: npt.NDArray[Any] | Stored) -> tuple[str, tuple[int, ...]]:
    return (array.dtype if isinstance(array, Stored) else array.dtype.str), tuple(array.shape)


def _write(stream: BinaryIO, array: npt.NDArray[Any] | Stored) -> None:
    if not isinstance(array, Stored):
        np.ascontiguousarray(array).tofile(stream)
        return
    with array.path.open("rb") as source:
        shutil.copyfileobj(source, stream, 2**22)
    array.path.unlink()
