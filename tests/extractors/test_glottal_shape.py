import numpy as np
import pytest
import scipy.optimize

from extractors.glottal_shape import glottal_shape, glottal_shape_on_grid
from extractors.harmonics import (
    Harmonics,
    analysis_f0,
    harmonics_of_spectra,
    log_amplitudes,
    synchronous_spectra,
)
from extractors.liljencrants_fant import lf_parameters, lf_spectrum
from extractors.linear_prediction import lp_residual
from extractors.pitch import track_pitch


def made_of(spectra, *, f1=None):
    """Harmonics 1..Q of some frames, as if they had been analysed."""
    count = spectra.shape[1]
    f1 = 8000 / (count + 0.5) if f1 is None else f1
    whole = np.hstack([np.ones((len(spectra), 1)), spectra])
    return Harmonics(
        f1=np.full(len(spectra), f1),
        log_amplitudes=np.log(np.abs(whole)),
        phases=np.angle(whole),
        counts=np.full(len(spectra), count),
    )


def minimum_phase(amplitudes):
    """Folded real cepstrum of a symmetric spectrum, by fast transforms."""
    cepstrum = np.fft.irfft(np.log(amplitudes))
    half = len(cepstrum) // 2
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    return np.fft.rfft(cepstrum).imag


def error(rd, spectrum, *, conjugated):
    """What is minimised, step by step as it is defined."""
    count = len(spectrum)
    model = lf_spectrum(parameters=lf_parameters(rd=rd), harmonics=np.arange(1, count + 1))[0]
    rest = np.concatenate([[0], spectrum / (model.conj() if conjugated else model)])
    rest[0], rest[count] = abs(rest[1]), abs(rest[count - 1])
    rest = rest * np.exp(-1j * minimum_phase(np.abs(rest)))
    phases = np.angle(np.concatenate([rest, rest[-2:0:-1].conj()]))[: min(9, 2 * count)]
    distortion = phases[2:] - phases[1:-1] - phases[1]
    return np.mean(np.angle(np.exp(1j * distortion)) ** 2)


@pytest.mark.parametrize("flavour", ["current", "1.4.1"])
@pytest.mark.parametrize("count", [2, 3, 5, 8, 9, 17, 80])
def test_shape_is_what_scipy_finds_by_the_definition(count, flavour):
    rng = np.random.default_rng(count)
    # a decaying spectrum of arbitrary phases
    levels = np.exp(rng.standard_normal((20, count)) - 0.05 * np.arange(count))
    spectra = levels * np.exp(1j * rng.uniform(-np.pi, np.pi, (20, count)))
    rd, confidence = glottal_shape(harmonics=made_of(spectra), flavour=flavour)
    wanted = [
        scipy.optimize.minimize_scalar(
            lambda x, s=spectrum: error(x, s, conjugated=flavour == "current"),
            bounds=(0.3, 2.5),
            method="bounded",
            options={"xatol": 0.01, "maxiter": 32},
        )
        for spectrum in spectra
    ]
    # where a comparison of nearly equal errors falls the other way, the last step differs
    gaps = np.abs(rd - [found.x for found in wanted])
    assert gaps.max() < 0.01
    assert np.median(gaps) < 1e-4
    errors = np.array([found.fun for found in wanted])
    np.testing.assert_allclose(confidence, 1 - np.sqrt(errors) / np.pi, atol=1e-4)


@pytest.mark.parametrize("rd", [0.5, 0.9, 1.4, 2.0])
def test_shape_of_a_synthetic_vowel_is_found(rd):
    """Pulses through a vocal tract of minimum phase, at any delay; the sign error hides it."""
    f0, count = 110.0, 72
    q = np.arange(1, count + 1)
    z = np.exp(-2j * np.pi * q * f0 / 16000)
    tract = np.ones(count, complex)
    for centre, width in ((600, 100), (1200, 120), (2500, 160), (3500, 200)):
        radius = np.exp(-np.pi * width / 16000)
        turn = np.exp(2j * np.pi * centre / 16000)
        tract /= (1 - radius * turn * z) * (1 - radius / turn * z)
    source = lf_spectrum(parameters=lf_parameters(rd=rd), harmonics=q)[0]
    delays = np.linspace(0, 1, 7)[:, None]
    spectra = source * tract * np.exp(2j * np.pi * q * delays)
    found, confidence = glottal_shape(harmonics=made_of(spectra, f1=f0), flavour="1.4.1")
    np.testing.assert_allclose(found, rd, atol=0.05)
    assert confidence.min() > 0.93
    _, doubt = glottal_shape(harmonics=made_of(spectra, f1=f0))
    assert doubt.max() < 0.8


