"""From one format to another."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ConfigError
from pipeline.formats.base import DatasetFormat, get, recognise
from pipeline.formats.utterance import Utterance

_BY_SUFFIX = {".pkl": "mmsa", ".pickle": "mmsa"}


class Converted(NamedTuple):
    """What was converted.

    Attributes
    ----------
    source_format, target_format : str
        Names.
    utterances : int
        How many.
    """

    source_format: str
    target_format: str
    utterances: int


class ForeignDataset:
    """A data set that can be gone through again and again; only one utterance is in memory.

    Parameters
    ----------
    path : Path
        A file or folder.
    format_name : str, optional
        Registered name; recognised by names without it.

    Attributes
    ----------
    count : int
        Utterances in the last pass.
    """

    def __init__(self, path: Path, format_name: str | None = None) -> None:
        self.path = path
        self.format: DatasetFormat = get(format_name) if format_name else recognise(path)
        self.count = 0

    def __iter__(self) -> Iterator[Utterance]:
        self.count = 0
        for utterance in self.format.read(self.path):
            self.count += 1
            yield utterance


def convert(
    source: Path,
    target: Path,
    *,
    source_format: str | None = None,
    target_format: str | None = None,
) -> Converted:
    """Write a data set in another format.

    Parameters
    ----------
    source : Path
        A file or folder, which is not changed.
    target : Path
        A file or folder that is not there yet; a name in ``.pkl`` means MMSA's format, any other
        the plain folder.
    source_format, target_format : str, optional
        Registered names, where names do not tell.

    Returns
    -------
    Converted
        What was done.

    Raises
    ------
    ConfigError
        If the target is there already or its format is only read.
    SourceError
        If the source cannot be read.
    DataError
        If the target's format cannot hold it.
    """
    writer = get(target_format or _BY_SUFFIX.get(target.suffix, "folder"))
    if not writer.writes:
        raise ConfigError(f"{target}: the format {writer.name!r} is read, not written")
    if target.exists():
        raise ConfigError(f"{target}: is there already; name another place or remove it first")
    dataset = ForeignDataset(source, source_format)
    writer.write(target, dataset)
    return Converted(dataset.format.name, writer.name, dataset.count)
