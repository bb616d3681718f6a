"""The extractor ``covarep``: the voice of a clip, in COVAREP's columns, 100 times a second."""

from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np

from extractors.acoustic_columns import ColumnSet, acoustic_columns, column_names
from extractors.base import Extractor, register
from extractors.framing import SAMPLE_RATE, Samples, grid_times
from extractors.glottal_shape import Flavour
from extractors.media import Media
from extractors.pitch import F0_HIGHEST, F0_LOWEST
from extractors.sequence import FeatureSequence


@dataclass(frozen=True, kw_only=True)
class AcousticConfig:
    """Settings of the extractor ``covarep``.

    Parameters
    ----------
    columns : {"covarep", "urfunny"}, optional
        The 74 columns of CMU's COVAREP sequences, or the 81 of UR-FUNNY; see
        :mod:`extractors.acoustic_columns`.
    f0_min, f0_max : int, optional
        Range in which pitch is searched in Hz, 31 <= f0_min < f0_max <= 1500.
    rd_flavour : {"current", "1.4.1"}, optional
        The LF model's phase in the search of Rd as COVAREP has it since version 1.4.2, with the
        wrong sign, or as in the paper and up to 1.4.1, which makes Rd meaningful.

    Raises
    ------
    ValueError
        If the range is empty or exceeds these bounds, or a choice is unknown.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    columns: ColumnSet = "covarep"
    f0_min: int = 50
    f0_max: int = 500
    rd_flavour: Flavour = "current"

    def __post_init__(self) -> None:
        if not F0_LOWEST <= self.f0_min < self.f0_max <= F0_HIGHEST:
            raise ValueError(
                f"f0_min = {self.f0_min} and f0_max = {self.f0_max} Hz must satisfy "
                f"{F0_LOWEST} <= f0_min < f0_max <= {F0_HIGHEST}"
            )
        for name, choices in (("columns", ColumnSet), ("rd_flavour", Flavour)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(
                    f"{name} = {getattr(self, name)!r} must be one of {get_args(choices)}"
                )


def acoustic_features(*, signal: Samples, config: AcousticConfig) -> FeatureSequence:
    """Compute all columns of a whole recording.

    The recording is analysed as one: its polarity, its pitch range, its voicing threshold, its
    median pitch and the scale of its residual depend on all of it, so features of a part are not
    the part of the features.

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
        0, as in published COVAREP features: those of the glottal cycle before the first and after
        the last instant of closure, for example. A row is valid where pitch and envelope were
        analysed: not where no window of 100 ms fits at the ends, and not in digital silence.
    """
    values = acoustic_columns(
        signal=signal,
        columns=config.columns,
        f0_min=config.f0_min,
        f0_max=config.f0_max,
        rd_flavour=config.rd_flavour,
    )
    names = column_names(columns=config.columns)
    analysed = [names.index(name) for name in ("VUV", "MCEP_0")]
    valid = np.asarray(np.isfinite(values[:, analysed]).all(axis=1))
    return FeatureSequence(
        values=np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0),
        times=grid_times(n_samples=len(signal)),
        names=names,
        valid=valid,
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
    version = 2
    modality = "audio"
    source = "audio"
    libraries = ("av", "librosa", "numba", "numpy", "scipy", "silero-vad", "soxr")
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
