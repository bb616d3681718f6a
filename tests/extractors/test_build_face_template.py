import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from extractors.build_face_template import (
    build,
    mean_shape,
    mirror_pairs,
    normalized_template,
)
from extractors.face_template import face_template


def test_the_shipped_file_is_what_the_portraits_give():
    np.testing.assert_allclose(build(), face_template(), atol=0.02)


def test_mean_shape_of_moved_copies_is_the_shape():
    shape = np.random.default_rng(0).normal(size=(12, 3))
    turns = Rotation.random(3, random_state=1).as_matrix()
    copies = [shape] + [2.5 * shape @ turn.T + 4.0 for turn in turns]
    np.testing.assert_allclose(mean_shape(shapes=np.stack(copies)), shape, atol=1e-9)


def test_mean_shape_averages_what_differs():
    rng = np.random.default_rng(0)
    shape = 10 * rng.normal(size=(200, 3))
    noisy = shape + rng.normal(size=(30, 200, 3))
    error = mean_shape(shapes=noisy) - shape
    # 30 shapes: noise falls by the root of 30; the first one's pose remains.
    assert np.sqrt((error**2).mean()) < 0.35


def test_mirror_pairs():
    shape = np.array([[-2.0, 0, 0], [1, 5, 1], [0, 1, 3], [2, 0, 0], [-1, 5, 1], [0, -3, 0]])
    assert mirror_pairs(shape=shape + 7.0).tolist() == [3, 4, 2, 0, 1, 5]


def test_a_shape_that_is_not_symmetric_is_refused():
    shape = np.random.default_rng(7).integers(-4, 5, size=(7, 3)).astype(float)
    with pytest.raises(ValueError, match="no mutual mirror image"):
        mirror_pairs(shape=shape)


def test_a_tilted_template_is_set_upright():
    template = face_template()
    nodded = 3.0 * template @ Rotation.from_euler("x", 0.2).as_matrix().T + [50.0, 60.0, 0.0]
    np.testing.assert_allclose(normalized_template(shape=nodded), template, atol=2e-4)
