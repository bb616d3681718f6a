"""A portrait that can be moved: render one picture for a given expression and head pose."""

from dataclasses import dataclass

import cv2
import mediapipe
import numpy as np
import numpy.typing as npt
from scipy.spatial import Delaunay
from shapes import EYE_CORNERS, LOWER_LID, LOWER_LIP, UPPER_LID, UPPER_LIP, FloatArray, build_shapes
from skimage import data

ImageArray = npt.NDArray[np.uint8]
# The portrait is kept enlarged by this factor so that warping it loses no sharpness.
ENLARGEMENT = 3
# Pictures are rendered this much larger, then shrunk, so that edges are smooth.
OVERSAMPLING = 2
# Points around the face on the 512 x 512 portrait: x, y, depth (pixels, away from the camera)
# and the share of the head's motion they follow.
SURROUNDINGS = [
    # hair and ears, from the ear on the image's left over the crown to the other ear
    (181, 133, 43, 1), (173, 127, 48, 1), (167, 117, 54, 1), (157, 105, 58, 1), (153, 90, 58, 1),
    (152, 72, 58, 1), (156, 58, 56, 1), (169, 45, 54, 1), (190, 33, 52, 1), (201, 23, 50, 1),
    (215, 17, 50, 1), (230, 14, 50, 1), (247, 16, 50, 1), (264, 22, 50, 1), (279, 31, 52, 1),
    (290, 42, 54, 1), (298, 60, 56, 1), (303, 80, 58, 1), (301, 97, 58, 1), (292, 119, 58, 1),
    (282, 130, 50, 1), (272, 138, 44, 1),
    # hair in front of the skull
    (170, 65, 40, 1), (166, 90, 45, 1), (190, 50, 22, 1), (215, 45, 10, 1), (235, 42, 8, 1),
    (258, 48, 18, 1), (280, 65, 40, 1), (285, 95, 46, 1), (230, 28, 25, 1), (284, 112, 50, 1),
    # hairline, then the outline of the jaw: as deep as the face beside it
    (278, 120, 43, 1), (277, 106, 37, 1), (276, 94, 26, 1), (272, 84, 14, 1), (173, 116, 43, 1),
    (173, 106, 39, 1), (174, 94, 30, 1), (178, 82, 17, 1), (188, 68, 2, 1), (262, 72, 0, 1),
    (178, 139, 42, 1), (180, 147, 38, 1), (183, 155, 31, 0.95), (271, 142, 41, 1),
    (269, 149, 37, 1), (265, 157, 30, 1), (261, 164, 25, 0.85),
    # neck, then the collar, then the suit
    (186, 164, 36, 0.6), (188, 174, 40, 0.35), (257, 170, 34, 0.6),
    (256, 177, 40, 0.35), (196, 184, 40, 0.2), (212, 187, 38, 0.2), (236, 191, 38, 0.2),
    (252, 185, 40, 0.2), (190, 200, 40, 0), (225, 206, 40, 0), (258, 200, 40, 0),
    (170, 150, 55, 0.1), (150, 150, 55, 0), (176, 165, 50, 0), (172, 180, 50, 0),
    (270, 165, 50, 0.1), (272, 182, 50, 0), (285, 150, 55, 0.1),
    # background close to the head follows it a little, further away it stands still
    (140, 112, 60, 0.4), (134, 72, 60, 0.4), (150, 38, 60, 0.45), (190, 8, 60, 0.5),
    (230, -4, 60, 0.5), (268, 5, 60, 0.5), (304, 30, 60, 0.45), (320, 80, 60, 0.4),
    (308, 122, 60, 0.4), (284, 146, 60, 0.3), (160, 128, 60, 0.4),
    (105, 120, 60, 0), (100, 70, 60, 0), (110, 15, 60, 0), (150, -40, 60, 0), (230, -60, 60, 0),
    (310, -40, 60, 0), (345, 15, 60, 0), (355, 80, 60, 0), (345, 140, 60, 0), (310, 165, 60, 0),
    (-80, -80, 60, 0), (592, -80, 60, 0), (592, 592, 60, 0), (-80, 592, 60, 0),
    (120, 170, 60, 0), (225, 300, 60, 0),
]  # fmt: skip
# The head turns about a point between the ears, low in the skull.
PIVOT_DEPTH = 38.0
PIVOT_BELOW_EYES = 40.0
# The sides of the head are hardly seen in the portrait: at their true depth a turn would tear the
# few pixels of them apart. Depth beyond FLAT_FROM is smoothed over the picture and flattened.
FLAT_FROM = 4.0
FLATTENING = 0.6
SMOOTHING = 6.0
DEPTH_GAIN = 1.2
LIP_RIM = 1.0
LIP_COUPLING = 0.5
# Twice the area, in rendered pixels, below which a triangle is not drawn.
SLIVER = 1.0
# Mean gap between lips or lids, in portrait pixels, below which it lies in shade.
SHADE_BELOW = 2.2
TEETH_LIFT = 0.0
CAVITY = (46.0, 20.0, 22.0)
TONGUE = (112.0, 52.0, 54.0)


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Expression and head pose of one frame.

    Parameters
    ----------
    mouth, blink : float
        0 (closed lips; open eyes) to 1.
    smile : float
        -1 (corners of the mouth down) to 1.
    brow : float
        -1 (lowered and drawn together) to 1 (raised).
    yaw, pitch, roll : float
        Degrees away from the portrait's own pose. Positive yaw takes the nose to the image's left,
        positive pitch takes it down, positive roll tips the crown to the image's right.
    """

    mouth: float = 0.0
    blink: float = 0.0
    smile: float = 0.0
    brow: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Part of the portrait that is shown.

    Parameters
    ----------
    left, top : float
        Corner of the view in portrait pixels.
    scale : float
        Picture pixels to one portrait pixel.
    width, height : int
        Size of the picture in pixels.
    """

    left: float
    top: float
    scale: float
    width: int
    height: int


