"""MMSA's feature files: ``{"train" | "valid" | "test": {key: values of all utterances}}``."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from models.batch import MODALITIES
from pipeline.errors import SourceError
from pipeline.formats.base import DatasetFormat, register
from pipeline.formats.mmsa_writing import write_mmsa
from pipeline.formats.plain_pickle import read_plain_pickle
from pipeline.formats.utterance import WIDEST, Utterance, rows_of
from pipeline.splits import SPLIT_NAMES

_LABELS = ("regression_labels", "labels")
_MODALITY_LABELS = {
    "text": "regression_labels_T",
    "audio": "regression_labels_A",
    "vision": "regression_labels_V",
}


@register
class Mmsa(DatasetFormat):
    """MMSA's pickle, unaligned or aligned; MulT's has the same form and other labels.

    Padding is taken off by ``audio_lengths`` and ``vision_lengths`` where they are there, for text
    by the attention mask, and otherwise at the last row that is not 0. Rows have no times.
    """

    name: ClassVar[str] = "mmsa"
    writes: ClassVar[bool] = True

    def recognises(self, path: Path) -> bool:
        """Tell whether a path is named as such a file is."""
        return path.suffix in (".pkl", ".pickle") and not path.is_dir()

    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one utterance after the other; large arrays are read row by row."""
        content = read_plain_pickle(path)
        if not isinstance(content, dict) or not any(name in content for name in SPLIT_NAMES):
            raise SourceError(
                f"{path}: has none of the keys {list(SPLIT_NAMES)}; it holds {_describe(content)}",
                code="bad_format",
            )
        for split in SPLIT_NAMES:
            if split in content:
                yield from _Part(path, split, content[split]).utterances()

    def write(self, path: Path, utterances: Iterable[Utterance]) -> None:
        """Write what MMSA trains on; every utterance needs a label and a split."""
        write_mmsa(path, utterances)


class _Part:
    """One split of a file."""

    def __init__(self, path: Path, split: str, content: Any) -> None:
        self.path, self.split = path, split
        if not isinstance(content, dict):
            raise self._error(f"is no dict but {_describe(content)}")
        self.content = content
        self.ids = [_text(name) for name in self._column("id")]
        if len(set(self.ids)) != len(self.ids):
            raise self._error("two utterances have the same id", "id")

    def utterances(self) -> Iterator[Utterance]:
        labels = self._numbers(next((key for key in _LABELS if key in self.content), _LABELS[0]))
        of_modalities = {
            modality: self._numbers(key)
            for modality, key in _MODALITY_LABELS.items()
            if key in self.content
        }
        texts = self._column("raw_text") if "raw_text" in self.content else [""] * len(self.ids)
        tokens = self._tokens()
        features = {m: self._features(m, tokens) for m in MODALITIES if m in self.content}
        for row, name in enumerate(self.ids):
            video, _, clip = name.rpartition("$_$")
            yield Utterance(
                video=video or name,
                clip=clip if video else "",
                split=self.split,
                label=_known(labels[row]),
                modality_labels={m: float(values[row]) for m, values in of_modalities.items()},
                text=_text(texts[row]),
                features={
                    modality: rows_of(values[row, : lengths[row]], modality=modality)
                    for modality, (values, lengths) in features.items()
                },
                tokens=None if tokens is None else _unpadded(tokens[row]),
            )

    def _features(
        self, modality: str, tokens: npt.NDArray[Any] | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Give a modality's array (N, T, D) and the N lengths in it."""
        values = self._array(modality)
        key = f"{modality}_lengths"
        if key in self.content:
            lengths = self._numbers(key)
            if not ((lengths >= 0) & (lengths <= values.shape[1])).all():
                raise self._error(
                    f"lengths from {lengths.min():g} to {lengths.max():g} do not fit "
                    f"{modality} of shape {values.shape}",
                    key,
                )
            return values, lengths.astype(np.int64)
        if modality == "text" and tokens is not None and tokens.shape[2] == values.shape[1]:
            return values, (tokens[:, 1] != 0).sum(axis=1)
        return values, np.array([_last_row(row) for row in values], np.int64)

    def _tokens(self) -> npt.NDArray[Any] | None:
        if "text_bert" not in self.content:
            return None
        tokens = self._array("text_bert")
        if tokens.shape[1] != 3 and tokens.shape[2] == 3:
            tokens = tokens.swapaxes(1, 2)
        if tokens.shape[1] != 3:
            raise self._error(f"shape {tokens.shape} is not (N, 3, T)", "text_bert")
        return tokens

    def _value(self, key: str) -> Any:
        if key not in self.content:
            raise self._error(f"the key is missing; there are {_describe(self.content)}", key)
        return self.content[key]

    def _array(self, key: str) -> npt.NDArray[Any]:
        value = self._value(key)
        if (
            not isinstance(value, np.ndarray)
            or value.ndim != 3
            or value.dtype.kind not in "fiu"
            or len(value) != len(self.ids)
            or value.shape[2] > WIDEST
        ):
            raise self._error(
                f"{_describe(value)} is no array of numbers (N, T, D) of N = {len(self.ids)} "
                f"utterances and D <= {WIDEST}",
                key,
            )
        return value

    def _column(self, key: str) -> Any:
        """Give a list or array of one text an utterance."""
        value = self._value(key)
        if isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] <= 16:
            value = ["$_$".join(_text(part) for part in row[:2]) for row in value]
        count = len(self.ids) if key != "id" else None
        flat = isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1)
        if not flat or (count is not None and len(value) != count):
            raise self._error(f"{_describe(value)} is not one text an utterance", key)
        return value

    def _numbers(self, key: str) -> npt.NDArray[np.float64]:
        value = self._value(key)
        if isinstance(value, list) and all(isinstance(v, int | float | np.generic) for v in value):
            value = np.array([float(v) for v in value])
        if (
            not isinstance(value, np.ndarray)
            or value.dtype.kind not in "fiu"
            or value.size != len(self.ids)
            or np.isinf(value).any()
        ):
            raise self._error(f"{_describe(value)} is not {len(self.ids)} finite numbers", key)
        return value.reshape(-1).astype(np.float64)

    def _error(self, problem: str, key: str | None = None) -> SourceError:
        where = repr(self.split) if key is None else f"{self.split!r} > {key!r}"
        return SourceError(f"{self.path}, key {where}: {problem}", code="bad_format")


def _known(label: float) -> float | None:
    return None if np.isnan(label) else float(label)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _last_row(rows: npt.NDArray[Any]) -> int:
    """Count rows up to the last that is not 0."""
    used = np.flatnonzero((rows != 0).any(axis=1))
    return int(used[-1]) + 1 if len(used) else 0


def _unpadded(tokens: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return tokens[:, : int((tokens[1] != 0).sum())].astype(np.int64)


def _describe(value: Any) -> str:
    """Say what a value is and how large, without its content."""
    if isinstance(value, dict):
        parts = [f"{str(key)[:40]!r}: {_describe_leaf(v)}" for key, v in list(value.items())[:20]]
        return "{" + ", ".join(parts) + "}"
    return _describe_leaf(value)


def _describe_leaf(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    size = f" of {len(value)}" if isinstance(value, list | dict | tuple | str) else ""
    return f"a {type(value).__name__}{size}"
