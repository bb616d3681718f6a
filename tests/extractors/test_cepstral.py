import numpy as np
import pytest

from extractors.cepstral import (
    frequency_warped_cepstrum,
    mel_cepstra,
    mel_cepstra_on_grid,
    true_envelope,
)
from extractors.linear_prediction import lp_residual
from extractors.pitch import track_pitch


def track(signal):
    return track_pitch(residual=lp_residual(signal=signal, order=12))


def cepstra_of(signal):
    return mel_cepstra(signal=signal, track=track(signal))


def by_transform(target, order, *, corrected):
    """True envelope of one frame with fast transforms of 4096 points, as in the paper."""
    order = int(np.floor(1.2 * order + 0.5))
    window = np.hamming(2 * order + 1)[order:]
    target = target.copy()
    if corrected:
        rough = by_transform(target, int(np.floor(order / 2 + 0.5)), corrected=False)
        ends = int(np.floor(1024 / order + 0.5))
        target[:ends] = rough[:ends]
        target[2050 - ends :] = rough[2050 - ends :]
    raised, cepstrum = target, np.zeros(order + 1)
    for _ in range(200):
        c = np.fft.irfft(raised, 4096)
        wanted = np.concatenate([c[:1], 2 * c[1 : order + 1]])
        inner = np.sqrt(np.sum(wanted**2))
        outer = np.sqrt(np.sum((2 * c[order + 1 : 2048]) ** 2))
        cepstrum = cepstrum + (inner + outer) / inner * window * (wanted - cepstrum)
        smooth = np.fft.rfft(cepstrum, 4096).real
        if np.max(target - smooth) <= np.log(10) / 10:
            break
        raised = np.maximum(raised, smooth)
    return smooth


def test_envelope_equals_that_by_fast_transforms():
    rng = np.random.default_rng(0)
    spectra = np.log(np.abs(np.fft.rfft(rng.standard_normal((5, 600)), 4096)))
    orders = np.array([16, 40, 41, 100, 160])
    got = true_envelope(log_spectra=spectra, orders=orders)
    for row, spectrum, order in zip(got, spectra, orders, strict=True):
        np.testing.assert_allclose(row, by_transform(spectrum, order, corrected=True), atol=1e-9)


def test_envelope_covers_the_spectrum_within_two_decibels():
    rng = np.random.default_rng(1)
    spectra = np.log(np.abs(np.fft.rfft(rng.standard_normal((4, 500)), 4096)))
    envelope = true_envelope(log_spectra=spectra, orders=np.full(4, 50))
    # the ends are covered only as far as the rough envelope covers them
    inner = slice(64, -64)
    assert np.max(spectra[:, inner] - envelope[:, inner]) <= np.log(10) / 10 + 1e-9


@pytest.mark.parametrize("level", [-23.0, 0.0, 3.0])
def test_envelope_of_a_flat_spectrum_is_flat(level):
    envelope = true_envelope(log_spectra=np.full((1, 2049), level), orders=np.array([80]))
    np.testing.assert_allclose(envelope, level, atol=1e-9)


@pytest.mark.parametrize("n_bins", [513, 2049])
def test_warped_cepstrum_is_the_definition(n_bins):
    envelope = np.exp(np.cumsum(np.random.default_rng(0).standard_normal(n_bins)) * 0.05)
    frequency = np.linspace(0, 8000, n_bins)
    mel = 1127 * np.log(1 + frequency / 700)
    warped = np.interp(frequency, 8000 * mel / mel[-1], envelope)
    cepstrum = np.fft.irfft(np.log(warped))
    wanted = np.concatenate([cepstrum[:1], 2 * cepstrum[1:25]])
    got = frequency_warped_cepstrum(envelopes=envelope[None], order=24)
    np.testing.assert_allclose(got[0], wanted, atol=1e-9)


def test_gain_moves_only_the_first_coefficient(voice):
    quiet, loud = cepstra_of(voice), cepstra_of(voice * 2)
    loud[:, 0] -= np.log(2)
    # the envelope's iteration stops 2 dB (0.23) above or below, so equality is not exact
    assert np.abs(loud - quiet).max() < 0.05
    assert np.abs(loud - quiet).mean(axis=0).max() < 0.005


def test_shift_by_whole_frames_shifts_the_cepstra(voice):
    np.testing.assert_allclose(cepstra_of(voice[1600:])[5:], cepstra_of(voice)[15:], atol=1e-9)


def test_silent_windows_have_no_cepstrum(voice):
    sound = voice.copy()
    sound[8000:16000] = 0
    missing = np.isnan(cepstra_of(sound)).all(axis=1)
    centres = 800 + 160 * np.arange(len(missing))
    inside = (centres >= 8000 + 500) & (centres < 16000 - 500)
    assert missing[inside].all()
    assert not missing[(centres < 8000) | (centres >= 16000)].any()


def test_frames_are_spread_from_the_first_to_the_last_sample():
    cepstra = np.arange(11.0)[:, None]
    got = mel_cepstra_on_grid(cepstra=cepstra, n_samples=16001)[:, 0]
    wanted = np.interp(80 + 160 * np.arange(100), 1 + 1600 * np.arange(11), np.arange(11.0))
    np.testing.assert_allclose(got, wanted)


def test_one_frame_holds_everywhere_and_none_nowhere():
    one = mel_cepstra_on_grid(cepstra=np.full((1, 25), 3.0), n_samples=1700)
    np.testing.assert_allclose(one, np.full((11, 25), 3.0))
    assert np.isnan(mel_cepstra_on_grid(cepstra=np.zeros((0, 25)), n_samples=1500)).all()


def test_native_frames_equal_covareps(recordings):
    """All recordings, in the frames that have a pitch.

    Next to digital silence they have none; there COVAREP analyses windows of 3 s, or drops frames.
    """
    for recording in recordings:
        output = recording.output
        signal = recording.signal * np.float32(output["polarity"])
        found = track(signal)
        # the centres of the frames that COVAREP kept, in seconds: 0.05, 0.06, ...
        kept = np.round((output["rds"][:, 0] - 0.05) / 0.01).astype(int)
        pitched = found.f0[kept] > 1
        assert pitched.sum() == (found.f0 > 1).sum()
        got = mel_cepstra(signal=signal, track=found)[kept[pitched]]
        np.testing.assert_allclose(got, output["MCEP"][pitched], atol=1e-6, err_msg=recording.name)
