"""What a run learns from, clip by clip, so that what has changed can be told."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.clip_names import clip_names
from pipeline.dataset import PackedDataset
from pipeline.fingerprint import settings_digest
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig
from pipeline.training_unlabelled import unlabelled_ids

_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class LearnedData:
    """What the weights of a run depend on.

    Parameters
    ----------
    settings : str
        Digest of model and training.
    clips : dict of str to str
        Clip to the digest of what is learned from it: its utterances, whether they train or
        select, their labels and features.
    """

    settings: str
    clips: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How what is learned from differs from an earlier time.

    Parameters
    ----------
    new, altered, removed : int
        Clips.
    settings : bool
        Whether model or training are set differently.
    """

    new: int
    altered: int
    removed: int
    settings: bool

    @property
    def any(self) -> bool:
        """Whether another model would be learned."""
        return bool(self.new or self.altered or self.removed or self.settings)

    @property
    def only_new(self) -> bool:
        """Whether nothing but new clips came."""
        return not (self.altered or self.removed or self.settings)

    def __str__(self) -> str:
        counts = {"new": self.new, "altered": self.altered, "removed": self.removed}
        told = [f"{count} clips {name}" for name, count in counts.items() if count]
        return ", ".join([*told, *(["other settings"] if self.settings else [])]) or "nothing"


def learned_data(
    *, dataset: PackedDataset, split: Split, settings: object, training: TrainingConfig
) -> LearnedData:
    """Digest what a run would learn from.

    Unlabelled utterances count only for a ``split_rate``, test utterances only where they select
    the epoch: other changes of the data leave the weights as they are.

    Parameters
    ----------
    dataset : PackedDataset
        The features.
    split : Split
        Of the data set.
    settings : object
        Plain JSON values that describe the model.
    training : TrainingConfig
        How it is trained.

    Returns
    -------
    LearnedData
        Of content alone: how a feature was made does not matter.
    """
    digests: dict[str, hashlib._Hash] = {}
    for place, ids in _places(dataset, split, training):
        positions = dataset.positions(ids).tolist()
        for name, clip, position in zip(ids, clip_names(ids), positions, strict=True):
            digest = digests.setdefault(clip, hashlib.sha256())
            digest.update(f"{place} {name} {float(dataset.labels[position])!r};".encode())
            _add_features(digest, dataset, position)
    trained = training.identity | {"seeds": list(training.seeds)}
    return LearnedData(
        settings=settings_digest([settings, trained])[:_DIGITS],
        clips={clip: digest.hexdigest()[:_DIGITS] for clip, digest in sorted(digests.items())},
    )


def changes_between(before: LearnedData, after: LearnedData) -> Changes:
    """Tell what is different.

    Parameters
    ----------
    before, after : LearnedData
        Of two times.

    Returns
    -------
    Changes
        Counts.
    """
    both = before.clips.keys() & after.clips.keys()
    return Changes(
        new=len(after.clips.keys() - both),
        altered=sum(before.clips[clip] != after.clips[clip] for clip in both),
        removed=len(before.clips.keys() - both),
        settings=before.settings != after.settings,
    )


def _places(
    dataset: PackedDataset, split: Split, training: TrainingConfig
) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "train", split.train
    yield "valid", split.valid
    if training.selection == "test_oracle":
        yield "test", split.test
    rate = training.split_rate
    yield "unlabelled", unlabelled_ids(dataset=dataset, split=split, split_rate=rate)


def _add_features(digest: "hashlib._Hash", dataset: PackedDataset, position: int) -> None:
    for modality, ragged in dataset.modalities.items():
        rows = slice(int(ragged.offsets[position]), int(ragged.offsets[position + 1]))
        if rows.stop > rows.start:
            # columns count too: the same numbers in another order are other features
            digest.update(f"{modality} {rows.stop - rows.start} {ragged.names};".encode())
            digest.update(ragged.values[rows].numpy().tobytes())
            digest.update(ragged.valid[rows].numpy().tobytes())
