import numpy as np
import pytest

from extractors.action_units import ACTION_UNITS, INTENSITY_NAMES, action_units
from extractors.blendshapes import (
    BLENDSHAPE_MEASURE_NAMES,
    BLENDSHAPE_UNITS,
    BLENDSHAPES,
    blendshape_measures,
)


def scores(frames=1, **values):
    table = np.zeros((frames, 52))
    for name, value in values.items():
        table[:, BLENDSHAPES.index(name)] = value
    return table


def measure(name, **values):
    found = blendshape_measures(scores=scores(**values))
    assert found.shape == (1, len(BLENDSHAPE_MEASURE_NAMES))
    return found[0, BLENDSHAPE_MEASURE_NAMES.index(name)]


def test_names_are_mediapipes_in_its_order():
    from mediapipe.tasks.python.vision.face_landmarker import Blendshapes

    snake = ["".join(f"_{c}" if c.isupper() else c for c in name).upper() for name in BLENDSHAPES]
    assert [name.lstrip("_") for name in snake] == [shape.name for shape in Blendshapes]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("AU01", {"browInnerUp": 0.6}, 0.6),
        ("AU02", {"browOuterUpLeft": 0.6, "browOuterUpRight": 0.2}, 0.4),
        ("AU04", {"browDownLeft": 0.6, "browDownRight": 0.2}, 0.4),
        ("AU06", {"eyeSquintLeft": 0.4, "mouthSmileRight": 0.8}, 0.3),
        ("AU06", {"cheekSquintLeft": 1.0, "cheekSquintRight": 1.0}, 0.0),
        ("AU12", {"mouthSmileLeft": 1.0, "mouthSmileRight": 0.5}, 0.75),
        ("AU17", {"mouthShrugLower": 0.3}, 0.3),
        ("AU25", {"jawOpen": 0.7, "mouthUpperUpLeft": 0.2, "mouthClose": 0.1}, 0.6),
        ("AU25", {"mouthLowerDownLeft": 0.6, "mouthLowerDownRight": 0.4}, 0.5),
        ("AU25", {"mouthClose": 0.4}, -0.4),
        ("AU26", {"jawOpen": 0.7, "mouthClose": 0.5}, 0.7),
        ("AU45", {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 0.8}, 0.9),
    ],
)
def test_a_measure_is_made_of_its_blendshapes(name, values, expected):
    assert measure(name, **values) == pytest.approx(expected)


def test_the_same_action_units_are_read_as_without_blendshapes():
    assert [unit.name for unit in BLENDSHAPE_UNITS] == [unit.name for unit in ACTION_UNITS]
    (nose,) = [unit for unit in BLENDSHAPE_UNITS if unit.name not in BLENDSHAPE_MEASURE_NAMES]
    assert nose in ACTION_UNITS
    assert nose.name == "AU09"


def test_a_full_smile_is_five_steps_above_the_clips_median():
    table = scores(60, mouthSmileLeft=0.1, mouthSmileRight=0.1)
    table[20:30, [BLENDSHAPES.index(f"mouthSmile{side}") for side in ("Left", "Right")]] = 0.9
    found = action_units(
        measures=np.column_stack([blendshape_measures(scores=table), np.zeros(60)]),
        reliable=np.ones(60, bool),
        runs=np.zeros(60, int),
        frame_rate=25.0,
        names=(*BLENDSHAPE_MEASURE_NAMES, "AU09"),
        units=BLENDSHAPE_UNITS,
    )
    smile = found.intensities[:, INTENSITY_NAMES.index("AU12_r")]
    np.testing.assert_allclose(smile[21:29], 5 * 0.8)
    np.testing.assert_allclose(smile[[0, 18, 32, 59]], 0.0, atol=1e-12)
