import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.harmonics import Harmonics
from extractors.phase import (
    BANDS,
    phase_deviation_on_grid,
    phase_distortion,
    phase_mean_on_grid,
    phase_statistics,
)

HZ = np.arange(513) * 15.625


def harmonics_of(*, f1, log_amplitudes, phases):
    count = len(phases) - 1
    return Harmonics(
        f1=np.array([f1]),
        log_amplitudes=np.asarray(log_amplitudes, float)[None],
        phases=np.asarray(phases, float)[None],
        counts=np.array([count]),
    )


def distortion_of(*, f1=200.0, f0=200.0, log_amplitudes=None, phases, random_phase=0.5):
    levels = np.zeros(len(phases)) if log_amplitudes is None else log_amplitudes
    cosine, sine = phase_distortion(
        harmonics=harmonics_of(f1=f1, log_amplitudes=levels, phases=phases),
        f0=np.array([f0]),
        random_phases=np.array([random_phase]),
    )
    return np.arctan2(sine, cosine)[0]


def frames(count, seed=0):
    """Directions that drift and scatter over time, none below the tenth bin."""
    rng = np.random.default_rng(seed)
    drift = np.cumsum(0.2 * rng.standard_normal((count, 513)), axis=0)
    angles = rng.uniform(-0.8, 0.8, 513) + drift + 0.3 * rng.standard_normal((count, 513))
    angles[:, :10] = 0
    return np.cos(angles), np.sin(angles)


def smoothed(taps, values):
    return scipy.signal.filtfilt(taps, 1, values, axis=0, padlen=3 * (len(taps) - 1))


def circular(cosine, sine):
    return np.arctan2(sine, cosine)


def same_angles(got, wanted, **tolerance):
    np.testing.assert_allclose(np.angle(np.exp(1j * (got - wanted))), 0, **tolerance)


def test_flat_sound_has_the_differences_of_its_phases():
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, 40)  # harmonics 0..39 of 200 Hz
    got = distortion_of(phases=phases)
    differences = np.concatenate([[0], phases[2:] - phases[1:-1] - phases[1], [0.5]])
    places = np.concatenate([[0, 190], 200 * np.arange(1, 41)])
    wanted = np.interp(HZ, places, np.unwrap(np.concatenate([[0, 0], differences])))
    same_angles(got, wanted, atol=1e-9)
    assert not got[HZ < 200].any()


def test_delay_changes_nothing():
    phases = np.random.default_rng(1).uniform(-np.pi, np.pi, 60)
    delayed = phases + 1.7 * np.arange(60)
    same_angles(distortion_of(phases=delayed), distortion_of(phases=phases), atol=1e-9)


def test_minimum_phase_of_the_envelope_is_taken_out():
    """A one-pole sound has minimum phase: nothing is left of it."""
    f1 = 62.5
    z = np.exp(-2j * np.pi * np.arange(128) * f1 / 16000)
    spectrum = 1 / (1 - 0.6 * z)
    got = distortion_of(
        f1=f1, f0=f1, log_amplitudes=np.log(np.abs(spectrum)), phases=np.angle(spectrum)
    )
    assert np.abs(np.diff(np.angle(spectrum))).max() > 0.03
    np.testing.assert_allclose(got[HZ < 7900], 0, atol=2e-3)


def test_harmonics_above_half_the_rate_are_allowed():
    got = distortion_of(f1=201.0, phases=np.zeros(41), log_amplitudes=np.arange(41.0))
    assert np.isfinite(got).all()


def test_statistics_are_scipys_by_the_definition():
    cosine, sine = frames(120)
    means, deviations = phase_statistics(cosine=cosine, sine=sine)

    boxcar = np.full(25, 1 / 25)
    mean = circular(smoothed(boxcar, cosine), smoothed(boxcar, sine))
    for c, (first, last) in enumerate(zip(BANDS, [*BANDS[1:], 512], strict=True)):
        band = mean[:, first:last]
        same_angles(
            means[:, c], circular(*(f(band).sum(axis=1) for f in (np.cos, np.sin))), atol=1e-9
        )

    window = np.hanning(9) / np.hanning(9).sum()
    trend = circular(
        *(smoothed(window, scipy.signal.medfilt(part, (9, 1))) for part in (cosine, sine))
    )
    rest = circular(cosine, sine) - trend
    boxcar = np.full(9, 1 / 9)
    length = np.hypot(smoothed(boxcar, np.cos(rest)), smoothed(boxcar, np.sin(rest)))
    deviation = np.full(length.shape, 0.001)
    np.sqrt(-2 * np.log(length), out=deviation, where=length < 1 - 1e-12)
    mel = np.log1p(HZ / 700)
    warped = np.stack([np.interp(HZ, 8000 * mel / mel[-1], row) for row in deviation])
    cepstra = np.fft.irfft(np.log(warped), axis=1)[:, :13]
    cepstra[:, 1:] *= 2
    np.testing.assert_allclose(deviations[12:-12], cepstra[12:-12], atol=1e-6)
    # the first and last trend is that of a median, which may be 0 but for rounding, and there the
    # odd extension leaves no deviation at all
    np.testing.assert_allclose(deviations[1:-1], cepstra[1:-1], atol=0.1)


