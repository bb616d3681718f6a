"""Published sets of acoustic columns, computed over a whole recording.

``covarep`` is the set of CMU's COVAREP sequences, 74 columns in the published order. Its column
``creak`` is 0: COVAREP fills it from a network of MATLAB's toolbox and writes 0 without it.

``urfunny`` is UR-FUNNY's list of 81: HRF is added, creak left out, and seven columns appended, of
which the last differs from the original: it is the probability of speech by Silero VAD instead of
COVAREP's own networks, and is named ``VAD_silero``. In this set a row is voiced only if both
frames that make it are.
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import numpy as np

from extractors.cepstral import mel_cepstra_on_grid
from extractors.closure_instants import closure_instants
from extractors.formants import formant_tracks, formants_on_grid
from extractors.framing import (
    SAMPLE_RATE,
    Float64Array,
    IntArray,
    Samples,
    grid_positions,
    interpolate_to_grid,
)
from extractors.glottal import glottal_parameters
from extractors.glottal_shape import Flavour, glottal_shape_on_grid
from extractors.harmonic_features import harmonic_features
from extractors.linear_prediction import lp_residual, signal_polarity
from extractors.phase import phase_deviation_on_grid, phase_mean_on_grid
from extractors.pitch import RESIDUAL_ORDER, PitchTrack, pitch_on_grid, track_pitch
from extractors.sequence import FloatArray
from extractors.speech import CHUNK_SECONDS, speech_probabilities
from extractors.vowel_space import vowel_space_ratio
from extractors.wavelets import maxima_dispersion_quotients, peak_slopes, slope_positions

ColumnSet = Literal["covarep", "urfunny"]
GLOTTAL_ORDER = 18  # of the linear prediction whose residual shows the closures
LOWEST_F0 = 50.0  # UR-FUNNY's set has no lower pitch

_GLOTTAL = ("NAQ", "QOQ", "H1H2", "PSP")
_SHAPE = ("Rd", "Rd_conf")
_SPECTRAL = (
    *(f"MCEP_{i}" for i in range(25)),
    *(f"HMPDM_{i}" for i in range(25)),
    *(f"HMPDD_{i}" for i in range(13)),
)
COVAREP_NAMES = ("F0", "VUV", *_GLOTTAL, "MDQ", "peakSlope", *_SHAPE, "creak", *_SPECTRAL)
URFUNNY_NAMES = (
    *("f0", "VUV", *_GLOTTAL, "HRF", "MDQ", "peakSlope", *_SHAPE, *_SPECTRAL),
    *("vowelSpace", "F1", "F2", "F3", "F4", "F5", "VAD_silero"),
)


def column_names(*, columns: ColumnSet) -> tuple[str, ...]:
    """Names of a set's columns in the published order.

    Parameters
    ----------
    columns : {"covarep", "urfunny"}
        The set.

    Returns
    -------
    tuple of str
        74 or 81 names.
    """
    return COVAREP_NAMES if columns == "covarep" else URFUNNY_NAMES


def acoustic_columns(
    *,
    signal: Samples,
    columns: ColumnSet = "covarep",
    f0_min: int = 50,
    f0_max: int = 500,
    rd_flavour: Flavour = "current",
) -> FloatArray:
    """Compute a set of columns.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz, nominally in [-1, 1].
    columns : {"covarep", "urfunny"}, optional
        The set.
    f0_min, f0_max : int, optional
        Range in which pitch is searched in Hz, 31 <= f0_min < f0_max <= 1500.
    rd_flavour : {"current", "1.4.1"}, optional
        As in :func:`extractors.glottal_shape.glottal_shape`.

    Returns
    -------
    ndarray of float32, shape (J, 74) or (J, 81)
        One row every 10 ms, NaN where there is no measurement.
    """
    names = column_names(columns=columns)
    found = np.full((len(grid_positions(n_samples=len(signal))), len(names)), np.nan, np.float32)
    if len(found) == 0:
        return found
    if signal_polarity(signal=signal) < 0:
        signal = -signal
    track = track_pitch(
        residual=lp_residual(signal=signal, order=RESIDUAL_ORDER), f0_min=f0_min, f0_max=f0_max
    )
    parts = [
        _pitch(track, len(signal), columns),
        _glottal(signal, track, columns),
        _slope(signal),
        _harmonic(signal, track, rd_flavour),
        _speech(signal, track) if columns == "urfunny" else iter([("creak", np.zeros(len(found)))]),
    ]
    for part in parts:
        for name, column in part:
            found[:, names.index(name)] = column
    return found


NamedColumns = Iterator[tuple[str, Float64Array]]


def _pitch(track: PitchTrack, n_samples: int, columns: ColumnSet) -> NamedColumns:
    if columns == "covarep":
        yield from zip(("F0", "VUV"), pitch_on_grid(track=track, n_samples=n_samples), strict=True)
        return
    yield "f0", _between(np.maximum(track.f0, LOWEST_F0), track.positions, n_samples)
    share = _between(track.voiced.astype(np.float64), track.positions, n_samples)
    yield "VUV", np.where(np.isnan(share), np.nan, share > 0.5)


def _glottal(signal: Samples, track: PitchTrack, columns: ColumnSet) -> NamedColumns:
    """Columns of the glottal cycles: NaN before the first closure and after the last."""
    residual = lp_residual(signal=signal, order=GLOTTAL_ORDER)
    instants = closure_instants(signal=signal, residual=residual, track=track)
    dispersion = maxima_dispersion_quotients(residual=residual, instants=instants)
    del residual
    richness = columns == "urfunny"
    cycles = glottal_parameters(signal=signal, instants=instants, richness=richness)
    # COVAREP counts the closures from 1 everywhere but here
    yield "MDQ", _per_cycle(dispersion, instants, len(signal), offset=0)
    for name in _GLOTTAL + ("HRF",) * richness:
        yield name, _per_cycle(getattr(cycles, name.lower()), instants, len(signal), offset=1)


def _slope(signal: Samples) -> NamedColumns:
    slopes = peak_slopes(signal=signal)
    yield "peakSlope", _between(slopes, slope_positions(count=len(slopes)), len(signal))


def _harmonic(signal: Samples, track: PitchTrack, flavour: Flavour) -> NamedColumns:
    found = harmonic_features(signal=signal, track=track, flavour=flavour)
    n_samples, positions = len(signal), track.positions
    shape = glottal_shape_on_grid(
        rd=found.rd, confidence=found.confidence, positions=positions, n_samples=n_samples
    )
    yield from zip(_SHAPE, shape, strict=True)
    mean_on_grid = partial(phase_mean_on_grid, positions=positions, n_samples=n_samples)
    deviation_on_grid = partial(phase_deviation_on_grid, positions=positions, n_samples=n_samples)
    # a column at a time, as all at once would take several times the memory of the result
    for i in range(found.cepstra.shape[1]):
        cepstra = found.cepstra[:, i : i + 1]
        yield f"MCEP_{i}", mel_cepstra_on_grid(cepstra=cepstra, n_samples=n_samples)[:, 0]
    for i in range(found.phase_mean.shape[1]):
        means = found.phase_mean[:, i : i + 1]
        yield f"HMPDM_{i}", mean_on_grid(means=means)[:, 0]
    for i in range(found.phase_deviation.shape[1]):
        deviations = found.phase_deviation[:, i : i + 1]
        yield f"HMPDD_{i}", deviation_on_grid(deviations=deviations)[:, 0]


def _speech(signal: Samples, track: PitchTrack) -> NamedColumns:
    """Columns that UR-FUNNY's set alone has."""
    formants = formants_on_grid(formants=formant_tracks(signal=signal), n_samples=len(signal))
    for number, column in enumerate(formants.T, start=1):
        yield f"F{number}", column
    _, voiced = pitch_on_grid(track=track, n_samples=len(signal))
    ratio = vowel_space_ratio(formants=formants, voiced=voiced == 1)
    yield "vowelSpace", np.full(len(formants), ratio)
    probability = speech_probabilities(signal=signal, sample_rate=SAMPLE_RATE)
    chunk = round(CHUNK_SECONDS * SAMPLE_RATE)
    row = ((grid_positions(n_samples=len(signal)) - 1) // chunk).astype(np.int64)
    yield "VAD_silero", probability[row].astype(np.float64)


def _per_cycle(
    values: Float64Array, instants: IntArray, n_samples: int, *, offset: int
) -> Float64Array:
    """Interpolate between closures; one alone is no cycle."""
    if len(instants) < 2:
        return np.full(len(grid_positions(n_samples=n_samples)), np.nan)
    return _between(values, instants.astype(np.float64) + offset, n_samples)


def _between(values: Float64Array, positions: Float64Array, n_samples: int) -> Float64Array:
    return interpolate_to_grid(values=values, positions=positions, n_samples=n_samples)
