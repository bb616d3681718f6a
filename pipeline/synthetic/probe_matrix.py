"""How much of each factor each part of a representation tells."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.metrics import Score
from pipeline.synthetic.perceptron_probe import perceptron_predictions
from pipeline.synthetic.ridge_probe import explained_variance, fit_ridge_probe

Floats = npt.NDArray[np.float64]
Matrix = dict[str, dict[str, Score]]


@dataclass(frozen=True, kw_only=True)
class ProbeMatrix:
    """R^2 of factors from representations, by two kinds of probes.

    Parameters
    ----------
    linear, perceptron : dict of str to dict of str to float
        Representation to group of factors to the mean R^2 over the group, on clips that the
        probe was not fitted to.
    """

    linear: Matrix
    perceptron: Matrix


def representations(parts: Mapping[str, Mapping[str, Floats]]) -> dict[str, Floats]:
    """Name what can be probed.

    Parameters
    ----------
    parts : mapping of str to mapping of str to ndarray, shape (n, d)
        Part to modality to codes.

    Returns
    -------
    dict of str to ndarray
        ``Z_<modality>`` and so on for each part and modality, ``S+P_<modality>`` for both
        together, and ``S_mean`` if the shared codes of two or more modalities are equally wide.
    """
    found = {
        f"{part}_{name}": codes
        for part in ("Z", "S", "P", "N")
        for name, codes in parts.get(part, {}).items()
    }
    shared, private = parts.get("S", {}), parts.get("P", {})
    for name in shared:
        if name in private:
            found[f"S+P_{name}"] = np.concatenate([shared[name], private[name]], axis=1)
    if len(shared) > 1 and len({codes.shape[1] for codes in shared.values()}) == 1:
        found["S_mean"] = np.mean(list(shared.values()), axis=0)
    return found


def probe_matrix(
    *,
    codes: Mapping[str, Floats],
    factors: Mapping[str, Floats],
    new_codes: Mapping[str, Floats],
    new_factors: Mapping[str, Floats],
    seed: int,
) -> ProbeMatrix:
    """Probe every representation for every factor.

    Parameters
    ----------
    codes, new_codes : mapping of str to ndarray, shape (n, d) and (m, d)
        Representations of clips that probes are fitted to, and of those that they are scored on.
    factors, new_factors : mapping of str to ndarray, shape (n, k) and (m, k)
        Groups of factors of the same clips.
    seed : int
        Of the perceptrons.

    Returns
    -------
    ProbeMatrix
        Of every representation.
    """
    targets, truth = (np.concatenate(list(f.values()), axis=1) for f in (factors, new_factors))
    widths = {group: values.shape[1] for group, values in factors.items()}
    linear, perceptron = {}, {}
    for row, inputs in codes.items():
        probe = fit_ridge_probe(inputs=inputs, targets=targets)
        linear[row] = _by_group(probe.predict(new_codes[row]), truth, widths)
        predicted = perceptron_predictions(
            inputs=inputs, targets=targets, new_inputs=new_codes[row], seed=seed
        )
        perceptron[row] = _by_group(predicted, truth, widths)
    return ProbeMatrix(linear=linear, perceptron=perceptron)


def _by_group(prediction: Floats, truth: Floats, widths: Mapping[str, int]) -> dict[str, float]:
    score = explained_variance(prediction=prediction, target=truth)
    groups = np.split(score, np.cumsum(list(widths.values()))[:-1])
    return {name: float(group.mean()) for name, group in zip(widths, groups, strict=True)}
