import dataclasses

import numpy as np
import pytest
import scipy.io.wavfile
from hypothesis import given, settings
from hypothesis import strategies as st

import extractors.glottal
from extractors.closure_instants import closure_instants, glottal_cycles
from extractors.glottal import (
    glottal_parameters,
    normalised_amplitude_quotient,
    quasi_open_quotient,
)
from extractors.glottal_flow import glottal_flow
from extractors.linear_prediction import lp_residual
from extractors.pitch import track_pitch


@pytest.fixture(scope="module")
def instants(voice):
    return instants_of(voice)


def instants_of(signal):
    return closure_instants(
        signal=signal,
        residual=lp_residual(signal=signal, order=18),
        track=track_pitch(residual=lp_residual(signal=signal, order=12)),
    )


def stacked(parameters):
    return np.stack(list(dataclasses.asdict(parameters).values()))


def test_triangles_have_known_quotients():
    """Rises for 60 samples, falls for 20, rests for 20."""
    pulse = np.concatenate([np.arange(60) / 60, 1 - np.arange(20) / 20, np.zeros(20)])
    flow = np.tile(pulse, 10)
    derivative = np.diff(flow, append=0.0)
    cycles = glottal_cycles(instants=np.arange(100, 901, 100))
    naq = normalised_amplitude_quotient(flow=flow, derivative=derivative, cycles=cycles)
    # height 1, steepest slope 1/20, period 100
    np.testing.assert_allclose(naq, 20 / 100)
    # half the height lies at samples 30 and 70
    np.testing.assert_allclose(quasi_open_quotient(flow=flow, cycles=cycles), 0.4)


def test_sine_above_a_slope_has_known_quotients():
    n = np.arange(1601)
    pulse = 1 - np.cos(2 * np.pi * n / 160)
    cycles = glottal_cycles(instants=np.arange(160, 1601, 160))
    naq = normalised_amplitude_quotient(
        flow=pulse + 0.003 * n,
        derivative=2 * np.pi / 160 * np.sin(2 * np.pi * n / 160),
        cycles=cycles,
    )
    # height 2 by slope 2 pi / T by T
    np.testing.assert_allclose(naq, 1 / np.pi, rtol=1e-9)
    open_share = quasi_open_quotient(flow=pulse + 0.003 * n, cycles=cycles)
    # either end of the open phase is found to the sample
    np.testing.assert_allclose(open_share, 0.5, atol=2 / 160 + 1e-9)


def test_peak_of_the_derivative_may_come_half_a_millisecond_late():
    flow = np.tile(np.bartlett(101)[:-1], 6)
    cycles = glottal_cycles(instants=np.array([200, 300]))
    for late, counts in ((8, True), (9, False)):
        derivative = np.full(600, 0.02)
        derivative[300 + late] = -1.0
        naq = normalised_amplitude_quotient(flow=flow, derivative=derivative, cycles=cycles)
        assert naq[1] == pytest.approx(1 / 100 if counts else 1 / 2)


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-10, 10))
@settings(max_examples=30, deadline=None)
def test_quotients_depend_on_neither_gain_nor_offset(seed, gain, offset):
    flow = np.cumsum(np.random.default_rng(seed).standard_normal(2000))
    derivative = np.diff(flow, prepend=0.0)
    cycles = glottal_cycles(instants=np.arange(170, 1900, 170))
    np.testing.assert_allclose(
        normalised_amplitude_quotient(
            flow=gain * flow + offset, derivative=gain * derivative, cycles=cycles
        ),
        normalised_amplitude_quotient(flow=flow, derivative=derivative, cycles=cycles),
        rtol=1e-7,
    )
    np.testing.assert_allclose(
        quasi_open_quotient(flow=gain * flow + offset, cycles=cycles),
        quasi_open_quotient(flow=flow, cycles=cycles),
    )


def test_gain_of_the_sound_changes_no_parameter_but_richness(voice, instants):
    once = glottal_parameters(signal=voice, instants=instants)
    louder = glottal_parameters(signal=np.float32(4) * voice, instants=instants)
    np.testing.assert_allclose(stacked(louder), stacked(once), atol=1e-9)


