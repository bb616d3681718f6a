"""The contract of a foreign data set's format, and the registry of all of them."""

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, TypeVar

import pipeline.formats
from pipeline.errors import ConfigError, SourceError
from pipeline.formats.utterance import Utterance


class DatasetFormat(ABC):
    """Reads, and perhaps writes, data sets as somebody else keeps them.

    Attributes
    ----------
    name : str
        Registered name, as it is typed after ``--from`` and ``--to``.
    writes : bool
        Whether :meth:`write` is there.
    """

    name: ClassVar[str]
    writes: ClassVar[bool] = False

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Tell by names alone whether a path may be such a data set.

        Parameters
        ----------
        path : Path
            A file or folder, not necessarily there yet.

        Returns
        -------
        bool
            Whether to try.
        """

    @abstractmethod
    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one utterance after the other.

        Parameters
        ----------
        path : Path
            A file or folder.

        Yields
        ------
        Utterance
            In the data set's order.

        Raises
        ------
        SourceError
            If it cannot be read; the message names file, key and shape.
        """

    def write(self, path: Path, utterances: Iterable[Utterance]) -> None:
        """Write a data set, atomically.

        Parameters
        ----------
        path : Path
            A file or folder.
        utterances : iterable of Utterance
            Gone through several times.

        Raises
        ------
        ConfigError
            If the format is only read.
        DataError
            If it cannot hold these utterances.
        """
        raise ConfigError(f"{path}: the format {self.name!r} is read, not written")


FormatT = TypeVar("FormatT", bound=DatasetFormat)
_REGISTRY: dict[str, type[DatasetFormat]] = {}


def register(cls: type[FormatT]) -> type[FormatT]:
    """Make a format known by its name; used as a class decorator.

    Parameters
    ----------
    cls : type of DatasetFormat
        The class.

    Returns
    -------
    type of DatasetFormat
        The same class.

    Raises
    ------
    ConfigError
        If another class has that name already.
    """
    taken = _REGISTRY.get(cls.name)
    if taken is not None and taken.__qualname__ != cls.__qualname__:
        raise ConfigError(
            f"format name {cls.name!r} of {cls.__qualname__} is taken by "
            f"{taken.__module__}.{taken.__qualname__}; choose another name"
        )
    _REGISTRY[cls.name] = cls
    return cls


@functools.cache
def _import_all() -> None:
    for module in pkgutil.iter_modules(pipeline.formats.__path__):
        importlib.import_module(f"pipeline.formats.{module.name}")


def available() -> tuple[str, ...]:
    """List the registered names.

    Returns
    -------
    tuple of str
        Sorted.
    """
    _import_all()
    return tuple(sorted(_REGISTRY))


def get(name: str) -> DatasetFormat:
    """Look a format up.

    Parameters
    ----------
    name : str
        Registered name.

    Returns
    -------
    DatasetFormat
        Ready to read.

    Raises
    ------
    ConfigError
        If nothing has that name; the message lists what there is.
    """
    if name not in available():
        raise ConfigError(f"unknown format {name!r}; there are: {', '.join(available())}")
    return _REGISTRY[name]()


def recognise(path: Path) -> DatasetFormat:
    """Find the format of a path by its name and the names in it.

    Parameters
    ----------
    path : Path
        A file or folder.

    Returns
    -------
    DatasetFormat
        The only one that may be meant.

    Raises
    ------
    SourceError
        If none or several may be meant.
    """
    formats = [get(name) for name in available()]
    found = [one for one in formats if one.recognises(path)]
    if len(found) != 1:
        names = ", ".join(one.name for one in found or formats)
        raise SourceError(
            f"{path}: may be any of {names}; say which"
            if found
            else f"{path}: is no data set that is known here; name its format, one of {names}",
            code="unknown_format",
        )
    return found[0]
