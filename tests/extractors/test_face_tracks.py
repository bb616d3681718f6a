import csv
import gzip
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mediapipe.python.solutions import face_mesh
from skimage import data

from extractors.face_tracks import follow_faces
from extractors.media import Media, VideoFrame

SAMPLES = Path(__file__).parents[2] / "sample_videos"
FPS = 25
# In the part of scikit-image's astronaut that is used, by eye: middle and extent of the face.
SIDE, MIDDLE, EXTENT = 260, (135, 120), 105


def stage(*faces, background=0, size=(512, 288)):
    """A stage with faces on it, the later before the earlier; a face is (x, y, extent, turn).

    x, y and extent are in pixels, the turn (0 without it) in degrees counter-clockwise.
    """
    rng = np.random.default_rng(background)
    coarse = rng.integers(0, 256, (6, 9, 3), np.uint8)
    picture = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    head = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(head, (MIDDLE[0], MIDDLE[1] - 5), (62, 85), 0, 0, 360, 1.0, -1)
    head = cv2.GaussianBlur(head, (0, 0), 4)
    portrait = data.astronaut()[:SIDE, 90 : 90 + SIDE]
    for x, y, extent, *turn in faces:
        scale = extent / EXTENT
        place = cv2.getRotationMatrix2D(MIDDLE, *(turn or [0]), scale)
        place[:, 2] += np.array([x, y]) - MIDDLE
        alpha = cv2.warpAffine(head, place, size)[..., None]
        face = cv2.warpAffine(cv2.GaussianBlur(portrait, (0, 0), 0.4 / scale), place, size)
        picture = (picture * (1 - alpha) + face * alpha).astype(np.uint8)
    return picture


def follow(images, *, fps=FPS, **settings):
    frames = (VideoFrame(i / fps, image) for i, image in enumerate(images))
    return list(follow_faces(frames=frames, **settings))


def ids(picture):
    return [face.face_id for face in picture.faces]


def places(picture):
    boxes = [np.array([f.landmarks.min(0), f.landmarks.max(0)])[:, :2] for f in picture.faces]
    return [(*box.mean(0), np.ptp(box, axis=0).max()) for box in boxes]


@pytest.mark.parametrize("extent", [24, 60, 150])
def test_a_face_of_any_size_is_found_in_the_first_pictures_and_followed(extent):
    where = [(120 + 2 * i, 140 + i, extent) for i in range(20)]
    pictures = follow([stage(face) for face in where])
    assert [p.index for p in pictures] == list(range(20))
    assert [p.shot for p in pictures] == [0] * 20
    for picture, (x, y, _) in list(zip(pictures, where, strict=True))[4:]:
        assert ids(picture) == [0]
        (found,) = places(picture)
        assert np.hypot(found[0] - x, found[1] - y) < 0.2 * extent
        assert found[2] == pytest.approx(extent, rel=0.25)
        assert picture.faces[0].landmarks.shape == (478, 3)
        assert picture.faces[0].score > 0.5


@pytest.mark.filterwarnings("ignore:SymbolDatabase.GetPrototype:UserWarning")
def test_a_small_face_is_found_that_the_face_mesh_s_own_detector_misses(capfd):
    image = stage((420, 90, 26))
    with face_mesh.FaceMesh(refine_landmarks=True) as mesh:
        assert mesh.process(image).multi_face_landmarks is None
    assert ids(follow([image] * 6)[-1]) == [0]
    capfd.readouterr()


def test_depth_is_in_pixels_of_the_picture_too():
    small, large = (follow([stage((200, 140, e))] * 8)[-1].faces[0].landmarks for e in (60, 120))
    depth = [np.ptp(landmarks[:468, 2]) for landmarks in (small, large)]
    assert depth[1] / depth[0] == pytest.approx(2, rel=0.15)
    assert 0.5 < depth[1] / 120 < 1.2


