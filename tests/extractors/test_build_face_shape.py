from pathlib import Path

import numpy as np
import pytest

from extractors.build_face_shape import sample_faces, shape_modes
from extractors.build_face_template import mirror_pairs
from extractors.face_shape import MODES, face_modes
from extractors.face_template import face_template

SAMPLES = Path(__file__).parents[2] / "sample_videos"


def moving(direction, *, amounts):
    return face_template()[:468] + np.multiply.outer(amounts, direction)


def test_one_symmetric_motion_is_one_mode():
    direction = np.zeros((468, 3))
    direction[[61, 291], 1] = 1.0
    clip = moving(direction, amounts=np.linspace(-1, 1, 9))
    (mode,) = shape_modes(clips=[clip], modes=1)
    np.testing.assert_allclose(mode, direction / np.sqrt(2), atol=1e-12)


def test_what_one_side_does_the_other_can_do_too():
    direction = np.zeros((468, 3))
    direction[61, 1] = 1.0  # one corner of the mouth alone
    clip = moving(direction, amounts=np.linspace(-1, 1, 9))
    modes = shape_modes(clips=[clip], modes=2)
    found = {tuple(np.round(mode[[61, 291], 1] * np.sqrt(2), 9)) for mode in modes}
    assert found in ({(1, 1), (1, -1)}, {(1, 1), (-1, 1)})
    partner = mirror_pairs(shape=face_template()[:468])
    parity = [(mode * (mode * [-1, 1, 1])[partner]).sum() for mode in modes]
    np.testing.assert_allclose(sorted(parity), [-1.0, 1.0], atol=1e-12)


def test_identity_is_no_motion():
    direction = np.zeros((468, 3))
    direction[[61, 291], 1] = 1.0
    clips = [
        moving(direction, amounts=np.linspace(-1, 1, 9)) + offset for offset in (0.0, 5.0, -3.0)
    ]
    (mode,) = shape_modes(clips=clips, modes=1)
    np.testing.assert_allclose(mode, direction / np.sqrt(2), atol=1e-9)


@pytest.mark.slow
def test_the_shipped_modes_carry_the_motion_of_the_sample_videos():
    faces = sample_faces(path=SAMPLES / "sample_12.mp4")
    moved = (faces - faces.mean(axis=0)).reshape(len(faces), -1)
    share = np.square(moved @ face_modes().reshape(MODES, -1).T).sum() / np.square(moved).sum()
    assert share > 0.98
