"""Dependence between the parts of a representation that should be independent."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from pipeline.synthetic.dependence import distance_correlation, kernel_dependence
from pipeline.synthetic.mutual_information import (
    club_information,
    neighbour_information,
    principal_components,
)

Floats = npt.NDArray[np.float64]
Parts = Mapping[str, Mapping[str, Floats]]

_TESTED, _NEIGHBOURED = 500, 1000


def part_dependence(*, parts: Parts, new_parts: Parts, seed: int) -> dict[str, dict[str, float]]:
    """Measure the dependence of S_m and P_m, and of P_m and P_m'.

    Parameters
    ----------
    parts : mapping of str to mapping of str to ndarray, shape (n, d)
        Part to modality to codes, of clips that the conditionals of CLUB are fitted to.
    new_parts : mapping of str to mapping of str to ndarray, shape (m, d)
        Of the clips that are measured: 500 of them by permutation tests, 1000 by neighbours.
    seed : int
        Of permutations and conditionals.

    Returns
    -------
    dict of str to dict of str to float
        Pair, such as ``S_text P_text``, to ``distance_correlation``, ``kernel_dependence``, the
        p-value of each under ``<name>_p``, ``neighbour_information`` of the first three principal
        components, and ``club_information``. Nothing for a model without both parts.
    """
    if not {"S", "P"} <= parts.keys():
        return {}
    private = sorted(parts["P"])
    pairs = [(("S", name), ("P", name)) for name in private if name in parts["S"]]
    pairs += [(("P", one), ("P", other)) for one, other in combinations(private, 2)]
    found = {}
    for (part, one), (other_part, other) in pairs:
        x, y = new_parts[part][one], new_parts[other_part][other]
        measures = _tests(x[:_TESTED], y[:_TESTED], seed)
        measures["neighbour_information"] = neighbour_information(
            x=principal_components(codes=x[:_NEIGHBOURED]),
            y=principal_components(codes=y[:_NEIGHBOURED]),
        )
        measures["club_information"] = club_information(
            x=parts[part][one], y=parts[other_part][other], new_x=x, new_y=y, seed=seed
        )
        found[f"{part}_{one} {other_part}_{other}"] = measures
    return found


def _tests(x: Floats, y: Floats, seed: int) -> dict[str, float]:
    measures: dict[str, float] = {}
    for name, measure in (
        ("distance_correlation", distance_correlation),
        ("kernel_dependence", kernel_dependence),
    ):
        found = measure(x=x, y=y, seed=seed)
        measures |= {name: found.value, f"{name}_p": found.p_value}
    return measures
