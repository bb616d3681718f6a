import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter1d

from extractors.action_units import (
    ACTION_UNITS,
    INTENSITY_NAMES,
    MEASURE_NAMES,
    PRESENCE_NAMES,
    action_units,
    moving_mean,
)
from extractors.face_appearance import appearance_measures
from extractors.face_features import face_measures
from extractors.face_mesh import FaceMesh
from extractors.media import Media

SAMPLES = Path(__file__).parents[2] / "sample_videos"

STEPS = {unit.name: unit.step for unit in ACTION_UNITS}


def measured(frames, **changed):
    values = np.zeros((frames, len(MEASURE_NAMES)))
    for unit in ACTION_UNITS:
        values[:, MEASURE_NAMES.index(unit.name)] = unit.neutral_offset
    for name, change in changed.items():
        values[:, MEASURE_NAMES.index(name)] += change
    return values


def read(values, *, reliable=None, runs=None, frame_rate=25.0):
    everything = np.ones(len(values), bool)
    return action_units(
        measures=values,
        reliable=everything if reliable is None else reliable,
        runs=np.zeros(len(values), int) if runs is None else runs,
        frame_rate=frame_rate,
    )


def intensity(found, name):
    return found.intensities[:, INTENSITY_NAMES.index(f"{name}_r")]


def presence(found, name):
    return found.presence[:, PRESENCE_NAMES.index(f"{name}_c")]


def bump(frames, start, stop, height):
    change = np.zeros(frames)
    change[start:stop] = height
    return change


def test_columns_are_openfaces_without_the_unsupported():
    openface = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45]
    supported = [number for number in openface if number not in {20, 23, 28}]
    assert [f"AU{number:02d}_r" for number in supported] == list(INTENSITY_NAMES)
    assert [f"AU{number:02d}_c" for number in supported] == list(PRESENCE_NAMES)


@pytest.mark.parametrize("name", [unit.name for unit in ACTION_UNITS])
def test_a_change_of_so_many_steps_is_that_intensity(name):
    found = read(measured(100, **{name: bump(100, 40, 50, 3.0 * STEPS[name])}))
    np.testing.assert_allclose(intensity(found, name)[41:49], 3.0)
    np.testing.assert_allclose(intensity(found, name)[[39, 40]], [1.0, 2.0])
    others = np.delete(found.intensities, INTENSITY_NAMES.index(f"{name}_r"), axis=1)
    np.testing.assert_allclose(others, 0.0, atol=1e-9)


def test_a_constant_brow_is_the_clips_own_neutral():
    found = read(measured(40, AU01=0.7, AU04=2.0))
    np.testing.assert_allclose(found.intensities, 0.0, atol=1e-9)


@pytest.mark.parametrize("name", ["AU06", "AU07", "AU10", "AU12", "AU14"])
def test_someone_who_smiles_throughout_is_not_the_neutral(name):
    found = read(measured(40, **{name: 2.0 * STEPS[name]}))
    np.testing.assert_allclose(intensity(found, name), 2.0)


def test_neutral_is_the_quantile_of_the_reliable_frames():
    heights = np.linspace(0.0, 1.0, 100)
    values = measured(200, AU01=np.concatenate([heights, np.full(100, np.nan)]))
    smooth = uniform_filter1d(heights, 3)[1:-1]
    expected = (smooth - np.quantile(heights, 0.55)).clip(0) / 0.25
    found = read(values, reliable=np.arange(200) < 100)
    np.testing.assert_allclose(intensity(found, "AU01")[1:99], expected, atol=1e-6)


def test_what_is_not_reliable_is_zero_and_counts_for_nothing():
    reliable = np.ones(60, bool)
    reliable[20:40] = False
    values = measured(60, AU12=1.0)
    values[~reliable] = 1e6
    found = read(values, reliable=reliable)
    for table in found:
        np.testing.assert_array_equal(table[~reliable], 0.0)
    np.testing.assert_allclose(intensity(found, "AU12")[reliable], 2.0)
    np.testing.assert_array_equal(presence(found, "AU12")[reliable], 1.0)


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_nothing_reliable_gives_zeros(frames):
    found = read(np.full((frames, len(MEASURE_NAMES)), np.nan), reliable=np.zeros(frames, bool))
    np.testing.assert_array_equal(found.intensities, np.zeros((frames, 15)))
    np.testing.assert_array_equal(found.presence, np.zeros((frames, 15)))


@given(st.integers(0, 10**6), st.floats(0.0, 50.0))
def test_intensities_stay_on_the_scale(seed, size):
    values = size * np.random.default_rng(seed).normal(size=(12, len(MEASURE_NAMES)))
    found = read(values)
    assert ((found.intensities >= 0) & (found.intensities <= 5)).all()
    assert np.isin(found.presence, (0.0, 1.0)).all()


