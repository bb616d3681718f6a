import numpy as np
import pytest
import scipy.fft

from extractors.linear_prediction import lp_residual
from extractors.pitch import harmonic_scores, pitch_on_grid, track_pitch


def track(signal, **bounds):
    return track_pitch(residual=lp_residual(signal=signal, order=12), **bounds)


# below 167 Hz three times the pitch is a candidate too, which ideal pulses fit as well
@pytest.mark.parametrize("period", [40, 50, 64, 80])
def test_pulse_train_has_its_pitch(period):
    pulses = (np.arange(24000) % period == 0).astype(np.float32)
    found = track(pulses)
    assert found.voiced.all()
    np.testing.assert_allclose(found.f0, 16000 / period, atol=1)


def test_glide_is_followed(voice):
    found = track(voice)
    wanted = np.interp(found.positions, [0, 32000], [110, 180])
    assert found.voiced.all()
    assert np.median(np.abs(found.f0 - wanted)) < 2


def test_white_noise_is_hardly_ever_voiced():
    noise = np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    assert track(noise).voiced.mean() < 0.05


def test_scores_are_the_definition():
    frames = np.random.default_rng(0).standard_normal((2, 1598))
    got = harmonic_scores(frames=frames, f0_min=50, f0_max=500)
    for frame, scores in zip(frames, got, strict=True):
        weighted = frame * np.blackman(1598)
        bins = np.abs(scipy.fft.fft(weighted - weighted.mean(), 16000))[:8000]
        bins /= np.sqrt(np.sum(bins**2))
        for f in (50, 51, 217, 500):
            harmonics = sum(bins[q * f - 1] for q in range(1, 6))
            between = sum(bins[int(np.floor((q + 0.5) * f + 0.5)) - 1] for q in range(1, 5))
            assert scores[f - 50] == pytest.approx(harmonics - between, abs=1e-5)


def test_second_pass_is_a_search_in_the_narrowed_range(voice):
    """The shortcut of re-scoring only some frames gives what scoring all of them gives."""
    sound = voice.copy()
    sound[20000:26000] = np.random.default_rng(1).standard_normal(6000) * 0.05
    residual = lp_residual(signal=sound, order=12)
    frames = np.lib.stride_tricks.sliding_window_view(residual, 1598)[::160]
    first = harmonic_scores(frames=frames, f0_min=50, f0_max=500)
    best, score = 50 + first.argmax(axis=1), first.max(axis=1)
    median = np.median(best[score > 0.1])
    low, high = max(50, round(median / 2)), min(500, round(2 * median))
    wanted = low + first[:, low - 50 : high - 49].argmax(axis=1)
    assert (best != wanted).any(), "the sound must make the second pass matter"
    np.testing.assert_array_equal(track_pitch(residual=residual).f0, wanted)


def test_search_range_is_kept(voice):
    found = track(voice, f0_min=200, f0_max=300)
    assert ((found.f0 >= 200) & (found.f0 <= 300)).all()


def test_shift_by_whole_frames_shifts_the_track(voice):
    whole, later = track(voice), track(voice[10 * 160 :])
    # the very first frames see the residual's beginning
    np.testing.assert_array_equal(later.f0[5:], whole.f0[15:])
    np.testing.assert_array_equal(later.voiced[5:], whole.voiced[15:])


def test_silence_has_no_candidate():
    found = track(np.zeros(16000, np.float32))
    assert (found.f0 == 1).all()
    assert (found.score == 0).all()
    assert not found.voiced.any()


@pytest.mark.parametrize(("count", "frames"), [(0, 0), (1597, 0), (1598, 1), (1758, 2)])
def test_number_of_frames(count, frames):
    found = track(np.random.default_rng(0).standard_normal(count).astype(np.float32))
    assert len(found.f0) == len(found.voiced) == len(found.score) == len(found.positions) == frames


def test_rows_are_means_of_two_frames_and_missing_at_the_ends(voice):
    found = track(voice)
    f0, vuv = pitch_on_grid(track=found, n_samples=len(voice))
    assert np.isnan(f0[:5]).all()
    assert np.isnan(vuv[:5]).all()
    pairs = (found.f0[:-1] + found.f0[1:]) / 2
    np.testing.assert_allclose(f0[5 : 5 + len(pairs)], pairs)
    assert np.isnan(f0[5 + len(pairs) :]).all()


def test_scores_equal_covareps(recordings):
    for recording in recordings:
        found = track(recording.signal * np.float32(recording.output["polarity"]))
        wanted = np.nan_to_num(recording.output["srh_val"])
        assert np.abs(found.score - wanted).max() < 1e-5, recording.name
