"""Videos that show what was measured in faces."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from extractors.face_geometry import Camera, Landmarks, default_camera
from extractors.media import ImageArray, Media
from extractors.rotation import Float64Array, rotation_matrix
from extractors.sequence import FloatArray, Seconds
from pipeline.atomic import replacing
from pipeline.errors import SourceError

# Pictures are enlarged to this width, as far as they stay within the largest size.
LEAST_WIDTH, MOST_WIDTH, MOST_HEIGHT = 960, 1920, 1080
PANEL_WIDTH, LEAST_HEIGHT = 300, 540
CLOSE_UP = 150
AXIS_MM, GAZE_MM = 90.0, 120.0
IRISES = (468, 473)
TIME_BASE = Fraction(1, 90000)
SAMPLE_RATE = 48000
# RGB.
WHITE, GREY, GREEN, ORANGE, RED, BLUE, CYAN = (
    *((255, 255, 255), (150, 150, 150), (90, 255, 90), (255, 160, 40)),
    *((255, 80, 80), (90, 140, 255), (60, 230, 255)),
)
Color = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class DrawnFace:
    """One face in one picture.

    Parameters
    ----------
    face_id : int
        Which face.
    landmarks : ndarray, shape (478, 3)
        Pixels of the upright picture.
    chosen : bool, optional
        Whether it is the speaker, or what else was chosen.
    valid : bool, optional
        Whether its row can be trusted.
    values : mapping of str to float, optional
        The row under OpenFace's names. Pose and gaze are drawn in the picture; ``AU*_r``, 0 to 5,
        as bars in this order, filled where ``AU*_c`` is 1 or is not there.
    """

    face_id: int
    landmarks: Landmarks
    chosen: bool = False
    valid: bool = False
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FaceOverlay:
    """One picture and what is drawn over it.

    Parameters
    ----------
    time : Seconds
        When the picture is first shown.
    image : ndarray of uint8, shape (height, width, 3)
        RGB, upright, of one size throughout a video.
    shot : int
        Number of its shot.
    faces : tuple of DrawnFace
        All faces in it; the first chosen one gets the panel.
    """

    time: Seconds
    image: ImageArray
    shot: int
    faces: tuple[DrawnFace, ...]


def draw_faces(*, media: Media, overlays: Iterable[FaceOverlay], path: Path) -> None:
    """Write a video that shows what was measured: meshes, pose, gaze, action units, validity.

    Parameters
    ----------
    media : Media
        The clip, whose sound goes with the pictures.
    overlays : iterable of FaceOverlay
        At least one, in time order; read one by one.
    path : Path
        Where to, an MP4 (H.264, AAC); written whole or not at all. Pictures keep their times.

    Raises
    ------
    SourceError
        If there is no picture.
    MediaError
        If the clip cannot be read.
    """
    sound = media.audio_pieces(SAMPLE_RATE) if media.info.has_audio else None
    drawn = ((overlay.time, picture_with_faces(overlay)) for overlay in overlays)
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        _write(container, drawn=drawn, sound=sound, fps=media.info.fps or 1.0, name=media.path)


def picture_with_faces(overlay: FaceOverlay) -> ImageArray:
    """Draw one picture.

    Parameters
    ----------
    overlay : FaceOverlay
        The picture and its faces.

    Returns
    -------
    ndarray of uint8, shape (height', width', 3)
        RGB: the picture, enlarged if it is small, and a panel at its right; even numbers of
        pixels.
    """
    height, width = overlay.image.shape[:2]
    scale = min(max(LEAST_WIDTH, min(width, MOST_WIDTH)) / width, MOST_HEIGHT / height)
    large_width, large_height = _even(width * scale), _even(height * scale)
    canvas = np.zeros((max(large_height, LEAST_HEIGHT), large_width + PANEL_WIDTH, 3), np.uint8)
    picture = np.asarray(cv2.resize(overlay.image, (large_width, large_height)), np.uint8)
    camera = default_camera(width=width, height=height)
    for face in overlay.faces:
        _draw_face(picture, face=face, scale=scale)
        if face.chosen:
            _draw_pose_and_gaze(picture, face=face, camera=camera, scale=scale)
    canvas[:large_height, :large_width] = picture
    panel = np.zeros((canvas.shape[0], PANEL_WIDTH, 3), np.uint8)
    _draw_panel(panel, overlay=overlay)
    canvas[:, large_width:] = panel
    return canvas


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _color(face: DrawnFace) -> Color:
    return GREY if not face.chosen else GREEN if face.valid else ORANGE


def _text(image: ImageArray, text: str, *, at: tuple[int, int], color: Color = WHITE) -> None:
    for shade, thickness in (((0, 0, 0), 3), (color, 1)):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, shade, thickness, cv2.LINE_AA)


def _dots(image: ImageArray, *, points: Float64Array, color: Color) -> None:
    """Draw dots of one pixel, or of four where there is room."""
    wide = np.ptp(points[:, 0]) > 200
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1))[: 4 if wide else 1]:
        x, y = (np.round(points).astype(int) + np.array([right, down])).T
        inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
        image[y[inside], x[inside]] = color


def _draw_face(picture: ImageArray, *, face: DrawnFace, scale: float) -> None:
    """Draw a face's mesh, and its number beside it."""
    points = np.asarray(face.landmarks[:, :2], np.float64) * scale
    color = _color(face)
    _dots(picture, points=points, color=color)
    left, top = points.min(axis=0)
    label = f"{face.face_id}{' SPEAKER' if face.chosen else ''}"
    # Over the hair, which the mesh leaves out.
    at = (max(2, int(left)), max(14, int(top - 0.35 * np.ptp(points[:, 1]))))
    _text(picture, label, at=at, color=color)


