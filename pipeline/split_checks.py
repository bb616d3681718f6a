"""What of a split is there, and whether it can be trained on, or scored."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from pipeline.clip_names import clip_names
from pipeline.errors import DataError
from pipeline.run_folder import selected_on
from pipeline.splits import SPLIT_NAMES, Split


def kept_split(split: Split, ids: Collection[str]) -> Split:
    """Leave out what is not there.

    Parameters
    ----------
    split : Split
        Of labelled utterances.
    ids : collection of str
        Segment ids that are there.

    Returns
    -------
    Split
        The same order and source.
    """
    kept = {name: tuple(i for i in getattr(split, name) if i in ids) for name in SPLIT_NAMES}
    there = set(clip_names([*ids]))
    held = tuple(clip for clip in split.held if clip in there)
    return replace(split, **kept, held=held)  # type: ignore[arg-type]


def refuse_unlabelled(split: Split) -> None:
    """Refuse a split with an empty part.

    Parameters
    ----------
    split : Split
        Of labelled utterances.

    Raises
    ------
    DataError
        If one of its parts is empty; sizes are named.
    """
    sizes = {name: len(getattr(split, name)) for name in SPLIT_NAMES}
    if not all(sizes.values()):
        raise DataError(
            f"labelled utterances by split: {sizes}; training needs some in each. Add rows to "
            "labels.csv, or name the split of each clip in its column 'split'"
        )


def refuse_seen(split: Split, *, runs_folder: Path, run: str) -> None:
    """Refuse to score a run on test utterances that its weights depend on.

    Parameters
    ----------
    split : Split
        As it is now.
    runs_folder : Path
        Where runs lie.
    run : str
        A complete run's id, or ``latest``.

    Raises
    ------
    DataError
        If some of ``split.test`` were trained or selected on.
    RunError
        If there is no such run.
    """
    seen = set(selected_on(runs_folder, run)) & set(split.test)
    if seen:
        raise DataError(
            f"{len(seen)} of {len(split.test)} test utterances were trained or selected on in run "
            f"{run!r}: the split has changed since; train again"
        )
