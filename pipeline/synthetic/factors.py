"""The factors behind a generated clip, and the sentiment that follows from them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.batch import MODALITIES

Floats = npt.NDArray[np.float64]

#: Number of shared factors, and of private and nuisance factors of each modality.
SHARED, PRIVATE, NUISANCE = 4, 3, 3
#: Shares of the sentiment's variance: shared, each modality's private, irreducible.
SHARED_SHARE, PRIVATE_SHARE, NOISE_SHARE = 0.6, 0.1, 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """What n clips are made from, all of mean 0 and variance 1.

    Parameters
    ----------
    shared : ndarray, shape (n, 4)
        Seen by every modality.
    private : dict of str to ndarray, shape (n, 3)
        Modality to what it alone sees; the third does not enter the sentiment.
    nuisance : dict of str to ndarray, shape (n, 3)
        Modality to what has no bearing on the sentiment.
    sentiment : ndarray, shape (n,)
        Before it is scaled and clipped to a label.
    """

    shared: Floats
    private: dict[str, Floats]
    nuisance: dict[str, Floats]
    sentiment: Floats


def shared_effect(shared: Floats) -> Floats:
    """Part of the sentiment that the shared factors decide: ``(s1 + s2 s3 / 2) / sqrt(1.25)``.

    Parameters
    ----------
    shared : ndarray, shape (n, 4)
        Shared factors.

    Returns
    -------
    ndarray, shape (n,)
        Of variance 1.
    """
    effect: Floats = (shared[:, 0] + 0.5 * shared[:, 1] * shared[:, 2]) / math.sqrt(1.25)
    return effect


def private_effect(private: Floats) -> Floats:
    """Part that a modality's private factors decide: ``(p1 + (p2^2 - 1) / 2) / sqrt(1.5)``.

    Parameters
    ----------
    private : ndarray, shape (n, 3)
        One modality's private factors.

    Returns
    -------
    ndarray, shape (n,)
        Of variance 1.
    """
    effect: Floats = (private[:, 0] + 0.5 * (private[:, 1] ** 2 - 1)) / math.sqrt(1.5)
    return effect


def draw_factors(*, clips: int, correlation: float, generator: np.random.Generator) -> Factors:
    """Draw independent factors and the sentiment.

    Parameters
    ----------
    clips : int
        How many, >= 0.
    correlation : float
        Of each modality's first nuisance factor with the sentiment, -1 to 1.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Factors
        A perfect predictor explains 0.9 of the sentiment's variance.
    """
    shared = generator.standard_normal((clips, SHARED))
    private = {name: generator.standard_normal((clips, PRIVATE)) for name in MODALITIES}
    sentiment = _sentiment(shared, private, generator.standard_normal(clips))
    nuisance = {name: generator.standard_normal((clips, NUISANCE)) for name in MODALITIES}
    for values in nuisance.values():
        own = math.sqrt(1.0 - correlation**2) * values[:, 0]
        values[:, 0] = correlation * sentiment + own
    return Factors(shared=shared, private=private, nuisance=nuisance, sentiment=sentiment)


def _sentiment(shared: Floats, private: Mapping[str, Floats], noise: Floats) -> Floats:
    decided = math.sqrt(SHARED_SHARE) * shared_effect(shared)
    for values in private.values():
        decided = decided + math.sqrt(PRIVATE_SHARE) * private_effect(values)
    return decided + math.sqrt(NOISE_SHARE) * noise
