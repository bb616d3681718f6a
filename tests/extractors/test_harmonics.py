import numpy as np
import pytest

from extractors.harmonics import (
    analysis_f0,
    half_window,
    harmonic_counts,
    harmonics_of_spectra,
    log_amplitudes,
    synchronous_spectra,
)


def analysed(*, signal, centres, f0):
    spectra = synchronous_spectra(signal=signal, centres=centres, f0=f0)
    return spectra, harmonics_of_spectra(
        spectra=spectra, log_spectra=log_amplitudes(spectra=spectra), f0=f0
    )


def by_definition(spectrum, f0):
    """Harmonics of one frame, by an unwrapped phase and a list of all peaks."""
    levels, step = np.log(np.abs(spectrum)), f0 * 4096 / 16000
    b = np.flatnonzero((levels[1:-1] > levels[:-2]) & (levels[1:-1] > levels[2:])) + 1
    parabolas = [np.polyfit([-1, 0, 1], levels[i - 1 : i + 2], 2) for i in b]
    peaks = np.array([i - p[1] / (2 * p[0]) for i, p in zip(b, parabolas, strict=True)])
    tops = np.array([p[2] - p[1] ** 2 / (4 * p[0]) for p in parabolas])
    places, found = [0.0], [levels[0]]
    for q in range(1, int(np.floor((8000 - f0 / 2) / f0 + 0.5)) + 1):
        nearest = np.argmin(np.abs(peaks - q * step))
        taken = abs(peaks[nearest] - q * step) < step / 2
        places.append(peaks[nearest] if taken else q * step)
        found.append(tops[nearest] if taken else levels[int(np.floor(q * step + 0.5))])
    phases = np.interp(places, np.arange(2049), np.unwrap(np.angle(spectrum)))
    return np.median(np.diff(places)) * 16000 / 4096, np.array(found), phases


def test_frames_without_pitch_are_analysed_as_100_hz():
    np.testing.assert_array_equal(analysis_f0(f0=np.array([1.0, 50, 217])), [100, 50, 217])


def test_window_spans_three_periods():
    assert half_window(f0=[100.0, 50.0, 437.0]).tolist() == [240, 480, 55]


@pytest.mark.parametrize("frequency", [500.0, 1234.5, 3000.0])
def test_cosine_has_its_amplitude_and_its_phase_at_the_centre(frequency):
    n = np.arange(8000)
    centres, f0 = np.array([2000, 3111, 5000]), np.array([120.0, 200.0, 120.0])
    phase = 2 * np.pi * frequency * n / 16000 + 0.7
    spectra = synchronous_spectra(signal=0.3 * np.cos(phase), centres=centres, f0=f0)
    # the phase at the bin's own frequency differs from the cosine's by nothing at the centre
    peak = spectra[np.arange(3), np.full(3, round(frequency * 4096 / 16000))]
    np.testing.assert_allclose(np.abs(peak), 0.15, rtol=0.01)
    np.testing.assert_allclose(np.angle(peak * np.exp(-1j * phase[centres])), 0, atol=0.02)


def test_spectrum_is_numpys_of_the_windowed_samples():
    signal = np.random.default_rng(0).standard_normal(4000)
    got = synchronous_spectra(signal=signal, centres=np.array([1500]), f0=np.array([80.0]))
    window = np.blackman(601)
    wanted = np.abs(np.fft.rfft(signal[1200:1801] * window / window.sum(), 4096))
    np.testing.assert_allclose(np.abs(got[0]), wanted, atol=1e-12)


def test_amplitudes_have_a_floor():
    logs = log_amplitudes(spectra=np.array([[0, 1e-20, 1, 2j]]))
    np.testing.assert_allclose(logs, [[np.log(1e-10), np.log(1e-10), 0, np.log(2)]])


def test_harmonics_are_counted_up_to_half_the_rate():
    # 8000 / f0 - 1/2, halves rounded up
    assert harmonic_counts(f0=np.array([100.0, 500.0, 1500.0, 31.0])).tolist() == [80, 16, 5, 258]


def test_harmonics_of_noise_are_those_of_the_definition():
    signal = np.random.default_rng(2).standard_normal(16000)
    f0 = np.array([50.0, 83, 200, 317, 500, 1500])
    spectra, harmonics = analysed(signal=signal, centres=np.arange(1, 7) * 2000, f0=f0)
    for k, pitch in enumerate(f0):
        f1, levels, phases = by_definition(spectra[k], pitch)
        count = harmonics.counts[k]
        assert count == len(levels) - 1
        assert harmonics.f1[k] == pytest.approx(f1)
        np.testing.assert_allclose(harmonics.log_amplitudes[k, : count + 1], levels, atol=1e-9)
        turns = (harmonics.phases[k, : count + 1] - phases) / (2 * np.pi)
        np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)
        assert np.abs(harmonics.phases[k]).max() <= np.pi
        assert not harmonics.phases[k, count + 1 :].any()


def test_harmonics_of_a_known_sound_are_found_though_the_pitch_is_a_little_off():
    rng = np.random.default_rng(3)
    amplitudes, phases = rng.uniform(0.5, 1, 30), rng.uniform(-np.pi, np.pi, 30)
    n = np.arange(-2000, 2000)
    q = np.arange(1, 31)[:, None]
    signal = amplitudes @ np.cos(2 * np.pi * q * 200.4 / 16000 * n + phases[:, None])
    _, harmonics = analysed(signal=signal, centres=np.array([2000]), f0=np.array([200.0]))
    assert harmonics.f1[0] == pytest.approx(200.4, abs=0.3)
    # lobes of neighbours 200 Hz apart touch each other
    np.testing.assert_allclose(np.exp(harmonics.log_amplitudes[0, 1:31]), amplitudes / 2, rtol=0.03)
    turned = np.exp(1j * (harmonics.phases[0, 1:31] - phases))
    np.testing.assert_allclose(np.angle(turned), 0, atol=0.05)


def test_a_spectrum_without_peaks_has_harmonics_at_the_multiples():
    flat = np.ones((1, 2049), complex)
    harmonics = harmonics_of_spectra(
        spectra=flat, log_spectra=log_amplitudes(spectra=flat), f0=np.array([123.0])
    )
    assert harmonics.f1[0] == pytest.approx(123)
    assert not harmonics.log_amplitudes.any()
    assert not harmonics.phases.any()
