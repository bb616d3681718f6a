import numpy as np
import pytest
import scipy.signal

from extractors.sound_envelope import ENVELOPE_RATE, sound_envelope

RATE = 16000


def tone(*, frequency, amplitude, rate=RATE):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(len(amplitude)) / rate)


def test_follows_the_loudness_of_a_tone_in_the_band():
    time = np.arange(4 * RATE) / RATE
    amplitude = 0.3 * (1.2 + np.sin(2 * np.pi * 3 * time))
    envelope = sound_envelope(pieces=[tone(frequency=1400, amplitude=amplitude)], sample_rate=RATE)
    wanted = (amplitude**2)[:: RATE // ENVELOPE_RATE] ** 0.3
    inner = slice(3, len(wanted) - 3)
    assert np.corrcoef(envelope[inner], wanted[inner])[0, 1] > 0.995
    # the trough is widened by the window, the peak is not
    assert envelope.max() == pytest.approx(wanted.max() / np.quantile(wanted, 0.95), rel=0.02)


def test_is_stevens_loudness():
    amplitude = np.repeat([1.0, 0.1], 2 * RATE)
    envelope = sound_envelope(pieces=[tone(frequency=1400, amplitude=amplitude)], sample_rate=RATE)
    loud, quiet = np.median(envelope[5:45]), np.median(envelope[55:95])
    assert quiet / loud == pytest.approx(0.01**0.3, rel=0.02)
    assert loud == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("frequency", [60, 200, 6000])
def test_hears_little_outside_the_band(frequency):
    amplitude = np.ones(2 * RATE)
    both = np.concatenate(
        [tone(frequency=1400, amplitude=amplitude), tone(frequency=frequency, amplitude=amplitude)]
    )
    envelope = sound_envelope(pieces=[both], sample_rate=RATE)
    assert np.median(envelope[55:95]) < 0.35


def test_has_a_click_where_it_is():
    signal = np.zeros(RATE)
    click = round(0.6 * RATE)
    signal[click : click + 160] = tone(frequency=1400, amplitude=np.ones(160))
    envelope = sound_envelope(pieces=[signal], sample_rate=RATE)
    assert np.argmax(envelope) == round(0.6 * ENVELOPE_RATE)
    assert np.count_nonzero(envelope > 1e-3) <= 4


@pytest.mark.parametrize("samples", [0, 1, 79, 639, 640, 641, 16001])
def test_length_and_silence(samples):
    envelope = sound_envelope(pieces=[np.zeros(samples)], sample_rate=RATE)
    assert envelope.shape == (1 + samples * ENVELOPE_RATE // RATE,)
    assert not envelope.any()


def test_does_not_depend_on_the_sampling_rate():
    time = np.arange(3 * 48000) / 48000
    amplitude = 0.2 * (1.2 + np.sin(2 * np.pi * 2 * time))
    fine = tone(frequency=1400, amplitude=amplitude, rate=48000)
    coarse = scipy.signal.resample_poly(fine, 1, 3)
    at_48 = sound_envelope(pieces=[fine], sample_rate=48000)
    at_16 = sound_envelope(pieces=[coarse], sample_rate=RATE)
    np.testing.assert_allclose(at_48, at_16, atol=0.02)


@pytest.mark.parametrize("size", [1000, 60 * RATE, 100 * RATE])
def test_does_not_depend_on_how_the_sound_is_cut(size):
    signal = np.random.default_rng(0).normal(size=150 * RATE)
    pieces = np.split(signal, range(size, len(signal), size))
    whole = sound_envelope(pieces=[signal], sample_rate=RATE)
    assert len(whole) == 1 + 150 * ENVELOPE_RATE
    np.testing.assert_allclose(
        sound_envelope(pieces=iter([*pieces, np.zeros(0)]), sample_rate=RATE), whole, rtol=1e-12
    )


def test_wants_the_band_to_be_there():
    with pytest.raises(ValueError, match="4000 Hz"):
        sound_envelope(pieces=[np.ones(4000)], sample_rate=4000)
