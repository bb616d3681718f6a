"""The extractor ``covarep``: the voice of a clip, in COVAREP's columns, 100 times a second."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from extractors.base import Extractor, register
from extractors.cepstral import MCEP_ORDER, mel_cepstra, mel_cepstra_on_grid
from extractors.framing import SAMPLE_RATE, Float64Array, Samples, grid_positions, grid_times
from extractors.linear_prediction import lp_residual, signal_polarity
from extractors.media import Media
from extractors.pitch import F0_HIGHEST, F0_LOWEST, RESIDUAL_ORDER, pitch_on_grid, track_pitch
from extractors.sequence import FeatureSequence

NAMES = ("F0", "VUV", *(f"MCEP_{i}" for i in range(MCEP_ORDER + 1)))


@dataclass(frozen=True, kw_only=True)
class AcousticConfig:
    """Settings of the extractor ``covarep``.

    Parameters
    ----------
    f0_min, f0_max : int, optional
        Range in which pitch is searched in Hz, 31 <= f0_min < f0_max <= 1500.

    Raises
    ------
    ValueError
        If the range is empty or exceeds these bounds.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    f0_min: int = 50
    f0_max: int = 500

    def __post_init__(self) -> None:
        if not F0_LOWEST <= self.f0_min < self.f0_max <= F0_HIGHEST:
            raise ValueError(
                f"f0_min = {self.f0_min} and f0_max = {self.f0_max} Hz must satisfy "
                f"{F0_LOWEST} <= f0_min < f0_max <= {F0_HIGHEST}"
            )


def acoustic_features(*, signal: Samples, config: AcousticConfig) -> FeatureSequence:
    """Compute all columns of a whole recording.

    The recording is analysed as one: its polarity, its pitch range and its voicing threshold
    depend on all of it, so features of a part are not the part of the features.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz, nominally in [-1, 1].
    config : AcousticConfig
        Settings.

    Returns
    -------
    FeatureSequence
        One row every 10 ms; no row for a sound under 5 ms. Values that cannot be measured are
        0, as in published COVAREP features, and their row is not valid: where no window of 100 ms
        fits at the ends, and in digital silence.
    """
    columns = np.column_stack(_columns(signal=signal, config=config))
    return FeatureSequence(
        values=np.nan_to_num(columns).astype(np.float32),
        times=grid_times(n_samples=len(signal)),
        names=NAMES,
        valid=np.asarray(np.isfinite(columns).all(axis=1)),
    )


@register
class AcousticExtractor(Extractor):
    """COVAREP's descriptors of the voice, from the first channel at 16 kHz.

    Notes
    -----
    G. Degottex et al., "COVAREP - a collaborative voice analysis repository for speech
    technologies", ICASSP 2014.
    """

    name = "covarep"
    version = 1
    modality = "audio"
    source = "audio"
    libraries = ("av", "librosa", "numpy", "scipy", "soxr")
    Config = AcousticConfig

    def extract(self, media: Media) -> FeatureSequence:
        """Extract the whole clip.

        Parameters
        ----------
        media : Media
            A clip with sound.

        Returns
        -------
        FeatureSequence
            The result of :func:`acoustic_features`.

        Raises
        ------
        MediaError
            If the clip has no sound or none of it can be decoded.
        """
        signal = media.audio(sample_rate=SAMPLE_RATE)
        return acoustic_features(signal=signal, config=self.config)


def _columns(*, signal: Samples, config: AcousticConfig) -> list[Float64Array]:
    """All columns in the published order, NaN where there is no measurement."""
    n_samples = len(signal)
    if len(grid_positions(n_samples=n_samples)) == 0:
        return [np.zeros((0, len(NAMES)))]
    if signal_polarity(signal=signal) < 0:
        signal = -signal
    track = track_pitch(
        residual=lp_residual(signal=signal, order=RESIDUAL_ORDER),
        f0_min=config.f0_min,
        f0_max=config.f0_max,
    )
    cepstra = mel_cepstra(signal=signal, track=track)
    return [
        *pitch_on_grid(track=track, n_samples=n_samples),
        mel_cepstra_on_grid(cepstra=cepstra, n_samples=n_samples),
    ]
