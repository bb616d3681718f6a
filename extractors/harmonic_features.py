"""All descriptors of the harmonics of a voice, in one pass over its spectra."""

from dataclasses import dataclass

import numba
import numpy as np

from extractors.cepstral import MCEP_ORDER, mel_cepstra_of_spectra
from extractors.framing import Float64Array, IntArray, Samples, blocks
from extractors.glottal_shape import Flavour, glottal_shape
from extractors.harmonics import (
    Harmonics,
    analysis_f0,
    half_window,
    harmonic_counts,
    harmonics_of_spectra,
    log_amplitudes,
    synchronous_spectra,
)
from extractors.phase import (
    BANDS,
    CONTEXT,
    HMPDD_ORDER,
    phase_distortion,
    phase_statistics,
)
from extractors.pitch import PitchTrack
from extractors.sequence import BoolArray

BLOCK = 2048  # frames at a time, 20 s
PART = 64  # frames whose spectra stay in the cache
SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class HarmonicFeatures:
    """Descriptors of every pitch frame, NaN where there is none.

    Parameters
    ----------
    cepstra : ndarray of float64, shape (M, 25)
        Mel cepstra of the envelope; NaN where the window is digitally silent.
    rd, confidence : ndarray of float64, shape (M,)
        Shape of the glottal pulse and confidence in it; NaN in silence and without pitch.
    phase_mean : ndarray of float64, shape (M, 25)
        Mean phase distortion in rad; NaN in silence and without pitch.
    phase_deviation : ndarray of float64, shape (M, 13)
        Cepstrum of the phase distortion's deviation; NaN in silence and without pitch.
    """

    cepstra: Float64Array
    rd: Float64Array
    confidence: Float64Array
    phase_mean: Float64Array
    phase_deviation: Float64Array


def harmonic_features(
    *, signal: Samples, track: PitchTrack, flavour: Flavour = "current"
) -> HarmonicFeatures:
    """Describe the harmonics of every pitch frame, in bounded memory.

    A frame without pitch, in or next to digital silence, has no harmonics: only its envelope is
    measured, under the window of a voice of 100 Hz. The phases' statistics pass it over, as
    COVAREP does, so that arbitrary phases do not mix with those of its neighbours.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz with positive polarity.
    track : PitchTrack
        Pitch of the same sound.
    flavour : {"current", "1.4.1"}, optional
        See :func:`extractors.glottal_shape.glottal_shape`.

    Returns
    -------
    HarmonicFeatures
        Of M frames.
    """
    centres, f0 = track.positions.astype(np.int64), analysis_f0(f0=track.f0)
    sounding = _sounding(signal, centres, half_window(f0=f0))
    # beyond its harmonics a frame has a random phase, which no cutting into blocks may change
    random_phases = np.random.default_rng(SEED).uniform(-np.pi, np.pi, len(f0))
    widths = (MCEP_ORDER + 1, 1, 1, len(BANDS), HMPDD_ORDER + 1)
    columns = [np.full((len(f0), width), np.nan) for width in widths]
    cepstra, rd, confidence, phase_mean, phase_deviation = columns
    pitched = np.flatnonzero(sounding & (track.f0 > 1))
    for block in blocks(count=len(pitched), size=BLOCK):
        context = slice(max(block.start - CONTEXT, 0), min(block.stop + CONTEXT, len(pitched)))
        rows = pitched[context]
        found = _described(
            signal=signal,
            centres=centres[rows],
            f0=f0[rows],
            random_phases=random_phases[rows],
            first=context.start == 0,
            last=context.stop == len(pitched),
            flavour=flavour,
        )
        inner = slice(block.start - context.start, block.stop - context.start)
        for column, values in zip(columns, found, strict=True):
            column[pitched[block]] = values[inner]
    unpitched = np.flatnonzero(sounding & (track.f0 <= 1))
    for block in blocks(count=len(unpitched), size=BLOCK):
        rows = unpitched[block]
        cepstra[rows] = _analysed(signal=signal, centres=centres[rows], f0=f0[rows])[0]
    return HarmonicFeatures(
        cepstra=cepstra,
        rd=rd[:, 0],
        confidence=confidence[:, 0],
        phase_mean=phase_mean,
        phase_deviation=phase_deviation,
    )


def _described(
    *,
    signal: Samples,
    centres: IntArray,
    f0: Float64Array,
    random_phases: Float64Array,
    first: bool,
    last: bool,
    flavour: Flavour,
) -> tuple[Float64Array, ...]:
    """All columns of a block's frames and of those around it that are its context."""
    cepstra, harmonics = _analysed(signal=signal, centres=centres, f0=f0)
    rd, confidence = glottal_shape(harmonics=harmonics, flavour=flavour)
    cosine, sine = phase_distortion(harmonics=harmonics, f0=f0, random_phases=random_phases)
    phases = phase_statistics(cosine=cosine, sine=sine, first=first, last=last)
    return cepstra, rd[:, None], confidence[:, None], *phases


def _analysed(
    *, signal: Samples, centres: IntArray, f0: Float64Array
) -> tuple[Float64Array, Harmonics]:
    """Mel cepstra and harmonics, of which the spectra are no longer needed."""
    count = len(f0)
    most = int(harmonic_counts(f0=f0).max(initial=0))
    cepstra = np.empty((count, MCEP_ORDER + 1))
    f1, counts = np.empty(count), np.empty(count, np.int64)
    log_levels, phases = np.zeros((count, most + 1)), np.zeros((count, most + 1))
    # frames of like pitch together, so that those of a part need envelopes of one order
    by_pitch = np.argsort(f0, kind="stable")
    for part in blocks(count=count, size=PART):
        rows = by_pitch[part]
        spectra = synchronous_spectra(signal=signal, centres=centres[rows], f0=f0[rows])
        log_spectra = log_amplitudes(spectra=spectra)
        cepstra[rows] = mel_cepstra_of_spectra(log_spectra=log_spectra, f0=f0[rows])
        found = harmonics_of_spectra(spectra=spectra, log_spectra=log_spectra, f0=f0[rows])
        f1[rows], counts[rows] = found.f1, found.counts
        width = found.phases.shape[1]
        log_levels[rows, :width], phases[rows, :width] = found.log_amplitudes, found.phases
    return cepstra, Harmonics(f1=f1, log_amplitudes=log_levels, phases=phases, counts=counts)


@numba.njit(cache=True, nogil=True)
def _sounding(signal: Samples, centres: IntArray, halves: IntArray) -> BoolArray:
    """Tell which windows hold anything but digital silence."""
    sounding = np.zeros(len(centres), np.bool_)
    for k in range(len(centres)):
        for n in range(centres[k] - halves[k], centres[k] + halves[k] + 1):
            if signal[n] != 0:
                sounding[k] = True
                break
    return sounding
