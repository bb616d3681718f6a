"""Retention, leakage and purity, read off a matrix of probes."""

from collections.abc import Iterable, Mapping

import numpy as np

from models.batch import MODALITIES

Rows = Mapping[str, Mapping[str, float]]

#: Numbers of shared and private factors, the weights of the joint retention.
_SHARED, _PRIVATE = 4, 3
_LEAST_RETENTION = 0.05


def separation_scores(matrix: Rows) -> dict[str, float]:
    """Summarise a matrix of probes as means over modalities.

    Parameters
    ----------
    matrix : mapping of str to mapping of str to float
        Representation to group of factors to R^2, as :class:`.probe_matrix.ProbeMatrix` has them.

    Returns
    -------
    dict of str to float
        NaN where a model lacks the parts.

        * ``retention_shared``, ``retention_private``, ``retention_joint``: s from S_m, p_m from
          P_m, both from S_m and P_m together;
        * ``private_in_shared``, ``shared_in_private``: leakage, p_m from S_m and s from P_m;
        * ``nuisance_in_shared``, ``nuisance_in_private``, ``nuisance_in_unimodal``: n_m from S_m,
          P_m and Z_m;
        * ``separation``: DIS, half the sum of (s from S_m less s from P_m) and (p_m from P_m less
          p_m from S_m), -1 to 1;
        * ``separation_normalised``: the same over the joint retention, at least 0.05, so that
          forgetting everything does not pass for separation;
        * ``purity_gain``: nuisance in Z_m less its mean over S_m and P_m;
        * ``foreign_private``, ``anything_in_noise``: the largest R^2 of p_m' from P_m with m' not
          m, and of anything from N_m, which must be about 0 by construction.
    """
    scores = {
        "retention_shared": _mean(matrix, "S", "shared"),
        "retention_private": _mean(matrix, "P", "private"),
        "retention_joint": _joint_retention(matrix),
        "private_in_shared": _mean(matrix, "S", "private"),
        "shared_in_private": _mean(matrix, "P", "shared"),
        "nuisance_in_shared": _mean(matrix, "S", "nuisance"),
        "nuisance_in_private": _mean(matrix, "P", "nuisance"),
        "nuisance_in_unimodal": _mean(matrix, "Z", "nuisance"),
    }
    scores["separation"] = 0.5 * (
        scores["retention_shared"]
        - scores["shared_in_private"]
        + scores["retention_private"]
        - scores["private_in_shared"]
    )
    scores["separation_normalised"] = scores["separation"] / np.maximum(
        scores["retention_joint"], _LEAST_RETENTION
    )
    scores["purity_gain"] = scores["nuisance_in_unimodal"] - 0.5 * (
        scores["nuisance_in_shared"] + scores["nuisance_in_private"]
    )
    scores["foreign_private"] = _largest(_foreign(matrix))
    scores["anything_in_noise"] = _largest(
        value for row in matrix if row.startswith("N_") for value in matrix[row].values()
    )
    return {name: float(value) for name, value in scores.items()}


def _cells(matrix: Rows, part: str, group: str) -> list[float]:
    """R^2 of a group of factors, of the part's own modality unless they are shared."""
    return [
        matrix[f"{part}_{name}"]["shared" if group == "shared" else f"{group}_{name}"]
        for name in MODALITIES
        if f"{part}_{name}" in matrix
    ]


def _mean(matrix: Rows, part: str, group: str) -> float:
    cells = _cells(matrix, part, group)
    return float(np.mean(cells)) if cells else float("nan")


def _joint_retention(matrix: Rows) -> float:
    shared, private = (_mean(matrix, "S+P", group) for group in ("shared", "private"))
    return (_SHARED * shared + _PRIVATE * private) / (_SHARED + _PRIVATE)


def _foreign(matrix: Rows) -> list[float]:
    return [
        matrix[f"P_{name}"][f"private_{other}"]
        for name in MODALITIES
        for other in MODALITIES
        if name != other and f"P_{name}" in matrix
    ]


def _largest(values: Iterable[float]) -> float:
    return max(values, default=float("nan"))
