"""Make ``data/face_template.csv`` from two public-domain portraits of the US government.

Eileen Collins (NASA) comes with scikit-image as ``astronaut``, Grace Hopper (US Navy) with
matplotlib as ``grace_hopper.jpg``. Run ``python -m extractors.build_face_template`` after a change.
"""

import numpy as np
import numpy.typing as npt

from extractors.face_geometry import TO_CAMERA_AXES, similarity_fit
from extractors.face_mesh import FaceMesh
from extractors.face_template import TEMPLATE_FILE
from extractors.media import ImageArray
from extractors.rotation import Float64Array

# Exocanthal width of adults: 91 mm (men) and 88 mm (women) in Farkas (1994), "Anthropometry of
# the Head and Face".
OUTER_CANTHAL_CM = 9.0
OUTER_CORNERS = (33, 263)
FOREHEAD, CHIN = 10, 152
FACE_POINTS = 468
PROCRUSTES_ROUNDS = 20


def portraits() -> list[ImageArray]:
    """Load the portraits and their mirror images.

    Returns
    -------
    list of ndarray of uint8, shape (height, width, 3)
        RGB. Meshes of a picture and of its mirror image average to a symmetric face.
    """
    import matplotlib.cbook
    import matplotlib.image
    from skimage import data

    collins: ImageArray = data.astronaut()  # type: ignore[no-untyped-call]
    hopper = matplotlib.image.imread(
        matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    )
    images = (collins, hopper)
    return [np.ascontiguousarray(view) for image in images for view in (image, image[:, ::-1])]


def mean_shape(*, shapes: Float64Array) -> Float64Array:
    """Mean of shapes after generalised Procrustes alignment (Gower 1975).

    Parameters
    ----------
    shapes : ndarray, shape (N, P, 3)
        Shapes of any size, place and rotation.

    Returns
    -------
    ndarray, shape (P, 3)
        The mean, in the frame and size of the first shape.
    """
    mean: Float64Array = shapes[0]
    for _ in range(PROCRUSTES_ROUNDS):
        aligned = np.stack([_aligned(shape=shape, to=mean) for shape in shapes])
        mean = _aligned(shape=aligned.mean(axis=0), to=shapes[0])
    return mean


def mirror_pairs(*, shape: Float64Array) -> npt.NDArray[np.intp]:
    """Find which point is which point's mirror image.

    Parameters
    ----------
    shape : ndarray, shape (P, 3)
        A nearly symmetric shape whose plane of symmetry is nearly x = const.

    Returns
    -------
    ndarray of int, shape (P,)
        Partner of every point; a point of the midline is its own.

    Raises
    ------
    ValueError
        If the closest pairing is not mutual: the shape is not symmetric enough.
    """
    from scipy.optimize import linear_sum_assignment

    reflected = shape * [-1.0, 1.0, 1.0]
    reflected = reflected - reflected.mean(axis=0) + shape.mean(axis=0)
    distances = np.linalg.norm(shape[:, None] - reflected[None], axis=-1)
    partner: npt.NDArray[np.intp] = linear_sum_assignment(distances**2)[1]
    odd = np.flatnonzero(partner[partner] != np.arange(len(shape)))
    if odd.size:
        raise ValueError(f"points {odd[:8].tolist()} have no mutual mirror image")
    return partner


def normalized_template(*, shape: Float64Array) -> Float64Array:
    """Make a nearly symmetric face exactly symmetric, upright, centred and of human size.

    Parameters
    ----------
    shape : ndarray, shape (478, 3)
        y up, z towards the viewer, any unit.

    Returns
    -------
    ndarray, shape (478, 3)
        In cm, as :func:`extractors.face_template.face_template` describes it.
    """
    partner = mirror_pairs(shape=shape)
    mirrored = _aligned(shape=(shape * [-1.0, 1.0, 1.0])[partner], to=shape)
    symmetric = (shape + mirrored) / 2.0
    sideways = symmetric[OUTER_CORNERS[1]] - symmetric[OUTER_CORNERS[0]]
    axes = np.empty((3, 3))
    axes[0] = sideways / np.linalg.norm(sideways)
    upwards = symmetric[FOREHEAD] - symmetric[CHIN]
    upwards = upwards - (upwards @ axes[0]) * axes[0]
    axes[1] = upwards / np.linalg.norm(upwards)
    axes[2] = np.cross(axes[0], axes[1])
    centered = symmetric - symmetric[:FACE_POINTS].mean(axis=0)
    scale = OUTER_CANTHAL_CM / np.linalg.norm(sideways)
    # Adding 0 turns the midline's -0.0 into 0.0.
    template: Float64Array = np.round(centered @ axes.T * scale, 4) + 0.0
    return template


def build() -> Float64Array:
    """Build the template from the portraits.

    Returns
    -------
    ndarray, shape (478, 3)
        In cm, as :func:`extractors.face_template.face_template` describes it.
    """
    shapes = np.stack([_mesh(image) for image in portraits()]) * TO_CAMERA_AXES
    return normalized_template(shape=mean_shape(shapes=shapes))


def main() -> None:
    """Write the template's file."""
    rows = "\n".join(",".join(f"{value:.4f}" for value in point) for point in build())
    head = "# x,y,z in cm; made by extractors.build_face_template\n"
    TEMPLATE_FILE.parent.mkdir(exist_ok=True)
    unfinished = TEMPLATE_FILE.with_suffix(".tmp")
    unfinished.write_text(f"{head}{rows}\n", encoding="utf-8")
    unfinished.replace(TEMPLATE_FILE)


def _mesh(image: ImageArray) -> Float64Array:
    """Landmarks of a portrait in pixels."""
    height, width = image.shape[:2]
    with FaceMesh() as face_mesh:
        found = face_mesh.find(image)
    if found is None:
        raise ValueError(f"no face found in a portrait of {width} x {height} pixels")
    return found.astype(np.float64) * [width, height, width]


def _aligned(*, shape: Float64Array, to: Float64Array) -> Float64Array:
    fit = similarity_fit(source=shape, target=to[None])
    moved: Float64Array = fit.scale[0] * shape @ fit.rotation[0].T + fit.translation[0]
    return moved


if __name__ == "__main__":
    main()
