"""Several faces followed through the shots of a video."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from extractors.face_detection import FaceDetection, FaceDetector, Window, search_windows
from extractors.face_landmarks import REGION_PER_FACE, LandmarkModel, MeshedFace, face_region
from extractors.media import ImageArray, VideoFrame
from extractors.sequence import FloatArray, Seconds
from extractors.shots import shots

# The detector costs more than the landmarks, so faces are followed without it. It looks at one
# window a picture after a cut, soon again when a face was just lost, is in doubt or there is
# none, and otherwise so seldom that it adds little to the cost of a picture.
LOOK_SOON: Seconds = 0.1
LOOK_UNSURE: Seconds = 0.2
LOOK_EVERY: Seconds = 0.5
# A face that comes back to its place within this time is the same one.
COME_BACK: Seconds = 2.0
# Letters and hands get a high score in one window, but not in a closer one too.
LEAST_DETECTION = 0.4
CLOSE_UP = 3.0
# Mean distance of eyes, nose and mouth between detector and landmarks, in face sizes. The two
# agree to .03 on a face that looks here; a mesh laid on an ear or the back of a head is .2 off.
AGREEMENT = 0.2
# Looks in a row that must doubt a face before it is dropped; people blink, turn and gesture.
DOUBTS = 3
# What moves farther (in face sizes) or grows more from one picture to the next, or while it is lost
# for a moment, is another face.
JUMP, GROWTH = 1.0, 1.5
# Landmarks: corners of the eyes on the image's left and right, nose tip, inner lips.
_DETECTOR_POINTS = ((33, 133), (263, 362), (1, 1), (13, 14))


class FollowedFace(NamedTuple):
    """One face in one picture.

    Attributes
    ----------
    face_id : int
        The same for the same face as long as it is followed; used once in a clip.
    landmarks : ndarray of float32, shape (478, 3)
        Pixels of the upright picture: x to the right, y down, z away from the camera.
    score : float
        The landmark model's probability that this is a face, in [0, 1].
    """

    face_id: int
    landmarks: FloatArray
    score: float


@dataclass(frozen=True)
class PictureFaces:
    """The faces in one picture.

    Attributes
    ----------
    index : int
        Number of the picture in the video, from 0.
    time : Seconds
        When it is first shown.
    image : ndarray of uint8, shape (height, width, 3)
        RGB, upright.
    shot : int
        Number of its shot, from 0.
    faces : tuple of FollowedFace
        In the order of their ids; empty without a face.
    """

    index: int
    time: Seconds
    image: ImageArray
    shot: int
    faces: tuple[FollowedFace, ...]


def follow_faces(
    *,
    frames: Iterable[VideoFrame],
    most_faces: int = 4,
    smallest_face: float = 20.0,
    stride: int = 1,
    detection_confidence: float = 0.6,
    tracking_confidence: float = 0.5,
) -> Iterator[PictureFaces]:
    """Find the faces of a video and follow them, picture by picture.

    Parameters
    ----------
    frames : iterable of VideoFrame
        All pictures, in time order.
    most_faces : int, optional
        Largest number of faces in a picture, > 0; a face takes the place of one that is
        much smaller.
    smallest_face : float, optional
        Extent in pixels that a face must have to be followed, >= 0. At 20 an iris is 1.5 pixels
        wide.
    stride : int, optional
        Every how many pictures faces are looked for, > 0; shots are told apart on all of them.
    detection_confidence : float, optional
        Smallest mean score of two looks at a new face, in [0, 1].
    tracking_confidence : float, optional
        Smallest score of the landmarks of a face, in [0, 1].

    Yields
    ------
    PictureFaces
        One for every ``stride``-th picture. No face is followed across a cut.

    Raises
    ------
    ValueError
        If ``most_faces`` or ``stride`` is not positive.
    """
    if most_faces < 1 or stride < 1:
        raise ValueError(f"most_faces and stride must be positive, got {most_faces} and {stride}")
    with (
        FaceDetector(least_score=LEAST_DETECTION) as detector,
        LandmarkModel(least_score=tracking_confidence) as model,
    ):
        follower = _Follower(
            detector=detector,
            model=model,
            most_faces=most_faces,
            smallest_face=smallest_face,
            detection_confidence=detection_confidence,
        )
        for index, (frame, shot) in enumerate(shots(frames)):
            if index % stride == 0:
                faces = follower.follow(frame=frame, shot=shot)
                yield PictureFaces(index, frame.time, frame.image, shot, faces)


class _Place(NamedTuple):
    """Centre and extent of a face, pixels."""

    x: float
    y: float
    size: float


@dataclass
class _Track:
    """A face that is being followed."""

    face_id: int
    face: MeshedFace
    place: _Place
    checked: Seconds
    doubts: int = 0


class _Lost(NamedTuple):
    """A face that was here a moment ago."""

    face_id: int
    place: _Place
    time: Seconds


class _Follower:
    """What is known of the faces from one picture to the next."""

    def __init__(
        self,
        *,
        detector: FaceDetector,
        model: LandmarkModel,
        most_faces: int,
        smallest_face: float,
        detection_confidence: float,
    ) -> None:
        self._detector = detector
        self._model = model
        self._most_faces = most_faces
        self._smallest_face = smallest_face
        self._detection_confidence = detection_confidence
        self._faces_so_far = 0
        self._shot = -1
        self._tracks: list[_Track] = []
        self._lost: list[_Lost] = []
        self._searches = 0
        self._next_look: Seconds = 0.0
        self._looked_close = False

    def follow(self, *, frame: VideoFrame, shot: int) -> tuple[FollowedFace, ...]:
        """Follow the known faces into the next picture, and look for others when it is time."""
        if shot != self._shot:
            self._start(shot=shot)
        time, image = frame
        self._lost = [lost for lost in self._lost if time - lost.time <= COME_BACK]
        for track in tuple(self._tracks):
            self._move(track=track, image=image, time=time)
        self._drop_doubles()
        if time >= self._next_look:
            self._look(image=image, time=time)
        tracks = sorted(self._tracks, key=lambda track: track.face_id)
        return tuple(FollowedFace(track.face_id, *track.face) for track in tracks)

    def _start(self, *, shot: int) -> None:
        """Forget all faces: a new shot begins."""
        self._shot = shot
        self._tracks, self._lost = [], []
        self._searches, self._next_look, self._looked_close = 0, 0.0, False

    def _move(self, *, track: _Track, image: ImageArray, time: Seconds) -> None:
        """Find a followed face near where it was, or lose it."""
        region = face_region(track.face.landmarks)
        face = self._model.landmarks(image=image, region=region)
        place = None if face is None else _place(face.landmarks)
        if face is not None and place is not None and self._goes_on(track.place, place):
            track.face, track.place = face, place
            return
        self._next_look, self._looked_close = time, False
        if face is None:
            self._lose(track=track, time=time)
        else:
            self._tracks.remove(track)
            self._searches = 0

    def _goes_on(self, before: _Place, after: _Place) -> bool:
        """Whether a face is still the same, and large enough."""
        return after.size >= self._smallest_face / GROWTH and _near(before, after)

    def _lose(self, *, track: _Track, time: Seconds) -> None:
        """Stop following a face, but remember it for a while."""
        self._tracks.remove(track)
        self._lost.append(_Lost(track.face_id, track.place, time))

    def _drop_doubles(self) -> None:
        """Keep the older of two tracks that have run into one face."""
        kept: list[_Track] = []
        for track in sorted(self._tracks, key=lambda track: track.face_id):
            if not any(_same(track.place, other.place) for other in kept):
                kept.append(track)
        self._tracks = kept

    def _look(self, *, image: ImageArray, time: Seconds) -> None:
        """Use the detector once: where a face is known, or in the next window for others."""
        height, width = image.shape[:2]
        windows = search_windows(width=width, height=height)
        sweeping = self._searches < len(windows)
        self._looked_close = not sweeping and not self._looked_close
        if self._looked_close and self._lost:
            self._search(image=image, window=_close_up(self._lost[-1].place), time=time)
        elif self._looked_close and self._tracks:
            next_one = min(self._tracks, key=lambda track: (-track.doubts, track.checked))
            self._check(track=next_one, image=image, time=time)
        else:
            window = windows[self._searches % len(windows)]
            self._search(image=image, window=window, time=time)
            self._searches += 1
        if self._searches >= len(windows):
            self._next_look = time + self._pause()

    def _pause(self) -> Seconds:
        """Tell how long the detector can rest."""
        if self._lost:
            return LOOK_SOON
        if not self._tracks or any(track.doubts for track in self._tracks):
            return LOOK_UNSURE
        return LOOK_EVERY

    def _check(self, *, track: _Track, image: ImageArray, time: Seconds) -> None:
        """See whether the detector, too, finds a face where one is followed."""
        track.checked = time
        window = _close_up(track.place)
        detections = self._detector.detect(image=image, window=window)
        if any(_agree(detection, track.face, track.place) for detection in detections):
            track.doubts = 0
            return
        track.doubts += 1
        if track.doubts == DOUBTS:
            self._lose(track=track, time=time)

    def _search(self, *, image: ImageArray, window: Window, time: Seconds) -> None:
        """Begin to follow the faces of a window that are not followed yet."""
        detections = self._detector.detect(image=image, window=window)
        for detection in sorted(detections, key=lambda detection: -detection.size):
            small = min(self._tracks, key=lambda track: track.place.size, default=None)
            full = small is not None and len(self._tracks) == self._most_faces
            at_least = GROWTH * small.place.size if small and full else self._smallest_face
            if detection.size < at_least:
                return
            if any(_same(_where(detection), track.place) for track in self._tracks):
                continue
            face = self._confirmed(image=image, detection=detection)
            place = None if face is None else _place(face.landmarks)
            if face is None or place is None or any(_same(place, t.place) for t in self._tracks):
                continue
            if small and full:
                self._tracks.remove(small)
            self._tracks.append(_Track(self._face_id(place), face, place, time))

    def _confirmed(self, *, image: ImageArray, detection: FaceDetection) -> MeshedFace | None:
        """Look at a new face from close, and lay the mesh on it twice, to centre it."""
        closer = self._detector.detect(image=image, window=_close_up(_where(detection)))
        same = [face for face in closer if _same(_where(face), _where(detection))]
        if not same or (same[0].score + detection.score) / 2 < self._detection_confidence:
            return None
        face = self._model.landmarks(image=image, region=same[0].region)
        if face is None:
            return None
        face = self._model.landmarks(image=image, region=face_region(face.landmarks))
        if face is None:
            return None
        place = _place(face.landmarks)
        fits = place.size >= self._smallest_face and _agree(same[0], face, place)
        return face if fits else None

    def _face_id(self, place: _Place) -> int:
        """Give a face the id it had a moment ago, or a new one."""
        for lost in reversed(self._lost):
            if _near(lost.place, place):
                self._lost.remove(lost)
                return lost.face_id
        self._faces_so_far += 1
        return self._faces_so_far - 1


def _place(landmarks: FloatArray) -> _Place:
    region = face_region(landmarks)
    return _Place(region.x, region.y, region.size / REGION_PER_FACE)


def _where(detection: FaceDetection) -> _Place:
    return _Place(detection.x, detection.y, detection.size)


def _close_up(place: _Place) -> Window:
    size = max(1, round(CLOSE_UP * place.size))
    return Window(round(place.x - size / 2), round(place.y - size / 2), size)


def _same(a: _Place, b: _Place) -> bool:
    """Whether two places can only be one face: heads side by side are a whole size apart."""
    return float(np.hypot(a.x - b.x, a.y - b.y)) < 0.5 * max(a.size, b.size)


def _near(before: _Place, after: _Place) -> bool:
    """Whether a face can have come from one place to the other."""
    larger, smaller = max(before.size, after.size), min(before.size, after.size)
    far = float(np.hypot(before.x - after.x, before.y - after.y))
    return far < JUMP * larger and larger < GROWTH * smaller


def _agree(detection: FaceDetection, face: MeshedFace, place: _Place) -> bool:
    """Whether detector and landmarks see eyes, nose and mouth in the same places."""
    points = np.stack([face.landmarks[list(p), :2].mean(axis=0) for p in _DETECTOR_POINTS])
    apart = np.linalg.norm(points - detection.keypoints[: len(points)], axis=1).mean()
    return bool(apart < AGREEMENT * place.size)
