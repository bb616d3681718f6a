import os

import cv2
import matplotlib.cbook
import matplotlib.image
import numpy as np
import pytest
from skimage import data

from extractors.face_mesh import FaceMesh


@pytest.fixture(scope="module")
def astronaut():
    return np.ascontiguousarray(data.astronaut())


def haar_cascade(image):
    """Box of the largest face that OpenCV's own detector finds."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    boxes = cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 1.1, 5)
    return max(boxes, key=lambda box: box[2])


def test_a_real_face_is_found_where_it_is(astronaut):
    with FaceMesh() as mesh:
        points = mesh.find(astronaut)
    assert points.shape == (478, 3)
    assert points.dtype == np.float32
    x, y = 512 * points[:, 0], 512 * points[:, 1]
    left, top, width, height = haar_cascade(astronaut)
    assert abs(x.mean() - (left + width / 2)) < 0.15 * width
    assert abs(y.mean() - (top + height / 2)) < 0.15 * height
    assert 0.6 < np.ptp(x[:468]) / width < 1.2
    nose_tip, chin, image_left_eye, image_right_eye = 1, 152, 468, 473
    assert x[image_left_eye] < x[nose_tip] < x[image_right_eye]
    assert y[image_left_eye] < y[nose_tip] < y[chin]
    assert points[:, 2].argmin() in (1, 4)  # the nose is nearest


def test_no_face_in_a_black_or_a_noisy_picture():
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    with FaceMesh() as mesh:
        assert mesh.find(np.zeros((240, 320, 3), np.uint8)) is None
        assert mesh.find(noise) is None


def test_a_new_instance_knows_nothing_of_an_earlier_clip(astronaut):
    portrait = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    hopper = matplotlib.image.imread(portrait)
    with FaceMesh() as mesh:
        fresh = mesh.find(astronaut)
    with FaceMesh() as mesh:
        mesh.find(hopper)
        followed = mesh.find(astronaut)
    with FaceMesh() as mesh:
        again = mesh.find(astronaut)
    assert again.tobytes() == fresh.tobytes()
    assert followed is None or followed.tobytes() != fresh.tobytes()


def test_nothing_is_printed_and_stderr_works_afterwards(astronaut, capfd):
    with FaceMesh() as mesh:
        mesh.find(astronaut)
    os.write(2, b"still here\n")
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == "still here\n"
