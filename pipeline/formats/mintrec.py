"""MIntRec's tables: what is said in a clip of a series, and with which intent."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from extractors.sequence import FeatureSequence
from pipeline.errors import SourceError
from pipeline.formats.base import DatasetFormat, register
from pipeline.formats.plain_pickle import read_plain_pickle
from pipeline.formats.tables import read_table, split_of
from pipeline.formats.utterance import Utterance, rows_of

_COLUMNS = ("season", "episode", "clip", "text", "label")
_FILES = ("train.tsv", "dev.tsv", "test.tsv")
_FEATURES = {
    "audio": ("audio_data/audio_feats.pkl", "audio_feats.pkl"),
    "vision": ("video_data/video_feats.pkl", "video_feats.pkl"),
}
# Frames of the longest clip by far.
_LONGEST = 100_000


@register
class Mintrec(DatasetFormat):
    """A folder with ``train.tsv``, ``dev.tsv`` and ``test.tsv``, or one of them.

    Intents are names and become ``category``; there is no sentiment. Features are those of
    ``audio_feats.pkl`` and ``video_feats.pkl``, if the folder, or its ``audio_data`` and
    ``video_data``, have them: clips by ``<season>_<episode>_<clip>``, of frames (T, D) or, as the
    authors write video, (T, 1, D).
    """

    name: ClassVar[str] = "mintrec"

    def recognises(self, path: Path) -> bool:
        """Tell whether a path is, or has in it, such a table."""
        return path.name in _FILES or (path / _FILES[0]).is_file()

    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one row after the other."""
        paths = [path / name for name in _FILES if (path / name).is_file()] or [path]
        tables = _tables(path)
        seen = set()
        for one in paths:
            for row in read_table(one, needed=_COLUMNS, delimiter="\t"):
                utterance = Utterance(
                    video=f"{row['season']}_{row['episode']}",
                    clip=row["clip"],
                    split=split_of(one, one.stem) if one.name in _FILES else None,
                    category=row["label"],
                    text=row["text"],
                    features=_features(tables, f"{row['season']}_{row['episode']}_{row['clip']}"),
                )
                if not all(row[name] for name in _COLUMNS) or utterance.id in seen:
                    raise SourceError(
                        f"{one}, line {row['line']}: clip {utterance.id!r} lacks a cell or is "
                        "there twice",
                        code="bad_format",
                    )
                seen.add(utterance.id)
                yield utterance


def _tables(folder: Path) -> dict[str, tuple[Path, Mapping[Any, Any]]]:
    """Read the features that there are: modality to file and clips."""
    tables: dict[str, tuple[Path, Mapping[Any, Any]]] = {}
    for modality, names in _FEATURES.items():
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is None:
            continue
        content = read_plain_pickle(path)
        if not isinstance(content, dict):
            raise SourceError(
                f"{path}: is a {type(content).__name__}, not a dict by clip", code="bad_format"
            )
        tables[modality] = (path, content)
    return tables


def _features(
    tables: Mapping[str, tuple[Path, Mapping[Any, Any]]], key: str
) -> dict[str, FeatureSequence]:
    found = {}
    for modality, (path, content) in tables.items():
        if key not in content:
            continue
        try:
            found[modality] = rows_of(_frames(content[key]), modality=modality)
        except (ValueError, TypeError) as error:
            raise SourceError(f"{path}, key {key!r}: {error}", code="bad_format") from error
    return found


def _frames(rows: Any) -> Any:
    """Make one array of a clip's frames, of which there may be a list."""
    if isinstance(rows, list | tuple):
        shapes = {np.shape(row) for row in rows if isinstance(row, np.ndarray)}
        if len(shapes) != 1 or len(rows) > _LONGEST or len(next(iter(shapes))) > 2:
            raise ValueError(f"{len(rows)} rows of shapes {sorted(shapes)[:5]} are no frames")
        rows = np.stack(rows)
    is_nested = isinstance(rows, np.ndarray) and rows.ndim == 3 and rows.shape[1] == 1
    return rows[:, 0] if is_nested else rows