def test_still_phases_have_the_least_deviation():
    cosine, sine = np.ones((60, 513)), np.zeros((60, 513))
    means, deviations = phase_statistics(cosine=cosine, sine=sine)
    assert not means.any()
    np.testing.assert_allclose(deviations[:, 0], np.log(0.001))
    np.testing.assert_allclose(deviations[:, 1:], 0, atol=1e-9)


def test_deviation_grows_with_the_scatter():
    rng = np.random.default_rng(5)
    scatter = rng.standard_normal((200, 513))
    levels = [
        phase_statistics(cosine=np.cos(s * scatter), sine=np.sin(s * scatter))[1][20:-20, 0].mean()
        for s in (0.05, 0.2, 0.8)
    ]
    # for little scatter the circular deviation is the deviation
    assert levels[1] - levels[0] == pytest.approx(np.log(4), abs=0.02)
    assert levels[2] > levels[1] + 1


@settings(deadline=None, max_examples=25)
@given(cut=st.integers(1, 149))
def test_pieces_with_context_equal_the_whole(cut):
    cosine, sine = frames(150)
    whole = phase_statistics(cosine=cosine, sine=sine)
    for start, stop in ((0, cut), (cut, 150)):
        first, last = max(start - 24, 0), min(stop + 24, 150)
        piece = phase_statistics(
            cosine=cosine[first:last],
            sine=sine[first:last],
            first=first == 0,
            last=last == 150,
        )
        for got, wanted in zip(piece, whole, strict=True):
            inner = got[start - first : stop - first]
            np.testing.assert_allclose(inner, wanted[start:stop], rtol=0, atol=1e-12)
            assert len(got) == last - first
            assert np.isnan(got[: 24 * (first > 0)]).all()


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9, 24, 25, 48])
def test_short_sounds_have_statistics(count):
    means, deviations = phase_statistics(
        **dict(zip(("cosine", "sine"), frames(count), strict=True))
    )
    assert means.shape == (count, 25)
    assert deviations.shape == (count, 13)
    assert np.isfinite(means).all()
    assert np.isfinite(deviations).all()


def test_mean_of_one_frame_is_that_frame():
    angles = np.tile(np.linspace(-1, 1, 513), (1, 1))
    means, _ = phase_statistics(cosine=np.cos(angles), sine=np.sin(angles))
    np.testing.assert_allclose(means[0, 8], angles[0, 8:10].mean(), atol=1e-9)


def test_output_rows_take_the_shorter_way_around():
    positions = 800.0 + 160 * np.arange(2)
    means = np.stack([np.full(25, 3.0), np.full(25, -3.0)])
    got = phase_mean_on_grid(means=means, positions=positions, n_samples=1200)
    # frames count from 0 here: the row lies 79 of 160 samples after the first
    same_angles(got[5], 3 + (2 * np.pi - 6) * 79 / 160, atol=1e-9)
    assert np.isnan(got[[4, 6]]).all()


def test_output_rows_pass_over_frames_without_measurement():
    positions = 800.0 + 160 * np.arange(4)
    values = np.arange(4.0)[:, None] * np.ones(13)
    holed = values.copy()
    holed[1:3] = np.nan
    for n_samples in (1000, 1400):
        np.testing.assert_allclose(
            phase_deviation_on_grid(deviations=holed, positions=positions, n_samples=n_samples),
            phase_deviation_on_grid(deviations=values, positions=positions, n_samples=n_samples),
        )
    wide = np.tile(holed[:, :1], (1, 25))
    got = phase_mean_on_grid(means=wide, positions=positions, n_samples=1400)
    np.testing.assert_allclose(got[5:8, 0], np.arange(3) + 79 / 160)


def test_nothing_measured_gives_nothing():
    empty = np.full((3, 25), np.nan)
    positions = 800.0 + 160 * np.arange(3)
    got = phase_mean_on_grid(means=empty, positions=positions, n_samples=1200)
    assert got.shape == (8, 25)
    assert np.isnan(got).all()
