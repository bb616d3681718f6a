import numpy as np
import pytest
import scipy.linalg
import scipy.signal

from extractors.glottal_flow import glottal_flow


def predictor(frame, order):
    r = [frame[: len(frame) - lag] @ frame[lag:] for lag in range(order + 1)]
    return np.concatenate([[1.0], scipy.linalg.solve_toeplitz(r[:-1], -np.array(r[1:]))])


def inverse_filtered(frame, inverse, *, integrate):
    """The definition, with scipy's own filter."""
    led = np.concatenate([np.linspace(-frame[0], frame[0], 21), frame])
    out = scipy.signal.lfilter(inverse, [1.0], led)
    return (scipy.signal.lfilter([1.0], [1.0, -0.99], out) if integrate else out)[21:]


def flow_by_definition(signal, instants):
    flow, derivative = np.zeros(len(signal)), np.zeros(len(signal))
    taps = scipy.signal.firls(301, [0, 40, 70, 8000], [0, 0, 1, 1], fs=16000)
    periods = np.diff(instants, prepend=2 * instants[0] - instants[1])
    for instant, period in zip(instants, periods, strict=True):
        first = max(0, instant - 1 - period)
        last = min(len(signal) - 1, instant - 1 + period)
        if last - first < 20:
            continue
        window = scipy.signal.windows.hann(last - first + 3)[1:-1]
        frame = signal[first : last + 1] * window
        frame = np.convolve(frame, taps)[150 : 150 + len(window)]
        source = inverse_filtered(frame, predictor(frame * window, 1), integrate=False)
        tract = inverse_filtered(frame, predictor(source * window, 20), integrate=True)
        source = inverse_filtered(frame, predictor(tract * window, 8), integrate=True)
        final = predictor(source * window, 20)
        flow[first : last + 1] += inverse_filtered(frame, final, integrate=True)
        derivative[first : last + 1] += inverse_filtered(frame, final, integrate=False)
    return flow, derivative


def irregular_instants(*, n_samples, seed=0):
    rng = np.random.default_rng(seed)
    steps = np.where(rng.random(n_samples) < 0.03, 1500, rng.integers(60, 200, n_samples))
    instants = 30 + np.cumsum(steps)
    return instants[instants < n_samples]


def test_flow_is_its_definition(voice):
    instants = irregular_instants(n_samples=len(voice))
    instants[3] = instants[2] + 7  # too short a cycle
    for got, wanted in zip(
        glottal_flow(signal=voice, instants=instants),
        flow_by_definition(voice.astype(float), instants),
        strict=True,
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-8 * np.abs(wanted).max())


@pytest.mark.parametrize("f0", [80, 100, 125, 160, 200])
def test_source_of_a_synthetic_vowel_is_recovered(f0):
    period = 16000 // f0
    n = np.arange(period)
    opening, closing = 0.4 * period, 0.16 * period  # Rosenberg's pulse
    pulse = np.where(
        n < opening,
        0.5 - 0.5 * np.cos(np.pi * n / opening),
        np.where(n < opening + closing, np.cos(np.pi / 2 * (n - opening) / closing), 0.0),
    )
    flow = np.tile(pulse, 60)
    derivative = np.diff(flow, prepend=0.0)
    sound = derivative
    for centre, width in ((650, 90), (1100, 110), (2500, 150), (3500, 200)):
        radius = np.exp(-np.pi * width / 16000)
        poles = [1, -2 * radius * np.cos(2 * np.pi * centre / 16000), radius**2]
        sound = scipy.signal.lfilter([1.0], poles, sound)
    instants = np.arange(1, 60) * period + round(opening + closing)
    got, _ = glottal_flow(signal=sound, instants=instants)
    inner = slice(5 * period, 55 * period)
    found = np.corrcoef(got[inner], flow[inner])[0, 1]
    integrated = scipy.signal.lfilter([1.0], [1.0, -0.99], sound)
    unfiltered = np.corrcoef(integrated[inner], flow[inner])[0, 1]
    assert found > 0.95
    assert 1 - found**2 < (1 - unfiltered**2) / 2


def test_flow_follows_gain_and_sign(voice):
    instants = irregular_instants(n_samples=len(voice))
    flow, derivative = glottal_flow(signal=voice, instants=instants)
    scaled = glottal_flow(signal=-4 * voice, instants=instants)
    np.testing.assert_array_equal(scaled[0], -4 * flow)
    np.testing.assert_array_equal(scaled[1], -4 * derivative)


def test_delay_moves_the_flow(voice):
    instants = irregular_instants(n_samples=len(voice))
    instants = instants[instants > 4000]  # so that no frame is cut off
    later = np.concatenate([0.1 * np.ones(777, np.float32), voice])
    moved = glottal_flow(signal=later, instants=instants + 777)
    for got, wanted in zip(moved, glottal_flow(signal=voice, instants=instants), strict=True):
        np.testing.assert_array_equal(got[777:], wanted)


def test_parts_are_the_whole(voice):
    instants = irregular_instants(n_samples=len(voice), seed=4)
    whole = np.stack(glottal_flow(signal=voice, instants=instants))
    for size in (100, 5000):
        parts = [
            glottal_flow(
                signal=voice, instants=instants, start=start, stop=min(start + size, len(voice))
            )
            for start in range(0, len(voice), size)
        ]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_cycle_of_40_seconds_is_taken_for_one_of_30():
    sound = np.random.default_rng(0).standard_normal(16000 * 71).astype(np.float32)
    instants = np.array([800, 960, 960 + 16000 * 40])
    middle, end = 960 + 16000 * 10 - 1, 960 + 16000 * 70 - 1
    flow, derivative = glottal_flow(signal=sound, instants=instants)
    np.testing.assert_array_equal(np.flatnonzero(derivative)[[0, -1]], [800 - 1 - 160, end])
    reached = np.flatnonzero(derivative[2000:])
    assert reached[0] + 2000 == middle
    part = glottal_flow(signal=sound, instants=instants, start=16000 * 30, stop=16000 * 31)
    np.testing.assert_array_equal(part[0], flow[16000 * 30 : 16000 * 31])
    np.testing.assert_array_equal(part[1], derivative[16000 * 30 : 16000 * 31])


@pytest.mark.parametrize("count", [0, 1, 80, 1600])
@pytest.mark.parametrize("instants", [[], [40], [40, 70], [1, 2, 3], [20, 1500]])
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_odd_sounds_and_few_instants_do_not_fail(count, instants, level):
    instants = np.array([n for n in instants if n < count], np.int64)
    sound = np.full(count, level, np.float32)
    flow, derivative = glottal_flow(signal=sound, instants=instants)
    assert len(flow) == len(derivative) == count
    assert np.isfinite(flow).all()
    assert np.isfinite(derivative).all()
    if len(instants) < 2 or level == 0:
        assert not flow.any()
        assert not derivative.any()
