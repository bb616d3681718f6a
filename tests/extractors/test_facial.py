import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from extractors.base import get
from extractors.errors import MissingModelError, MissingStreamError
from extractors.face_columns import select_columns
from extractors.face_rows import ROW_NAMES
from extractors.facial import FacialConfig, FacialExtractor, frame_spans
from extractors.media import Media

GOOD_CONFIDENCE = 0.75
# Least standard deviation of OpenFace's value in a clip that tells anything, and the least
# median correlation over such clips. OpenFace is itself only a proxy.
WANTED = {
    "pose_Ry": (np.radians(1.5), 0.9),
    "pose_Rx": (np.radians(1.5), 0.65),
    "pose_Rz": (np.radians(1.5), 0.85),
    "pose_Tx": (10.0, 0.95),
    "pose_Ty": (10.0, 0.95),
    "pose_Tz": (10.0, 0.9),
    "gaze_angle_x": (np.radians(2.0), 0.75),
    "gaze_angle_y": (np.radians(2.0), 0.5),
    "AU01_r": (0.3, 0.6),
    "AU02_r": (0.3, 0.6),
    "AU12_r": (0.3, 0.8),
    "AU25_r": (0.3, 0.55),
    "AU26_r": (0.3, 0.65),
    "AU45_r": (0.3, 0.75),
}


@pytest.fixture(scope="module")
def extractor() -> FacialExtractor:
    return FacialExtractor()


def column(features, name):
    return features.values[:, features.names.index(name)]


def astronaut_moving(frames):
    """A real face that moves through the picture by two pixels a frame."""
    portrait = np.asarray(data.astronaut())[20:260, 80:400]
    return np.stack([np.roll(portrait, 2 * i - frames, axis=1) for i in range(frames)])


def test_is_registered_as_openface():
    assert get("openface") is FacialExtractor
    assert (FacialExtractor.modality, FacialExtractor.source) == ("vision", "video")


def test_a_real_face_has_a_row_for_every_frame(extractor, make_clip):
    path = make_clip(picture=astronaut_moving(20), fps=25, sound=None)
    features = extractor.extract(Media(path=path))
    assert features.values.shape == (20, 1 + 8 + 6 + 15 + 15 + 34)
    assert features.valid.all()
    np.testing.assert_allclose(features.times[:, 0], np.arange(20) / 25, atol=1e-3)
    np.testing.assert_allclose(features.times[:, 1], np.arange(1, 21) / 25, atol=2e-3)
    # Her face moves to the right at a constant distance, looking roughly ahead.
    across = column(features, "pose_Tx")
    assert np.corrcoef(across, np.arange(20))[0, 1] > 0.99
    assert np.abs(np.degrees([column(features, f"pose_R{axis}") for axis in "xyz"])).max() < 25


def test_times_are_the_files_own(extractor, make_clip):
    pts = np.array([0.0, 0.04, 0.2, 0.24, 0.6])
    path = make_clip(picture="black", seconds=0.2, fps=25, pts=pts, sound=None)
    features = extractor.extract(Media(path=path))
    np.testing.assert_allclose(features.times[:, 0], pts, atol=1e-3)
    np.testing.assert_allclose(features.times[:-1, 1], pts[1:], atol=1e-3)


def test_a_black_video_has_rows_but_no_face(extractor, make_clip):
    features = extractor.extract(Media(path=make_clip(picture="black", sound=None)))
    assert len(features) == 25
    assert not features.valid.any()
    assert not features.values.any()


def test_the_same_clip_gives_the_same_bytes_whatever_came_before(extractor, make_clip):
    path = make_clip(picture=astronaut_moving(8), fps=25, sound=None)
    first = extractor.extract(Media(path=path))
    extractor.extract(Media(path=make_clip(path="b.mp4", picture="moving", sound=None)))
    assert extractor.extract(Media(path=path)).values.tobytes() == first.values.tobytes()


def test_a_smaller_range_of_poses_makes_fewer_rows_valid(make_clip):
    path = make_clip(picture=astronaut_moving(8), fps=25, sound=None)
    strict = FacialExtractor(FacialConfig(max_yaw=0.01, max_pitch=0.01))
    features = strict.extract(Media(path=path))
    assert not features.valid.any()
    assert features.values[:, :15].any(axis=1).all()
    action_units = [name.startswith("AU") for name in features.names]
    assert not features.values[:, action_units].any()


