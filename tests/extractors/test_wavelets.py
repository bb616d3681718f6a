import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from extractors.framing import interpolate_to_grid
from extractors.linear_prediction import lp_residual
from extractors.wavelets import (
    BLOCK,
    maxima_dispersion_quotients,
    octave_bands,
    peak_slopes,
    reach,
    slope_positions,
    wavelet,
    within_reach,
)

SCALES = tuple(range(7))


def noise(count):
    return np.random.default_rng(0).standard_normal(count)


@pytest.mark.parametrize("scale", SCALES)
def test_wavelet_is_the_formula_and_its_band_is_an_octave_lower_each(scale):
    n, s = np.arange(-1000, 1001), 2.0**scale
    wanted = -np.cos(2 * np.pi * (8000 / s) * n / 16000) * np.exp(-(n**2) / (2 * s**2))
    np.testing.assert_allclose(wavelet(scale=scale), wanted, atol=1e-12)
    gain = np.abs(np.fft.rfft(wavelet(scale=scale), 1 << 16))
    peak = gain.argmax() * 16000 / (1 << 16)
    assert peak == pytest.approx(8000 / s, rel=0.05)


@pytest.mark.parametrize(("start", "stop"), [(300, 4200), (0, 6000 + BLOCK), (900, 901 + BLOCK)])
def test_bands_are_convolutions(start, stop):
    signal = noise(6000 + BLOCK)
    for scale, band in zip(
        SCALES, octave_bands(signal=signal, scales=SCALES, start=start, stop=stop), strict=True
    ):
        wanted = scipy.signal.convolve(signal, wavelet(scale=scale), mode="same", method="direct")
        np.testing.assert_allclose(band, wanted[start:stop], atol=1e-10)


def test_reach_is_where_the_gaussian_underflows():
    least = np.nextafter(0.0, 1.0)
    for scale in SCALES:
        place = min(1000, np.sqrt(-2 * np.log(least)) * 2**scale)
        assert reach(scale=scale) == pytest.approx(place, abs=3)


def test_neighbours_of_marks():
    marks = np.zeros(100, bool)
    marks[[10, 50]] = True
    wanted = scipy.ndimage.maximum_filter1d(marks.astype(int), 7, mode="constant").astype(bool)
    found = within_reach(marks=marks, distance=3, start=5, stop=90)
    np.testing.assert_array_equal(found, wanted[5:90])


def slopes_by_definition(signal):
    bands = [scipy.signal.convolve(signal, wavelet(scale=7 - t), mode="same") for t in range(1, 8)]
    found = []
    for first in range(0, len(signal) - 639, 160):
        levels = [np.log10(np.abs(band[first : first + 640]).max()) for band in bands]
        found.append(np.polyfit(np.arange(1, 8), levels, 1)[0])
    return np.array(found)


def test_slopes_are_the_definition_across_blocks():
    signal = noise(BLOCK + 9000)
    np.testing.assert_allclose(peak_slopes(signal=signal), slopes_by_definition(signal), atol=1e-9)


def test_slope_does_not_depend_on_gain_and_is_lower_for_a_darker_sound(voice):
    plain = peak_slopes(signal=voice)
    np.testing.assert_allclose(peak_slopes(signal=voice * 8), plain, atol=1e-6)
    dark = scipy.signal.lfilter([0.05], [1, -0.95], voice)
    assert (peak_slopes(signal=dark) < plain).all()


def test_shift_by_whole_frames_shifts_the_slopes(voice):
    whole, later = peak_slopes(signal=voice), peak_slopes(signal=voice[1600:])
    np.testing.assert_allclose(later[7:], whole[17:], atol=1e-9)


def test_digital_silence_has_no_slope(voice):
    sound = voice.copy()
    sound[8000:16000] = 0
    slopes = peak_slopes(signal=sound)
    centres = slope_positions(count=len(slopes))
    assert (slopes[(centres > 9400) & (centres < 14600)] == 0).all()
    assert not np.isinf(slopes).any()
    assert np.isnan(slopes).sum() <= 4


