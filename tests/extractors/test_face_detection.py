import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from extractors.face_detection import FaceDetector, Window, search_windows, shrunk_window


@pytest.fixture(scope="module")
def astronaut():
    return np.ascontiguousarray(data.astronaut())


def haar_cascade(image):
    """Centre and size of the largest face that OpenCV's own detector finds."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    boxes = cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 1.1, 5)
    left, top, size, _ = max(boxes, key=lambda box: box[2])
    return left + size / 2, top + size / 2, size


@pytest.mark.parametrize(
    "window", [Window(0, 0, 512), Window(60, -40, 330), Window(-200, -90, 700)]
)
def test_a_face_is_found_where_it_is_through_any_window(astronaut, window):
    with FaceDetector(least_score=0.5) as detector:
        (face,) = detector.detect(image=astronaut, window=window)
    x, y, size = haar_cascade(astronaut)
    assert np.hypot(face.x - x, face.y - y) < 0.15 * size
    assert 0.6 < face.size / size < 1.2
    eye, other_eye, nose, mouth, ear, other_ear = face.keypoints
    assert ear[0] < eye[0] < nose[0] < other_eye[0] < other_ear[0]
    assert max(eye[1], other_eye[1]) < nose[1] < mouth[1]
    assert face.region[:3] == pytest.approx((face.x, face.y, 1.5 * face.size))
    assert abs(face.region.angle) < 0.3


def test_a_face_too_small_in_the_whole_picture_is_found_in_a_window(astronaut):
    picture = np.full((288, 512, 3), 90, np.uint8)
    picture[100:160, 380:440] = cv2.resize(
        astronaut[:260, 90:350], (60, 60), interpolation=cv2.INTER_AREA
    )
    with FaceDetector(least_score=0.6) as detector:
        found = [
            detector.detect(image=picture, window=window)
            for window in search_windows(width=512, height=288)
        ]
    assert found[0] == []
    # The face's middle is (225, 120) in the portrait.
    place = 380 + (225 - 90) * 60 / 260, 100 + 120 * 60 / 260
    assert any(np.hypot(f.x - place[0], f.y - place[1]) < 4 for fs in found[1:] for f in fs)


def test_no_face_in_black_and_none_outside_the_picture(astronaut):
    with FaceDetector(least_score=0.4) as detector:
        black = np.zeros((48, 64, 3), np.uint8)
        assert detector.detect(image=black, window=Window(0, 0, 64)) == []
        assert detector.detect(image=astronaut, window=Window(900, 900, 50)) == []


def test_the_score_is_the_least_one_asked_for_and_the_best_comes_first(astronaut):
    two = np.hstack([astronaut, cv2.GaussianBlur(astronaut[:, ::-1], (0, 0), 6)])
    with FaceDetector(least_score=0.1) as detector:
        scores = [f.score for f in detector.detect(image=two, window=Window(0, -256, 1024))]
    assert len(scores) >= 2
    assert scores == sorted(scores, reverse=True)
    with FaceDetector(least_score=(scores[0] + scores[1]) / 2) as detector:
        assert len(detector.detect(image=two, window=Window(0, -256, 1024))) == 1


@given(
    width=st.integers(8, 4000), height=st.integers(8, 4000), at=st.tuples(*[st.floats(0, 1)] * 2)
)
def test_a_face_of_half_the_shorter_side_lies_whole_in_a_window(width, height, at):
    whole, *others = search_windows(width=width, height=height)
    assert whole.size == max(width, height)
    assert all(window.size == min(width, height) for window in others)
    size = min(width, height) // 2 - 1
    x, y = at[0] * (width - size), at[1] * (height - size)
    assert any(
        w.x <= x and w.y <= y and x + size <= w.x + w.size and y + size <= w.y + w.size
        for w in (others or [whole])
    )


def test_a_square_picture_is_looked_at_once():
    assert search_windows(width=300, height=300) == (Window(0, 0, 300),)


def test_a_window_is_averaged_and_black_beyond_the_picture():
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, ::2] = 200  # stripes one pixel wide
    small = shrunk_window(image=image, window=Window(-100, 0, 200), size=50)
    assert (small[:, :25] == 0).all()
    assert (small[:25, 25:] == 100).all()
    assert (small[25:] == 0).all()


def test_a_window_keeps_places():
    image = np.zeros((90, 90, 3), np.uint8)
    image[30:40, 60:70, 1] = 255
    for size in (45, 180):
        y, x = np.nonzero(
            shrunk_window(image=image, window=Window(10, 10, 80), size=size)[..., 1] > 127
        )
        scale = size / 80
        assert x.mean() == pytest.approx((64.5 - 10 + 0.5) * scale - 0.5, abs=0.5)
        assert y.mean() == pytest.approx((34.5 - 10 + 0.5) * scale - 0.5, abs=0.5)
