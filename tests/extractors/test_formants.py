import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from extractors.formants import (
    BIN_WIDTH,
    BLOCK,
    chirp_group_delay,
    dominant_peaks,
    filled_holes,
    formant_peaks,
    formant_tracks,
    formants_on_grid,
    without_jumps,
    zero_phase_frames,
)

VOWELS = {
    "i": (280, 2250, 2900, 3700, 4600),
    "a": (700, 1200, 2600, 3500, 4500),
    "u": (300, 870, 2250, 3300, 4300),
    "e": (530, 1850, 2500, 3500, 4500),
}


def noise(shape):
    return np.random.default_rng(0).standard_normal(shape)


def vowel(*, f0, formants, seconds=0.5):
    """Impulses through one two-pole resonance for every formant, and a little noise."""
    count = round(16000 * seconds)
    sound = np.diff(np.floor(f0 * np.arange(1, count + 1) / 16000), prepend=0.0)
    for centre in formants:
        radius = np.exp(-np.pi * (50 + 0.02 * centre) / 16000)
        poles = [1, -2 * radius * np.cos(2 * np.pi * centre / 16000), radius**2]
        sound = scipy.signal.lfilter([1.0], poles, sound)
    return sound / np.abs(sound).max() + 1e-4 * noise(count)


@pytest.mark.parametrize("f0", [90, 120, 160, 200, 240])
@pytest.mark.parametrize("name", VOWELS)
def test_formants_of_vowels_are_found_at_every_pitch(f0, name):
    tracks = formant_tracks(signal=vowel(f0=f0, formants=VOWELS[name]))
    wanted = np.array(VOWELS[name])
    # a harmonic can pull a formant by up to half the distance to the next one
    allowed = np.maximum(0.6 * f0, 0.03 * wanted)
    assert (np.abs(np.median(tracks, axis=0) - wanted) < allowed).all()
    assert (tracks > 0).all()


def test_formants_follow_a_change_of_vowel():
    sound = np.concatenate([vowel(f0=120, formants=VOWELS[name]) for name in ("i", "a")])
    tracks = formant_tracks(signal=sound)
    first, second = np.median(tracks[:45], axis=0), np.median(tracks[55:], axis=0)
    assert second[0] - first[0] > 300
    assert first[1] - second[1] > 900


def test_formants_do_not_depend_on_gain_sign_or_direction_of_time(voice):
    sound = voice[:8160].astype(np.float64)  # a whole number of hops beyond the first frame
    plain = formant_tracks(signal=sound)
    np.testing.assert_array_equal(formant_tracks(signal=-64 * sound), plain)
    backwards = formant_tracks(signal=sound[::-1])[::-1]
    assert (np.abs(backwards - plain) < 2 * BIN_WIDTH).mean() > 0.99


def test_blocks_change_nothing():
    frames = noise((BLOCK + 10, 480))
    found = formant_peaks(frames=frames)
    np.testing.assert_array_equal(formant_peaks(frames=frames[5:20]), found[5:20])
    sound = noise(160 * (BLOCK + 9) + 480)
    framed = np.lib.stride_tricks.sliding_window_view(sound, 480)[::160]
    whole = filled_holes(formants=without_jumps(formants=formant_peaks(frames=framed)))
    np.testing.assert_array_equal(formant_tracks(signal=sound), whole)


def test_peaks_increase_and_lie_under_5_khz():
    found = formant_peaks(frames=noise((200, 480)))
    there = found > 0
    assert (there[:, :-1] >= there[:, 1:]).all()
    assert (np.diff(found, axis=1)[there[:, 1:]] >= 6 * BIN_WIDTH).all()
    assert found.max() < 5000
    assert there.all(axis=1).mean() > 0.5


def peaks_step_by_step(frame):
    """One frame at a time, by the words of the definition."""
    zero_phase = zero_phase_frames(frames=frame[None])
    hundredths, direction = 112, None
    while True:
        delay = chirp_group_delay(frames=zero_phase, radius=np.array([hundredths / 100]))[0]
        peaks = scipy.signal.argrelextrema(delay, np.greater, order=5)[0]
        peaks = peaks[(peaks >= 5) & (peaks < 635)]
        found = np.append((peaks + 0.5) * 16000 / 2048, np.zeros(5))[:5]
        if len(peaks) == 5:
            return found
        wanted = -1 if len(peaks) < 5 else 1
        if direction not in (None, wanted) or not 102 <= hundredths + wanted <= 125:
            return found
        direction = wanted
        hundredths += wanted