def _draw_pose_and_gaze(
    picture: ImageArray, *, face: DrawnFace, camera: Camera, scale: float
) -> None:
    """Draw the head's axes from its measured place, and the gaze from the irises."""
    values = face.values
    if "pose_Tz" not in values or values["pose_Tz"] <= 0:
        return
    center = np.array([camera.center_x, camera.center_y])

    def project(point: Float64Array) -> tuple[int, int]:
        u, v = (center + camera.focal_length * point[:2] / max(point[2], 1.0)) * scale
        return int(np.clip(u, -1e4, 1e4)), int(np.clip(v, -1e4, 1e4))

    origin = np.array([values[f"pose_T{axis}"] for axis in "xyz"])
    angles = np.array([values[f"pose_R{axis}"] for axis in "xyz"])
    axes = rotation_matrix(angles=angles[None])[0].T * [[1.0], [1.0], [-1.0]]
    for axis, color in zip(axes, (RED, GREEN, BLUE), strict=True):
        _arrow(picture, start=project(origin), end=project(origin + AXIS_MM * axis), color=color)
    for eye, iris in enumerate(IRISES):
        if f"gaze_{eye}_x" not in values:
            continue
        ray = np.array([values[f"gaze_{eye}_{axis}"] for axis in "xyz"])
        flat = (np.asarray(face.landmarks[iris, :2]) - center) / camera.focal_length
        start = np.append(flat, 1.0) * origin[2]
        _arrow(picture, start=project(start), end=project(start + GAZE_MM * ray), color=CYAN)


def _arrow(
    picture: ImageArray, *, start: tuple[int, int], end: tuple[int, int], color: Color
) -> None:
    cv2.arrowedLine(picture, start, end, (0, 0, 0), 4, cv2.LINE_AA, tipLength=0.12)
    cv2.arrowedLine(picture, start, end, color, 2, cv2.LINE_AA, tipLength=0.12)


def _draw_panel(panel: ImageArray, *, overlay: FaceOverlay) -> None:
    """Write numbers, bars and a close-up of the chosen face."""
    face = next((face for face in overlay.faces if face.chosen), None)
    seen = ", ".join(str(other.face_id) for other in overlay.faces) or "none"
    lines = [
        (f"{overlay.time:8.3f} s   shot {overlay.shot}", WHITE),
        (f"faces: {seen}", WHITE),
        (_verdict(face), GREY if face is None else _color(face)),
    ]
    if face is not None:
        lines += [(line, WHITE) for line in _numbers(face.values)]
    for number, (line, color) in enumerate(lines):
        _text(panel, line, at=(10, 22 + 20 * number), color=color)
    if face is None:
        return
    top = 22 + 20 * len(lines)
    _draw_bars(panel[top : len(panel) - CLOSE_UP - 10], values=face.values)
    _draw_close_up(panel[len(panel) - CLOSE_UP - 5 : len(panel) - 5], overlay.image, face)


def _verdict(face: DrawnFace | None) -> str:
    if face is None:
        return "no speaker: not valid"
    if face.valid:
        return f"speaker {face.face_id}: valid"
    # A face is measured unless the picture's edge cuts it off, and not valid if it is turned.
    return f"speaker {face.face_id}: NOT VALID, {'turned' if face.values else 'cut off'}"