def test_gain_and_delay_change_nothing():
    rng = np.random.default_rng(3)
    spectra = rng.standard_normal((5, 40)) + 1j * rng.standard_normal((5, 40))
    shifted = 7 * spectra * np.exp(1j * 0.9 * np.arange(1, 41))
    for got, wanted in zip(
        glottal_shape(harmonics=made_of(shifted)),
        glottal_shape(harmonics=made_of(spectra)),
        strict=True,
    ):
        np.testing.assert_allclose(got, wanted, atol=0.01)


def test_results_stay_in_range():
    rng = np.random.default_rng(4)
    spectra = rng.standard_normal((300, 30)) + 1j * rng.standard_normal((300, 30))
    rd, confidence = glottal_shape(harmonics=made_of(spectra))
    assert rd.min() >= 0.3
    assert rd.max() <= 2.5
    assert confidence.min() >= 0
    assert confidence.max() <= 1


def test_harmonics_beyond_half_the_rate_do_not_count():
    rng = np.random.default_rng(5)
    spectra = rng.standard_normal((10, 41)) + 1j * rng.standard_normal((10, 41))
    # 40 * 198 Hz is below 8 kHz, 41 * 198 Hz is not
    np.testing.assert_array_equal(
        glottal_shape(harmonics=made_of(spectra, f1=198.0)),
        glottal_shape(harmonics=made_of(spectra[:, :40], f1=198.0)),
    )


def test_one_harmonic_has_no_shape():
    assert np.isnan(glottal_shape(harmonics=made_of(np.ones((3, 1)), f1=5000.0))).all()


def test_unknown_flavour_is_refused():
    with pytest.raises(ValueError, match="flavour must be one of"):
        glottal_shape(harmonics=made_of(np.ones((1, 9))), flavour="2")


def test_output_rows_are_means_of_neighbouring_frames():
    positions = 800.0 + 160 * np.arange(5)
    rd = np.array([1.0, 2.0, np.nan, 1.0, 0.5])
    got, confidence = glottal_shape_on_grid(
        rd=rd, confidence=rd / 4, positions=positions, n_samples=2400
    )
    # a frame without measurement is passed over: 2, 1.5, 1
    wanted = np.full(15, np.nan)
    wanted[5:9] = [1.5, 1.75, 1.25, 0.75]
    np.testing.assert_allclose(got, wanted)
    np.testing.assert_allclose(confidence, wanted / 4)


@pytest.mark.parametrize(("flavour", "key"), [("current", "rds"), ("1.4.1", "rds141")])
def test_native_frames_equal_covareps(recordings, flavour, key):
    for recording in recordings:
        output = recording.output
        signal = recording.signal * np.float32(output["polarity"])
        track = track_pitch(residual=lp_residual(signal=signal, order=12))
        kept = np.round((output[key][:, 0] - 0.05) / 0.01).astype(int)
        # those without pitch are analysed otherwise
        pitched = track.f0[kept] > 1
        kept, wanted = kept[pitched], output[key][pitched]
        f0 = analysis_f0(f0=track.f0[kept])
        spectra = synchronous_spectra(
            signal=signal, centres=track.positions[kept].astype(int), f0=f0
        )
        harmonics = harmonics_of_spectra(
            spectra=spectra, log_spectra=log_amplitudes(spectra=spectra), f0=f0
        )
        rd, confidence = glottal_shape(harmonics=harmonics, flavour=flavour)
        assert np.corrcoef(rd, wanted[:, 1])[0, 1] > 0.99999, recording.name
        assert np.abs(rd - wanted[:, 1]).max() < 0.01
        np.testing.assert_allclose(confidence, wanted[:, 2], atol=2e-3, err_msg=recording.name)
