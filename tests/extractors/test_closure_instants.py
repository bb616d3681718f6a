import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

import extractors.closure_instants
from extractors.closure_instants import closure_instants, glottal_cycles, mean_based_signal
from extractors.linear_prediction import lp_residual
from extractors.pitch import PitchTrack, track_pitch


def tracked(signal):
    return track_pitch(residual=lp_residual(signal=signal, order=12))


def instants_of(signal, track=None):
    return closure_instants(
        signal=signal,
        residual=lp_residual(signal=signal, order=18),
        track=tracked(signal) if track is None else track,
    )


def voiced_throughout(*, n_samples, f0):
    positions = np.arange(800.0, n_samples, 160)
    return PitchTrack(
        f0=np.full(len(positions), f0),
        voiced=np.ones(len(positions), bool),
        score=np.ones(len(positions)),
        positions=positions,
    )


def vowel(source):
    """Two formants; the source is a flow derivative."""
    for centre, width in ((600, 80), (1300, 100)):
        radius = np.exp(-np.pi * width / 16000)
        poles = [1, -2 * radius * np.cos(2 * np.pi * centre / 16000), radius**2]
        source = scipy.signal.lfilter([1.0], poles, source)
    return (0.5 * source / np.abs(source).max()).astype(np.float32)


@pytest.mark.parametrize("period", [40, 80, 145])
def test_vowel_of_pulses_closes_once_a_period_where_it_is_excited(period):
    pulses = -np.where(np.arange(16000) % period == 10, 1.0, 0.0)
    # integrated twice as a glottis does, so that there is a fundamental
    sound = vowel(scipy.signal.lfilter([1.0], [1, -0.95], pulses))
    found = instants_of(-sound, voiced_throughout(n_samples=16000, f0=16000 / period))
    assert len(found) > 0.85 * 16000 / period
    np.testing.assert_array_equal(np.diff(found), period)
    assert abs((found[0] - 10 + period // 2) % period - period // 2) <= 2


def test_gaps_are_the_periods_of_a_glide(voice):
    found = instants_of(voice)
    pitch = np.interp(found[1:], [0, 32000], [110, 180])
    periods = np.diff(found)
    assert len(found) > 200
    assert np.median(np.abs(16000 / periods - pitch) / pitch) < 0.02


@given(st.sampled_from([2.0**-8, 0.3, 1.7, 64.0]))
@settings(max_examples=4, deadline=None)
def test_gain_changes_nothing(gain):
    signal = np.random.default_rng(1).standard_normal(24000).astype(np.float32)
    pulses = (np.arange(24000) % 100 == 0) + 0.02 * signal
    sound = vowel(pulses.astype(np.float32))
    track = tracked(sound)
    np.testing.assert_array_equal(
        instants_of(sound, track), instants_of((gain * sound).astype(np.float32), track)
    )


@pytest.mark.parametrize("delay", [160, 8000])
def test_delay_moves_the_instants(voice, delay):
    later = np.concatenate([np.zeros(delay, np.float32), voice])
    track = tracked(voice)
    moved = PitchTrack(
        f0=track.f0, voiced=track.voiced, score=track.score, positions=track.positions + delay
    )
    got, wanted = instants_of(later, moved) - delay, instants_of(voice, track)
    np.testing.assert_array_equal(got[got > 1600], wanted[wanted > 1600])


def test_instants_are_increasing_and_voiced(voice):
    track = tracked(voice)
    # centres at 12000 and 20000
    track.voiced[70:121] = False
    found = instants_of(voice, track)
    assert (np.diff(found) > 0).all()
    assert found[0] >= 800
    # half-way between a voiced frame and one that is not, voicing ends
    assert not ((found > 11920) & (found < 20080)).any()
    everywhere = instants_of(voice)
    kept = (everywhere <= 11920) | (everywhere >= 20080)
    np.testing.assert_array_equal(found, everywhere[kept])


def test_instants_do_not_depend_on_where_blocks_end(voice, monkeypatch):
    rng = np.random.default_rng(3)
    loud = np.repeat(rng.uniform(0.01, 1, 7), 32000)
    sound = (np.tile(voice, 7) * loud).astype(np.float32)
    residual, track = lp_residual(signal=sound, order=18), tracked(sound)
    whole = closure_instants(signal=sound, residual=residual, track=track)
    monkeypatch.setattr(extractors.closure_instants, "BLOCK", 9973)
    parts = closure_instants(signal=sound, residual=residual, track=track)
    assert len(sound) > 2 * extractors.closure_instants.MARGIN
    np.testing.assert_array_equal(parts, whole)


def test_mean_based_signal_is_its_formula(voice):
    # 16000 / 130 = 123, 1.7 * 123 / 2 = 105 (104.55)
    n = np.arange(-105, 106)
    window = 0.42 + 0.5 * np.cos(np.pi * n / 105) + 0.08 * np.cos(2 * np.pi * n / 105)
    mean = np.zeros(4000)
    for i in range(105, 4000 - 105):
        mean[i] = np.sum(window * voice[i - 105 : i + 106]) / 211
    b, a = scipy.signal.ellip(5, 3, 60, 50 / 8000, "highpass")
    wanted = scipy.signal.filtfilt(b, a, mean, padlen=15)
    got = mean_based_signal(signal=voice[:4000], f0=130.0)
    np.testing.assert_allclose(got, wanted, atol=1e-7 * np.abs(wanted).max())


def test_missing_residual_counts_as_nothing(voice):
    residual, track = lp_residual(signal=voice, order=18), tracked(voice)
    residual[10000:11000] = np.nan
    with_zeros = np.nan_to_num(residual)
    np.testing.assert_array_equal(
        closure_instants(signal=voice, residual=residual, track=track),
        closure_instants(signal=voice, residual=with_zeros, track=track),
    )


@pytest.mark.parametrize("count", [0, 1, 80, 1600])
@pytest.mark.parametrize("kind", ["silence", "constant", "noise", "clipped"])
def test_odd_sounds_do_not_fail(count, kind):
    noise = np.random.default_rng(0).standard_normal(count)
    sound = {
        "silence": np.zeros(count),
        "constant": np.full(count, 0.7),
        "noise": 0.1 * noise,
        "clipped": np.sign(noise),
    }[kind].astype(np.float32)
    own = instants_of(sound)
    forced = instants_of(sound, voiced_throughout(n_samples=count, f0=100.0))
    for found in (own, forced):
        assert found.dtype == np.int64
        assert ((found >= 1) & (found < max(count, 1))).all()


def test_nothing_voiced_has_no_instants(voice):
    track = voiced_throughout(n_samples=32000, f0=120.0)
    unvoiced = PitchTrack(
        f0=track.f0, voiced=~track.voiced, score=track.score, positions=track.positions
    )
    assert len(instants_of(voice, unvoiced)) == 0


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=20, unique=True).map(sorted))
def test_cycles_end_at_every_instant(instants):
    cycles = glottal_cycles(instants=np.array(instants))
    np.testing.assert_array_equal(cycles.ends, instants)
    np.testing.assert_array_equal(cycles.starts[1:], instants[:-1])
    np.testing.assert_array_equal(cycles.periods[1:], np.diff(instants))
    assert cycles.periods[0] == instants[1] - instants[0]
    assert cycles.starts[0] == max(0, instants[0] - 480000)


@pytest.mark.parametrize("instants", [[], [700]])
def test_one_instant_makes_no_cycle(instants):
    cycles = glottal_cycles(instants=np.array(instants, np.int64))
    assert len(cycles.starts) == len(cycles.ends) == len(cycles.periods) == 0


def test_instants_equal_covareps(recordings):
    for recording in recordings:
        signal = recording.signal * np.float32(recording.output["polarity"])
        np.testing.assert_array_equal(
            instants_of(signal), recording.output["GCI"], err_msg=recording.name
        )