class Portrait:
    """The NASA portrait of Eileen Collins that comes with scikit-image, with a movable face.

    Parameters
    ----------
    mirrored : bool
        Swap left and right, for another look.
    warmth : float
        Gain of red over blue, -0.2 to 0.2.
    brightness : float
        Gain of all colours, 0.7 to 1.3.
    """

    def __init__(
        self, *, mirrored: bool = False, warmth: float = 0.0, brightness: float = 1.0
    ) -> None:
        image: ImageArray = data.astronaut()  # type: ignore[no-untyped-call]
        surroundings = np.array(SURROUNDINGS, dtype=np.float64)
        if mirrored:
            image = np.ascontiguousarray(image[:, ::-1])
            surroundings[:, 0] = image.shape[1] - 1 - surroundings[:, 0]
        mesh = _find_mesh(image, mirrored=mirrored)
        gain = brightness * np.array([1 + warmth / 2, 1.0, 1 - warmth / 2])
        image = np.clip(image * gain, 0, 255).astype(np.uint8)
        size = (image.shape[1] * ENLARGEMENT, image.shape[0] * ENLARGEMENT)
        large = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        self._image: ImageArray = large.astype(np.uint8, copy=False)
        self._vertices = np.concatenate([mesh, surroundings[:, :3]])
        self._vertices[:, 2] = _flatten_sides(self._vertices)
        self._share = np.concatenate([np.ones(len(mesh)), surroundings[:, 3]])
        self._triangles = Delaunay(self._vertices[:, :2]).simplices
        self._texture = self._vertices[:, :2].copy()
        for rows, sign in ((UPPER_LIP, -1.0), (LOWER_LIP, 1.0)):
            # The rim of the lips takes its colour from the lips, not from the teeth beside it.
            self._texture[rows[-1, 1:-1], 1] += sign * LIP_RIM
            self._texture[rows[-2, 1:-1], 1] += sign * LIP_RIM / 2
        self._shapes = build_shapes(mesh=mesh)
        eyes = mesh[[33, 133, 263, 362]].mean(axis=0)
        self._pivot = np.array([eyes[0], eyes[1] + PIVOT_BELOW_EYES, PIVOT_DEPTH])
        self._mouth_inside = _mouth_inside(self._image, mesh)

    def vertices(self, *, pose: Pose) -> FloatArray:
        """Move all vertices; returns shape (vertices, 3) in portrait pixels."""
        shapes = self._shapes
        # A smile bares the teeth sooner than drawn-down corners do; evened out, so that the same
        # opening looks alike on every face.
        opening = pose.mouth - LIP_COUPLING * pose.smile * pose.mouth * (1 - pose.mouth)
        moved = self._vertices.copy()
        moved[:468, :2] += (
            shapes.rest
            + opening * shapes.open
            + max(pose.smile, 0.0) * shapes.smile
            + max(-pose.smile, 0.0) * shapes.frown
            + max(pose.brow, 0.0) * shapes.brow_raise
            + max(-pose.brow, 0.0) * shapes.brow_lower
            + pose.blink * shapes.blink
        )
        turned = (moved - self._pivot) @ head_rotation(pose=pose).T + self._pivot
        share = self._share[:, None]
        blended: FloatArray = share * turned + (1 - share) * moved
        return blended

    def share_in_view(self, *, pose: Pose, camera: Camera) -> float:
        """Share of the face's mesh vertices inside the picture, 0 to 1."""
        vertices = self.vertices(pose=pose)[:468, :2]
        on_screen = (vertices - [camera.left, camera.top]) * camera.scale
        inside = (on_screen >= 0) & (on_screen < [camera.width, camera.height])
        return float(inside.all(axis=1).mean())

    def render(self, *, pose: Pose, camera: Camera) -> ImageArray:
        """Render one picture.

        Parameters
        ----------
        pose : Pose
            Expression and head pose.
        camera : Camera
            Part of the portrait that is shown.

        Returns
        -------
        ndarray of uint8, shape (camera.height, camera.width, 3)
            RGB.
        """
        shown, camera = camera, _oversampled(camera)
        vertices = self.vertices(pose=pose)
        on_screen = (vertices[:, :2] - [camera.left, camera.top]) * camera.scale
        maps = self._inverse_map(on_screen, vertices[:, 2], camera)
        picture = _sample(self._image, maps)
        rotation = head_rotation(pose=pose)
        for eye in (0, 1):
            ring = np.concatenate([[EYE_CORNERS[eye, 0]], UPPER_LID[eye], [EYE_CORNERS[eye, 1]],
                                   LOWER_LID[eye, ::-1]])  # fmt: skip
            self._paint_hole(picture, self._image, ring, on_screen, rotation, camera)
        ring = np.concatenate([UPPER_LIP[-1], LOWER_LIP[-1][-2:0:-1]])
        self._paint_hole(picture, self._mouth_inside, ring, on_screen, rotation, camera)
        small = cv2.resize(picture, (shown.width, shown.height), interpolation=cv2.INTER_AREA)
        return small.astype(np.uint8)

    def _paint_hole(
        self, picture: ImageArray, inside: ImageArray, ring: npt.NDArray[np.int_],
        on_screen: FloatArray, rotation: FloatArray, camera: Camera,
    ) -> None:  # fmt: skip
        """Show what lies behind the lids or lips; it moves with the skull, not with the skin."""
        polygon = on_screen[ring]
        low = np.maximum(np.floor(polygon.min(axis=0)).astype(int) - 3, 0)
        high = np.minimum(
            np.ceil(polygon.max(axis=0)).astype(int) + 3, [camera.width, camera.height]
        )
        if np.any(high <= low):
            return
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        place = np.stack([x, y], axis=-1) / camera.scale + [camera.left, camera.top]
        depth = self._vertices[ring, 2].mean()
        behind = rotation[:2, 2] * (depth - self._pivot[2]) + self._pivot[:2]
        maps = (place - behind) @ np.linalg.inv(rotation[:2, :2]).T + self._pivot[:2]
        layer = _sample(inside, maps.astype(np.float32))
        mask = np.zeros(layer.shape[:2], np.uint8)
        fixed_point = np.round((polygon - low) * 16).astype(np.int32)
        cv2.fillPoly(mask, [fixed_point], 255, cv2.LINE_AA, 4)
        # Between nearly closed lips or lids there is only shade.
        gap = cv2.contourArea(polygon.astype(np.float32)) / np.ptp(polygon[:, 0])
        light = min(1.0, gap / (SHADE_BELOW * camera.scale))
        lit = light * layer + (1 - light) * np.array(CAVITY)
        alpha = cv2.GaussianBlur(mask, (0, 0), 1.0)[..., None] / 255.0
        area = (slice(low[1], high[1]), slice(low[0], high[0]))
        picture[area] = np.round(alpha * lit + (1 - alpha) * picture[area]).astype(np.uint8)

    def _inverse_map(
        self, on_screen: FloatArray, depth: FloatArray, camera: Camera
    ) -> npt.NDArray[np.float32]:
        """Portrait coordinates of every picture pixel, nearest triangle in front."""
        corners = on_screen[self._triangles]
        owner = np.full((camera.height, camera.width), -1, dtype=np.int32)
        fixed_point = np.round(corners * 16).astype(np.int32)
        homogeneous = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], axis=2)
        # A sliver would colour its border by wild extrapolation; its neighbours cover it.
        broad = np.abs(np.linalg.det(homogeneous)) > SLIVER
        order = np.argsort(-depth[self._triangles].mean(axis=1))
        for triangle in order[broad[order]]:
            cv2.fillConvexPoly(owner, fixed_point[triangle], int(triangle), cv2.LINE_8, 4)
        affine = np.zeros((len(corners), 3, 2), dtype=np.float32)
        affine[broad] = np.linalg.solve(homogeneous[broad], self._texture[self._triangles][broad])
        affine = affine[owner]
        y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
        maps = affine[..., 0, :] * x[..., None] + affine[..., 1, :] * y[..., None]
        maps += affine[..., 2, :]
        # Hides the creases between triangles.
        smooth: npt.NDArray[np.float32] = cv2.GaussianBlur(maps, (0, 0), 1.2)
        return smooth


