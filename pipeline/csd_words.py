"""Words in CMU-MultimodalSDK's computational sequences (``.csd``)."""

import io
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.annotation import Interval, passages_of_intervals
from pipeline.atomic import write_bytes
from pipeline.errors import DataError, SourceError
from pipeline.passages import Passage
from pipeline.repair_log import RepairLog

# The SDK asks for the last key as well: a comma is missing in its list.
_METADATA: Mapping[str, Any] = {
    "computational sequence description": "words with times",
    "alignment compatible": True,
    "dataset name": "",
    "dataset version": "",
    "creator": "winnow",
    "contact": "",
    "featureset bib citation": "",
    "dataset bib citation": "",
    "md5": None,
    "dimension names": ["word"],
    "computational sequence version": "1",
    "dimension namescomputational sequence version": "1",
}


def csd_entries(path: Path) -> tuple[str, ...]:
    """Name the videos that a file holds something of.

    Parameters
    ----------
    path : Path
        A ``.csd`` file.

    Returns
    -------
    tuple of str
        Sorted.

    Raises
    ------
    SourceError
        If it is no such file.
    """
    with _opened(path) as file:
        return tuple(sorted(_data(file, path)))


def read_csd_words(
    *, path: Path, entry: str, duration: Seconds, log: RepairLog
) -> tuple[Passage, ...]:
    """Read the words of one video.

    Parameters
    ----------
    path : Path
        A ``.csd`` file: ``features`` hold a word a row, ``intervals`` its start and end in
        seconds; ``sp`` is a pause.
    entry : str
        The video's name; a file of a single video may name it otherwise.
    duration : Seconds
        The clip's length.
    log : RepairLog
        Told of repairs; counts rows.

    Returns
    -------
    tuple of Passage
        In time order; the words are ``given``.

    Raises
    ------
    SourceError
        If the file cannot be read, does not hold the video or holds numbers instead of words, or
        if a time cannot be; with the row.
    """
    with _opened(path) as file:
        data = _data(file, path)
        names = [entry] if entry in data else list(data)
        if len(names) != 1:
            raise SourceError(
                f"{path}: holds no video {entry!r} among its {len(names)}; the clip's name must "
                "be the video's",
                code="no_transcript",
            )
        words, times = _read(data[names[0]], f"{path}, video {names[0]!r}")
    intervals = [
        Interval(float(start), float(end), word, row)
        for row, (word, (start, end)) in enumerate(zip(words, times, strict=True), start=1)
    ]
    return passages_of_intervals(intervals=intervals, duration=duration, log=log)


def write_csd_words(
    path: Path, videos: Mapping[str, Sequence[Word]], *, name: str = "words"
) -> None:
    """Write words as a computational sequence that the SDK reads.

    The format has no place for confidence and for where times are from.

    Parameters
    ----------
    path : Path
        Where to; replaced atomically.
    videos : mapping of str to sequence of Word
        Video's name to its words.
    name : str
        Of the sequence.

    Raises
    ------
    DataError
        If a video has no words, its name cannot be one in HDF5, or a word holds white space or
        would be taken for a pause or a sound.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        root = file.create_group(name)
        data = root.create_group("data")
        for video, words in videos.items():
            _check(video, words)
            texts = np.array([[word.text.encode()] for word in words])
            spans = np.array([[word.start, word.end] for word in words])
            group = data.create_group(video)
            group.create_dataset("features", data=texts, compression="gzip", compression_opts=9)
            group.create_dataset("intervals", data=spans, compression="gzip", compression_opts=9)
        metadata = root.create_group("metadata")
        told = {"root name": name, "uuid": str(uuid.uuid4()), **_METADATA}
        for key, value in told.items():
            metadata.create_dataset(
                key, (1,), dtype=h5py.string_dtype(), data=json.dumps(value).encode()
            )
    write_bytes(path, buffer.getvalue())


def _check(video: str, words: Sequence[Word]) -> None:
    if not words or not video or "/" in video or video == ".":
        raise DataError(
            f"video {video!r} with {len(words)} words: a .csd file takes names without '/' and at "
            "least one word of each video",
            code="bad_csd",
        )
    for word in words:
        row = Interval(word.start, word.end, word.text, 0)
        if row.is_pause or row.event or word.text.split() != [word.text]:
            raise DataError(
                f"video {video!r}: {word.text!r} at {word.start} s would not be read as one word "
                "in a .csd file; leave it out",
                code="bad_csd",
            )


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read as HDF5, which .csd files are ({error})", code="unreadable"
        ) from error


def _data(file: h5py.File, path: Path) -> h5py.Group:
    """Find the entries: in the first sequence of the file, as the SDK does."""
    for root in file.values():
        data = root.get("data") if isinstance(root, h5py.Group) else None
        if isinstance(data, h5py.Group):
            return data
    raise SourceError(
        f"{path}: holds no group '<name>/data', so it is no computational sequence",
        code="bad_transcript",
    )


def _read(group: h5py.Group, where: str) -> tuple[list[str], np.ndarray]:
    """Read one video, whose parts must be a word and two times a row."""
    parts = {key: group.get(key) for key in ("features", "intervals")}
    shapes = {
        key: part.shape if isinstance(part, h5py.Dataset) else None for key, part in parts.items()
    }
    rows = shapes["features"][0] if shapes["features"] else 0
    is_text = shapes["features"] in ((rows,), (rows, 1)) and parts["features"].dtype.kind in "SO"
    if (
        not is_text
        or shapes["intervals"] != (rows, 2)
        or parts["intervals"].dtype.kind not in "fiu"
    ):
        raise SourceError(
            f"{where}: 'features' of shape {shapes['features']} and 'intervals' of shape "
            f"{shapes['intervals']} are not words (n, 1) with their times (n, 2)",
            code="bad_transcript",
        )
    try:
        texts = [bytes(text).decode() for text in parts["features"][()].ravel()]
    except (UnicodeDecodeError, OSError) as error:
        raise SourceError(f"{where}: a word is not UTF-8 ({error})", code="bad_encoding") from error
    return texts, parts["intervals"][()]
