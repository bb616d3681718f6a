import itertools

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.closure_instants import GlottalCycles, glottal_cycles
from extractors.glottal_spectrum import (
    harmonic_levels,
    harmonic_richness_factor,
    measurable,
    parabolic_spectral_parameter,
)


def levels_by_definition(derivative, end, period, highest):
    """All 16000 bins by numpy, and the peaks one pair at a time."""
    half = int(1.5 * period + 0.5)
    part = derivative[max(0, end - half) : end + half + 1] * 32768
    level = 20 * np.log10(np.abs(np.fft.fft(part * np.hamming(len(part)), 16000)))
    peaks = scipy.signal.argrelmax(level)[0] + 1
    f0 = 16000 / period
    while (np.diff(peaks) <= f0 / 2).any():
        dropped = set()
        for left, right in itertools.pairwise(peaks):
            if right - left <= f0 / 2:
                dropped.add(right if level[left - 1] >= level[right - 1] else left)
        peaks = np.array([p for p in peaks if p not in dropped])
    if len(peaks) < 5:
        return np.full(max(2, int(highest / f0)), np.nan)
    harmonics = np.arange(1, max(2, int(highest / f0)) + 1) * f0
    return np.array([level[peaks[np.argmin(np.abs(peaks - f))] - 1] for f in harmonics])


def random_cycles(*, n_samples, seed):
    rng = np.random.default_rng(seed)
    instants = 100 + np.cumsum(rng.integers(25, 850, n_samples))
    return glottal_cycles(instants=instants[instants < n_samples])


def fit_by_numpy(x):
    with np.errstate(divide="ignore"):  # some of the higher bins may be empty
        level = 20 * np.log10(np.abs(np.fft.fft(x, 2048)[:1024]))
    for count in range(3, 1025):
        k, y = np.arange(count), level[:count]
        a, b = np.polyfit(k**2, y, 1)
        if np.sum((y - a * k**2 - b) ** 2) / np.sum(y**2) >= 0.01:
            break
    return a


@pytest.mark.parametrize("highest", [0.0, 5000.0])
def test_levels_are_their_definition_in_noise(highest):
    """Noise makes peaks crowd, so that few bins do not tell which of them stay."""
    derivative = 0.1 * np.random.default_rng(5).standard_normal(40000)
    cycles = random_cycles(n_samples=40000, seed=0)
    got = harmonic_levels(derivative=derivative, cycles=cycles, highest=highest)
    assert measurable(cycles=cycles).sum() > 50
    for row, end, period in zip(got, cycles.ends, cycles.periods, strict=True):
        if 20 < 16000 / period < 500:
            wanted = levels_by_definition(derivative, end, period, highest)
            np.testing.assert_allclose(row[: len(wanted)], wanted, atol=1e-7)
            assert np.isnan(row[len(wanted) :]).all()
        else:
            assert np.isnan(row).all()


def test_levels_of_a_sum_of_sines():
    n = np.arange(8000)
    amplitudes = np.array([0.5, 0.2, 0.1, 0.05, 0.02])
    sines = [a * np.sin(2 * np.pi * 200 * (q + 1) * n / 16000) for q, a in enumerate(amplitudes)]
    cycles = glottal_cycles(instants=np.arange(400, 7600, 80))
    levels = harmonic_levels(derivative=np.sum(sines, axis=0), cycles=cycles, highest=1000)
    relative = np.diff(levels, axis=1)
    wanted = np.diff(20 * np.log10(amplitudes))
    # neighbours 200 Hz apart leak into each other's main lobe under a window of 15 ms
    np.testing.assert_allclose(relative[2:-2], np.broadcast_to(wanted, (86, 4)), atol=0.5)


@given(st.floats(0.01, 100), st.sampled_from([-1, 1]), st.integers(0, 10))
@settings(max_examples=20, deadline=None)
def test_levels_follow_gain_alone(gain, sign, seed):
    derivative = np.random.default_rng(seed).standard_normal(2000)
    cycles = glottal_cycles(instants=np.arange(300, 1800, 120))
    levels = harmonic_levels(derivative=derivative, cycles=cycles)
    scaled = harmonic_levels(derivative=sign * gain * derivative, cycles=cycles)
    np.testing.assert_allclose(scaled - levels, 20 * np.log10(gain), atol=1e-6)


def test_pauses_are_not_cycles():
    periods = np.array([1, 32, 33, 500, 799, 800, 5000])
    ends = np.cumsum(periods) + 10
    cycles = GlottalCycles(starts=ends - periods, ends=ends, periods=periods)
    wanted = (16000 / periods > 20) & (16000 / periods < 500)
    np.testing.assert_array_equal(measurable(cycles=cycles), wanted)


def test_richness_is_the_sum_by_the_first():
    levels = np.array([[40.0, 20.0, 8.0], [50.0, 25.0, np.nan], [np.nan] * 3, [0.0, 3.0, 1.0]])
    got = harmonic_richness_factor(levels=levels)
    np.testing.assert_allclose(got, [0.7, 0.5, 0.0, 0.0])


def test_parabola_is_its_definition():
    rng = np.random.default_rng(2)
    flow = scipy.signal.lfilter([1.0], [1, -1.8, 0.85], rng.standard_normal(30000))
    cycles = random_cycles(n_samples=30000, seed=1)
    got = parabolic_spectral_parameter(flow=flow, cycles=cycles)
    for value, start, end in zip(got[1:], cycles.starts[1:], cycles.ends[1:], strict=True):
        period = end - start
        if 20 < 16000 / period < 500:
            pulse = flow[start : end + 1] - flow[start : end + 1].min()
            wanted = fit_by_numpy(pulse / pulse.max()) / fit_by_numpy(np.full(period, 1 / period))
            assert value == pytest.approx(wanted, rel=1e-6)
        else:
            assert value == 0


def test_period_without_a_rectangle_to_compare_with_has_no_parameter():
    """Bin 4 of 512 equal samples is empty, so that no parabola fits it."""
    flow = np.cumsum(np.random.default_rng(0).standard_normal(3000))
    cycles = glottal_cycles(instants=100 + np.cumsum([0, 511, 512, 513]))
    got = parabolic_spectral_parameter(flow=flow, cycles=cycles)
    np.testing.assert_array_equal(got == 0, [True, False, True, False])


@given(st.floats(0.01, 100), st.floats(-10, 10), st.integers(0, 10))
@settings(max_examples=20, deadline=None)
def test_parabola_depends_on_neither_gain_nor_offset(gain, offset, seed):
    flow = np.cumsum(np.random.default_rng(seed).standard_normal(2000))
    cycles = glottal_cycles(instants=np.arange(300, 1800, 150))
    np.testing.assert_allclose(
        parabolic_spectral_parameter(flow=gain * flow + offset, cycles=cycles),
        parabolic_spectral_parameter(flow=flow, cycles=cycles),
        rtol=1e-6,
    )


@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("instants", [[], [5], [40, 140], [99, 1599]])
def test_constant_flow_has_no_parameters(level, instants):
    flow = np.full(1600, level)
    cycles = glottal_cycles(instants=np.array(instants, np.int64))
    levels = harmonic_levels(derivative=np.zeros(1600), cycles=cycles, highest=5000)
    assert len(levels) == len(cycles.ends)
    assert np.isnan(levels).all()
    assert not parabolic_spectral_parameter(flow=flow, cycles=cycles).any()
    assert not harmonic_richness_factor(levels=levels).any()
