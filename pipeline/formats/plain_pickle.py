"""Pickles from strangers, read as data: an interpreter that cannot run anything.

Python's own ``pickle`` imports and calls what a file names. This reads the same opcodes
(protocols 0 to 5) and knows no other objects than numbers, strings, lists, tuples, dicts and numpy
arrays; names outside :data:`pipeline.formats.pickle_arrays.ALLOWED` are refused before anything is
done with them. The file is mapped: large arrays stay on disk until their rows are used, and a size
that a file only claims is compared with the file before anything is allocated.
"""

import codecs
import mmap
import pickletools
import struct
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.formats.pickle_arrays import (
    ALLOWED,
    ArrayInProgress,
    Callee,
    DtypeInProgress,
    RefusedError,
    build,
    call,
)

# Longest line of protocol 0: a number, or a string; Python's parser is quadratic in digits.
_LONGEST_NUMBER = 400
# Bytes from which content stays in the mapped file.
_MAPPED = 4096
_FIXED = {"BININT": "<i", "BININT1": "<B", "BININT2": "<H", "BINFLOAT": ">d"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
# Opcode to struct format of the length before its content.
_SIZED = {
    "SHORT_BINSTRING": "<B",
    "BINSTRING": "<i",
    "SHORT_BINBYTES": "<B",
    "BINBYTES": "<I",
    "BINBYTES8": "<Q",
    "BYTEARRAY8": "<Q",
    "SHORT_BINUNICODE": "<B",
    "BINUNICODE": "<I",
    "BINUNICODE8": "<Q",
    "LONG1": "<B",
    "LONG4": "<i",
}
_MEMO_NUMBER = {"BINPUT": "<B", "LONG_BINPUT": "<I", "BINGET": "<B", "LONG_BINGET": "<I"}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}


def read_plain_pickle(path: Path) -> Any:
    """Read a pickle of plain data.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    object
        Dicts, lists, tuples, strings, bytes, numbers, None and read-only arrays; numpy's arrays of
        objects as lists. Arrays may be views of the mapped file.

    Raises
    ------
    SourceError
        If the file asks for anything else, is cut short or contradicts itself; the message names
        the file, the key where it happened and, for an array, the shape.
    """
    try:
        with path.open("rb") as stream:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read ({error})", code="unreadable") from error
    machine = _Machine(content)
    try:
        return machine.run()
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        reason = (
            str(error) if isinstance(error, RefusedError) else "not the order of a pickle's parts"
        )
        raise SourceError(
            f"{path}, key {machine.where()}, byte {machine.at}: {reason}. Only plain containers "
            "and numpy arrays are read; nothing of the file was run",
            code="bad_pickle",
        ) from error