def test_delay_moves_nothing_but_time(voice, instants):
    kept = instants[instants > 2000]
    later = np.concatenate([np.zeros(5000, np.float32), voice])
    got = glottal_parameters(signal=later, instants=kept + 5000, richness=True)
    wanted = glottal_parameters(signal=voice, instants=kept, richness=True)
    # the first cycle starts where the sound does
    np.testing.assert_allclose(stacked(got)[:, 1:], stacked(wanted)[:, 1:], atol=1e-9)


def test_parameters_do_not_depend_on_where_chunks_end(voice, monkeypatch):
    sound = np.concatenate([voice[:20000], np.zeros(9000, np.float32), voice])
    instants = instants_of(sound)
    whole = glottal_parameters(signal=sound, instants=instants, richness=True)
    flow, derivative = glottal_flow(signal=sound, instants=instants)
    cycles = glottal_cycles(instants=instants)
    naq = normalised_amplitude_quotient(flow=flow, derivative=derivative, cycles=cycles)
    np.testing.assert_array_equal(whole.naq, naq)
    np.testing.assert_array_equal(whole.qoq, quasi_open_quotient(flow=flow, cycles=cycles))
    for chunk in (1, 3000):
        monkeypatch.setattr(extractors.glottal, "CHUNK", chunk)
        parts = glottal_parameters(signal=sound, instants=instants, richness=True)
        np.testing.assert_allclose(stacked(parts), stacked(whole), rtol=1e-9, atol=1e-9)


def test_richness_is_left_out_unless_asked_for(voice, instants):
    without = glottal_parameters(signal=voice, instants=instants)
    asked = glottal_parameters(signal=voice, instants=instants, richness=True)
    assert not without.hrf.any()
    assert asked.hrf.all()
    np.testing.assert_allclose(without.h1h2, asked.h1h2, atol=1e-9)


@pytest.mark.parametrize("count", [0, 1, 80, 1600])
@pytest.mark.parametrize("instants", [[], [40], [40, 79], [20, 700, 1599], [1, 2, 3]])
@pytest.mark.parametrize("kind", ["silence", "constant", "noise", "clipped"])
def test_odd_sounds_and_few_instants_do_not_fail(count, instants, kind):
    instants = np.array([n for n in instants if n < count], np.int64)
    noise = np.random.default_rng(0).standard_normal(count)
    sound = {
        "silence": np.zeros(count),
        "constant": np.full(count, 0.7),
        "noise": 0.1 * noise,
        "clipped": np.sign(noise),
    }[kind].astype(np.float32)
    values = stacked(glottal_parameters(signal=sound, instants=instants, richness=True))
    assert values.shape == (5, len(instants))
    assert np.isfinite(values).all()
    if len(instants) < 2 or kind == "silence":
        assert not values.any()


def test_parameters_equal_covareps(recordings):
    tolerances = {"naq": 1e-7, "qoq": 1e-9, "h1h2": 1e-5, "hrf": 1e-5, "psp": 1e-6}
    total = differing = 0
    for recording in recordings:
        signal = recording.signal * np.float32(recording.output["polarity"])
        got = glottal_parameters(
            signal=signal, instants=recording.output["GCI"].astype(np.int64), richness=True
        )
        for column, (name, tolerance) in enumerate(tolerances.items(), start=1):
            error = np.abs(getattr(got, name) - recording.output["VQ"][:, column])
            total += len(error)
            differing += int((error > tolerance).sum())
    # where a flow has no pulse at all, rounding alone decides between QOQ = 0 and one sample
    assert differing <= 2
    assert total > 20000


def test_recordings_that_covarep_refuses_are_measured(reference):
    for name in ("glottalized", "slt_070"):
        path = reference / "reference" / "acoustic" / f"{name}.wav"
        signal = (scipy.io.wavfile.read(path)[1] / 32768).astype(np.float32)
        instants = instants_of(signal)
        values = stacked(glottal_parameters(signal=signal, instants=instants, richness=True))
        assert values.shape == (5, len(instants))
        assert np.isfinite(values).all()
