import numpy as np
import pytest

from extractors.sphinx_features import dynamic_features, mel_cepstra

RATE = 16000
RNG = np.random.default_rng(5)
NOISE = (0.1 * RNG.standard_normal(RATE)).astype(np.float32)


def plain_cepstra(samples):
    """Davis & Mermelstein (1980) with sums written out, for one window of 410 samples."""
    emphasised = np.r_[0.0, samples[1:] - 0.97 * samples[:-1]][1:] * 32768
    windowed = emphasised * (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(410) / 409))
    power = np.abs(np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(410)) / 512) @ windowed)
    mels = np.linspace(*(2595 * np.log10(1 + np.array([130, 6800]) / 700)), 27)
    corners = np.round(700 * (10 ** (mels / 2595) - 1) / 31.25) * 31.25
    logs = []
    for low, centre, high in zip(corners, corners[1:], corners[2:], strict=False):
        weights = np.interp(np.arange(257) * 31.25, [low, centre, high], [0, 2 / (high - low), 0])
        logs.append(np.log((power**2 * weights).sum()))
    n = np.arange(25)
    lifter = 1 + 11 * np.sin(np.pi * np.arange(13) / 22)
    return [
        lifter[k]
        * np.sqrt((1 if k == 0 else 2) / 25)
        * np.sum(logs * np.cos(np.pi * k * (n + 0.5) / 25))
        for k in range(13)
    ]


def test_one_frame_written_out():
    # The floor 40 dB below the loud parts is nothing beside stationary noise.
    expected = plain_cepstra(NOISE[159 : 160 + 410].astype(float))
    assert mel_cepstra(signal=NOISE)[1] == pytest.approx(expected, abs=0.05)


def test_gain_only_moves_the_first():
    quiet, loud = mel_cepstra(signal=NOISE), mel_cepstra(signal=4 * NOISE)
    assert loud[1:, 1:] == pytest.approx(quiet[1:, 1:], abs=1e-2)
    assert loud[1:, 0] - quiet[1:, 0] == pytest.approx(5 * np.log(16), abs=1e-2)


def test_blocks_join_without_a_seam():
    long = np.tile(NOISE, 45)
    cepstra = mel_cepstra(signal=long)
    assert len(cepstra) == 1 + (len(long) - 410) // 160
    assert cepstra[100:200] == pytest.approx(cepstra[4100:4200], abs=1e-3)


def test_digital_silence_is_finite_and_quiet():
    cepstra = mel_cepstra(signal=np.r_[NOISE, np.zeros(RATE, np.float32)])
    assert np.isfinite(cepstra).all()
    assert cepstra[120:180, 1:] == pytest.approx(0, abs=1e-3)
    # 40 dB below, or a little less where preemphasis leaves the spectrum uneven
    assert 30 < np.median(cepstra[20:80, 0]) - cepstra[150, 0] < 5 * np.log(1e4)


def test_differences():
    ramp = np.arange(10.0, dtype=np.float32)[:, None] * np.ones((1, 13), np.float32)
    static, first, second = dynamic_features(cepstra=ramp)
    assert static.mean() == pytest.approx(0)
    assert first[2:-2] == pytest.approx(4)
    assert second[3:-3] == pytest.approx(0)
    squares = dynamic_features(cepstra=ramp**2)
    assert squares[2][3:-3] == pytest.approx(2 * 2 * 2 * 2)


@pytest.mark.parametrize("samples", [0, 409])
def test_less_than_a_window_has_no_frames(samples):
    cepstra = mel_cepstra(signal=np.zeros(samples, np.float32))
    assert cepstra.shape == (0, 13)
    assert dynamic_features(cepstra=cepstra).shape == (3, 0, 13)
