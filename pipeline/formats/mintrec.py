"""MIntRec's tables: what is said in a clip of a series, and with which intent."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pipeline.errors import SourceError
from pipeline.formats.base import DatasetFormat, register
from pipeline.formats.tables import read_table, split_of
from pipeline.formats.utterance import Utterance

_COLUMNS = ("season", "episode", "clip", "text", "label")
_FILES = ("train.tsv", "dev.tsv", "test.tsv")


@register
class Mintrec(DatasetFormat):
    """A folder with ``train.tsv``, ``dev.tsv`` and ``test.tsv``, or one of them.

    Intents are names and become ``category``; there is no sentiment and there are no features.
    """

    name: ClassVar[str] = "mintrec"

    def recognises(self, path: Path) -> bool:
        """Tell whether a path is, or has in it, such a table."""
        return path.name in _FILES or (path / _FILES[0]).is_file()

    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one row after the other."""
        paths = [path / name for name in _FILES if (path / name).is_file()] or [path]
        seen = set()
        for one in paths:
            for row in read_table(one, needed=_COLUMNS, delimiter="\t"):
                utterance = Utterance(
                    video=f"{row['season']}_{row['episode']}",
                    clip=row["clip"],
                    split=split_of(one, one.stem) if one.name in _FILES else None,
                    category=row["label"],
                    text=row["text"],
                )
                if not all(row[name] for name in _COLUMNS) or utterance.id in seen:
                    raise SourceError(
                        f"{one}, line {row['line']}: clip {utterance.id!r} lacks a cell or is "
                        "there twice",
                        code="bad_format",
                    )
                seen.add(utterance.id)
                yield utterance
