"""From a foreign data set to what is trained on."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.dataset import PackedDataset
from pipeline.dataset_writer import DatasetWriter
from pipeline.errors import DataError
from pipeline.examples import Example
from pipeline.formats.utterance import Utterance
from pipeline.splits import SPLIT_NAMES, Split


def pack_utterances(
    utterances: Iterable[Utterance], *, digest: str, folder: Path | None = None
) -> tuple[PackedDataset, Split]:
    """Pack the utterances that have features.

    Parameters
    ----------
    utterances : iterable of Utterance
        Gone through once; what is kept of it is features and labels.
    digest : str
        Of the files they are from.
    folder : Path, optional
        Receives the packed file, named by the digest, which is then memory-mapped; without it the
        data set is in memory.

    Returns
    -------
    dataset : PackedDataset
        On the CPU, in the order given.
    split : Split
        Of those that are labelled and whose data set tells their split.

    Raises
    ------
    DataError
        If none has features, two share an id, or columns differ.
    """
    members = {name: list[str]() for name in SPLIT_NAMES}
    examples = _examples(utterances, members)
    if folder is None:
        dataset = PackedDataset.pack(examples, digest)
    else:
        path = folder / f"{digest[:16]}.safetensors"
        with DatasetWriter(folder) as writer:
            for example in examples:
                writer.add(example)
            writer.finish(path, digest=digest)
        dataset = PackedDataset.load(path)
    train, valid, test = (tuple(members[name]) for name in SPLIT_NAMES)
    return dataset, Split(train=train, valid=valid, test=test, group_by="given", source="given")


def _examples(utterances: Iterable[Utterance], members: dict[str, list[str]]) -> Iterator[Example]:
    """Those with features; labelled ones are added to the members of their split."""
    found = False
    for utterance in utterances:
        if not any(len(sequence) for sequence in utterance.features.values()):
            continue
        found = True
        if utterance.split is not None and utterance.label is not None:
            members[utterance.split].append(utterance.id)
        yield utterance.example
    if not found:
        raise DataError("no utterance has features; these are labels for videos to be ingested")
