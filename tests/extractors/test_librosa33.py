import librosa
import numpy as np
import pytest

import extractors.librosa33
from extractors.base import get
from extractors.librosa33 import HOP, NAMES, SAMPLE_RATE, Librosa33Extractor, librosa33_features
from extractors.media import Media


def tones(seconds):
    """Chords of tuned notes that change every half second, with some noise."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    notes = librosa.midi_to_hz(rng.integers(48, 72, (int(2 * seconds) + 1, 3)))
    frequency = notes[(2 * t).astype(int)]
    sound = np.sin(2 * np.pi * np.cumsum(frequency, axis=0) / SAMPLE_RATE).sum(axis=1)
    return (0.1 * sound + 0.01 * rng.standard_normal(len(t))).astype(np.float32)


def direct(signal):
    return np.vstack(
        [
            librosa.feature.zero_crossing_rate(signal),
            librosa.feature.mfcc(y=signal, sr=SAMPLE_RATE, n_mfcc=20, htk=True),
            librosa.feature.chroma_cqt(y=signal, sr=SAMPLE_RATE),
        ]
    ).T


def test_is_registered():
    assert get("librosa33") is Librosa33Extractor
    assert len(NAMES) == len(set(NAMES)) == 33


@pytest.mark.parametrize("count", [1, 511, 512, 2000, 20000, 65536, 6 * SAMPLE_RATE])
@pytest.mark.filterwarnings("ignore:n_fft=.* is too large", "ignore:Trying to estimate tuning")
def test_values_are_librosas_own(count):
    signal = tones(6.0)[:count]
    found = librosa33_features(signal=signal)
    np.testing.assert_array_equal(found.values, direct(signal))
    assert found.valid.all()


def test_pieces_change_nothing_but_rounding(monkeypatch):
    signal = tones(30.0)
    signal[: 5 * SAMPLE_RATE] *= 0.01  # the loudest and the tuning come from another piece
    monkeypatch.setattr(extractors.librosa33, "PIECE", 200)
    found = librosa33_features(signal=signal)
    np.testing.assert_allclose(found.values, direct(signal), rtol=1e-5, atol=1e-4)
    assert found.valid.all()


def test_rows_are_centred_on_multiples_of_the_hop():
    found = librosa33_features(signal=tones(2.0))
    assert len(found) == 1 + 2 * SAMPLE_RATE // HOP
    np.testing.assert_allclose(
        found.times[1:-1].mean(axis=1), np.arange(1, len(found) - 1) * HOP / SAMPLE_RATE
    )
    np.testing.assert_allclose(found.times[1:, 0], found.times[:-1, 1])


def test_a_tone_has_its_pitch_class_and_crossings():
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    found = librosa33_features(signal=np.sin(2 * np.pi * 440 * t))
    inner = found.values[10:-10]
    # chroma begin with C, A is the tenth
    assert (inner[:, 21:].argmax(axis=1) == 9).all()
    np.testing.assert_allclose(inner[:, 0], 880 / SAMPLE_RATE, rtol=0.05)


@pytest.mark.parametrize("count", [0, 1, 100, 511, 512, 2000, 8000, 20000])
@pytest.mark.parametrize("kind", ["noise", "silence", "constant"])
def test_any_sound_gives_finite_aligned_rows(count, kind):
    signal = {
        "noise": 0.1 * np.random.default_rng(0).standard_normal(count),
        "silence": np.zeros(count),
        "constant": np.full(count, 0.3),
    }[kind]
    found = librosa33_features(signal=signal)
    assert len(found) == (1 + count // HOP if count else 0)
    assert np.isfinite(found.values).all()
    assert found.valid.all() == (kind != "silence" or count == 0)


def test_silence_within_a_sound_is_not_valid():
    signal = tones(3.0)
    signal[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0
    found = librosa33_features(signal=signal)
    middle = found.times.mean(axis=1)
    assert not found.valid[(middle > 1.1) & (middle < 1.9)].any()
    assert found.valid[(middle < 0.9) | (middle > 2.1)].all()


def test_extractor_decodes_at_its_own_rate(make_clip):
    path = make_clip(path="a.wav", picture=None, sound=tones(1.0), sample_rate=SAMPLE_RATE)
    found = Librosa33Extractor().extract(Media(path=path))
    wanted = librosa33_features(signal=Media(path=path).audio(sample_rate=SAMPLE_RATE))
    np.testing.assert_array_equal(found.values, wanted.values)
    assert len(found) == 1 + SAMPLE_RATE // HOP