def test_two_faces_keep_their_ids_while_they_move():
    images = [stage((100 + 3 * i, 140, 60), (400 - 2 * i, 120, 45)) for i in range(30)]
    for picture in follow(images)[4:]:
        assert ids(picture) in ([0, 1], [1, 0])
        by_id = dict(zip(ids(picture), places(picture), strict=True))
        assert by_id[0][2] > by_id[1][2]
        assert by_id[0][0] < by_id[1][0]


def test_no_more_faces_than_asked_for_and_a_much_larger_one_takes_its_place():
    crowd = [(60 + 95 * i, 70, 30) for i in range(5)]
    pictures = follow([stage(*crowd)] * 12, most_faces=3)
    assert {len(p.faces) for p in pictures[6:]} == {3}
    late = follow([stage(*crowd)] * 12 + [stage(*crowd, (250, 190, 90))] * 60, most_faces=3)
    assert max(extent for _, _, extent in places(late[-1])) > 70
    assert len(late[-1].faces) == 3


def test_no_face_is_followed_across_a_cut_and_no_id_used_again():
    images = [stage((200, 140, 80), background=i) for i in range(3) for _ in range(10)]
    pictures = follow(images)
    assert [p.shot for p in pictures] == [0] * 10 + [1] * 10 + [2] * 10
    for shot in range(3):
        seen = {i for p in pictures if p.shot == shot for i in ids(p)}
        assert seen == {shot}


def test_a_face_that_is_gone_is_gone_and_comes_back_as_itself():
    here, gone = stage((200, 140, 80)), stage()
    soon = follow([here] * 10 + [gone] * 10 + [here] * 15)
    assert all(not p.faces for p in soon[10:20])
    assert ids(soon[-1]) == [0]
    late = follow([here] * 10 + [gone] * 60 + [here] * 15)
    assert ids(late[-1]) == [1]


def test_a_face_elsewhere_or_of_another_size_is_another_one():
    for other in ((360, 140, 100), (150, 140, 50)):
        jump = follow([stage((150, 140, 100))] * 10 + [stage(other)] * 20)
        assert ids(jump[9]) == [0]
        assert ids(jump[-1]) == [1]


def test_two_tracks_that_meet_on_one_face_become_the_older_one():
    meeting = [stage((330, 140, 60), (150 + 4 * i, 140, 60)) for i in range(46)]
    pictures = follow(meeting + meeting[-1:] * 10)
    assert ids(pictures[20]) == [0, 1]
    assert all(ids(picture) == [0] for picture in pictures[-10:])


def test_a_mesh_on_what_the_detector_does_not_take_for_a_face_is_dropped():
    # The mesh follows a head that turns over; the detector knows upright faces.
    over = [stage((250, 140, 90, 4 * i)) for i in range(46)]
    pictures = follow(over + over[-1:] * 60)
    assert ids(pictures[30]) == [0]
    assert ids(pictures[-1]) == []


