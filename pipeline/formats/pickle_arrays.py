"""The few things besides containers that a plain pickle may hold: numpy's arrays and numbers."""

import math
from typing import Any, Final, Literal

import numpy as np

#: An array without elements may claim no more than this along its other axes.
_LARGEST_EMPTY: Final = 10**8
_DTYPE_CODES = frozenset(
    [*"?bBhHiIlLqQefd", "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
)


class RefusedError(ValueError):
    """A pickle asks for something that is no plain data."""


class Callee:
    """The name of something that a pickle may call; nothing is looked up or imported.

    Parameters
    ----------
    name : str
        What it is called here.
    """

    def __init__(self, name: str) -> None:
        self.name = name


class DtypeInProgress:
    """A dtype that is being put together.

    Parameters
    ----------
    code : str
        numpy's code, such as ``f4`` or ``U12``.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.order: Literal["<", ">", "=", "|"] = "="

    def finished(self) -> np.dtype[Any]:
        """Give the dtype.

        Returns
        -------
        dtype
            Of elements that take room.
        """
        if self.code == "O":
            return np.dtype(object)
        dtype = np.dtype(self.code).newbyteorder(self.order)
        if dtype.itemsize == 0:
            raise RefusedError(f"a dtype {self.code!r} whose elements take no room")
        return dtype


class ArrayInProgress:
    """An array that is being put together, and where it is remembered until it is whole."""

    def __init__(self) -> None:
        self.memo: list[int] = []


ALLOWED: Final = {
    **{
        (module, "_reconstruct"): Callee("array")
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    },
    **{
        (module, "scalar"): Callee("scalar")
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    },
    **{
        (module, "_frombuffer"): Callee("buffer")
        for module in ("numpy.core.numeric", "numpy._core.numeric")
    },
    ("numpy", "ndarray"): Callee("ndarray"),
    ("numpy", "dtype"): Callee("dtype"),
    ("_codecs", "encode"): Callee("encode"),
    ("builtins", "bytes"): Callee("bytes"),
    ("__builtin__", "bytes"): Callee("bytes"),
    ("builtins", "bytearray"): Callee("bytes"),
    ("__builtin__", "bytearray"): Callee("bytes"),
}


def call(callee: Any, arguments: Any) -> Any:
    """Do what a pickle's REDUCE asks for, if it is one of the few plain things.

    Parameters
    ----------
    callee : object
        One of :data:`ALLOWED`.
    arguments : object
        A tuple.

    Returns
    -------
    object
        An array or dtype in progress, a number, or bytes.

    Raises
    ------
    RefusedError
        If it is anything else, or the arguments are not what numpy writes.
    """
    if not isinstance(callee, Callee) or not isinstance(arguments, tuple):
        raise RefusedError("a call of something that is no part of numpy's arrays")
    match callee.name, arguments:
        case "array", (Callee(name="ndarray"), (0,), b"b" | "b"):
            return ArrayInProgress()
        case "dtype", (str(code), 0, 1):
            return _dtype(code)
        case "scalar", (DtypeInProgress() as dtype, content):
            return array_of(content, dtype, (), fortran=False)[()]
        case "buffer", (content, DtypeInProgress() as dtype, tuple(shape), "C" | "F" as order):
            return array_of(content, dtype, shape, fortran=order == "F")
        case "encode", (str(text), "latin1" | "latin-1"):
            return _latin1(text)
        case "bytes", ():
            return b""
    raise RefusedError(f"numpy's {callee.name!r} with arguments that numpy does not write")


def build(target: Any, state: Any) -> Any:
    """Do what a pickle's BUILD asks for: give a dtype its byte order, an array its content.

    Parameters
    ----------
    target : object
        What :func:`call` made.
    state : object
        As numpy writes it.

    Returns
    -------
    object
        The dtype in progress, or the whole array.

    Raises
    ------
    RefusedError
        If it is anything else.
    """
    match target, state:
        case DtypeInProgress(), (int(), "<" | ">" | "=" | "|" as order, None, None, None, *_):
            target.order = order
            return target
        case (
            ArrayInProgress(),
            (int(), tuple(shape), DtypeInProgress() as dtype, int(fortran), content),
        ):
            return array_of(content, dtype, shape, fortran=bool(fortran))
    raise RefusedError("a state for something that is neither a dtype nor an array")


def array_of(content: Any, kind: DtypeInProgress, shape: tuple[Any, ...], *, fortran: bool) -> Any:
    """Look at bytes as an array, after comparing what it claims with what is there.

    Parameters
    ----------
    content : bytes-like, or list for objects
        What the pickle holds.
    kind : DtypeInProgress
        Of the elements.
    shape : tuple of int
        As claimed.
    fortran : bool
        Whether the first axis runs fastest.

    Returns
    -------
    ndarray or list
        A view of ``content``; a list for a one-dimensional array of objects.

    Raises
    ------
    RefusedError
        If shape and content do not agree.
    """
    if not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 32:
        raise RefusedError(f"an array of shape {shape}")
    dtype = kind.finished()
    if dtype.hasobject:
        return _objects(content, shape)
    if isinstance(content, str):
        content = _latin1(content)
    if not isinstance(content, bytes | bytearray | memoryview):
        raise RefusedError(f"an array of shape {shape} whose content is {type(content).__name__}")
    wanted = math.prod(shape) * dtype.itemsize
    if len(content) != wanted:
        raise RefusedError(
            f"an array of shape {shape} and dtype {dtype} takes {wanted} bytes, there are "
            f"{len(content)}"
        )
    if wanted == 0 and math.prod(max(size, 1) for size in shape) > _LARGEST_EMPTY:
        raise RefusedError(f"an array of shape {shape} without elements")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _objects(content: Any, shape: tuple[int, ...]) -> list[Any]:
    if not isinstance(content, list) or shape != (len(content),):
        raise RefusedError(
            f"an array of objects of shape {shape}; only lists of plain values are read"
        )
    return content


def _dtype(code: str) -> DtypeInProgress:
    sized = code[:1] in ("U", "S") and code[1:].isascii() and code[1:].isdigit() and len(code) < 9
    if code not in _DTYPE_CODES and not sized and code not in ("O", "O8"):
        raise RefusedError(f"an array of dtype {code!r}")
    return DtypeInProgress("O" if code == "O8" else code)


def _latin1(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise RefusedError("bytes that are written as text beyond latin-1") from error
