import csv
import gzip

import numpy as np
import pytest

from extractors.action_units import INTENSITY_NAMES, PRESENCE_NAMES
from extractors.face_columns import select_columns
from extractors.face_features import GAZE_NAMES, POSE_NAMES
from extractors.face_shape import RIGID_NAMES, SHAPE_NAMES

MEASURED = (
    *("confidence", "success", *GAZE_NAMES, *POSE_NAMES, *RIGID_NAMES),
    *(*INTENSITY_NAMES, *PRESENCE_NAMES, *SHAPE_NAMES),
)
ALL_UNITS = tuple(
    f"AU{unit:02d}_r" for unit in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 23, 24, 45)
)
MOSEI = (
    *("Anger", "Contempt", "Disgust", "Joy", "Fear", "Baseline", "Sadness", "Surprise"),
    *("Confusion", "Frustration", "AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU10"),
    *("AU12", "AU14", "AU15", "AU17", "AU18", "AU20", "AU23", "AU24", "AU25", "AU26", "AU28"),
    *("AU43", "Has_Glasses", "Is_Male", "Pitch", "Yaw", "Roll"),
)


def select(columns, *, names=MEASURED, valid=None, fps=25.0, **given):
    rows = len(next(iter(given.values()))) if given else 4
    values = np.zeros((rows, len(names)), np.float32)
    for name, column in given.items():
        values[:, names.index(name)] = column
    starts = np.arange(rows) / fps
    return select_columns(
        values=values,
        names=names,
        times=np.column_stack([starts, starts + 1 / fps]),
        valid=np.ones(rows, np.bool_) if valid is None else np.asarray(valid),
        columns=columns,
    )


def column(found, name):
    return found.values[:, found.names.index(name)]


@pytest.mark.parametrize("columns", ["openface", "urfunny371-like"])
def test_values_keep_their_names(columns):
    values = np.random.default_rng(0).standard_normal((5, len(MEASURED))).astype(np.float32)
    found = select_columns(
        values=values,
        names=MEASURED,
        times=np.zeros((5, 2)),
        valid=np.ones(5, np.bool_),
        columns=columns,
    )
    assert found.values.dtype == np.float32
    for name in found.names:
        np.testing.assert_array_equal(column(found, name), values[:, MEASURED.index(name)])


def test_openface_has_openfaces_order(reference):
    path = next(iter(sorted((reference / "reference" / "facial").glob("*.csv.gz"))))
    with gzip.open(path, "rt") as file:
        header = [name.strip() for name in next(csv.reader(file))]
    found = select("openface").names
    shared = [name for name in header if name in found]
    assert list(found) == [*shared, *SHAPE_NAMES]
    missing = {name for name in header if name[:2] == "AU" and name not in found}
    assert missing == {"AU20_r", "AU23_r", "AU20_c", "AU23_c", "AU28_c"}


def test_openface_without_a_reference_file():
    found = select("openface").names
    assert found[0] == "confidence"
    assert found[1:15] == (*GAZE_NAMES, *POSE_NAMES)
    assert found[15:] == (*INTENSITY_NAMES, *PRESENCE_NAMES, *SHAPE_NAMES)


def test_urfunny_is_371_less_what_cannot_be_had():
    found = select("urfunny371-like").names
    assert len(found) == 371 - 280 - 5
    assert found[:2] == ("confidence", "success")
    assert found[16:56] == (*RIGID_NAMES, *SHAPE_NAMES)


def test_more_units_more_columns():
    names = (*MEASURED, "AU20_r", "AU20_c", "AU28_c")
    found = select("openface", names=names).names
    at = found.index("AU20_r")
    assert (found[at - 1], found[at + 1]) == ("AU17_r", "AU25_r")
    assert found.index("AU28_c") == found.index("AU45_c") - 1


def test_facet_has_the_published_order():
    found = select("facet35").names
    assert list(found) == [name for name in MOSEI if name in found]
    left_out = {"Contempt", "Has_Glasses", "Is_Male", "AU18", "AU20", "AU23", "AU24", "AU28"}
    assert set(MOSEI) - set(found) == left_out