def test_a_clip_without_pictures_is_refused(extractor, make_clip):
    path = make_clip(path="a.wav", picture=None)
    with pytest.raises(MissingStreamError, match="no video stream"):
        extractor.extract(Media(path=path))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("detection_confidence", 1.1),
        ("tracking_confidence", -0.1),
        ("max_yaw", 0),
        ("max_pitch", 91),
        ("stride", 0),
        ("stride", 1.5),
        ("fps", 0.0),
        ("fps", float("nan")),
        ("most_faces", 0),
        ("columns", "facet"),
        ("faces", "loudest"),
    ],
)
def test_settings_out_of_range_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"{setting} must be in"):
        FacialConfig(**{setting: value})


def two_faces(frames):
    """Two real faces, the smaller one on the right."""
    portrait = np.asarray(data.astronaut())[20:260, 80:400]
    small = np.zeros_like(portrait)
    small[60:180, 80:240] = portrait[::2, ::2]
    return np.stack([np.hstack([portrait, small])] * frames)


def test_every_face_has_rows_of_its_own(make_clip):
    path = make_clip(picture=two_faces(12), fps=25, sound=None)
    features = FacialExtractor(FacialConfig(faces="all")).extract(Media(path=path))
    assert features.names[:2] == ("face_id", "confidence")
    ids = column(features, "face_id")
    pictures, faces = np.unique(features.times[:, 0], return_counts=True)
    assert len(np.unique(ids)) == 2
    assert len(pictures) == 12
    assert set(faces[3:]) == {2}
    mean_x = [np.mean(column(features, "pose_Tx")[ids == face]) for face in np.unique(ids)]
    mean_z = [np.mean(column(features, "pose_Tz")[ids == face]) for face in np.unique(ids)]
    # half the size is twice the distance
    assert mean_z[np.argmax(mean_x)] == pytest.approx(2 * mean_z[np.argmin(mean_x)], rel=0.1)


@pytest.mark.parametrize("faces", ["speaker", "largest"])
def test_without_sound_the_larger_face_is_measured(make_clip, faces):
    path = make_clip(picture=two_faces(20), fps=25, sound=None)
    features = FacialExtractor(FacialConfig(faces=faces)).extract(Media(path=path))
    assert len(features) == 20
    assert features.valid[3:].all()
    assert (column(features, "pose_Tx")[features.valid] < 0).all()


def test_no_face_at_all_gives_no_rows_of_faces(make_clip):
    everyone = FacialExtractor(FacialConfig(faces="all"))
    nobody = everyone.extract(Media(path=make_clip(picture="black")))
    somebody = everyone.extract(Media(path=make_clip(picture=astronaut_moving(4), sound=None)))
    assert len(nobody) == 0
    assert nobody.names == somebody.names


def test_a_stride_measures_fewer_pictures(extractor, make_clip):
    path = make_clip(picture=astronaut_moving(20), fps=25, sound=None)
    features = FacialExtractor(FacialConfig(stride=3)).extract(Media(path=path))
    np.testing.assert_allclose(features.times[:, 0], np.arange(0, 20, 3) / 25, atol=1e-3)
    np.testing.assert_allclose(features.times[:-1, 1], features.times[1:, 0])
    whole = extractor.extract(Media(path=path))
    across = column(whole, "pose_Tx")[::3]
    np.testing.assert_allclose(column(features, "pose_Tx"), across, atol=5.0)


@pytest.mark.parametrize(
    ("rate", "fps", "stride", "every"),
    [
        *((60, 30, 1, 2), (30, 15, 1, 2), (25, 15, 1, 2), (30, 10, 1, 3), (25, 30, 1, 1)),
        *((29.97, 10, 1, 3), (30, 29.97, 1, 1), (30, 15, 4, 4), (30, 10, 2, 3)),
    ],
)
def test_no_more_pictures_a_second_than_asked_for(make_clip, rate, fps, stride, every):
    pts = np.arange(20) / rate
    media = Media(path=make_clip(picture="black", seconds=20 / rate, fps=rate, pts=pts))
    features = FacialExtractor(FacialConfig(fps=fps, stride=stride)).extract(media)
    np.testing.assert_allclose(features.times[:, 0], pts[::every], atol=1e-3)