def head_rotation(*, pose: Pose) -> FloatArray:
    """Rotation of the head, ``Rx(pitch) Ry(yaw) Rz(roll)``; x right, y down, z away."""
    a, b, c = np.deg2rad([pose.pitch, pose.yaw, pose.roll])
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    rotation: FloatArray = rx @ ry @ rz
    return rotation


def _oversampled(camera: Camera) -> Camera:
    factor = OVERSAMPLING
    return Camera(
        left=camera.left,
        top=camera.top,
        scale=camera.scale * factor,
        width=camera.width * factor,
        height=camera.height * factor,
    )


def _sample(image: ImageArray, maps: npt.NDArray[np.float32]) -> ImageArray:
    """Look up portrait coordinates in the enlarged portrait."""
    # Pixel centres: enlarged = (original + 0.5) * factor - 0.5.
    enlarged = maps * ENLARGEMENT + (ENLARGEMENT - 1) / 2
    across, down = enlarged[..., 0], enlarged[..., 1]
    sampled = cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return sampled.astype(np.uint8, copy=False)


def _find_mesh(image: ImageArray, *, mirrored: bool) -> FloatArray:
    """Face-mesh vertices (468, 3) of the portrait, found on an enlarged view of the head."""
    left, top, side, factor = (90 if not mirrored else image.shape[1] - 90 - 260), 0, 260, 4
    view = cv2.resize(image[top : top + side, left : left + side], None, fx=factor, fy=factor,
                      interpolation=cv2.INTER_CUBIC)  # fmt: skip
    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=1
    ) as finder:
        found = finder.process(view)
    if not found.multi_face_landmarks:
        raise RuntimeError("mediapipe found no face on scikit-image's astronaut portrait")
    marks = found.multi_face_landmarks[0].landmark[:468]
    mesh = np.array([[mark.x, mark.y, mark.z] for mark in marks]) * side
    mesh[:, :2] += [left, top]
    return mesh