def test_radius_moves_until_there_are_five():
    frames = noise((60, 480))
    wanted = [peaks_step_by_step(frame) for frame in frames]
    np.testing.assert_allclose(formant_peaks(frames=frames), wanted)


def test_zero_phase_frames_keep_the_magnitude_and_are_symmetric():
    frames = noise((3, 480))
    found = zero_phase_frames(frames=frames)
    spectra = np.fft.fft(found, axis=1)
    windowed = np.diff(frames * scipy.signal.windows.blackman(480), axis=1)
    np.testing.assert_allclose(spectra.real, np.abs(np.fft.fft(windowed, axis=1)), atol=1e-9)
    np.testing.assert_allclose(spectra.imag, 0, atol=1e-9)
    np.testing.assert_allclose(found[:, 1:], found[:, :0:-1], atol=1e-9)


@pytest.mark.parametrize("radius", [1.0, 1.05, 1.12])
def test_chirp_group_delay_is_that_of_the_scaled_signal(radius):
    """The delay of x[n] R^-n, by the definition of group delay that has no phase in it."""
    frame = np.r_[1.0, 0.3 * noise(30) * 0.8 ** np.arange(30)]
    scaled = frame * radius ** -np.arange(31.0)
    frequencies, delay = scipy.signal.group_delay((scaled, [1]), w=1 << 15, fs=16000)
    found = chirp_group_delay(frames=frame[None], radius=np.array([radius]))[0]
    centres = (np.arange(640) + 0.5) * BIN_WIDTH
    wanted = np.interp(centres, frequencies, delay) * 2 * np.pi / 2048
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@given(
    curves=hnp.arrays(np.float64, (2, 40), elements=st.integers(0, 20).map(float)),
)
def test_peaks_exceed_all_five_on_either_side(curves):
    found = dominant_peaks(curves=curves)
    for row, column in np.ndindex(curves.shape):
        near = curves[row, max(0, column - 5) : column + 6]
        peak = 5 <= column < 35 and (near < curves[row, column]).sum() == 10
        assert found[row, column] == peak


def test_lone_values_are_removed_and_their_holes_filled():
    steady = np.full((9, 1), 500.0)
    one = steady.copy()
    one[4] = 900
    removed = without_jumps(formants=one)
    assert removed[4] == 0
    np.testing.assert_array_equal(removed[[0, 1, 2, 3, 5, 6, 7, 8]], 500)
    np.testing.assert_array_equal(filled_holes(formants=removed), steady)
    pair = steady.copy()
    pair[4:6] = 900
    np.testing.assert_array_equal(filled_holes(formants=without_jumps(formants=pair)), steady)


def test_steps_and_small_jumps_stay():
    step = np.repeat([500.0, 900.0], 5)[:, None]
    np.testing.assert_array_equal(without_jumps(formants=step), step)
    small = np.full((9, 1), 500.0)
    small[4] = 750
    np.testing.assert_array_equal(without_jumps(formants=small), small)


def test_holes_take_what_there_is_beside_them():
    track = np.array([[0.0], [400], [0], [600], [0], [0], [0], [800]])
    wanted = np.array([[400.0], [400], [500], [600], [600], [0], [800], [800]])
    np.testing.assert_array_equal(filled_holes(formants=track), wanted)


def test_rows_of_the_grid_are_frames(voice):
    tracks = formant_tracks(signal=voice)
    rows = formants_on_grid(formants=tracks, n_samples=len(voice))
    assert rows.shape == (200, 5)
    np.testing.assert_array_equal(rows[1:-1], tracks)
    np.testing.assert_array_equal(rows[[0, -1]], 0)


@pytest.mark.parametrize(("count", "frames"), [(0, 0), (1, 0), (480, 1), (640, 2), (1600, 8)])
@pytest.mark.parametrize("kind", ["silence", "constant", "noise", "click", "tiny"])
def test_poor_sounds_give_finite_rows(count, frames, kind):
    sound = {
        "silence": np.zeros(count, np.float32),
        "constant": np.ones(count, np.float32),
        "noise": noise(count).astype(np.float32),
        "click": (np.arange(count) == 300).astype(np.float32),
        "tiny": 1e-30 * noise(count),
    }[kind]
    tracks = formant_tracks(signal=sound)
    assert tracks.shape == (frames, 5)
    assert np.isfinite(tracks).all()
    rows = formants_on_grid(formants=tracks, n_samples=count)
    assert rows.shape == ((count + 80) // 160, 5)
    assert np.isfinite(rows).all()
    if kind == "silence":
        assert (tracks == 0).all()
