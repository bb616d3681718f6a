"""A data set as somebody else keeps it, ready to be trained on."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.dataset import PackedDataset
from pipeline.errors import SourceError
from pipeline.fingerprint import file_digest, settings_digest
from pipeline.formats.convert import ForeignDataset
from pipeline.formats.packing import pack_utterances
from pipeline.formats.text_tokens import with_token_ids
from pipeline.formats.utterance import Utterance
from pipeline.splits import Split


def load_foreign(
    path: Path, *, format_name: str | None = None, text_model: str | None = None
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
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder", code="not_found")
    foreign = ForeignDataset(path, format_name)
    utterances: Iterable[Utterance] = foreign
    if text_model is not None:
        utterances = with_token_ids(foreign, text_model=text_model)
    digest = settings_digest(
        {
            "format": foreign.format.name,
            "files": {str(p.relative_to(path)): file_digest(p) for p in _files(path)},
            "text_model": text_model,
        }
    )
    return pack_utterances(utterances, digest=digest)


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
