"""Which utterances train, select and test: splits that keep a group together."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pipeline.atomic import write_text
from pipeline.errors import ConfigError, DataError, StoreError
from pipeline.records import Segment

#: The names that a split must have, in the order of their use.
SPLIT_NAMES = ("train", "valid", "test")


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How labelled clips are divided where the label file does not say.

    Parameters
    ----------
    train, valid, test : float
        Shares of the clips, each positive, summing to 1.
    seed : int
        Another seed, another division.

    Raises
    ------
    ConfigError
        If the shares are not positive or do not sum to 1.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    train: float = 0.7
    valid: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        shares = self.shares.values()
        # so written that NaN is refused too
        if not (min(shares) > 0 and abs(sum(shares) - 1) <= 1e-9):
            raise ConfigError(f"split: shares {self.shares} must be positive and sum to 1")

    @property
    def shares(self) -> dict[str, float]:
        """Split name to share."""
        return {"train": self.train, "valid": self.valid, "test": self.test}


@dataclass(frozen=True, kw_only=True)
class Split:
    """Labelled segments by what they are for.

    Parameters
    ----------
    train, valid, test : tuple of str
        Segment ids, disjoint.
    group_by : str
        What is never divided between two splits: ``clip``.
    source : str
        ``given`` by the label file or ``made`` from a seed.
    seed : int
        Of a split that was made.
    given : tuple of str
        Clips whose place the label file names, as :func:`pipeline.clip_names.clip_names` names
        them.
    held : tuple of str
        Clips without a label that are kept from training all the same, named likewise.

    Raises
    ------
    DataError
        If an id is in two splits.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]
    group_by: str = "clip"
    source: str = "made"
    seed: int = 0
    given: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        everything = self.train + self.valid + self.test
        if len(set(everything)) != len(everything):
            twice = next(name for name in everything if everything.count(name) > 1)
            raise DataError(f"segment {twice!r} is in two splits")

    def save(self, path: Path) -> None:
        """Write as JSON, atomically.

        Parameters
        ----------
        path : Path
            Where to.
        """
        write_text(path, json.dumps(self.facts(), indent=1))

    def facts(self) -> dict[str, Any]:
        """Give everything as plain values.

        Returns
        -------
        dict
            Of a split that holds no clip, the same as before there was ``held``: runs are named
            by it.
        """
        facts = asdict(self)
        if not self.held:
            del facts["held"]
        return facts

    @classmethod
    def load(cls, path: Path) -> "Split":
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        Split
            As saved.

        Raises
        ------
        StoreError
            If the file is not there or not a split.
        """
        try:
            fields = json.loads(path.read_text())
            fields |= {name: tuple(fields[name]) for name in SPLIT_NAMES}
            fields |= {name: tuple(fields.get(name, ())) for name in ("given", "held")}
            return cls(**fields)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{path}: not a split ({error}); run ingest again") from error


def make_split(segments: Sequence[Segment], *, shares: Mapping[str, float], seed: int) -> Split:
    """Divide labelled segments at random, keeping all of a clip together.

    A clip's place depends on its id and the seed alone, so clips that are added later do not move
    the others from one split to another.

    Parameters
    ----------
    segments : sequence of Segment
        Unlabelled ones are left out.
    shares : mapping of str to float
        ``train``, ``valid`` and ``test`` to their share of the clips, positive, summing to 1.
    seed : int
        Any number.

    Returns
    -------
    Split
        With ``source`` ``made``.
    """
    chosen: dict[str, list[str]] = {name: [] for name in SPLIT_NAMES}
    for segment in segments:
        if segment.label is not None:
            chosen[_place(segment.clip_id, shares, seed)].append(segment.id)
    train, valid, test = (tuple(chosen[name]) for name in SPLIT_NAMES)
    return Split(train=train, valid=valid, test=test, seed=seed)


def _place(clip_id: str, shares: Mapping[str, float], seed: int) -> str:
    """Draw a split from a digest of clip and seed, a number in [0, 1)."""
    drawn = int(hashlib.sha256(f"{seed}:{clip_id}".encode()).hexdigest()[:13], 16) / 16**13
    edge = 0.0
    for name in SPLIT_NAMES:
        edge += shares[name]
        if drawn < edge:
            return name
    return SPLIT_NAMES[-1]
