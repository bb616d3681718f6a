"""The mean face that every face is laid on."""

import functools
from pathlib import Path

import numpy as np

from extractors.rotation import Float64Array

TEMPLATE_FILE = Path(__file__).parent / "data" / "face_template.csv"


@functools.cache
def face_template() -> Float64Array:
    """Read the template: a symmetric face in the numbering of mediapipe's face mesh.

    Returns
    -------
    ndarray, shape (478, 3)
        In cm, read-only. x to the viewer's right, y up, z towards the viewer; the origin is the
        mean of the first 468 points, the line from the top of the forehead (10) to the chin
        (152) is vertical and the outer corners of the eyes (33, 263) lie 9 cm apart.

    See Also
    --------
    extractors.build_face_template : How the file is made, and from what.
    """
    template: Float64Array = np.loadtxt(TEMPLATE_FILE, delimiter=",", comments="#")
    template.setflags(write=False)
    return template
