import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from extractors.linear_prediction import (
    autocorrelation,
    filtfilt_blockwise,
    levinson_durbin,
    lp_residual,
    signal_polarity,
)


@pytest.mark.parametrize("order", [1, 12, 18])
def test_autocorrelation_equals_numpys(order):
    frames = np.random.default_rng(0).standard_normal((4, 401))
    got = autocorrelation(frames=frames, order=order)
    for row, frame in zip(got, frames, strict=True):
        wanted = np.correlate(frame, frame, "full")[400 : 401 + order] / 401
        np.testing.assert_allclose(row, wanted, atol=1e-13)


@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_levinson_durbin_equals_the_toeplitz_solver(order, seed):
    frames = np.random.default_rng(seed).standard_normal((3, 200))
    lags = autocorrelation(frames=frames, order=order)
    for got, r in zip(levinson_durbin(autocorrelations=lags), lags, strict=True):
        wanted = scipy.linalg.solve_toeplitz(r[:-1], -r[1:])
        assert got[0] == 1
        np.testing.assert_allclose(got[1:], wanted, rtol=1e-7, atol=1e-9)


def test_levinson_durbin_of_silence_filters_nothing():
    filters = levinson_durbin(autocorrelations=np.zeros((2, 13)))
    np.testing.assert_array_equal(filters, np.eye(13)[[0, 0]])


def test_residual_is_the_overlap_added_filtered_frames(voice):
    """The definition, frame by frame, with scipy's own filter and solver."""
    signal = voice[:4000].astype(float)
    wanted = np.zeros(4000)
    window = scipy.signal.windows.hann(403)[1:-1]
    for m in range(0, 4000, 80):
        if not m + 401 < 4000:
            break
        frame = signal[m : m + 401] * window
        r = np.correlate(frame, frame, "full")[400:413]
        inverse = np.concatenate([[1.0], scipy.linalg.solve_toeplitz(r[:-1], -r[1:])])
        error = scipy.signal.lfilter(inverse, [1.0], frame)
        wanted[m : m + 401] += error * np.sqrt(np.sum(frame**2) / np.sum(error**2))
    got = lp_residual(signal=voice[:4000], order=12)
    np.testing.assert_allclose(got, wanted / np.abs(wanted).max(), atol=2e-6)


def test_residual_does_not_depend_on_where_blocks_end(voice):
    # 21 s are several blocks of frames, 2 s are one and a half
    signal = np.tile(voice, 11)[: 2 * 16000 * 10]
    part = lp_residual(signal=signal[:32000], order=12)[800:-800]
    whole = lp_residual(signal=signal, order=12)[800:31200]
    np.testing.assert_allclose(part / np.abs(part).max(), whole / np.abs(whole).max(), atol=1e-5)


def test_residual_is_undefined_exactly_where_frames_are_silent(voice):
    signal = np.concatenate([np.zeros(800, np.float32), voice[1000:5000]])
    missing = np.isnan(lp_residual(signal=signal, order=12))
    # frames start at 0, 80, ..., 320 and 401 samples long ones up to 399 are silent
    assert missing[: 320 + 401].all()
    assert not missing[320 + 401 :].any()


def test_filtfilt_equals_scipys_whatever_the_block():
    signal = np.random.default_rng(0).standard_normal(5000)
    b, a = scipy.signal.ellip(5, 3, 60, 0.2, btype="highpass")
    wanted = scipy.signal.filtfilt(b, a, signal, padlen=3 * (max(len(a), len(b)) - 1))
    for block in (64, 1000, 10_000):
        got = filtfilt_blockwise(b=b, a=a, signal=signal, block=block)
        np.testing.assert_allclose(got, wanted, atol=2e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_filtfilt_takes_sounds_shorter_than_its_padding(count):
    b, a = scipy.signal.ellip(9, 3, 60, 0.06, btype="highpass")
    got = filtfilt_blockwise(b=b, a=a, signal=np.ones(count))
    assert got.shape == (count,)
    assert np.isfinite(got).all()


def test_polarity_follows_a_flip(voice):
    assert signal_polarity(signal=voice) == -signal_polarity(signal=-voice)


@pytest.mark.parametrize("signal", [np.zeros(0), np.ones(1), np.zeros(5000)])
def test_polarity_of_nothing_is_positive(signal):
    assert signal_polarity(signal=signal) == 1


def test_polarity_equals_covareps(recordings):
    got = {r.name: signal_polarity(signal=r.signal) for r in recordings}
    assert got == {r.name: int(r.output["polarity"]) for r in recordings}
