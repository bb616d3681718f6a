"""Feature files that MMSA trains on.

MMSA reads nothing but pickles, so this one writes a pickle, see
``docs/adr/0006-a-pickle-for-mmsa.md``; nothing in this project is read back by unpickling.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from models.batch import MODALITIES
from pipeline.atomic import replacing
from pipeline.errors import DataError
from pipeline.formats.pickle_layout import Layout, Room, lay_out
from pipeline.formats.utterance import Utterance
from pipeline.splits import SPLIT_NAMES

_LETTERS = {"text": "T", "audio": "A", "vision": "V"}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What of an utterance fits into memory."""

    id: str
    label: float
    text: str
    lengths: Mapping[str, int]
    widths: Mapping[str, int]
    tokens: npt.NDArray[np.int64] | None
    modality_labels: Mapping[str, float]


def write_mmsa(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write MMSA's feature file, atomically, row by row.

    Features are padded with 0 to the longest of their modality and are float32; ``audio_lengths``
    and ``vision_lengths`` are the true ones, at least 1. ``text_bert`` is there if every utterance
    has tokens, the labels of single modalities if every utterance has them.

    Parameters
    ----------
    path : Path
        Where to.
    utterances : iterable of Utterance
        Gone through twice.

    Raises
    ------
    DataError
        If an utterance has no label or no split, two share an id, or widths differ.
    """
    rows = _gather(utterances)
    everything = [row for part in rows.values() for row in part]
    shape = {
        modality: (max(row.lengths.get(modality, 1) for row in everything), width)
        for modality, width in _widths(everything).items()
    }
    tree = {split: _part(part, shape, everything) for split, part in rows.items()}
    with replacing(path) as temporary, temporary.open("rb+") as stream:
        layout = lay_out(tree)
        stream.truncate(layout.size)
        for offset, content in layout.parts.items():
            stream.seek(offset)
            stream.write(content)
        _fill(stream, layout, shape, utterances)


def _gather(utterances: Iterable[Utterance]) -> dict[str, list[_Row]]:
    rows: dict[str, list[_Row]] = {split: [] for split in SPLIT_NAMES}
    seen = set()
    for utterance in utterances:
        if utterance.split not in rows or utterance.label is None or utterance.id in seen:
            raise DataError(
                f"utterance {utterance.id!r} has split {utterance.split!r} and label "
                f"{utterance.label}; MMSA takes only labelled ones of {list(SPLIT_NAMES)}, each id "
                "once",
                code="bad_mmsa",
            )
        seen.add(utterance.id)
        rows[utterance.split].append(
            _Row(
                id=utterance.id,
                label=utterance.label,
                text=utterance.text,
                lengths={m: max(len(s), 1) for m, s in utterance.features.items()},
                widths={m: s.values.shape[1] for m, s in utterance.features.items()},
                tokens=utterance.tokens,
                modality_labels=utterance.modality_labels,
            )
        )
    if not seen:
        raise DataError("there are no utterances to write", code="bad_mmsa")
    return rows


def _widths(rows: Sequence[_Row]) -> dict[str, int]:
    widths: dict[str, int] = {}
    for row in rows:
        for modality, width in row.widths.items():
            if widths.setdefault(modality, width) != width:
                raise DataError(
                    f"{modality} of utterance {row.id!r} has {width} columns, others have "
                    f"{widths[modality]}",
                    code="bad_mmsa",
                )
    return {modality: widths[modality] for modality in MODALITIES if modality in widths}


def _part(
    rows: Sequence[_Row], shape: Mapping[str, tuple[int, int]], everything: Sequence[_Row]
) -> dict[str, Any]:
    labels = np.array([row.label for row in rows], np.float32)
    sign = np.sign(labels).astype(int)
    part: dict[str, Any] = {
        "raw_text": [row.text for row in rows],
        "id": [row.id for row in rows],
        "annotations": [("Neutral", "Positive", "Negative")[value] for value in sign],
        "regression_labels": labels,
        "classification_labels": (sign + 1).astype(np.float32),
    }
    for modality, (longest, width) in shape.items():
        part[modality] = Room(dtype="<f4", shape=(len(rows), longest, width))
        if modality != "text":
            part[f"{modality}_lengths"] = [row.lengths.get(modality, 1) for row in rows]
    if all(row.tokens is not None for row in everything):
        part["text_bert"] = _tokens(rows, everything)
    for modality, letter in _LETTERS.items():
        if all(modality in row.modality_labels for row in everything):
            values = [row.modality_labels[modality] for row in rows]
            part[f"regression_labels_{letter}"] = np.array(values, np.float32)
    return part


def _tokens(rows: Sequence[_Row], everything: Sequence[_Row]) -> npt.NDArray[np.float32]:
    longest = max(row.tokens.shape[1] for row in everything if row.tokens is not None)
    # ids below 2**24 are exact in float32, which MMSA makes of them
    padded = np.zeros((len(rows), 3, longest), np.float32)
    for row, place in zip(rows, padded, strict=True):
        if row.tokens is not None:
            place[:, : row.tokens.shape[1]] = row.tokens
    return padded


def _fill(
    stream: BinaryIO,
    layout: Layout,
    shape: Mapping[str, tuple[int, int]],
    utterances: Iterable[Utterance],
) -> None:
    """Write every row to its place; what is not written stays 0."""
    done = dict.fromkeys(SPLIT_NAMES, 0)
    for utterance in utterances:
        split = str(utterance.split)
        for modality, sequence in utterance.features.items():
            longest, width = shape[modality]
            begin = layout.rooms[split, modality] + done[split] * longest * width * 4
            stream.seek(begin)
            stream.write(np.ascontiguousarray(sequence.values, "<f4").data)
        done[split] += 1
