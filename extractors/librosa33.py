"""The extractor ``librosa33``: the 33 acoustic columns that MIRD was trained on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from extractors.base import Extractor, register
from extractors.framing import Samples, blocks
from extractors.media import Media
from extractors.sequence import BoolArray, FeatureSequence, FloatArray, TimeArray

SAMPLE_RATE = 22050
HOP = 512
WINDOW = 2048
N_MFCC = 20
NAMES = (
    "zero_crossing_rate",
    *(f"MFCC_{i}" for i in range(N_MFCC)),
    *(f"chroma_{i}" for i in range(12)),
)
# Frames taken at once: ten minutes, and as context of the constant-Q transform 6 s.
PIECE = 600 * SAMPLE_RATE // HOP
CONTEXT = 256


@dataclass(frozen=True, kw_only=True)
class Librosa33Config:
    """Settings of the extractor ``librosa33``: there are none, the recipe is fixed."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


@register
class Librosa33Extractor(Extractor):
    """Zero-crossing rate, 20 MFCC (HTK's mel scale) and 12 constant-Q chroma, 43 times a second.

    librosa's own functions with its default settings, on the first channel at 22,050 Hz with hops
    of 512 samples, as MIRD's authors used them (Fan et al., arXiv 2409.12408).

    Parameters
    ----------
    config : Librosa33Config, optional
        Nothing can be set.
    """

    name = "librosa33"
    version = 1
    modality = "audio"
    source = "audio"
    libraries = ("av", "librosa", "numpy", "scipy", "soxr")
    Config = Librosa33Config

    def extract(self, media: Media) -> FeatureSequence:
        """Extract the whole clip.

        Parameters
        ----------
        media : Media
            A clip with sound.

        Returns
        -------
        FeatureSequence
            The result of :func:`librosa33_features`.

        Raises
        ------
        MediaError
            If the clip has no sound or none of it can be decoded.
        """
        return librosa33_features(signal=media.audio(sample_rate=SAMPLE_RATE))


def librosa33_features(*, signal: Samples) -> FeatureSequence:
    """Compute all 33 columns of a whole recording.

    Level is limited to 80 dB below the recording's loudest, and chroma follow its tuning, so
    features of a part are not the part of the features. Of sound over ten minutes the tuning is
    that of the first ten, and the transforms go over pieces, which bounds memory.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 22,050 Hz, nominally in [-1, 1].

    Returns
    -------
    FeatureSequence
        One row every 512 samples, centred on them; none for an empty sound. A row whose window of
        2048 samples is digitally silent is not valid.
    """
    if len(signal) == 0:
        return FeatureSequence.empty(NAMES)
    signal = np.asarray(signal, np.float32)
    with _expected_warnings_ignored():
        columns = np.vstack([_crossings(signal), _mel_cepstra(signal), _chroma(signal)])
    rows = 1 + len(signal) // HOP
    return FeatureSequence(
        values=np.nan_to_num(columns.T.astype(np.float32)),
        times=_spans(rows=rows, n_samples=len(signal)),
        names=NAMES,
        valid=_sounding(signal, rows),
    )


def _spans(*, rows: int, n_samples: int) -> TimeArray:
    """Let every row last from half a hop before its centre to half a hop after."""
    centres = np.arange(rows) * HOP
    edges = np.stack([centres - HOP / 2, centres + HOP / 2], axis=1) / SAMPLE_RATE
    return np.clip(edges, 0.0, n_samples / SAMPLE_RATE)


def _windows(signal: Samples) -> Iterator[tuple[slice, FloatArray]]:
    """Rows and the samples under their centred windows, zeros beyond the ends."""
    padded = np.pad(signal, WINDOW // 2)
    for rows in blocks(count=1 + len(signal) // HOP, size=PIECE):
        yield rows, padded[rows.start * HOP : (rows.stop - 1) * HOP + WINDOW]


def _sounding(signal: Samples, rows: int) -> BoolArray:
    heard = np.zeros(rows, np.bool_)
    for block, samples in _windows(signal):
        views = np.lib.stride_tricks.sliding_window_view(samples != 0, WINDOW)[::HOP]
        heard[block] = views.any(axis=1)
    return heard


def _crossings(signal: FloatArray) -> FloatArray:
    import librosa

    return np.asarray(librosa.feature.zero_crossing_rate(signal, hop_length=HOP), np.float32)


def _mel_cepstra(signal: FloatArray) -> FloatArray:
    import librosa

    mel = [
        librosa.feature.melspectrogram(
            y=samples, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, center=False, htk=True
        )
        for _, samples in _windows(signal)
    ]
    levels = librosa.power_to_db(np.concatenate(mel, axis=1))
    return np.asarray(librosa.feature.mfcc(S=levels, n_mfcc=N_MFCC), np.float32)


def _chroma(signal: FloatArray) -> FloatArray:
    import librosa

    tuning = librosa.estimate_tuning(y=signal[: PIECE * HOP], sr=SAMPLE_RATE, bins_per_octave=36)
    found = []
    rows = 1 + len(signal) // HOP
    for block in blocks(count=rows, size=PIECE):
        first = max(block.start - CONTEXT, 0)
        last = min((block.stop + CONTEXT) * HOP, len(signal))
        chroma = librosa.feature.chroma_cqt(
            y=signal[first * HOP : last], sr=SAMPLE_RATE, hop_length=HOP, tuning=tuning
        )
        found.append(chroma[:, block.start - first : block.stop - first])
    return np.asarray(np.concatenate(found, axis=1), np.float32)


@contextmanager
def _expected_warnings_ignored() -> Iterator[None]:
    """Ignore what librosa says of sound that is short or silent: its values are right there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large", UserWarning)
        warnings.filterwarnings("ignore", "Trying to estimate tuning from empty", UserWarning)
        yield
