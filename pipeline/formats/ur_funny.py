"""UR-FUNNY: punchlines with their context, funny or not, with features a word."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from extractors.sequence import FeatureSequence
from pipeline.errors import SourceError
from pipeline.formats.base import DatasetFormat, register
from pipeline.formats.plain_pickle import read_plain_pickle
from pipeline.formats.utterance import WIDEST, Utterance, rows_of

_LABELS = "humor_label_sdk.pkl"
_FEATURES = {"audio": "covarep_features_sdk.pkl", "vision": "openface_features_sdk.pkl"}
_FOLDS = {"train": "train", "dev": "valid", "test": "test"}
# Words of the longest context by far.
_LONGEST = 10_000


@register
class UrFunny(DatasetFormat):
    """The folder of UR-FUNNY's ``.pkl`` files, or a JSON file of its labels alone.

    ``humor_label_sdk.pkl`` must be there; ``data_folds.pkl``, ``language_sdk.pkl`` and the files of
    COVAREP, OpenFace and word vectors are read if they are. Context sentences and punchline make
    one sequence, in this order, as MISA uses them; rows are words and have no times. The label is
    1 for what is followed by laughter and 0 otherwise.
    """

    name: ClassVar[str] = "urfunny"

    def recognises(self, path: Path) -> bool:
        """Tell whether a path has the labels in it, or is named after them."""
        return (path / _LABELS).is_file() or (
            path.name.startswith("humor_label") and path.suffix == ".json"
        )

    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one punchline after the other."""
        if not path.is_dir():
            labels, folder = _json(path), None
        else:
            labels, folder = _Table(path / _LABELS).content, path
        folds = _folds(folder)
        language = _optional(folder, "language_sdk.pkl")
        vectors = _vectors(folder) if language else None
        tables = {m: found for m, name in _FEATURES.items() if (found := _optional(folder, name))}
        for key, label in labels.items():
            if label not in (0, 1):
                raise SourceError(
                    f"{path}, key {key!r}: label {str(label)[:80]} is neither 0 nor 1",
                    code="bad_format",
                )
            features = {m: rows for m, table in tables.items() if (rows := table.rows(key, m))}
            if language and vectors is not None and (rows := language.vectors(key, vectors)):
                features = {"text": rows, **features}
            yield Utterance(
                video=str(key),
                split=folds.get(str(key)),
                label=float(label),
                text=language.text(key) if language else "",
                features=features,
            )


