"""The test split that stays the same while the data grow."""

from collections.abc import Collection
from dataclasses import replace

from pipeline.champion import Champion
from pipeline.clip_names import clip_names
from pipeline.run_folder import is_complete, selected_on
from pipeline.splits import SPLIT_NAMES, Split
from pipeline.workspace import Workspace


def frozen_split(workspace: Workspace) -> Split:
    """Read a workspace's split, with the test clips that its champion was compared on.

    Parameters
    ----------
    workspace : Workspace
        After ingest.

    Returns
    -------
    Split
        What ingest wrote, if there never was a champion. Until a champion that was set by hand is
        compared for the first time nothing is frozen, but what it has learned from trains.

    Raises
    ------
    StoreError
        If the split or the champion's file is not there or damaged.
    """
    split = Split.load(workspace.split)
    champion = Champion.load(workspace)
    learned: Collection[str] = ()
    # if its folder is gone, so is what could be compared
    if champion.run is not None and is_complete(workspace.runs, champion.run):
        learned = set(clip_names(selected_on(workspace.runs, champion.run)))
    if champion.test is None:
        test = set(clip_names(split.test)).difference(learned)
    else:
        test = set(champion.test.clips)
    return with_frozen_test(split, test=test, learned=learned)


def with_frozen_test(split: Split, *, test: Collection[str], learned: Collection[str]) -> Split:
    """Keep what is for testing, and let nothing else in that anybody has learned from.

    Parameters
    ----------
    split : Split
        As labels and the draw have it.
    test : collection of str
        Clips that stay in the test split for ever.
    learned : collection of str
        Clips that the champion was trained or selected on.

    Returns
    -------
    Split
        A clip that is not in ``test`` tests only if the label file says so and the champion has not
        learned from it; what was drawn for the test split trains. A clip of ``test`` that has no
        label any more is held.
    """
    places: dict[str, list[str]] = {name: [] for name in SPLIT_NAMES}
    for name in SPLIT_NAMES:
        ids = getattr(split, name)
        for utterance, clip in zip(ids, clip_names(ids), strict=True):
            place = name
            if clip in test:
                place = "test"
            elif name == "test" and (clip in learned or clip not in split.given):
                place = "train"
            places[place].append(utterance)
    train, valid, tested = (tuple(places[name]) for name in SPLIT_NAMES)
    held = tuple(sorted(set(test).difference(clip_names(tested))))
    return replace(split, train=train, valid=valid, test=tested, held=held)
