"""Whether what is decoded from one clip's shared and another's private code follows each."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.randomness import seeded
from pipeline.synthetic.ridge_probe import RidgeProbe, explained_variance, fit_ridge_probe

Floats = npt.NDArray[np.float64]
Parts = Mapping[str, Mapping[str, Floats]]


@runtime_checkable
class Decoding(Protocol):
    """A model with a decoder of its parts."""

    def decode(self, parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        """Rebuild what the parts were made from.

        Parameters
        ----------
        parts : dict of str to dict of str to Tensor, shape (B, d)
            Part to modality to codes, all that the model's ``Output`` has.

        Returns
        -------
        dict of str to Tensor, shape (B, ...)
            Modality to reconstruction.
        """


def swap_test(
    *,
    model: object,
    parts: Parts,
    factors: Mapping[str, Floats],
    new_parts: Parts,
    new_factors: Mapping[str, Floats],
) -> dict[str, float]:
    """Decode shared codes with the private codes of the next clip, and probe the result.

    Linear probes are fitted on reconstructions from a clip's own codes.

    Parameters
    ----------
    model : object
        Nothing is tested unless it is :class:`Decoding` and there are parts S and P.
    parts, new_parts : mapping of str to mapping of str to ndarray
        Of clips that probes are fitted to, and of those that are swapped.
    factors, new_factors : mapping of str to ndarray, shape (n, k)
        Groups of factors of the same clips.

    Returns
    -------
    dict of str to float
        R^2, means over modalities, all NaN if nothing is tested: ``swap_shared_follows`` and
        ``swap_private_follows`` of the factors that should come through, s of the shared code's
        clip and p of the private code's; ``swap_shared_strays`` and ``swap_private_strays`` of
        those that should not, s of the private code's clip and p of the shared code's.
    """
    names = ("shared_follows", "private_follows", "shared_strays", "private_strays")
    if not isinstance(model, Decoding) or not {"S", "P"} <= parts.keys():
        return {f"swap_{name}": float("nan") for name in names}
    own = _decode(model, parts)
    other = {group: np.roll(values, -1, axis=0) for group, values in new_factors.items()}
    private = {name: np.roll(codes, -1, axis=0) for name, codes in new_parts["P"].items()}
    swapped = _decode(model, {**new_parts, "P": private})
    rows = []
    for name, rebuilt in swapped.items():
        groups = ("shared", f"private_{name}")
        s, p = (fit_ridge_probe(inputs=own[name], targets=factors[group]) for group in groups)
        rows.append(
            [
                _score(s, rebuilt, new_factors["shared"]),
                _score(p, rebuilt, other[f"private_{name}"]),
                _score(s, rebuilt, other["shared"]),
                _score(p, rebuilt, new_factors[f"private_{name}"]),
            ]
        )
    means = np.mean(rows, axis=0)
    return {f"swap_{name}": float(value) for name, value in zip(names, means, strict=True)}


def _score(probe: RidgeProbe, rebuilt: Floats, truth: Floats) -> float:
    return float(explained_variance(prediction=probe.predict(rebuilt), target=truth).mean())


@torch.no_grad()
def _decode(model: Decoding, parts: Parts) -> dict[str, Floats]:
    tensors = {
        part: {name: torch.from_numpy(codes).float() for name, codes in found.items()}
        for part, found in parts.items()
    }
    with seeded(0):
        rebuilt = model.decode(tensors)
    return {name: values.flatten(1).double().cpu().numpy() for name, values in rebuilt.items()}
