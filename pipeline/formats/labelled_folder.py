"""The plain form: ``labels.csv`` beside videos, or beside features in ``.npy`` files."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from models.batch import MODALITIES
from pipeline.atomic import write_bytes, write_text
from pipeline.errors import DataError, SourceError
from pipeline.formats.base import DatasetFormat, register
from pipeline.formats.utterance import Utterance, rows_of
from pipeline.labels import FILE_NAME, read_labels

_COLUMNS = ("video", "start", "end", "label", "split", "text", "category")


@register
class LabelledFolder(DatasetFormat):
    """A folder with ``labels.csv``, as :func:`pipeline.labels.read_labels` reads it.

    Features of the row about ``talks/12`` lie in ``text/talks/12.npy``, ``audio/talks/12.npy`` and
    ``vision/talks/12.npy``, of shape (T, D); each may be missing, and so may all of them, for
    videos that are to be extracted. Rows have no times.
    """

    name: ClassVar[str] = "folder"
    writes: ClassVar[bool] = True

    def recognises(self, path: Path) -> bool:
        """Tell whether a path has, or is, a ``labels.csv``, or may become such a folder."""
        return path.name == FILE_NAME or (path / FILE_NAME).is_file()

    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one row after the other."""
        table = path / FILE_NAME if path.is_dir() else path
        labels, failures = read_labels(table)
        if failures:
            raise SourceError(
                f"{failures[0].detail} (and {len(failures) - 1} more rows of {table})",
                code=failures[0].code,
            )
        seen: dict[str, int] = {}
        for label in labels:
            video, _, clip = label.video.rpartition("/")
            seen[label.video] = seen.get(label.video, 0) + 1
            if label.start is not None:
                video, clip = label.video, str(seen[label.video])
            elif seen[label.video] > 1 or not label.video:
                raise SourceError(
                    f"{label.item}: video {label.video!r} is nameless or there twice without spans",
                    code="bad_format",
                )
            yield Utterance(
                video=video or label.video,
                clip=clip if video else "",
                split=label.split,
                label=label.label,
                text=label.text,
                start=label.start,
                end=label.end,
                features={} if label.start is not None else _features(table.parent, label.video),
            )

    def write(self, path: Path, utterances: Iterable[Utterance]) -> None:
        """Write ``labels.csv`` and, where there are features, a file an utterance and modality.

        An utterance with features, or without times, is named ``<video>/<clip>``; one with times
        alone is a span of its video.
        """
        names = [_checked(utterance) for utterance in utterances]
        if len(set(names)) != len(names):
            raise DataError("two utterances have the same name and span", code="bad_folder")
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for (name, start, end), utterance in zip(names, utterances, strict=True):
            for modality, sequence in utterance.features.items():
                buffer = io.BytesIO()
                np.save(buffer, sequence.values, allow_pickle=False)
                write_bytes(path / modality / f"{name}.npy", buffer.getvalue())
            label = "" if utterance.label is None else repr(utterance.label)
            told = (label, utterance.split or "", utterance.text, utterance.category)
            writer.writerow([name, start, end, *told])
        write_text(path / FILE_NAME, stream.getvalue())


def _checked(utterance: Utterance) -> tuple[str, str, str]:
    """Give name and span of a row; a name must stay inside the folder."""
    spanned = utterance.start is not None and not utterance.features
    whole = (
        utterance.video
        if spanned or not utterance.clip
        else (f"{utterance.video}/{utterance.clip}")
    )
    if not _inside(whole):
        raise DataError(f"utterance {utterance.id!r} cannot name a file", code="bad_folder")
    return (whole, repr(utterance.start), repr(utterance.end)) if spanned else (whole, "", "")


def _inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and ".." not in parts and not name.startswith("/") and "\0" not in name


def _features(folder: Path, name: str) -> dict[str, Any]:
    if not _inside(name):
        return {}
    paths = {modality: folder / modality / f"{name}.npy" for modality in MODALITIES}
    features = {}
    for modality, path in paths.items():
        if path.is_file():
            array = _mapped(path)
            try:
                features[modality] = rows_of(array, modality=modality)
            except ValueError as error:
                raise SourceError(
                    f"{path}, key {modality!r}: {error}", code="bad_format"
                ) from error
    return features


def _mapped(path: Path) -> npt.NDArray[Any]:
    """Look at a file's array; numpy compares what it claims with the file's size."""
    shape: Any = "unknown"
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
            shape, _, dtype = read(stream)
        if dtype.hasobject:
            raise ValueError("an array of objects")
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, AttributeError, OverflowError) as error:
        raise SourceError(
            f"{path}: array of shape {shape} cannot be read ({error})", code="bad_format"
        ) from error
    return array
