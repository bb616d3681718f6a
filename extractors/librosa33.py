"""The extractor ``librosa33``: the 33 acoustic columns that MIRD was trained on."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from extractors.base import Extractor, register
from extractors.framing import Samples, blocks
from extractors.librosa_loading import load_librosa
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
BINS_PER_OCTAVE = 36
PIECE = 4096  # rows at a time, 95 s
CONTEXT = 256  # rows on either side of a piece, 6 s: no constant-Q filter reaches farther


@dataclass(frozen=True, kw_only=True)
class Librosa33Config:
    """Settings of the extractor ``librosa33``: there are none, the recipe is fixed."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


@register
class Librosa33Extractor(Extractor):
    """Zero-crossing rate, 20 MFCC (HTK's mel scale) and 12 constant-Q chroma, 43 times a second.

    librosa's own functions with its default settings, at 22,050 Hz with hops of 512 samples, as
    MIRD's authors used them (Fan et al., arXiv 2409.12408). They read the mean of all channels,
    this reads the first, like every extractor here; both resample by librosa's default.

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

    Levels end 80 dB below the recording's loudest, and chroma follow its tuning, so features of a
    part are not the part of the features. Both are taken from the whole recording however long it
    is. Everything else is computed in pieces of 95 s: sound up to that gets what librosa gives for
    it, and longer sound the same but for the rounding of chroma.

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
    columns = np.vstack([_crossings(signal), _mel_cepstra(signal), _chroma(signal)])
    return FeatureSequence(
        values=np.ascontiguousarray(columns.T),
        times=_spans(rows=columns.shape[1], n_samples=len(signal)),
        names=NAMES,
        valid=_sounding(signal),
    )


def _spans(*, rows: int, n_samples: int) -> TimeArray:
    """Let every row last from half a hop before its centre to half a hop after."""
    centres = np.arange(rows) * HOP
    edges = np.stack([centres - HOP / 2, centres + HOP / 2], axis=1) / SAMPLE_RATE
    return np.clip(edges, 0.0, n_samples / SAMPLE_RATE)


def _windows(
    signal: FloatArray, *, beyond: Literal["constant", "edge"] = "constant"
) -> Iterator[FloatArray]:
    """Cut the samples under the windows of a piece's rows; `beyond` the ends 0 or the end's."""
    for rows in blocks(count=1 + len(signal) // HOP, size=PIECE):
        first = rows.start * HOP - WINDOW // 2
        last = (rows.stop - 1) * HOP + WINDOW // 2
        missing = (max(0, -first), max(0, last - len(signal)))
        yield np.pad(signal[max(0, first) : last], missing, mode=beyond)


def _sounding(signal: FloatArray) -> BoolArray:
    heard = [
        np.lib.stride_tricks.sliding_window_view(samples != 0, WINDOW)[::HOP].any(axis=1)
        for samples in _windows(signal)
    ]
    return np.concatenate(heard)


def _crossings(signal: FloatArray) -> FloatArray:
    librosa = load_librosa()

    rates = [
        librosa.feature.zero_crossing_rate(
            samples, frame_length=WINDOW, hop_length=HOP, center=False
        )
        for samples in _windows(signal, beyond="edge")
    ]
    return np.concatenate(rates, axis=1, dtype=np.float32)


def _mel_cepstra(signal: FloatArray) -> FloatArray:
    librosa = load_librosa()

    mel = [
        librosa.feature.melspectrogram(
            y=samples, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, center=False, htk=True
        )
        for samples in _windows(signal)
    ]
    levels = librosa.power_to_db(np.concatenate(mel, axis=1))
    return np.asarray(librosa.feature.mfcc(S=levels, n_mfcc=N_MFCC), np.float32)


def _tuning(signal: FloatArray) -> float:
    """Estimate tuning like :func:`librosa.estimate_tuning`, in pieces; 0 without any pitch."""
    librosa = load_librosa()

    pitches, magnitudes = [], []
    for samples in _windows(signal):
        pitch, magnitude = librosa.piptrack(
            y=samples, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, center=False
        )
        pitches.append(pitch[pitch > 0])
        magnitudes.append(magnitude[pitch > 0])
    pitch, magnitude = np.concatenate(pitches), np.concatenate(magnitudes)
    if len(pitch) == 0:
        return 0.0
    loud = pitch[magnitude >= np.median(magnitude)]
    return float(librosa.pitch_tuning(loud, bins_per_octave=BINS_PER_OCTAVE))


def _chroma(signal: FloatArray) -> FloatArray:
    librosa = load_librosa()

    tuning = _tuning(signal)
    rows = 1 + len(signal) // HOP
    found = []
    for block in blocks(count=rows, size=PIECE):
        first = max(block.start - CONTEXT, 0)
        with warnings.catch_warnings():
            # of sound under 3 s, whose values are right: zeros follow it, as they should. Zeros
            # appended here instead would change them, by what resampling lets ring into these.
            warnings.filterwarnings("ignore", "n_fft=.* is too large", UserWarning)
            chroma = librosa.feature.chroma_cqt(
                y=signal[first * HOP : (block.stop + CONTEXT) * HOP],
                sr=SAMPLE_RATE,
                hop_length=HOP,
                bins_per_octave=BINS_PER_OCTAVE,
                tuning=tuning,
            )
        found.append(chroma[:, block.start - first : block.stop - first])
    return np.concatenate(found, axis=1, dtype=np.float32)