def _numbers(values: Mapping[str, float]) -> list[str]:
    """Confidence, head pose and gaze in words, as far as they are there."""
    lines = []
    if "confidence" in values:
        lines.append(f"confidence {values['confidence']:.2f}")
    if "pose_Rx" in values:
        pitch, yaw, roll = (math.degrees(values[f"pose_R{axis}"]) for axis in "xyz")
        lines.append(f"pitch {pitch:+.0f}  yaw {yaw:+.0f}  roll {roll:+.0f}")
    if "gaze_angle_x" in values:
        x, y = (math.degrees(values[f"gaze_angle_{axis}"]) for axis in "xy")
        lines.append(f"gaze x {x:+.0f}  y {y:+.0f}")
    return lines


def _draw_bars(area: ImageArray, *, values: Mapping[str, float]) -> None:
    """Draw a bar for every intensity, 5 being the whole width."""
    names = [name for name in values if name.startswith("AU") and name.endswith("_r")]
    if not names:
        return
    height = min(20, len(area) // len(names))
    for number, name in enumerate(names):
        top, unit = number * height, name.removesuffix("_r")
        cv2.putText(
            area, unit, (10, top + height - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, WHITE, 1, cv2.LINE_AA
        )
        left, whole = 60, PANEL_WIDTH - 100
        length = round(float(np.clip(values[name] / 5.0, 0.0, 1.0)) * whole)
        present = values.get(f"{unit}_c", 1.0) > 0.5
        box = (left, top + 2), (left + length, top + height - 3)
        cv2.rectangle(area, (left, top + 2), (left + whole, top + height - 3), (60, 60, 60), 1)
        cv2.rectangle(area, *box, CYAN if present else GREY, -1 if present else 1)
        _value(area, values[name], at=(left + whole + 4, top + height - 3))


def _value(area: ImageArray, value: float, *, at: tuple[int, int]) -> None:
    cv2.putText(area, f"{value:.1f}", at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, GREY, 1, cv2.LINE_AA)


def _draw_close_up(area: ImageArray, image: ImageArray, face: DrawnFace) -> None:
    """Draw the face twice, bare and with its mesh: small faces vanish under theirs."""
    points = np.asarray(face.landmarks[:, :2], np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    size = min(len(area), area.shape[1] // 2 - 4)
    scale = size / (1.2 * float((high - low).max()))
    shift = size / 2 - scale * (low + high) / 2
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    crop = np.asarray(cv2.warpAffine(image, matrix, (size, size)), np.uint8)
    area[:size, :size] = crop
    _dots(crop, points=points * scale + shift, color=_color(face))
    area[:size, -size:] = crop


def _write(
    container: Any,
    *,
    drawn: Iterator[tuple[Seconds, ImageArray]],
    sound: Iterator[FloatArray] | None,
    fps: float,
    name: Path,
) -> None:
    """Encode pictures and sound in step, so that neither waits in memory for the other."""
    first = next(drawn, None)
    if first is None:
        raise SourceError(f"{name}: there are no pictures to draw on", code="no_pictures")
    video = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
    video.height, video.width = first[1].shape[:2]
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = TIME_BASE
    video.options = {"preset": "veryfast", "crf": "20"}
    audio: Any = None
    if sound is not None:
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
    spoken = 0
    for time, image in _from(first, drawn):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = round(time / TIME_BASE), TIME_BASE
        container.mux(video.encode(frame))
        if sound is not None:
            spoken = _encode_sound(container, audio, sound=sound, start=spoken, until=time)
    if sound is not None:
        _encode_sound(container, audio, sound=sound, start=spoken, until=math.inf)
        container.mux(audio.encode(None))
    container.mux(video.encode(None))


def _from(
    first: tuple[Seconds, ImageArray], others: Iterator[tuple[Seconds, ImageArray]]
) -> Iterator[tuple[Seconds, ImageArray]]:
    yield first
    yield from others


def _encode_sound(
    container: Any, stream: Any, *, sound: Iterator[FloatArray], start: int, until: Seconds
) -> int:
    """Encode pieces of sound up to a time; return how many samples have been encoded."""
    while start < until * SAMPLE_RATE:
        piece = next(sound, None)
        if piece is None:
            break
        for first in range(0, len(piece), SAMPLE_RATE):
            part = np.ascontiguousarray(piece[None, first : first + SAMPLE_RATE])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start + first
            frame.time_base = Fraction(1, SAMPLE_RATE)
            container.mux(stream.encode(frame))
        start += len(piece)
    return start
