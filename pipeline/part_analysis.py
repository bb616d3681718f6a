"""Maps, silhouettes and linear probes of a run's parts."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from pipeline.atomic import write_bytes
from pipeline.clip_names import clip_names
from pipeline.metrics import Score
from pipeline.run_parts import FILE, PARTS, RunParts, load_parts

Floats = npt.NDArray[np.float64]
Codes = Mapping[str, Mapping[str, npt.NDArray[np.floating[Any]]]]

#: Points of a map; of more, an equal share of every part, as many clips as fit.
MOST_POINTS = 2000
#: Fewer utterances tell nothing.
FEWEST_MAPPED, FEWEST_PROBED = 5, 20
_COMPONENTS, _FOLDS = 50, 5
# Raised when the same parts give another analysis.
_VERSION = 3


@dataclass(frozen=True, kw_only=True)
class PartAnalysis:
    """What can be seen of the parts of one seed on the test split.

    Parameters
    ----------
    digest : str
        Of the file of parts.
    utterances : int
        How many were kept of the test split.
    mapped : int
        How many of them are in the maps, 0 if there are none: fewer than two parts of one width,
        or too few utterances.
    seed : int
        Whose checkpoint.
    maps : dict of str to dict of str to dict of str to list of (x, y)
        ``before`` and ``after`` training, to modality, to part, to the places of the utterances.
    silhouettes, part_accuracy : dict of str to dict of str to float
        The same stages and modalities, to the mean silhouette of the parts, -1 to 1, and to how
        often a linear probe tells the part of a code, 0 to 1.
    label_scores : dict of str to dict of str to float
        Part to modality, and ``all`` of them together, to how well a linear probe predicts the
        label: R^2, at most 1, or of class labels the share of hits; empty with too few utterances.
    label_chance : float or None
        Share of the commonest class; None where the score is an R^2.
    modality_accuracy : dict of str to float
        Part to how often a linear probe tells the modality of a code, 0 to 1.
    modalities : int
        How many there are: by chance one in so many is told.
    """

    digest: str
    utterances: int
    mapped: int
    seed: int
    maps: dict[str, dict[str, dict[str, list[tuple[float, float]]]]]
    silhouettes: dict[str, dict[str, Score]]
    part_accuracy: dict[str, dict[str, Score]]
    label_scores: dict[str, dict[str, Score]]
    label_chance: float | None
    modality_accuracy: dict[str, Score]
    modalities: int


def analyse_parts(
    folder: Path,
    *,
    only_kept: bool = False,
    on_map: Callable[[], object] = lambda: None,
) -> PartAnalysis | None:
    """Analyse a run's parts, or read what an earlier call found.

    Parameters
    ----------
    folder : Path
        The run's; the analysis is kept there as ``parts.json``.
    only_kept : bool
        Whether nothing is done that was not done before: it takes seconds to minutes.
    on_map : callable, optional
        Told of every map that is drawn.

    Returns
    -------
    PartAnalysis or None
        None if the run has no parts, or they were not analysed.

    Raises
    ------
    StoreError
        If the file of parts is damaged.
    """
    if not (folder / FILE).exists():
        return None
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    digest = f"{digest[:24]}-{_VERSION}"
    kept, adapter = folder / "parts.json", TypeAdapter(PartAnalysis)
    if kept.exists():
        try:
            found = adapter.validate_json(kept.read_bytes())
        except ValidationError:
            found = None
        if found is not None and found.digest == digest:
            return found
    parts = None if only_kept else load_parts(folder)
    if parts is None:
        return None
    analysis = analyse_codes(parts, digest=digest, on_map=on_map)
    write_bytes(kept, adapter.dump_json(analysis))
    return analysis


def analyse_codes(
    parts: RunParts, *, digest: str = "", on_map: Callable[[], object] = lambda: None
) -> PartAnalysis:
    """Map and probe codes.

    Parameters
    ----------
    parts : RunParts
        Of the test split.
    digest : str
        Of their file.
    on_map : callable, optional
        Told of every map that is drawn.

    Returns
    -------
    PartAnalysis
        The same for the same codes on one machine.

    Notes
    -----
    Probes are ridge regression and, for classes, linear discriminants, cross-validated over clips:
    the utterances of a clip are never on both sides. Maps
    are t-SNE (van der Maaten and Hinton, JMLR 9, 2008) of the parts of one modality together, after
    a projection onto their 50 principal components.
    """
    clips = np.asarray(clip_names(parts.ids))
    stacks = _stacks(parts)
    separation = {
        stage: {name: _separation(stack, clips) for name, stack in by_name.items()}
        for stage, by_name in stacks.items()
    }
    enough = len(parts.ids) >= FEWEST_PROBED and len(set(clips.tolist())) >= 2
    modalities = {name for codes in parts.after.values() for name in codes}
    return PartAnalysis(
        digest=digest,
        utterances=len(parts.ids),
        mapped=next(
            (len(s) for one in stacks.values() for t in one.values() for s in t.values()), 0
        ),
        seed=parts.seed,
        maps={
            stage: {name: _map(stack, on_map) for name, stack in by_name.items()}
            for stage, by_name in stacks.items()
        },
        silhouettes={stage: {n: s[0] for n, s in one.items()} for stage, one in separation.items()},
        part_accuracy={
            stage: {n: s[1] for n, s in one.items()} for stage, one in separation.items()
        },
        label_scores=_label_scores(parts, clips) if enough else {},
        label_chance=_majority(parts.target),
        modality_accuracy=_modality_accuracy(parts.after, clips) if enough else {},
        modalities=len(modalities),
    )


def _stacks(parts: RunParts) -> dict[str, dict[str, dict[str, Floats]]]:
    """Stage to modality to part to the codes of a map: of equally wide parts, S first."""
    n = len(parts.ids)
    found: dict[str, dict[str, dict[str, Floats]]] = {}
    if n < FEWEST_MAPPED:
        return found
    for stage, codes in (("before", parts.before), ("after", parts.after)):
        present = [part for part in PARTS if part in codes]
        for name in codes[present[0]] if present else ():
            width = codes[present[0]][name].shape[1]
            alike = [p for p in present if name in codes[p] and codes[p][name].shape[1] == width]
            if len(alike) < 2:
                continue
            rows = _spread(n, MOST_POINTS // len(alike))
            stack = {part: codes[part][name][rows].astype(np.float64) for part in alike}
            if np.concatenate(list(stack.values())).std(axis=0).max() > 0:
                found.setdefault(stage, {})[name] = stack
    return found


def _spread(n: int, most: int) -> npt.NDArray[np.int64]:
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).permutation(n)[:most])


def _principal(stack: Mapping[str, Floats]) -> Floats:
    from sklearn.decomposition import PCA

    rows = np.concatenate(list(stack.values()))
    components = min(_COMPONENTS, *rows.shape)
    projected: Floats = PCA(components, svd_solver="full").fit_transform(rows)
    return projected


def _map(
    stack: Mapping[str, Floats], on_map: Callable[[], object]
) -> dict[str, list[tuple[float, float]]]:
    from sklearn.manifold import TSNE

    points = _principal(stack)
    perplexity = min(30.0, (len(points) - 1) / 3)
    init = "pca" if points.shape[1] > 1 and points[:, 0].std() > 0 else "random"
    placed = TSNE(perplexity=perplexity, init=init, random_state=0).fit_transform(points)
    on_map()
    split = np.split(np.round(placed.astype(np.float64), 2), len(stack))
    return {
        part: [(float(x), float(y)) for x, y in places]
        for part, places in zip(stack, split, strict=True)
    }


def _separation(stack: Mapping[str, Floats], clips: npt.NDArray[np.str_]) -> tuple[float, float]:
    """Silhouette of the parts, and how often a linear probe tells them."""
    from sklearn.metrics import silhouette_score

    points = _principal(stack)
    count = len(points) // len(stack)
    owner = np.repeat(np.arange(len(stack)), count)
    groups = clips[_spread(len(clips), count)]
    accuracy = _class_score(points, owner, np.tile(groups, len(stack)))
    return float(silhouette_score(points, owner)), accuracy


def _label_scores(parts: RunParts, clips: npt.NDArray[np.str_]) -> dict[str, dict[str, float]]:
    classes = _majority(parts.target) is not None
    score = (
        partial(_class_score, target=np.rint(parts.target).astype(np.int64), groups=clips)
        if classes
        else partial(_ridge_score, target=parts.target.astype(np.float64), groups=clips)
    )
    found: dict[str, dict[str, float]] = {}
    for part in ("Z", *PARTS):
        codes = {n: values.astype(np.float64) for n, values in parts.after.get(part, {}).items()}
        if codes:
            found[part] = {name: score(values) for name, values in codes.items()}
            found[part]["all"] = score(np.concatenate(list(codes.values()), axis=1))
    return found


def _modality_accuracy(codes: Codes, clips: npt.NDArray[np.str_]) -> dict[str, float]:
    found = {}
    for part in ("Z", *PARTS):
        values = [one.astype(np.float64) for one in codes.get(part, {}).values()]
        if len(values) > 1 and len({one.shape[1] for one in values}) == 1:
            owner = np.repeat(np.arange(len(values)), len(clips))
            found[part] = _class_score(np.concatenate(values), owner, np.tile(clips, len(values)))
    return found


def _majority(target: npt.NDArray[np.floating[Any]]) -> float | None:
    """Share of the commonest class; None if labels are no classes: whole numbers from 0."""
    numbers, counts = np.unique(target, return_counts=True)
    if len(numbers) < 2 or (numbers != np.rint(numbers)).any() or numbers.min() < 0:
        return None
    return float(counts.max() / counts.sum())


def _ridge_score(inputs: Floats, target: Floats, groups: npt.NDArray[np.str_]) -> float:
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score

    predicted = _cross_validated(RidgeCV(np.logspace(-2, 5, 15)), inputs, target, groups)
    return float(r2_score(target, predicted))


def _class_score(
    inputs: Floats, target: npt.NDArray[np.int64], groups: npt.NDArray[np.str_]
) -> float:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    if len(set(groups.tolist())) < 2:
        return float("nan")
    # shrunk, since there may be more columns than utterances
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    predicted = _cross_validated(probe, inputs, target, groups)
    return float((predicted == target).mean())


def _cross_validated(
    probe: Any, inputs: Floats, target: npt.NDArray[Any], groups: npt.NDArray[np.str_]
) -> npt.NDArray[Any]:
    from sklearn.base import clone
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = GroupKFold(min(_FOLDS, len(set(groups.tolist()))))
    predicted = np.empty_like(target)
    for learned, told in folds.split(inputs, groups=groups):
        if (target[learned] == target[learned[0]]).all():
            # discriminants of a single class cannot be fitted
            predicted[told] = target[learned[0]]
        else:
            fitted = make_pipeline(StandardScaler(), clone(probe))
            predicted[told] = fitted.fit(inputs[learned], target[learned]).predict(inputs[told])
    return predicted