def test_present_is_what_most_of_seven_frames_show():
    # Smoothed over three frames, a bump of 2.8 steps is above one step exactly where it was.
    change = bump(100, 20, 23, 1.4) + bump(100, 50, 54, 1.4)
    found = read(measured(100, AU12=change))
    above = np.flatnonzero(intensity(found, "AU12") > 1.0)
    assert above.tolist() == [20, 21, 22, 50, 51, 52, 53]
    # Three of seven are no majority, four are.
    assert np.flatnonzero(presence(found, "AU12")).tolist() == [50, 51, 52, 53]


@pytest.mark.parametrize(
    ("frame_rate", "reach"), [(10.0, 0), (15.0, 1), (19.62, 1), (25.0, 1), (30.0, 1), (60.0, 3)]
)
def test_about_three_frames_of_a_video_of_usual_rate_are_smoothed(frame_rate, reach):
    found = read(measured(100, AU12=bump(100, 50, 51, 2.0)), frame_rate=frame_rate)
    touched = np.flatnonzero(intensity(found, "AU12") > 1e-9)
    assert touched.tolist() == list(range(50 - reach, 51 + reach))


def test_nothing_is_smoothed_over_a_cut():
    values = measured(40, AU12=bump(40, 20, 40, 2.0))
    found = read(values, runs=(np.arange(40) >= 20).astype(int))
    np.testing.assert_allclose(intensity(found, "AU12")[18:22], [0.0, 0.0, 4.0, 4.0], atol=1e-9)
    np.testing.assert_array_equal(presence(found, "AU12"), np.arange(40) >= 20)


@given(st.integers(0, 10**6), st.sampled_from([1, 3, 7]))
def test_moving_mean_is_over_reliable_neighbours_of_the_same_run(seed, window):
    rng = np.random.default_rng(seed)
    values, reliable = rng.normal(size=(15, 2)), rng.random(15) < 0.7
    runs = np.sort(rng.integers(0, 3, 15))
    found = moving_mean(values=values, reliable=reliable, runs=runs, window=window)
    for row in range(15):
        near = np.abs(np.arange(15) - row) <= window // 2
        counted = values[near & reliable & (runs == runs[row])]
        expected = counted.mean(axis=0) if len(counted) else np.zeros(2)
        np.testing.assert_allclose(found[row], expected, atol=1e-12)


def measured_sample(stem):
    """What the sample video shows, beside what was rendered into it."""
    landmarks, appearance = [], []
    with FaceMesh() as face_mesh:
        for _, image in Media(path=SAMPLES / f"{stem}.mp4").frames():
            height, width = image.shape[:2]
            points = face_mesh.find(image) * np.array([width, height, width], np.float32)
            landmarks.append(points)
            appearance.append(appearance_measures(image=image, landmarks=points))
    found = face_measures(landmarks=np.stack(landmarks), width=width, height=height)
    frames = json.loads((SAMPLES / "truth" / f"{stem}.json").read_text())["frames"]
    values = np.column_stack([found.action_units, np.stack(appearance)])
    return read(values), found, {name: np.array(track) for name, track in frames.items()}


def onsets(above):
    return np.flatnonzero(above[1:] & ~above[:-1]) + 1


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["sample_01", "sample_05", "sample_08"])
def test_action_units_follow_what_was_rendered(stem):
    found, measures, truth = measured_sample(stem)
    wanted = {
        "AU01": (truth["brow"].clip(min=0), 0.7),
        "AU02": (truth["brow"].clip(min=0), 0.65),
        # Lowered brows move into the patch; the renderer draws no furrows.
        "AU04": ((-truth["brow"]).clip(min=0), 0.5),
        "AU06": (truth["smile"].clip(min=0), 0.7),
        "AU12": (truth["smile"].clip(min=0), 0.95),
        "AU15": ((-truth["smile"]).clip(min=0), 0.7),
        "AU26": (truth["mouth"], 0.7),
        "AU45": (truth["blink"], 0.95),
    }
    for name, (track, least) in wanted.items():
        assert np.corrcoef(intensity(found, name), track)[0, 1] > least, name
    assert np.corrcoef(measures.mouth_opening, truth["mouth"])[0, 1] > 0.95
    starts, blinks = onsets(intensity(found, "AU45") > 1.0), onsets(truth["blink"] > 0.5)
    assert len(starts) == len(blinks)
    assert np.abs(truth["time"][starts] - truth["time"][blinks]).max() < 0.1