@pytest.mark.parametrize(("count", "frames"), [(0, 0), (1, 0), (639, 0), (640, 1), (800, 2)])
def test_number_of_slopes(count, frames):
    assert len(peak_slopes(signal=np.ones(count))) == frames


# the second set has a pause whose window is wider than a transform
@pytest.mark.parametrize(
    ("count", "instants"),
    [
        (6000, [1000, 1100, 1230, 1400, 4000, 4090]),
        (8 * BLOCK, [1000, 1100, 1100 + 3 * BLOCK, 1220 + 3 * BLOCK]),
    ],
)
def test_dispersion_is_the_definition(count, instants):
    residual, instants = noise(count), np.array(instants)
    wanted = np.zeros(len(instants))
    periods = np.diff(instants, prepend=900)
    for i, (instant, period) in enumerate(zip(instants, periods, strict=True)):
        half = int(np.floor(0.2 * period + 0.5))
        if instant + 1 - period <= 0 or instant + 1 + period > count:
            continue
        for scale in range(2, 7):
            band = scipy.signal.convolve(residual, wavelet(scale=scale), mode="same")
            place = band[instant - half : instant + half + 1].argmax() + 1
            wanted[i] += abs(place - half) / period / 5
    found = maxima_dispersion_quotients(residual=residual, instants=instants)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_chunks_change_nothing():
    """A far instant forces another transform; the rest stays as it is."""
    residual = noise(3 * BLOCK)
    instants = np.arange(1000, 2000, 100)
    near = maxima_dispersion_quotients(residual=residual, instants=instants)
    far = np.append(instants, [2 * BLOCK + 100, 2 * BLOCK + 200])
    np.testing.assert_allclose(
        maxima_dispersion_quotients(residual=residual, instants=far)[:10], near, atol=1e-12
    )


@pytest.mark.parametrize("instants", [[], [500], [0, 999], [3, 5]])
def test_few_or_impossible_instants_have_no_dispersion_or_a_finite_one(instants):
    found = maxima_dispersion_quotients(residual=noise(1000), instants=np.array(instants, np.int64))
    assert found.shape == (len(instants),)
    assert np.isfinite(found).all()


def test_dispersion_equals_covareps(recordings):
    equal, total = 0, 0
    for recording in recordings:
        output = recording.output
        signal = recording.signal * np.float32(output["polarity"])
        instants = output["GCI"].ravel().astype(np.int64)
        found = maxima_dispersion_quotients(
            residual=lp_residual(signal=signal, order=18), instants=instants
        )
        same = np.abs(found - output["MDQ_raw"][:, 1]) < 1e-9
        equal, total = equal + same.sum(), total + len(same)
    # a tie between two samples can fall the other way by rounding
    assert total - equal <= 0.001 * total


def test_slopes_equal_covareps(recordings):
    for recording in recordings:
        signal = recording.signal * np.float32(recording.output["polarity"])
        found, wanted = peak_slopes(signal=signal), recording.output["PS_raw"]
        np.testing.assert_allclose(slope_positions(count=len(found)) / 16000, wanted[:, 0])
        # minus infinity next to digital silence, for want of a band, is missing here
        silent = np.isinf(wanted[:, 1])
        np.testing.assert_array_equal(np.isnan(found), silent)
        np.testing.assert_allclose(found[~silent], wanted[~silent, 1], atol=1e-9)


def test_slopes_on_the_grid_are_means_of_two(voice):
    slopes = peak_slopes(signal=voice)
    rows = interpolate_to_grid(
        values=slopes, positions=slope_positions(count=len(slopes)), n_samples=len(voice)
    )
    np.testing.assert_allclose(rows[2:50], (slopes[:48] + slopes[1:49]) / 2)
