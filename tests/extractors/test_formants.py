import numpy as np
import pytest
import scipy.signal

from extractors.formants import BLOCK, formant_tracks, formants_on_grid

BIN_WIDTH = 16000 / 2048
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
    # harmonics pull low formants towards them, and differencing raises the high ones a little
    allowed = np.maximum(0.8 * f0, 0.05 * wanted)
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
    sound = noise(160 * (2 * BLOCK + 9) + 480)
    whole, later = formant_tracks(signal=sound), formant_tracks(signal=sound[160 * 50 :])
    # cleaning and filling reach four frames
    np.testing.assert_array_equal(later[5:], whole[55:])


def test_peaks_increase_and_lie_under_5_khz():
    for frame in noise((200, 480)):
        found = formant_tracks(signal=frame)[0]
        assert (np.diff(found[found > 0]) >= 6 * BIN_WIDTH).all() or not found.any()
        assert found.max() < 5000


def peaks_step_by_step(frame):
    """One frame by the words of the definition, with phases that are unwrapped."""
    difference = np.diff(frame * scipy.signal.windows.blackman(480))
    zero_phase = np.fft.ifft(np.abs(np.fft.fft(difference))).real
    hundredths, direction = 112, 0
    while True:
        spectrum = np.fft.fft(zero_phase * (hundredths / 100) ** -np.arange(479.0), 2048)
        delay = -np.diff(np.unwrap(np.angle(spectrum[:641])))
        peaks = scipy.signal.argrelextrema(delay, np.greater, order=5)[0]
        peaks = peaks[(peaks >= 5) & (peaks < 635)]
        way = np.sign(len(peaks) - 5)
        if way == 0 or way == -direction or not 101 <= hundredths + way <= 125:
            return np.append((peaks + 0.5) * BIN_WIDTH, np.zeros(5))[:5]
        direction = way
        hundredths += way


def without_lone_values(formants):
    """What has nothing within 250 Hz in the two frames before and after is taken away."""
    kept = formants.copy()
    for k, column in np.ndindex(formants.shape):
        near = [i for i in (k - 2, k - 1, k + 1, k + 2) if 0 <= i < len(formants)]
        values = formants[near, column]
        if not (np.abs(values[values > 0] - formants[k, column]) <= 250).any():
            kept[k, column] = 0
    return kept


def filled(formants):
    """Mean of the nearest value before and the nearest after, at most two frames away."""
    result = formants.copy()
    for k, column in np.argwhere(formants == 0):
        sides = [formants[max(0, k - 2) : k, column][::-1], formants[k + 1 : k + 3, column]]
        nearest = [side[side > 0][0] for side in sides if (side > 0).any()]
        result[k, column] = np.mean(nearest) if nearest else 0
    return result


@pytest.mark.parametrize("kind", ["noise", "voice"])
def test_tracks_are_the_definition(kind, voice):
    sound = noise(16000) if kind == "noise" else voice[:16000].astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(sound, 480)[::160]
    peaks = np.array([peaks_step_by_step(frame) for frame in frames])
    wanted = filled(without_lone_values(peaks))
    np.testing.assert_allclose(formant_tracks(signal=sound), wanted)


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
