"""Which block of a representation holds which group of factors."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.synthetic.lasso import lasso_weights
from pipeline.synthetic.ridge_probe import explained_variance, fit_ridge_probe

Floats = npt.NDArray[np.float64]

_VALID_SHARE = 0.2


class BlockScores(NamedTuple):
    """Scores over blocks, never over single columns: no loss here fixes a basis inside a block.

    Attributes
    ----------
    disentanglement : float
        0 to 1, 1 if each block matters to one group of factors only.
    completeness : float
        0 to 1, 1 if each group of factors is in one block only.
    informativeness : float
        Mean R^2 of the factors from all blocks together, linear, on new clips.
    gap : float
        Mean over groups of (best - second-best R^2 of a single block) / best, 0 to 1.
    separated_predictability : float
        Mean over groups of best - second-best R^2, 0 to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    gap: float
    separated_predictability: float


def block_scores(
    *,
    blocks: Mapping[str, Floats],
    factors: Mapping[str, Floats],
    new_blocks: Mapping[str, Floats],
    new_factors: Mapping[str, Floats],
) -> BlockScores:
    """Score how blocks and groups of factors belong together.

    Parameters
    ----------
    blocks : mapping of str to ndarray, shape (n, d)
        At least two blocks of a representation.
    factors : mapping of str to ndarray, shape (n, k)
        At least two groups of factors.
    new_blocks, new_factors : mapping of str to ndarray
        Of clips that nothing is fitted to.

    Returns
    -------
    BlockScores
        NaN where nothing is informative at all.

    Notes
    -----
    Eastwood and Williams, ICLR 2018, section 2, with lasso weights summed over a block's columns
    and averaged over a group's factors; the gap after Chen et al., NeurIPS 2018 (MIG), with R^2
    for mutual information, and SAP after Kumar et al., ICLR 2018.
    """
    single = _single_block_r2(blocks, factors, new_blocks, new_factors)
    first, second = np.sort(single, axis=0)[::-1][:2]
    told = first > 0
    importance = block_importance(blocks=blocks, factors=factors)
    joint = _single_block_r2(_joined(blocks), factors, _joined(new_blocks), new_factors)
    return BlockScores(
        disentanglement=_weighted_purity(importance),
        completeness=_weighted_purity(importance.T, equal=True),
        informativeness=float(joint.mean()),
        gap=float(((first - second)[told] / first[told]).mean()) if told.any() else float("nan"),
        separated_predictability=float((first - second).mean()),
    )


def block_importance(*, blocks: Mapping[str, Floats], factors: Mapping[str, Floats]) -> Floats:
    """Sum of absolute lasso weights by block and group.

    Parameters
    ----------
    blocks, factors : mapping of str to ndarray
        As for :func:`block_scores`; the last fifth of the clips chooses the lasso's strength.

    Returns
    -------
    ndarray, shape (len(blocks), len(factors))
        Not negative.
    """
    inputs = np.concatenate(list(blocks.values()), axis=1)
    targets = np.concatenate(list(factors.values()), axis=1)
    cut = len(inputs) - int(_VALID_SHARE * len(inputs))
    weights = np.abs(
        lasso_weights(
            inputs=inputs[:cut],
            targets=targets[:cut],
            valid_inputs=inputs[cut:],
            valid_targets=targets[cut:],
        )
    )
    rows = np.split(weights, np.cumsum([b.shape[1] for b in blocks.values()])[:-1])
    edges = np.cumsum([f.shape[1] for f in factors.values()])[:-1]
    return np.array([[g.mean() for g in np.split(row.sum(axis=0), edges)] for row in rows])


def _joined(blocks: Mapping[str, Floats]) -> dict[str, Floats]:
    return {"all": np.concatenate(list(blocks.values()), axis=1)}


def _single_block_r2(
    blocks: Mapping[str, Floats],
    factors: Mapping[str, Floats],
    new_blocks: Mapping[str, Floats],
    new_factors: Mapping[str, Floats],
) -> Floats:
    """R^2 of each group from each block alone, at least 0, of shape (blocks, groups)."""
    targets, truth = (np.concatenate(list(f.values()), axis=1) for f in (factors, new_factors))
    edges = np.cumsum([values.shape[1] for values in factors.values()])[:-1]
    rows = []
    for name, codes in blocks.items():
        prediction = fit_ridge_probe(inputs=codes, targets=targets).predict(new_blocks[name])
        score = np.split(explained_variance(prediction=prediction, target=truth), edges)
        rows.append([max(float(group.mean()), 0.0) for group in score])
    return np.array(rows)


def _weighted_purity(importance: Floats, *, equal: bool = False) -> float:
    """Mean over rows of 1 - normalised entropy, weighted by the rows' sums unless ``equal``."""
    total = importance.sum(axis=1)
    rows = importance[total > 0] / total[total > 0, None]
    if not len(rows):
        return float("nan")
    entropy = -np.where(rows > 0, rows * np.log(np.where(rows > 0, rows, 1.0)), 0.0).sum(axis=1)
    purity = 1.0 - entropy / np.log(importance.shape[1])
    return float(np.average(purity, weights=None if equal else total[total > 0]))
