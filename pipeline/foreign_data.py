"""A data set as somebody else keeps it, ready to be trained on."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.dataset import PackedDataset
from pipeline.errors import SourceError
from pipeline.fingerprint import file_digest, settings_digest
from pipeline.formats.class_numbers import class_names, with_class_numbers
from pipeline.formats.convert import ForeignDataset
from pipeline.formats.packing import pack_utterances
from pipeline.formats.text_tokens import with_token_ids
from pipeline.formats.utterance import Utterance
from pipeline.splits import Split


def load_foreign(
    path: Path,
    *,
    format_name: str | None = None,
    text_model: str | None = None,
    classes: Sequence[str] = (),
    folder: Path | None = None,
) -> tuple[PackedDataset, Split]:
    """Read and pack a data set with its own split.

    Parameters
    ----------
    path : Path
        A file or folder in one of the formats of :mod:`pipeline.formats`.
    format_name : str, optional
        Registered name; recognised by names without it.
    text_model : str, optional
        BERT whose word pieces take the place of text features, for models that train one along.
    classes : sequence of str
        Names of all classes, where utterances are of classes: labels are then their numbers.
    folder : Path, optional
        Receives the packed file, which is then memory-mapped; without it the data set is in memory.

    Returns
    -------
    dataset : PackedDataset
        Named by the files' contents.
    split : Split
        As the data set tells it.

    Raises
    ------
    SourceError
        If the data set is not there or cannot be read.
    DataError
        If no utterance has features.
    """
    foreign = _open(path, format_name)
    utterances: Iterable[Utterance] = foreign
    if classes:
        utterances = with_class_numbers(utterances, classes=classes)
    if text_model is not None:
        utterances = with_token_ids(utterances, text_model=text_model)
    facts = {
        "format": foreign.format.name,
        "files": {str(p.relative_to(path)): file_digest(p) for p in _files(path)},
        "text_model": text_model,
    }
    # data sets without classes keep the digest that they had before there were any
    digest = settings_digest(facts | ({"classes": list(classes)} if classes else {}))
    return pack_utterances(utterances, digest=digest, folder=folder)


def foreign_classes(path: Path, *, format_name: str | None = None) -> tuple[str, ...]:
    """List the classes of a data set.

    Parameters
    ----------
    path : Path
        A file or folder in one of the formats of :mod:`pipeline.formats`.
    format_name : str, optional
        Registered name; recognised by names without it.

    Returns
    -------
    tuple of str
        Their names in alphabetical order; none where utterances are of no classes.

    Raises
    ------
    SourceError
        If the data set is not there or cannot be read.
    """
    return class_names(_open(path, format_name))


def _open(path: Path, format_name: str | None) -> ForeignDataset:
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder", code="not_found")
    return ForeignDataset(path, format_name)


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
