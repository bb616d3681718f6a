"""Labels that a user writes beside the videos: ``labels.csv``."""

import csv
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from extractors.sequence import Seconds
from pipeline.errors import SourceError
from pipeline.failure_log import FailureLog, printable
from pipeline.records import LABEL_RANGE, Clip, Failure
from pipeline.splits import SPLIT_NAMES

FILE_NAME = "labels.csv"
#: Seconds; attention is quadratic in an utterance's length, and a talk is not an utterance.
LONGEST = 60.0
_REQUIRED = ("video", "label")


class Label(NamedTuple):
    """A row of a label file.

    Attributes
    ----------
    item : str
        File and line, for messages.
    video : str
        File name of the clip, or its path below the label file's folder; with or without suffix.
    start, end : Seconds or None
        The utterance's span; both None for the whole clip.
    text : str
        What is said, empty if the file does not tell.
    label : float or None
        Sentiment; None for an utterance that is listed without one.
    split : str or None
        ``train``, ``valid`` or ``test``; None if the file does not tell.
    """

    item: str
    video: str
    start: Seconds | None
    end: Seconds | None
    text: str
    label: float | None
    split: str | None

    def span(self, clip: Clip) -> tuple[Seconds, Seconds]:
        """Give the utterance's span in its clip.

        Parameters
        ----------
        clip : Clip
            The clip that is meant.

        Returns
        -------
        tuple of (start, end)
            Inside the clip; all of it for a row without a span.
        """
        start = 0.0 if self.start is None else self.start
        return start, clip.duration if self.end is None else min(self.end, clip.duration)


