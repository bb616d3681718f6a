"""Where the parts of a pickle lie: containers written at once, arrays as room to be filled.

Nothing is pickled: the opcodes (protocol 4) of dicts, lists, texts, numbers and numpy arrays are
written one by one, so that arrays larger than the memory can be filled row by row, and no class can
get into the file. Modules have their names of numpy 1, which every numpy reads.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Room:
    """An array whose content comes later.

    Parameters
    ----------
    dtype : str
        numpy's name, with byte order: ``<f4``.
    shape : tuple of int
        Of the array.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Layout(NamedTuple):
    """A pickle without the content of its arrays.

    Attributes
    ----------
    parts : dict of int to bytes
        Offset to what stands there.
    rooms : dict of tuple of str to int
        Keys to the offset of an array's content, which is 0 until it is written.
    size : int
        Bytes of the whole file.
    """

    parts: dict[int, bytes]
    rooms: dict[tuple[str, ...], int]
    size: int


def lay_out(tree: Mapping[str, Any]) -> Layout:
    """Lay out a pickle.

    Parameters
    ----------
    tree : mapping
        Of text to mappings, :class:`Room`, arrays, or lists of text and numbers.

    Returns
    -------
    Layout
        What to write where.

    Raises
    ------
    TypeError
        If something else is in the tree.
    """
    writer = _Writer()
    writer.add(b"\x80\x04")
    writer.tree((), tree)
    writer.add(b".")
    writer.flush()
    return Layout(writer.parts, writer.rooms, writer.at)


class _Writer:
    """Gathers bytes up to the next room."""

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}
        self.rooms: dict[tuple[str, ...], int] = {}
        self.at = 0
        self._pending: list[bytes] = []

    def add(self, content: bytes) -> None:
        self._pending.append(content)

    def flush(self) -> None:
        content = b"".join(self._pending)
        self.parts[self.at] = content
        self.at += len(content)
        self._pending = []

    def tree(self, keys: tuple[str, ...], value: Any) -> None:
        if isinstance(value, Mapping):
            self.add(b"}(")
            for key, inner in value.items():
                self.add(_text(key))
                self.tree((*keys, key), inner)
            self.add(b"u")
        elif isinstance(value, Room):
            self._room(keys, value)
        elif isinstance(value, np.ndarray):
            room = Room(dtype=value.dtype.str, shape=value.shape)
            self.add(_array_begin(room) + np.ascontiguousarray(value).tobytes() + b"tb")
        elif isinstance(value, list):
            self.add(b"](" + b"".join(_scalar(item) for item in value) + b"e")
        else:
            self.add(_scalar(value))

    def _room(self, keys: tuple[str, ...], room: Room) -> None:
        self.add(_array_begin(room))
        self.flush()
        self.rooms[keys] = self.at
        self.at += room.size
        self.add(b"tb")


def _scalar(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a {type(value).__name__} is neither text nor number")
    return _integer(value) if isinstance(value, int) else b"G" + struct.pack(">d", value)


def _text(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(content)) + content


def _integer(value: int) -> bytes:
    content = value.to_bytes(8, "little", signed=True)
    return b"\x8a\x08" + content


def _array_begin(room: Room) -> bytes:
    """Write everything of an array up to its content, as numpy's ``__reduce__`` lays it out."""
    order, code = room.dtype[0], room.dtype[1:]
    shape = b"(" + b"".join(_integer(size) for size in room.shape) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01"
        + shape
        + (b"cnumpy\ndtype\n" + _text(code) + b"\x89\x88\x87R")
        + (b"(K\x03" + _text(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
        + (b"\x8e" + struct.pack("<Q", room.size))
    )
