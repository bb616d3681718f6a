import os

import numpy as np
import pytest
from mediapipe.python.solutions import face_mesh
from skimage import data

from extractors.face_landmarks import FaceRegion, LandmarkModel, face_region

# Where the face is in scikit-image's astronaut, by eye.
ASTRONAUT = FaceRegion(225.0, 120.0, 170.0, 0.0)


@pytest.fixture(scope="module")
def astronaut():
    return np.ascontiguousarray(data.astronaut())


def legacy_landmarks(image, *, times):
    """Landmarks of mediapipe's own face mesh, in pixels, of a picture shown several times."""
    height, width = image.shape[:2]
    with face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True) as mesh:
        found = [mesh.process(image).multi_face_landmarks[0].landmark for _ in range(times)]
    return [np.array([(p.x * width, p.y * height, p.z * width) for p in one]) for one in found]


@pytest.mark.filterwarnings("ignore:SymbolDatabase.GetPrototype:UserWarning")
@pytest.mark.parametrize("size", [(512, 512), (300, 512)])
def test_following_equals_mediapipe_s_own_face_mesh(astronaut, capfd, size):
    image = np.ascontiguousarray(astronaut[: size[0], : size[1]])
    first, second = legacy_landmarks(image, times=2)
    with LandmarkModel() as model:
        found = model.landmarks(image=image, region=face_region(first.astype(np.float32)))
    assert found.landmarks.shape == (478, 3)
    assert found.landmarks.dtype == np.float32
    np.testing.assert_allclose(found.landmarks, second, atol=0.01)
    assert found.score > 0.99
    capfd.readouterr()


def test_pixels_are_of_the_whole_picture_wherever_the_face_is(astronaut):
    canvas = np.zeros((600, 1000, 3), np.uint8)
    canvas[70:582, 301:813] = astronaut
    with LandmarkModel() as model:
        alone = model.landmarks(image=astronaut, region=ASTRONAUT)
        moved = model.landmarks(
            image=canvas, region=ASTRONAUT._replace(x=ASTRONAUT.x + 301, y=ASTRONAUT.y + 70)
        )
    np.testing.assert_allclose(moved.landmarks - alone.landmarks - [301, 70, 0], 0, atol=0.05)


def test_a_face_lying_on_its_side_is_found_in_a_turned_region(astronaut):
    turned = np.ascontiguousarray(np.rot90(astronaut, k=-1))  # clockwise
    with LandmarkModel() as model:
        upright = model.landmarks(image=astronaut, region=ASTRONAUT).landmarks
        region = FaceRegion(511 - ASTRONAUT.y, ASTRONAUT.x, ASTRONAUT.size, np.pi / 2)
        lying = model.landmarks(image=turned, region=region).landmarks
    expected = np.column_stack([511 - upright[:, 1], upright[:, 0], upright[:, 2]])
    assert np.abs(lying - expected).mean() < 1.0
    assert face_region(lying).angle == pytest.approx(np.pi / 2, abs=0.2)


def test_no_face_where_there_is_none(astronaut):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    with LandmarkModel() as model:
        assert model.landmarks(image=noise, region=FaceRegion(160, 120, 200, 0.0)) is None
        outside = FaceRegion(-900.0, -900.0, 50.0, 0.0)
        assert model.landmarks(image=astronaut, region=outside) is None


def test_nothing_is_kept_of_the_picture_before(astronaut):
    with LandmarkModel() as model:
        fresh = model.landmarks(image=astronaut, region=ASTRONAUT)
        model.landmarks(image=astronaut[:, ::-1], region=FaceRegion(287, 120, 90, 0.3))
        again = model.landmarks(image=astronaut, region=ASTRONAUT)
    assert again.landmarks.tobytes() == fresh.landmarks.tobytes()
    assert again.score == fresh.score


def test_the_region_is_the_square_around_the_landmarks_enlarged_by_half():
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[0], landmarks[1] = (10, 100, 5), (50, 180, -5)
    landmarks[33], landmarks[263] = (20, 120, 0), (40, 130, 0)
    landmarks[2:33] = landmarks[34:263] = landmarks[264:] = (30, 140, 0)
    region = face_region(landmarks)
    assert region == pytest.approx((30, 140, 120, np.arctan2(10, 20)))


def test_nothing_is_printed(astronaut, capfd):
    with LandmarkModel() as model:
        model.landmarks(image=astronaut, region=ASTRONAUT)
    os.write(2, b"still here\n")
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == "still here\n"