def read_labels(path: Path) -> tuple[list[Label], list[Failure]]:
    """Read a label file, one row an utterance.

    Columns ``video`` and ``label``; if wanted ``start``, ``end`` (both or neither), ``text`` and
    ``split``; others are left alone.

    Parameters
    ----------
    path : Path
        A CSV file in UTF-8 with a header line.

    Returns
    -------
    labels : list of Label
        Usable rows.
    failures : list of Failure
        One for each row that is not.

    Raises
    ------
    SourceError
        If the file as a whole cannot be read or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            missing = [name for name in _REQUIRED if name not in columns]
            if missing:
                raise SourceError(
                    f"{path}: has no column {missing}; it has {list(columns)}", code="bad_labels"
                )
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read ({error})", code="bad_labels") from error
    labels, failures = [], []
    for line, row in rows:
        item = printable(f"{path}, line {line}")
        try:
            labels.append(_parse(item, row))
        except SourceError as error:
            failures.append(Failure(item=item, step="labels", code=error.code, detail=str(error)))
    return labels, failures


def _parse(item: str, row: dict[str, str | None]) -> Label:
    start, end = _number(item, row, "start"), _number(item, row, "end")
    if (start is None) != (end is None) or (
        start is not None and end is not None and not 0 <= start < end
    ):
        raise SourceError(
            f"{item}: start {row.get('start')!r} and end {row.get('end')!r} must be a span of "
            "seconds, or both empty for the whole clip",
            code="bad_span",
        )
    label = _number(item, row, "label")
    low, high = LABEL_RANGE
    if label is not None and not low <= label <= high:
        raise SourceError(
            f"{item}: label {label:g} is outside [{low:g}, {high:g}]", code="label_out_of_range"
        )
    split = (row.get("split") or "").strip() or None
    if split is not None and split not in SPLIT_NAMES:
        raise SourceError(
            f"{item}: split {split!r} is none of {list(SPLIT_NAMES)}", code="bad_split"
        )
    video = row["video"] or ""
    return Label(item, video, start, end, (row.get("text") or "").strip(), label, split)


def _number(item: str, row: dict[str, str | None], column: str) -> float | None:
    text = (row.get(column) or "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SourceError(f"{item}: {column} {text!r} is not a number", code="bad_number")
    return number


class _ClipNames:
    """Finds the clip that a row means; a clip seen at two paths is named by both."""

    def __init__(self, clips: Sequence[tuple[Path, Clip]]) -> None:
        self._clips: dict[str, Clip] = {}
        for path, clip in clips:
            for name in (str(path), str(path.with_suffix(""))):
                self._clips.setdefault(_normal(name), clip)

    def find(self, label: Label, folder: Path) -> Clip:
        clip = self._clips.get(_normal(str(folder / label.video)))
        if clip is None or not label.video:
            raise SourceError(
                f"{label.item}: there is no readable clip {label.video!r} in {folder}",
                code="unknown_clip",
            )
        start, end = label.span(clip)
        if end - start > LONGEST:
            raise SourceError(
                f"{label.item}: an utterance of {end - start:.0f} s, {LONGEST:.0f} are the most; "
                "write start and end of what the label is about",
                code="too_long",
            )
        if label.start is not None and label.start >= clip.duration:
            raise SourceError(
                f"{label.item}: begins at {label.start:g} s, {label.video!r} lasts "
                f"{clip.duration:.2f} s",
                code="bad_span",
            )
        return clip


def _normal(name: str) -> str:
    """Undo the choice that file systems and editors make in writing accents."""
    return unicodedata.normalize("NFC", name)


def find_labels(
    *, folders: Sequence[Path], seen: Sequence[tuple[Path, Clip]], log: FailureLog
) -> list[tuple[Label, Clip]]:
    """Read every label file of some folders and find the clips that its rows mean.

    Parameters
    ----------
    folders : sequence of Path
        Searched with their subfolders, hidden ones excepted.
    seen : sequence of (Path, Clip)
        Every path at which a clip was seen.
    log : FailureLog
        Told of files and rows that cannot be used.

    Returns
    -------
    list of (Label, Clip)
        Usable rows; no span twice, no clip in two splits.
    """
    names = _ClipNames(seen)
    found = []
    for path in _label_files(folders):
        try:
            rows, failures = read_labels(path)
        except SourceError as error:
            log.record(error, item=str(path), step="labels")
            continue
        log.failures.extend(failures)
        for row in rows:
            try:
                found.append((row, names.find(row, path.parent)))
            except SourceError as error:
                log.record(error, item=row.item, step="labels")
    return _refuse_divided(_refuse_repeated(found, log), log)


def _label_files(folders: Sequence[Path]) -> list[Path]:
    return sorted(
        {
            path
            for folder in folders
            for path in folder.rglob(FILE_NAME)
            if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        }
    )


def _refuse_repeated(labels: list[tuple[Label, Clip]], log: FailureLog) -> list[tuple[Label, Clip]]:
    """Keep the first of two rows about the same span of the same clip."""
    kept: dict[tuple[str, str], tuple[Label, Clip]] = {}
    for row, clip in labels:
        start, end = row.span(clip)
        first, _ = kept.setdefault((clip.id, f"{start:.3f}-{end:.3f}"), (row, clip))
        if first is not row:
            again = SourceError(
                f"{row.item}: the same utterance as {first.item}, which is used instead",
                code="repeated_label",
            )
            log.record(again, item=row.item, step="labels", clip_id=clip.id)
    return list(kept.values())


def _refuse_divided(labels: list[tuple[Label, Clip]], log: FailureLog) -> list[tuple[Label, Clip]]:
    """Keep all of a clip in one split, the first that was given: anything else leaks."""
    first: dict[str, str] = {}
    kept = []
    for row, clip in labels:
        split = first.setdefault(clip.id, row.split) if row.split else first.get(clip.id)
        if row.split and row.split != split:
            divided = SourceError(
                f"{row.item}: split {row.split!r}, but {row.video!r} is in {split!r} already; a "
                "clip must not be in two splits, the row is left out",
                code="divided_clip",
            )
            log.record(divided, item=row.item, step="labels", clip_id=clip.id)
            continue
        kept.append((row, clip))
    return kept
