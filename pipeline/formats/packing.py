"""From a foreign data set to what is trained on."""

from collections.abc import Iterable

from pipeline.dataset import PackedDataset
from pipeline.errors import DataError
from pipeline.formats.utterance import Utterance
from pipeline.splits import SPLIT_NAMES, Split


def pack_utterances(utterances: Iterable[Utterance], *, digest: str) -> tuple[PackedDataset, Split]:
    """Pack the utterances that have features.

    Parameters
    ----------
    utterances : iterable of Utterance
        Gone through once; what is kept of it is features and labels.
    digest : str
        Of the files they are from.

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
    examples, members = [], {name: list[str]() for name in SPLIT_NAMES}
    for utterance in utterances:
        if not any(len(sequence) for sequence in utterance.features.values()):
            continue
        examples.append(utterance.example)
        if utterance.split is not None and utterance.label is not None:
            members[utterance.split].append(utterance.id)
    if not examples:
        raise DataError("no utterance has features; these are labels for videos to be ingested")
    train, valid, test = (tuple(members[name]) for name in SPLIT_NAMES)
    split = Split(train=train, valid=valid, test=test, group_by="given", source="given")
    return PackedDataset.pack(examples, digest), split