@pytest.mark.parametrize("columns", ["openface", "facet35", "urfunny371-like"])
def test_sets_of_columns(make_clip, columns):
    path = make_clip(picture=astronaut_moving(4), fps=25, sound=None)
    features = FacialExtractor(FacialConfig(columns=columns)).extract(Media(path=path))
    nothing = np.zeros((0, len(ROW_NAMES)), np.float32)
    wanted = select_columns(
        values=nothing,
        names=ROW_NAMES,
        times=np.zeros((0, 2)),
        valid=np.zeros(0, np.bool_),
        columns=columns,
    )
    assert features.names == wanted.names
    assert features.valid.all()
    assert features.values.any()


def test_confidence_is_less_for_small_faces(make_clip):
    everyone = FacialExtractor(FacialConfig(faces="all"))
    small = two_faces(8)[:, ::2, ::2]
    found = everyone.extract(Media(path=make_clip(picture=small, fps=25, sound=None)))
    confidence, distance = column(found, "confidence"), column(found, "pose_Tz")
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert len(found) > 8
    assert confidence[distance > 1.5 * distance.min()].max() < confidence.max() - 0.2


def test_a_face_landmarker_must_be_there(make_clip, tmp_path):
    asking = FacialExtractor(FacialConfig(face_landmarker=str(tmp_path / "none.task")))
    with pytest.raises(MissingModelError, match=r"none\.task"):
        asking.extract(Media(path=make_clip(sound=None)))
    with pytest.raises(MissingModelError, match=r"none\.task"):
        asking.weights_digest()


def test_digest_follows_the_face_landmarker(tmp_path):
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"abc")
    digest = FacialExtractor(FacialConfig(face_landmarker=str(path))).weights_digest()
    # SHA-256 of "abc", FIPS 180-2, appendix B.1
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert FacialExtractor().weights_digest() == ""


def test_the_face_landmarker_gives_the_same_columns(make_clip):
    model = os.environ.get("WINNOW_FACE_LANDMARKER", "")
    if not Path(model).is_file():
        pytest.skip("WINNOW_FACE_LANDMARKER names no face_landmarker.task")
    media = Media(path=make_clip(picture=astronaut_moving(12), fps=25, sound=None))
    found = FacialExtractor(FacialConfig(face_landmarker=model)).extract(media)
    assert found.names == FacialExtractor().extract(media).names
    assert found.valid.all()


def test_spans_end_with_the_next_frame_and_within_the_clip():
    starts = np.array([0.0, 0.1, 0.2, 0.4])
    spans = frame_spans(starts=starts, duration=9.0)
    np.testing.assert_allclose(spans, [[0, 0.1], [0.1, 0.2], [0.2, 0.4], [0.4, 0.5]])
    assert frame_spans(starts=starts, duration=0.45)[-1].tolist() == [0.4, 0.45]
    assert frame_spans(starts=starts, duration=0.39)[-1].tolist() == [0.4, 0.4]
    assert frame_spans(starts=np.array([0.5]), duration=2.0).tolist() == [[0.5, 2.0]]


def read_openface(path: Path) -> dict[str, np.ndarray]:
    with gzip.open(path, "rt") as stream:
        rows = list(csv.reader(stream))
    columns = np.array(rows[1:], float).T
    return dict(zip((name.strip() for name in rows[0]), columns, strict=True))


def correlations(extractor: FacialExtractor, clip: Path) -> dict[str, float]:
    """Pearson's r of every column that varies, over the frames that both call good."""
    openface = read_openface(clip.with_suffix(".csv.gz"))
    features = extractor.extract(Media(path=clip))
    frame = openface["frame"].astype(int) - 1
    known = frame < len(features)
    openface, frame = {name: value[known] for name, value in openface.items()}, frame[known]
    good = (openface["success"] == 1) & (openface["confidence"] > GOOD_CONFIDENCE)
    good &= np.abs(np.degrees(openface["pose_Ry"])) < 35
    good &= np.abs(np.degrees(openface["pose_Rx"])) < 30
    good &= features.valid[frame]
    found = {}
    for name, (least, _) in WANTED.items():
        theirs = openface[name][good]
        ours = column(features, name)[frame[good]]
        if len(theirs) > 10 and theirs.std() >= least:
            found[name] = float(np.corrcoef(theirs, ours)[0, 1]) if ours.std() > 0 else 0.0
    return found


@pytest.mark.slow
def test_values_follow_openfaces(extractor, reference):
    clips = [
        path for path in sorted((reference / "reference/facial").iterdir()) if path.suffix != ".gz"
    ]
    found = [correlations(extractor, clip) for clip in clips]
    for name, (_, least) in WANTED.items():
        values = [r[name] for r in found if name in r]
        assert len(values) >= 3, name
        assert np.median(values) > least, (name, values)
