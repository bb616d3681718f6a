import numpy as np
import pytest

from extractors.harmonics import analysis_f0, half_window, synchronous_spectra


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
