import numpy as np
import pytest

from extractors.face_template import face_template

MIRROR_PAIRS = ((33, 263), (133, 362), (61, 291), (468, 473), (234, 454), (70, 300))
MIDLINE = (10, 152, 1, 6, 168, 0, 17, 13, 14)


def test_it_has_a_position_for_every_point():
    assert face_template().shape == (478, 3)
    assert np.isfinite(face_template()).all()


def test_it_is_symmetric():
    template = face_template()
    for right, left in MIRROR_PAIRS:
        np.testing.assert_allclose(template[right], template[left] * [-1, 1, 1], atol=1e-4)
        assert template[right, 0] < 0
    np.testing.assert_allclose(template[list(MIDLINE), 0], 0.0, atol=1e-4)


def test_it_is_upright_centred_and_of_human_size():
    template = face_template()
    np.testing.assert_allclose(template[10, 2], template[152, 2], atol=2e-4)
    assert template[10, 1] > 0 > template[152, 1]
    np.testing.assert_allclose(template[:468].mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(template[263] - template[33]), 9.0, atol=1e-3)
    # Nose tip nearest to the viewer; distance of the pupils of adults 5.4 to 7.4 cm (Dodgson
    # 2004), height of the face below the nose's root 10 to 13 cm.
    assert template[:, 2].argmax() in (1, 4)
    assert 5.4 < template[473, 0] - template[468, 0] < 7.4
    assert 10.0 < template[168, 1] - template[152, 1] < 13.0


def test_it_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        face_template()[0] = 0.0