class _Machine:
    """The stack, the stacks below its marks, and the memo."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self.mapped = mapped
        self.content = memoryview(mapped)
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        while self.at < len(self.content):
            name = _NAMES.get(self.content[self.at])
            self.at += 1
            if name == "STOP":
                return self.stack.pop()
            if name is None:
                raise RefusedError("a byte that begins no part of a pickle")
            self._step(name)
        raise RefusedError("it ends in the middle")

    def where(self) -> str:
        """Name the keys whose values were being read, and the shape of the array."""
        stacks = [*self.below, self.stack]
        keys = _open_keys(stacks[0], marked=False)
        shape = ""
        for under, stack in pairwise(stacks):
            top = under[-1] if under else None
            if isinstance(top, dict):
                keys += _open_keys(stack, marked=True)
            elif isinstance(top, ArrayInProgress) and len(stack) > 1:
                shape = f" (array of shape {stack[1]})"
        return (" > ".join(keys) or "(none)") + shape

    def _step(self, name: str) -> None:
        if name in _SIZED:
            self.stack.append(self._sized(name))
        elif name in _FIXED:
            self.stack.append(self._number(_FIXED[name]))
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _MEMO_NUMBER:
            self._memo(name, self._number(_MEMO_NUMBER[name]))
        elif name in _TUPLES:
            self._tuple(_TUPLES[name])
        else:
            action = getattr(self, f"_do_{name.lower()}", None)
            if action is None:
                raise RefusedError(f"the opcode {name}, which makes objects or reads elsewhere")
            action()

    def _take(self, count: int) -> memoryview:
        left = len(self.content) - self.at
        if not 0 <= count <= left:
            raise RefusedError(
                f"{count} bytes are claimed, the file has {left} more; it is cut short"
            )
        self.at += count
        return self.content[self.at - count : self.at]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> bytes:
        end = self.mapped.find(b"\n", self.at)
        line = bytes(self._take((end if end >= 0 else len(self.content)) - self.at))
        self._take(1)
        return line

    def _sized(self, name: str) -> Any:
        content = self._take(self._number(_SIZED[name]))
        if "UNICODE" in name:
            return str(content, "utf-8", "surrogatepass")
        if name.startswith("LONG"):
            return int.from_bytes(content, "little", signed=True)
        if "STRING" in name:
            return _python2_text(bytes(content))
        return bytes(content) if len(content) < _MAPPED else content

    def _memo(self, name: str, number: int) -> None:
        if name.endswith("GET"):
            self.stack.append(self.memo[number])
        else:
            self.memo[number] = self.stack[-1]
            if isinstance(self.stack[-1], ArrayInProgress):
                self.stack[-1].memo.append(number)

    def _tuple(self, length: int) -> None:
        if len(self.stack) < length:
            raise RefusedError(f"a tuple of {length} from {len(self.stack)} values")
        parts = [self.stack.pop() for _ in range(length)]
        self.stack.append(tuple(reversed(parts)))

    def _marked(self) -> list[Any]:
        """Give what was pushed since the last mark, and forget the mark."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def _add_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        keys = values[::2]
        if not isinstance(target, dict) or len(values) % 2:
            raise RefusedError("items for something that is no dict")
        # a tuple's hash recurses without a limit
        if not all(isinstance(key, str | bytes | int | float | np.generic) for key in keys):
            raise RefusedError("a dict's key that is neither text nor number")
        target.update(zip(keys, values[1::2], strict=True))

    def _add_elements(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise RefusedError("elements for something that is no list")
        self.stack[-1].extend(values)

    def _push_global(self, module: Any, name: Any) -> None:
        found = ALLOWED.get((module, name)) if isinstance(name, str) else None
        if found is None:
            raise RefusedError(f"the name {str(module)[:80]!r}.{str(name)[:80]!r} is not allowed")
        self.stack.append(found)

    def _do_proto(self) -> None:
        if (protocol := self._number("<B")) > 5:
            raise RefusedError(f"protocol {protocol}; 0 to 5 are read")

    def _do_frame(self) -> None:
        # only tells a reader how much to fetch at once
        self._take(8)

    def _do_mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def _do_pop(self) -> None:
        self.stack.pop()

    def _do_pop_mark(self) -> None:
        self._marked()

    def _do_dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _do_memoize(self) -> None:
        self._memo("PUT", len(self.memo))

    def _do_put(self) -> None:
        self._memo("PUT", _integer(self._line()))

    def _do_get(self) -> None:
        self._memo("GET", _integer(self._line()))

    def _do_int(self) -> None:
        line = self._line()
        self.stack.append({b"00": False, b"01": True}.get(line, _integer(line)))

    def _do_long(self) -> None:
        self.stack.append(_integer(self._line().removesuffix(b"L")))

    def _do_float(self) -> None:
        self.stack.append(float(self._line()))

    def _do_string(self) -> None:
        line = self._line().strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise RefusedError("text without quotation marks")
        self.stack.append(_python2_text(codecs.escape_decode(line[1:-1])[0]))

    def _do_unicode(self) -> None:
        self.stack.append(str(self._line(), "raw-unicode-escape"))

    def _do_empty_dict(self) -> None:
        self.stack.append({})

    def _do_empty_list(self) -> None:
        self.stack.append([])

    def _do_tuple(self) -> None:
        values = self._marked()
        self.stack.append(tuple(values))

    def _do_list(self) -> None:
        values = self._marked()
        self.stack.append(values)

    def _do_dict(self) -> None:
        values = self._marked()
        self.stack.append({})
        self._add_items(values)

    def _do_append(self) -> None:
        value = self.stack.pop()
        self._add_elements([value])

    def _do_appends(self) -> None:
        values = self._marked()
        self._add_elements(values)

    def _do_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._add_items([key, value])

    def _do_setitems(self) -> None:
        values = self._marked()
        self._add_items(values)

    def _do_global(self) -> None:
        module, name = self._line().decode(), self._line().decode()
        self._push_global(module, name)

    def _do_stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._push_global(module, name)

    def _do_reduce(self) -> None:
        arguments, callee = self.stack.pop(), self.stack.pop()
        self.stack.append(call(callee, arguments))

    def _do_build(self) -> None:
        state = self.stack.pop()
        unfinished = self.stack[-1]
        whole = build(unfinished, state)
        self.stack[-1] = whole
        if isinstance(unfinished, ArrayInProgress):
            self.memo.update(dict.fromkeys(unfinished.memo, whole))


def _open_keys(stack: list[Any], *, marked: bool) -> list[str]:
    """Find the keys of a stack whose values are not whole.

    After a mark, a dict's keys and values alternate. Without one, a dict waits for a single item.
    """
    whole = list(takewhile(_is_whole, stack))
    keys, at = [], 0 if marked else 1
    if not marked and not (whole and isinstance(whole[0], dict)):
        return []
    while at < len(whole):
        waits = isinstance(whole[at + 1], dict) if at + 2 < len(whole) else True
        if waits and (at + 2 >= len(whole) or not marked or not whole[at + 1]):
            keys.append(repr(str(whole[at])[:80]))
        at += 2
    return keys


def _is_whole(value: Any) -> bool:
    return not isinstance(value, Callee | DtypeInProgress | ArrayInProgress)


def _integer(line: bytes) -> int:
    if len(line) > _LONGEST_NUMBER:
        raise RefusedError(f"a number of {len(line)} digits")
    return int(line)


def _python2_text(content: bytes) -> str | bytes:
    """Read Python 2's ``str``, which is text or the content of an array."""
    return content.decode() if content.isascii() else content
