"""One table for a whole data set: who says what, with which label, in which split."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pipeline.errors import SourceError
from pipeline.formats.base import DatasetFormat, register
from pipeline.formats.tables import number_in, read_table, split_of
from pipeline.formats.utterance import Utterance

_SPLITS = ("split", "mode")
_OTHERS = ("label.csv", "labels.csv")
_TEXTS = ("text", "raw_text", "english", "chinese")


@register
class TextTable(DatasetFormat):
    """A CSV file with a clip a row: labels and texts, no features.

    Columns ``label``; ``id``, or ``video_id`` and ``clip_id``; the text in the first there is of
    ``text``, ``raw_text``, ``english`` and ``chinese``; if there, ``split`` or ``mode``. An ``id``
    is video and clip with the last ``_`` between them, or MMSA's ``$_$``.
    """

    name: ClassVar[str] = "table"

    def recognises(self, path: Path) -> bool:
        """Tell whether a path is a CSV file that no other format claims."""
        return path.suffix == ".csv" and path.name not in _OTHERS

    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one row after the other."""
        seen = set()
        for row in read_table(path, needed=("label",)):
            video, clip = _names(path, row)
            utterance = Utterance(
                video=video,
                clip=clip,
                split=split_of(path, _first(row, _SPLITS) or "", line=row["line"]),
                label=number_in(path, row, "label"),
                text=_first(row, _TEXTS) or "",
            )
            if not video or utterance.id in seen:
                raise SourceError(
                    f"{path}, line {row['line']}: clip {utterance.id!r} is nameless or there twice",
                    code="bad_format",
                )
            seen.add(utterance.id)
            yield utterance


def _first(row: dict[str, str], columns: tuple[str, ...]) -> str | None:
    return next((row[name] for name in columns if name in row), None)


def _names(path: Path, row: dict[str, str]) -> tuple[str, str]:
    if "video_id" in row and "clip_id" in row:
        return row["video_id"], row["clip_id"]
    if "id" not in row:
        raise SourceError(
            f"{path}: has neither a column 'id' nor 'video_id' and 'clip_id'; it has "
            f"{sorted(set(row) - {'line'})}",
            code="bad_format",
        )
    between = "$_$" if "$_$" in row["id"] else "_"
    video, _, clip = row["id"].rpartition(between)
    return (video, clip) if video else (row["id"], "")
