"""Make ``data/face_shape.npy``, the modes in which the sample videos' faces move.

Run ``python -m extractors.build_face_shape`` in a checkout after a change of the template or of
the sample videos: the videos are not part of an installation.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from extractors.build_face_template import mirror_pairs
from extractors.face_geometry import FACE_POINTS, fit_face, pose_free_face
from extractors.face_mesh import FaceMesh
from extractors.face_shape import MODES, MODES_FILE
from extractors.face_template import face_template
from extractors.media import Media
from extractors.rotation import Float64Array

SAMPLES = Path(__file__).parents[1] / "sample_videos"
# Neighbouring pictures tell the same.
STRIDE = 4
# Share of the mesh that must lie in the picture: what is cut off is guessed.
MIN_INSIDE = 0.9


def shape_modes(*, clips: list[Float64Array], modes: int = MODES) -> Float64Array:
    """Principal components of how faces differ from their own mean, each symmetric or the reverse.

    Parameters
    ----------
    clips : list of ndarray, shape (T, 468, 3)
        Pose-free faces, one array of every clip.
    modes : int, optional
        How many components.

    Returns
    -------
    ndarray, shape (modes, 468, 3)
        Orthonormal as vectors of 1404 numbers, the most moving first. The largest number of each
        is positive, so that a second run cannot turn one round.

    Notes
    -----
    Every face counts together with its mirror image: what the left side does the right can do.
    Then a component splits into one symmetric and one antisymmetric set, which are computed apart
    so that they are exactly what they should be.
    """
    moved = np.concatenate([clip - clip.mean(axis=0) for clip in clips])
    partner = mirror_pairs(shape=face_template()[: len(FACE_POINTS)])
    mirrored = (moved * [-1.0, 1.0, 1.0])[:, partner]
    strengths, components = [], []
    for part in ((moved + mirrored) / 2.0, (moved - mirrored) / 2.0):
        flat = part.reshape(len(part), -1)
        _, singular, right = np.linalg.svd(flat, full_matrices=False)
        strengths.append(singular[:modes])
        components.append(right[:modes])
    order = np.argsort(-np.concatenate(strengths), kind="stable")[:modes]
    chosen = np.concatenate(components)[order]
    largest = np.take_along_axis(chosen, np.abs(chosen).argmax(axis=1)[:, None], axis=1)
    signed: Float64Array = (chosen * np.sign(largest)).reshape(modes, -1, 3)
    return signed


def sample_faces(*, path: Path) -> Float64Array:
    """Read the pose-free faces of one video.

    Parameters
    ----------
    path : Path
        The video.

    Returns
    -------
    ndarray, shape (T, 468, 3)
        In cm, of every fourth picture with a whole face.
    """
    landmarks = np.stack(list(_landmarks(path)))
    fit = fit_face(landmarks=landmarks, template=face_template(), points=FACE_POINTS)
    return pose_free_face(landmarks=landmarks, fit=fit)[:, FACE_POINTS]


def main() -> None:
    """Write the modes' file."""
    clips = [sample_faces(path=path) for path in sorted(SAMPLES.glob("sample_*.mp4"))]
    modes = shape_modes(clips=clips).astype(np.float32)
    with tempfile.NamedTemporaryFile(dir=MODES_FILE.parent, delete=False) as unfinished:
        np.save(unfinished, modes)
    Path(unfinished.name).chmod(0o644)
    Path(unfinished.name).replace(MODES_FILE)


def _landmarks(path: Path) -> Iterator[Float64Array]:
    """Face mesh in pixels of every picture that counts."""
    with FaceMesh() as face_mesh:
        for number, (_, image) in enumerate(Media(path=path).frames()):
            height, width = image.shape[:2]
            found = face_mesh.find(image)
            if found is None or number % STRIDE:
                continue
            inside = ((found[:, :2] >= 0.0) & (found[:, :2] <= 1.0)).all(axis=1).mean()
            if inside >= MIN_INSIDE:
                yield found.astype(np.float64) * [width, height, width]


if __name__ == "__main__":
    main()
