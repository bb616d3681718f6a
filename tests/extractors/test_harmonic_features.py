import numpy as np
import pytest

import extractors.harmonic_features
from extractors.cepstral import mel_cepstra
from extractors.glottal_shape import glottal_shape_on_grid
from extractors.harmonic_features import harmonic_features
from extractors.linear_prediction import lp_residual
from extractors.phase import phase_deviation_on_grid, phase_mean_on_grid
from extractors.pitch import track_pitch

FIELDS = ("cepstra", "rd", "confidence", "phase_mean", "phase_deviation")


def tracked(signal):
    return track_pitch(residual=lp_residual(signal=signal, order=12))


def features_of(signal, **settings):
    return harmonic_features(signal=signal, track=tracked(signal), **settings)


def circular_correlation(a, b):
    a, b = (np.sin(x - np.angle(np.exp(1j * x).mean())) for x in (a, b))
    return np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2))


@pytest.fixture(scope="module")
def paused(voice):
    """A voice between digital silences."""
    sound = np.zeros(48000, np.float32)
    sound[4000:20000], sound[32000:44000] = voice[:16000], voice[16000:28000]
    return sound


def test_every_frame_of_a_voice_is_described(voice):
    features = features_of(voice)
    count = len(tracked(voice).f0)
    for name, width in zip(FIELDS, ((25,), (), (), (25,), (13,)), strict=True):
        values = getattr(features, name)
        assert values.shape == (count, *width)
        assert np.isfinite(values).all(), name
    np.testing.assert_allclose(
        features.cepstra, mel_cepstra(signal=voice, track=tracked(voice)), atol=1e-9
    )


def test_blocks_change_nothing(voice, paused, monkeypatch):
    for signal in (voice, paused):
        whole = features_of(signal)
        with monkeypatch.context() as patched:
            patched.setattr(extractors.harmonic_features, "BLOCK", 37)
            pieces = features_of(signal)
        for name in FIELDS:
            np.testing.assert_allclose(
                getattr(pieces, name), getattr(whole, name), atol=1e-9, err_msg=name
            )


def test_only_frames_of_sound_and_pitch_are_measured(paused):
    features, track = features_of(paused), tracked(paused)
    half = np.where(track.f0 > 1, np.floor(24000 / np.maximum(track.f0, 1) + 0.5), 240)
    silent = np.array(
        [
            not paused[int(c - h) : int(c + h) + 1].any()
            for c, h in zip(track.positions, half, strict=True)
        ]
    )
    assert silent.sum() > 100
    assert (~silent & (track.f0 <= 1)).any()
    np.testing.assert_array_equal(np.isnan(features.cepstra).all(axis=1), silent)
    for name in FIELDS[1:]:
        missing = np.isnan(getattr(features, name).reshape(len(silent), -1)).any(axis=1)
        np.testing.assert_array_equal(missing, silent | (track.f0 <= 1), err_msg=name)


def test_longer_silences_leave_what_is_between_them_alone(paused):
    """All but the random phases of the top, which frames have by their number."""
    longer = np.concatenate([np.zeros(8000, np.float32), paused, np.zeros(800, np.float32)])
    features, later = features_of(paused), features_of(longer)
    inside = slice(5, len(features.rd) - 5)
    for name in FIELDS[:3]:
        np.testing.assert_allclose(
            getattr(later, name)[50:][inside], getattr(features, name)[inside], atol=1e-9
        )
    np.testing.assert_allclose(
        later.phase_mean[50:][inside][:, :24], features.phase_mean[inside][:, :24], atol=1e-9
    )


@pytest.mark.parametrize("length", [0, 1, 80, 1600, 1800, 2000, 4000])
def test_short_sounds_are_no_exception(voice, length):
    features = features_of(voice[:length])
    for name in FIELDS:
        assert np.isfinite(getattr(features, name)).all()


@pytest.mark.parametrize("sound", ["clipped", "offset", "noise", "tiny", "silent"])
def test_strange_sounds_are_no_exception(voice, sound):
    signal = {
        "clipped": np.clip(50 * voice, -1, 1),
        "offset": voice + np.float32(0.5),
        "noise": np.random.default_rng(0).standard_normal(16000).astype(np.float32),
        "tiny": voice * np.float32(1e-9),
        "silent": np.zeros(16000, np.float32),
    }[sound]
    features = features_of(signal)
    for name in FIELDS:
        values = getattr(features, name)
        assert np.isnan(values).all() if sound == "silent" else np.isfinite(values).all()


def test_flavours_differ_in_the_shape_alone(voice):
    new, old = features_of(voice), features_of(voice, flavour="1.4.1")
    assert np.abs(new.confidence - old.confidence).max() > 0.1
    np.testing.assert_array_equal(new.phase_mean, old.phase_mean)


def test_columns_equal_covareps(recordings):
    """All recordings but one, in which COVAREP analyses silences as voices of 1 Hz."""
    compared = [r for r in recordings if r.name != "es_us_m"]
    assert len(compared) > 8
    for recording in compared:
        output = recording.output
        signal = recording.signal * np.float32(output["polarity"])
        track, n_samples = tracked(signal), len(signal)
        features = harmonic_features(signal=signal, track=track)
        on_grid = {"positions": track.positions, "n_samples": n_samples}
        shape = glottal_shape_on_grid(rd=features.rd, confidence=features.confidence, **on_grid)
        means = np.nan_to_num(phase_mean_on_grid(means=features.phase_mean, **on_grid))
        deviations = np.nan_to_num(
            phase_deviation_on_grid(deviations=features.phase_deviation, **on_grid)
        )
        wanted = output["features"]
        for i, column in enumerate(shape):
            got = np.nan_to_num(column)
            assert np.corrcoef(got, wanted[:, 8 + i])[0, 1] > 0.99999, recording.name
        # the first bands lie below every pitch, and the last one is random in part
        assert not means[:, :4].any()
        np.testing.assert_allclose(
            np.angle(np.exp(1j * (means[:, :24] - wanted[:, 36:60]))), 0, atol=1e-6
        )
        for i in range(13):
            r = np.corrcoef(deviations[:, i], wanted[:, 61 + i])[0, 1]
            assert r > 0.95, (recording.name, i)
        # rounding rules the first and the last few frames
        rows = np.flatnonzero(wanted[:, 61])[15:-15]
        error = np.abs(deviations[rows] - wanted[rows, 61:])
        assert np.median(error) < 5e-3