def _flatten_sides(vertices: FloatArray) -> FloatArray:
    """Depth of the vertices with the steep sides of the face and head made gentle."""
    depth = vertices[:, 2]
    apart = np.linalg.norm(vertices[:, None, :2] - vertices[None, :, :2], axis=2)
    weight = np.exp(-0.5 * (apart / SMOOTHING) ** 2)
    smooth = weight @ depth / weight.sum(axis=1)
    side = np.clip((depth - FLAT_FROM) / 10, 0, 1)
    depth = (1 - side) * depth + side * smooth
    beyond = np.maximum(depth - FLAT_FROM, 0)
    gentle: FloatArray = DEPTH_GAIN * (np.minimum(depth, FLAT_FROM) + FLATTENING * beyond)
    return gentle


def _mouth_inside(image: ImageArray, mesh: FloatArray) -> ImageArray:
    """Mouth cavity with the portrait's own upper teeth, drawn on the enlarged portrait."""
    lips = np.concatenate([UPPER_LIP[-1], LOWER_LIP[-1][-2:0:-1]])
    polygon = (mesh[lips, :2] + 0.5) * ENLARGEMENT - 0.5
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.round(polygon * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    bright = np.clip((image.min(axis=2).astype(np.float64) - 70) / 50, 0, 1)
    teeth = cv2.GaussianBlur(bright * (inside / 255.0), (0, 0), 1.0)[..., None]
    x, y = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    centre = polygon.mean(axis=0) + np.array([0, 7.5 * ENLARGEMENT])
    reach = np.hypot((x - centre[0]) / (13 * ENLARGEMENT), (y - centre[1]) / (5 * ENLARGEMENT))
    tongue = np.clip(1.4 - reach, 0, 1)[..., None]
    cavity = np.array(CAVITY) + tongue * (np.array(TONGUE) - CAVITY)
    painted = teeth * 0.86 * image + (1 - teeth) * cavity
    lifted = np.roll(painted, -round(TEETH_LIFT * ENLARGEMENT), axis=0)
    clipped: ImageArray = np.clip(lifted, 0, 255).astype(np.uint8)
    return clipped
