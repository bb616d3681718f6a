"""CMU-MultimodalSDK's data sets: a folder of computational sequences (``.csd``)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from extractors.sequence import FeatureSequence
from extractors.words import Word
from models.batch import MODALITIES
from pipeline.annotation import PAUSES
from pipeline.csd_words import write_csd_words
from pipeline.errors import DataError, SourceError
from pipeline.formats.base import DatasetFormat, register
from pipeline.formats.csd_files import CsdFile, Entry, csd_file, write_csd
from pipeline.formats.standard_folds import standard_fold
from pipeline.formats.utterance import Utterance, rows_of

# What a sequence holds, by what its name or its file's name contains; first come, first served.
_HINTS = {
    "labels": ("label",),
    "words": ("timestampedwords", "words", "phones"),
    "audio": ("covarep", "opensmile", "audio", "acoustic", "wav2vec"),
    "vision": ("openface", "facet", "vision", "visual", "video"),
    "text": ("glove", "bert", "wordvector", "text", "language"),
}
_NUMBERED = re.compile(r"(.+)\[(.+)\]")


@register
class CmuSdk(DatasetFormat):
    """A folder with one ``.csd`` file each of features, labels and words, or one such file.

    What a file holds is told by its name: ``labels``, ``words``, and the likes of ``COVAREP``,
    ``OpenFace`` and ``glove``. Utterances are the labels' intervals; a row belongs to the one in
    which its middle lies, and entries ``<video>[<number>]`` are aligned already. Without labels,
    each video is an utterance. Splits are the standard folds of MOSI and MOSEI.
    """

    name: ClassVar[str] = "csd"
    writes: ClassVar[bool] = True

    def recognises(self, path: Path) -> bool:
        """Tell whether a path is, or has in it, a ``.csd`` file."""
        return path.suffix == ".csd" or (path.is_dir() and any(path.glob("*.csd")))

    def read(self, path: Path) -> Iterator[Utterance]:
        """Read one video after the other."""
        paths = sorted(path.glob("*.csd")) if path.is_dir() else [path]
        with ExitStack() as stack:
            files: dict[str, CsdFile] = {}
            for one in paths:
                file = stack.enter_context(csd_file(one))
                kind = _kind(file)
                if kind in files:
                    raise SourceError(
                        f"{one} and {files[kind].path}: both hold {kind}; leave one in the folder",
                        code="bad_format",
                    )
                files[kind] = file
            if not files:
                raise SourceError(f"{path}: holds no .csd file", code="bad_format")
            yield from _utterances(files)

    def write(self, path: Path, utterances: Iterable[Utterance]) -> None:
        """Write ``labels.csd``, ``words.csd`` and a file a modality into a folder.

        Entries are ``<video>[<clip>]``, as the SDK names aligned segments. The format has no place
        for splits, which the standard folds tell by the video's name, and none for text without
        words.
        """
        widths = _columns(utterances)
        for modality, names in widths.items():
            entries = (
                Entry(_entry_name(u), rows.values, rows.times)
                for u in utterances
                if (rows := u.features.get(modality)) is not None and len(rows)
            )
            write_csd(path / f"{modality}.csd", entries, root=modality, dimension_names=names)
        labels = (
            Entry(
                _entry_name(u),
                np.array([[np.nan if u.label is None else u.label]], np.float32),
                np.array([[u.start, u.end]]),
            )
            for u in utterances
        )
        write_csd(path / "labels.csd", labels, root="labels", dimension_names=["label"])
        words = {_entry_name(u): u.words for u in utterances if u.words}
        if words:
            write_csd_words(path / "words.csd", words)


def _kind(file: CsdFile) -> str:
    for told in (file.path.stem, file.root):
        name = told.lower().replace("_", "").replace(" ", "")
        for kind, hints in _HINTS.items():
            if any(hint in name for hint in hints):
                return kind
    raise SourceError(
        f"{file.path}, sequence {file.root!r}: its name tells nothing of "
        f"{', '.join(_HINTS)}; rename the file after what it holds",
        code="bad_format",
    )


def _utterances(files: Mapping[str, CsdFile]) -> Iterator[Utterance]:
    guide = files.get("labels") or next(iter(files.values()))
    has_labels = "labels" in files
    for name in guide.names:
        entry = guide.entry(name)
        whole = {kind: _entry(file, name) for kind, file in files.items() if kind != "labels"}
        if not has_labels:
            yield _utterance(name, "", None, None, whole, files)
            continue
        if entry.features.dtype.kind not in "fiu":
            raise SourceError(
                f"{guide.path}, key {guide.root}/data/{name}/features: shape "
                f"{entry.features.shape} of {entry.features.dtype} is no number a row",
                code="bad_format",
            )
        numbered = _NUMBERED.fullmatch(name)
        video = numbered[1] if numbered else name
        for row, (span, label) in enumerate(zip(entry.intervals, entry.features, strict=True)):
            clip = numbered[2] if numbered else str(row)
            # an aligned entry is one utterance already
            cut = (float(span[0]), float(span[1]))
            inside = None if numbered and len(entry.features) == 1 else cut
            found = _utterance(video, clip, cut, inside, whole, files)
            yield _labelled(found, float(label[0]))


def _labelled(utterance: Utterance, label: float) -> Utterance:
    fields = {name: getattr(utterance, name) for name in utterance.__dataclass_fields__}
    return Utterance(**(fields | {"label": label if np.isfinite(label) else None}))


def _entry(file: CsdFile, name: str) -> Entry | None:
    return file.entry(name) if name in file.names else None


def _utterance(
    video: str,
    clip: str,
    span: tuple[float, float] | None,
    inside: tuple[float, float] | None,
    whole: Mapping[str, Entry | None],
    files: Mapping[str, CsdFile],
) -> Utterance:
    """Take of each entry what lies inside a span; all of it without one."""
    entries = {kind: entry for kind, entry in whole.items() if entry is not None}
    words = _words(entries["words"], inside) if "words" in entries else ()
    features = {
        modality: _rows(entries[modality], modality, files[modality], inside)
        for modality in MODALITIES
        if modality in entries
    }
    return Utterance(
        video=video,
        clip=clip,
        split=standard_fold(video),
        text=" ".join(word.text for word in words),
        words=words,
        start=span[0] if span else None,
        end=span[1] if span else None,
        features={modality: sequence for modality, sequence in features.items() if len(sequence)},
    )


def _within(entry: Entry, inside: tuple[float, float] | None) -> Any:
    middle = entry.intervals.mean(axis=1)
    return slice(None) if inside is None else (middle >= inside[0]) & (middle < inside[1])


def _rows(
    entry: Entry, modality: str, file: CsdFile, inside: tuple[float, float] | None
) -> FeatureSequence:
    kept = _within(entry, inside)
    try:
        rows = rows_of(entry.features[kept], modality=modality, times=entry.intervals[kept])
    except ValueError as error:
        raise SourceError(
            f"{file.path}, key {file.root}/data/{entry.name}/features: {error}", code="bad_format"
        ) from error
    names = tuple(file.column_names())
    if len(names) != len(rows.names):
        return rows
    return FeatureSequence(values=rows.values, times=rows.times, names=names, valid=rows.valid)


def _words(entry: Entry, inside: tuple[float, float] | None) -> tuple[Word, ...]:
    kept = _within(entry, inside)
    texts = [_decoded(row[0]) for row in entry.features[kept]]
    return tuple(
        Word(text=text, start=float(start), end=float(end), source="given")
        for text, (start, end) in zip(texts, entry.intervals[kept], strict=True)
        if text.strip().lower() not in PAUSES and start >= 0
    )


def _decoded(text: Any) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _entry_name(utterance: Utterance) -> str:
    return f"{utterance.video}[{utterance.clip or 0}]"


def _columns(utterances: Iterable[Utterance]) -> dict[str, tuple[str, ...]]:
    """Check what the format needs, and give the columns of each modality."""
    columns: dict[str, tuple[str, ...]] = {}
    seen = set()
    for utterance in utterances:
        name = _entry_name(utterance)
        if utterance.start is None or utterance.end is None or "/" in name or name in seen:
            raise DataError(
                f"utterance {utterance.id!r} from {utterance.start} to {utterance.end} s: a .csd "
                "file takes utterances with times in seconds, named once and without '/'",
                code="bad_csd",
            )
        seen.add(name)
        for modality, sequence in utterance.features.items():
            if columns.setdefault(modality, sequence.names) != sequence.names:
                raise DataError(
                    f"{modality} of utterance {utterance.id!r} has other columns than the first",
                    code="bad_csd",
                )
    return columns