@pytest.mark.parametrize("stride", [2, 3])
def test_only_every_nth_picture_is_looked_at_but_every_cut_is_seen(stride):
    images = [stage((200, 140, 80), background=i // 10) for i in range(30)]
    pictures = follow(images, stride=stride)
    assert [p.index for p in pictures] == list(range(0, 30, stride))
    assert [p.time for p in pictures] == [i / FPS for i in range(0, 30, stride)]
    assert [p.shot for p in pictures] == [p.index // 10 for p in pictures]
    assert [ids(p) for p in pictures] == [[p.shot] for p in pictures]


@pytest.mark.parametrize("fps", [5, 60])
def test_a_late_face_is_found_in_the_same_time_at_any_rate(fps):
    images = [stage()] * (2 * fps) + [stage((330, 140, 70))] * (2 * fps)
    first = next(p for p in follow(images, fps=fps) if p.faces)
    assert 2.0 <= first.time <= 2.0 + 1.0


def test_a_face_smaller_than_asked_for_is_left_out():
    images = [stage((200, 140, 40))] * 10
    assert all(not p.faces for p in follow(images, smallest_face=60))
    assert ids(follow(images, smallest_face=30)[-1]) == [0]


def test_a_face_less_certain_than_asked_for_is_left_out():
    images = [stage((200, 140, 30))] * 10
    assert ids(follow(images)[-1]) == [0]
    assert all(not p.faces for p in follow(images, detection_confidence=0.97))


@pytest.mark.parametrize("shape", [(288, 512), (16, 16), (7, 900)])
def test_no_face_in_pictures_without_one(shape):
    noise = np.random.default_rng(0).integers(0, 256, (8, *shape, 3), np.uint8)
    assert all(not p.faces for p in follow(noise))
    assert all(not p.faces for p in follow(np.zeros_like(noise)))
    assert follow([]) == []


def test_a_drawn_letter_is_no_face():
    image = stage()
    for at, letter in enumerate("GOTe8"):
        cv2.putText(image, letter, (20 + 95 * at, 180), 0, 3, (220, 220, 200), 12)
    assert all(not p.faces for p in follow([image] * 30))


def test_the_same_clip_gives_the_same_bytes():
    images = [stage((100 + 3 * i, 140, 60), (400, 120, 45), background=i // 15) for i in range(25)]

    def everything():
        return [
            (face.face_id, face.score, face.landmarks.tobytes())
            for picture in follow(images)
            for face in picture.faces
        ]

    first = everything()
    follow([stage((300, 200, 120))] * 3)
    assert everything() == first


@pytest.mark.parametrize("settings", [{"most_faces": 0}, {"stride": 0}])
def test_settings_out_of_range(settings):
    with pytest.raises(ValueError, match="must be positive"):
        follow([], **settings)


def test_nothing_is_printed(capfd):
    follow([stage((200, 140, 80))] * 3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("clip", sorted(path.stem for path in SAMPLES.glob("*.mp4")))
def test_a_talking_head_is_one_face_whenever_it_is_visible(clip):
    truth = json.loads((SAMPLES / "truth" / f"{clip}.json").read_text())["frames"]
    pictures = list(follow_faces(frames=Media(path=SAMPLES / f"{clip}.mp4").frames(), stride=5))
    found = np.array([len(picture.faces) for picture in pictures])
    visible = np.array([truth["face_visible"][picture.index] for picture in pictures])
    assert np.mean(found == visible) > 0.97
    assert {i for picture in pictures for i in ids(picture)} == {0}


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["ted_10200", "ted_1300", "ted_14302"])
def test_faces_are_found_in_more_pictures_than_openface_finds(reference, clip):
    folder = reference / "reference" / "facial"
    with gzip.open(folder / f"{clip}.csv.gz", "rt") as table:
        theirs = np.array([float(row["success"]) for row in csv.DictReader(table)])
    frames = Media(path=folder / f"{clip}.mp4").frames()
    ours = np.array([len(p.faces) > 0 for p in follow_faces(frames=frames)])
    assert ours.mean() > theirs.mean()


@pytest.mark.slow
def test_hands_letters_and_furniture_are_no_faces(reference):
    path = reference / "reference" / "facial" / "ted_1300.mp4"
    for picture in follow_faces(frames=Media(path=path).frames(), stride=3):
        assert len(picture.faces) <= 1  # there is one person on the stage
        for _, y, _ in places(picture):
            assert y < 120  # whose head is in the upper part of every picture


@pytest.mark.slow
def test_odd_clips_give_pictures(reference):
    for path in sorted((reference / "clips" / "edge").iterdir()):
        media = Media(path=path)
        if media.info.has_video:
            pictures = list(follow_faces(frames=media.frames(), stride=3))
            assert pictures
            assert all(np.isfinite(f.landmarks).all() for p in pictures for f in p.faces)