def test_facet_angles_are_degrees():
    found = select("facet35", pose_Rx=[np.pi / 6], pose_Ry=[-np.pi / 4], pose_Rz=[0.1])
    assert column(found, "Pitch")[0] == pytest.approx(30)
    assert column(found, "Yaw")[0] == pytest.approx(-45)
    assert column(found, "Roll")[0] == pytest.approx(np.degrees(0.1))


def test_joy_is_cheeks_and_corners():
    found = select("facet35", AU06_r=[0.0, 2.0, 5.0], AU12_r=[0.0, 4.0, 5.0])
    np.testing.assert_allclose(column(found, "Joy"), [0.0, 0.6, 1.0], rtol=1e-6)
    np.testing.assert_allclose(column(found, "Baseline"), [1.0, 0.4, 0.0], atol=1e-6)
    np.testing.assert_allclose(column(found, "AU12"), [0.0, 4.0, 5.0])


@pytest.mark.parametrize(
    ("emotion", "units"),
    [
        ("Anger", [4, 5, 7, 23]),
        ("Disgust", [9, 15, 16]),
        ("Fear", [1, 2, 4, 5, 7, 20]),
        ("Sadness", [1, 4, 15]),
        ("Surprise", [1, 2, 5]),
        ("Confusion", [4, 7]),
        ("Frustration", [4, 14, 23]),
    ],
)
def test_an_emotion_is_the_mean_of_its_units(emotion, units):
    values = np.random.default_rng(1).uniform(0, 5, (6, len(ALL_UNITS))).astype(np.float32)
    given = {name: values[:, i] for i, name in enumerate(ALL_UNITS)}
    found = select("facet35", names=ALL_UNITS, **given)
    wanted = sum(given[f"AU{unit:02d}_r"] for unit in units) / len(units) / 5
    np.testing.assert_allclose(column(found, emotion), wanted, rtol=1e-5)


def test_an_emotion_of_whose_units_half_are_missing_is_left_out():
    found = select("facet35", names=("AU07_r", "AU05_r", "AU01_r", "AU26_r")).names
    assert "Confusion" not in found
    assert "Anger" not in found
    assert "Surprise" in found


def test_without_action_units_there_is_no_emotion():
    assert select("facet35", names=POSE_NAMES).names == ("Pitch", "Yaw", "Roll")


def test_rows_without_a_face_have_no_baseline():
    found = select("facet35", AU12_r=[0.0, 0.0], valid=[True, False])
    np.testing.assert_array_equal(column(found, "Baseline"), [1.0, 0.0])


def test_closed_eyes_are_held_a_blink_is_not():
    closure = np.zeros(60)
    closure[3:8] = 3.0
    closure[20:40] = 4.0
    closure[57:] = 3.0
    found = select("facet35", AU45_r=closure)
    np.testing.assert_array_equal(column(found, "AU43"), np.where(closure == 4.0, 4.0, 0.0))


def test_closed_eyes_follow_time_not_rows():
    closure = np.full(5, 2.0)
    assert column(select("facet35", AU45_r=closure, fps=30.0), "AU43").max() == 0.0
    assert column(select("facet35", AU45_r=closure, fps=8.0), "AU43").min() == 2.0


@pytest.mark.parametrize("columns", ["openface", "facet35", "urfunny371-like"])
def test_no_rows(columns):
    found = select(columns, AU12_r=[])
    assert found.values.shape == (0, len(found.names))


def test_an_unknown_set():
    with pytest.raises(ValueError, match="'facet47'; there are: openface, facet35"):
        select("facet47")


@pytest.mark.parametrize("names", [("a", "a", "b"), ("a", "b")])
def test_names_must_fit(names):
    with pytest.raises(ValueError, match="need 3 distinct names"):
        select_columns(
            values=np.zeros((2, 3), np.float32),
            names=names,
            times=np.zeros((2, 2)),
            valid=np.ones(2, np.bool_),
            columns="openface",
        )
