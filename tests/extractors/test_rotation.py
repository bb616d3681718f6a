import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from extractors.rotation import euler_angles, rotation_matrix

angles = st.tuples(st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(-3, 3))


@given(angles)
def test_matrix_is_scipys_intrinsic_xyz_rotation(wanted):
    expected = Rotation.from_euler("XYZ", wanted).as_matrix()
    np.testing.assert_allclose(rotation_matrix(angles=wanted), expected, atol=1e-12)


@given(st.lists(angles, min_size=1, max_size=4))
def test_angles_come_back(wanted):
    found = euler_angles(rotation=rotation_matrix(angles=wanted))
    np.testing.assert_allclose(found, wanted, atol=1e-9)
