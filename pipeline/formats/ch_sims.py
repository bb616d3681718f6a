"""CH-SIMS's label files, which MMSA uses for all its data sets of raw videos."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pipeline.errors import SourceError
from pipeline.formats.base import DatasetFormat, register
from pipeline.formats.tables import number_in, read_table, split_of
from pipeline.formats.utterance import Utterance

_NEEDED = ("video_id", "clip_id", "text", "label")
_LETTERS = {"text": "label_T", "audio": "label_A", "vision": "label_V"}


@register
class ChSims(DatasetFormat):
    """``label.csv`` with a clip a row, or a folder that holds it: labels and texts, no features.

    Columns ``video_id``, ``clip_id``, ``text`` and ``label``; if there, ``mode`` and the labels of
    single modalities ``label_T``, ``label_A`` and ``label_V``.
    """

    name: ClassVar[str] = "sims"

    def recognises(self, path: Path) -> bool:
        """Tell whether a path is, or has in it, a ``label.csv``."""
        return path.name == "label.csv" or (path / "label.csv").is_file()

    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one row after the other."""
        path = path / "label.csv" if path.is_dir() else path
        seen = set()
        for row in read_table(path, needed=_NEEDED):
            of_modalities = {m: number_in(path, row, column) for m, column in _LETTERS.items()}
            utterance = Utterance(
                video=row["video_id"],
                clip=row["clip_id"],
                split=split_of(path, row.get("mode", ""), line=row["line"]),
                label=number_in(path, row, "label"),
                modality_labels={
                    m: value for m, value in of_modalities.items() if value is not None
                },
                text=row["text"],
            )
            if not utterance.video or utterance.id in seen:
                raise SourceError(
                    f"{path}, line {row['line']}: clip {utterance.id!r} is nameless or there twice",
                    code="bad_format",
                )
            seen.add(utterance.id)
            yield utterance