class _Table:
    """A pickle of punchlines by their id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = read_plain_pickle(path)
        if not isinstance(self.content, dict):
            raise SourceError(
                f"{path}: is a {type(self.content).__name__}, not a dict by id", code="bad_format"
            )

    def rows(self, key: Any, modality: str) -> FeatureSequence | None:
        """Give the rows of context and punchline; None for an id that is not there or empty."""
        if (entry := self._entry(key)) is None:
            return None
        parts = [
            *self._part(entry, key, "context_features"),
            self._part(entry, key, "punchline_features"),
        ]
        where = f"{self.path}, key {key!r}"
        tables = [_numbers(part, where) for part in parts if len(part)]
        widths = {table.shape[1] for table in tables}
        if len(widths) > 1 or sum(map(len, tables)) > _LONGEST:
            raise SourceError(
                f"{where}: sentences of shapes {[table.shape for table in tables][:20]} are no one "
                "sequence",
                code="bad_format",
            )
        return rows_of(np.concatenate(tables), modality=modality) if tables else None

    def vectors(self, key: Any, vectors: npt.NDArray[Any]) -> FeatureSequence | None:
        """Give the word vectors of context and punchline."""
        entry = self._entry(key)
        if entry is None or "punchline_embedding_indexes" not in entry:
            return None
        parts = [
            *self._part(entry, key, "context_embedding_indexes"),
            self._part(entry, key, "punchline_embedding_indexes"),
        ]
        numbers = [int(i) for part in parts for i in part if isinstance(i, int | np.integer)]
        if len(numbers) != sum(map(len, parts)) or not all(0 <= i < len(vectors) for i in numbers):
            raise SourceError(
                f"{self.path}, key {key!r}: embedding indexes that are not below {len(vectors)}",
                code="bad_format",
            )
        return rows_of(vectors[numbers], modality="text") if numbers else None

    def text(self, key: Any) -> str:
        """Give context and punchline."""
        entry = self._entry(key) or {}
        sentences = [*entry.get("context_sentences", []), entry.get("punchline_sentence", "")]
        return " ".join(
            sentence if isinstance(sentence, str) else " ".join(map(str, sentence))
            for sentence in sentences
            if isinstance(sentence, str | list)
        ).strip()

    def _entry(self, key: Any) -> Mapping[str, Any] | None:
        entry = self.content.get(key)
        if entry is not None and not isinstance(entry, dict):
            raise SourceError(
                f"{self.path}, key {key!r}: is a {type(entry).__name__}, not a dict",
                code="bad_format",
            )
        return entry

    def _part(self, entry: Mapping[str, Any], key: Any, name: str) -> Any:
        part = entry.get(name)
        if not isinstance(part, list | tuple | np.ndarray) or np.ndim(part[:0]) == 0:
            raise SourceError(
                f"{self.path}, key {key!r} > {name!r}: is missing or no list; there are "
                f"{[str(there)[:40] for there in entry][:20]}",
                code="bad_format",
            )
        return part


def _numbers(rows: Any, where: str) -> npt.NDArray[np.float64]:
    """Make a table of rows, after looking that they are as wide as each other."""
    if isinstance(rows, list | tuple):
        widths = {len(row) if isinstance(row, list | tuple | np.ndarray) else -1 for row in rows}
        plain = all(
            isinstance(row, np.ndarray) or all(isinstance(v, int | float | np.generic) for v in row)
            for row in rows
            if isinstance(row, list | tuple | np.ndarray)
        )
        if len(widths) != 1 or not plain or len(rows) > _LONGEST or not -1 < max(widths) <= WIDEST:
            raise SourceError(
                f"{where}: {len(rows)} rows of widths {sorted(widths)[:5]} are no table of numbers",
                code="bad_format",
            )
        rows = np.array(rows)
    if rows.ndim != 2 or rows.dtype.kind not in "fiu":
        raise SourceError(
            f"{where}: shape {rows.shape} of {rows.dtype} is no table of numbers", code="bad_format"
        )
    return np.asarray(rows, np.float64)


def _optional(folder: Path | None, name: str) -> _Table | None:
    return _Table(folder / name) if folder and (folder / name).is_file() else None


def _folds(folder: Path | None) -> dict[str, str]:
    table = _optional(folder, "data_folds.pkl")
    if table is None:
        return {}
    folds: dict[str, str] = {}
    for theirs, ours in _FOLDS.items():
        names = table.content.get(theirs)
        if not isinstance(names, list | tuple | np.ndarray):
            raise SourceError(
                f"{table.path}, key {theirs!r}: is missing or no list; there are "
                f"{[str(key)[:40] for key in table.content][:20]}",
                code="bad_format",
            )
        folds |= {str(name): ours for name in names}
    return folds


def _vectors(folder: Path | None) -> npt.NDArray[Any] | None:
    path = folder / "word_embedding_list.pkl" if folder else None
    if path is None or not path.is_file():
        return None
    content = read_plain_pickle(path)
    if not isinstance(content, list | np.ndarray):
        raise SourceError(f"{path}: is no list of vectors", code="bad_format")
    parts = [content[at : at + _LONGEST] for at in range(0, len(content), _LONGEST)]
    return np.concatenate([_numbers(part, str(path)).astype(np.float32) for part in parts])


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path}: cannot be read as JSON ({error})", code="unreadable") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path}: is no object of labels by id", code="bad_format")
    return content
