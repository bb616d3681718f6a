"""Whose mouth moves with the sound: the speaker's face in every shot.

A face that is followed through a shot is a track. Each gets the log odds of being the speaker:
prior odds by size and centrality, plus what its mouth tells while there is lively sound. An
unmoving mouth (a listener, a portrait on a slide) is told from a moving one, and a mouth that
moves with the sound from one that moves otherwise.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from extractors.rotation import Float64Array
from extractors.sequence import BoolArray, Seconds
from extractors.sound_envelope import ENVELOPE_RATE

FaceChoice = Literal["speaker", "largest", "all"]

# Distance from the picture's centre, in picture widths, that takes 40 % off a face's weight.
OFF_CENTER = 0.35
# Weight of nobody in the picture being the speaker, in parts of the largest face's.
NOBODY = 0.1
# Standard deviation of a second of loudness, of which 1 is loud: .15 to .35 in speech, .04 in
# applause and steady noise.
LIVELY = 0.1
# A mouth not measured for longer than twice this is not known in between.
GAP: Seconds = 0.1
# A face seen for a shorter time is not chosen; a mouth known for a shorter time counts less.
WHOLE_EVIDENCE: Seconds = 0.5
# Geometric mean of the lips' speed in cm/s: 1.8 in 49 shots of speakers on a stage, .03 to .34 in
# portraits and listeners; both taken to vary by a factor e. Those who do not speak are taken to
# move their lips like speakers in 30 % of cases: they eat, laugh, talk to others.
SPEAKING_SPEED, STILL_SPEED = 1.5, 0.12
OTHERWISE_MOVING = 0.3
LEAST_SPEED = 0.03
# Correlation of the lips' velocity with the loudness's: .34 in the same 49 shots, with a standard
# deviation of .13 that chance explains; somewhat less, and varying, for worse microphones. Other
# people's sound: 0, and chance is that of this many independent values a second, as measured.
AGREEMENT, AGREEMENT_SPREAD, CHANCE_SPREAD = 0.3, 0.12, 0.05
INDEPENDENT_RATE = 10.0
# The lips move ahead of the voice (Chandrasekaran et al. 2009, "The natural statistics of
# audiovisual speech", PLoS Comp. Biol. 5(7)), and files are off by some frames; one lead a clip.
LEADS = np.arange(-2, 7)
USUAL_LEAD, LEAD_SPREAD = 2.0, 2.0
# Slope over five values: that of the mean over three.
_SLOPE = np.array([1.0, 1.0, 0.0, -1.0, -1.0]) * ENVELOPE_RATE / 6.0


@dataclass(frozen=True, kw_only=True)
class FaceRows:
    """The faces of a whole video, one entry for every face in every picture, in picture order.

    Parameters
    ----------
    picture : ndarray of int, shape (N,)
        Number of the picture, not decreasing.
    time : ndarray of float, shape (N,)
        When it is shown, s.
    shot : ndarray of int, shape (N,)
        Number of its shot.
    face_id : ndarray of int, shape (N,)
        The same for the same face as long as it is followed; at most once in a picture.
    mouth_opening : ndarray of float, shape (N,)
        Gap between the lips in cm, whatever the face's size; NaN where it cannot be measured,
        such as in profile.
    size : ndarray of float, shape (N,)
        Extent of the face, > 0, in any unit.
    off_center : ndarray of float, shape (N,)
        Distance of the face's middle from the picture's, in picture widths.
    """

    picture: npt.NDArray[np.integer]
    time: npt.NDArray[np.floating]
    shot: npt.NDArray[np.integer]
    face_id: npt.NDArray[np.integer]
    mouth_opening: npt.NDArray[np.floating]
    size: npt.NDArray[np.floating]
    off_center: npt.NDArray[np.floating]


class SpeakerChoice(NamedTuple):
    """Which faces were chosen.

    Attributes
    ----------
    chosen : ndarray of bool, shape (N,)
        Whether a row belongs to the chosen face of its picture; at most one of a picture, unless
        all were asked for.
    log_odds : ndarray, shape (N,)
        Log odds that the row's face is the speaker, the same throughout a shot.
    """

    chosen: BoolArray
    log_odds: Float64Array


def choose_speakers(
    *, faces: FaceRows, envelope: Float64Array | None, choice: FaceChoice = "speaker"
) -> SpeakerChoice:
    """Choose one face in every shot, or none.

    Parameters
    ----------
    faces : FaceRows
        All faces.
    envelope : ndarray, shape (M,), or None
        From :func:`extractors.sound_envelope.sound_envelope`; None without sound.
    choice : {"speaker", "largest", "all"}, optional
        "speaker": the face that speaks, by sound, size and centrality; none where no face does.
        "largest": the one of greatest size times duration in every shot. "all": every face.

    Returns
    -------
    SpeakerChoice
        One entry per row. Faces seen at once in a shot exclude each other; a shot in which the
        face is lost and found under another id can have several chosen, one after the other.

    Notes
    -----
    Without sound, size and centrality alone decide. They do so, too, if no face of the whole video
    passes (somebody who only listens, sound of another place), but then one of several equals is
    not chosen. A face alone in its shot that moves its lips while somebody off the screen speaks
    is told from the speaker only after many seconds.
    """
    if choice == "all" or not len(faces.picture):
        return SpeakerChoice(np.full(len(faces.picture), choice == "all"), _no_odds(faces))
    tracks, row_track = _tracks(faces)
    by_size = _prior_log_odds(faces, tracks=tracks)
    if choice == "largest":
        extent = np.array([np.log(faces.size[rows].sum()) for rows in tracks])
        accepted = _without_rivals(faces, tracks=tracks, rank=extent, least=-np.inf)
        return SpeakerChoice(accepted[row_track], by_size[row_track])
    heard = envelope is not None and bool(envelope.any())
    least = 0.0 if heard else -np.inf
    log_odds = by_size
    if envelope is not None and heard:
        log_odds = _with_sound(faces, tracks=tracks, by_size=by_size, envelope=envelope)
    # What flits by is seldom the speaker, and shows no mouth moving.
    lasting = np.array([np.ptp(faces.time[rows]) >= WHOLE_EVIDENCE for rows in tracks])
    rank = np.where(lasting, log_odds, -np.inf)
    accepted = _without_rivals(faces, tracks=tracks, rank=rank, least=least)
    if not accepted.any():
        accepted = _without_rivals(faces, tracks=tracks, rank=by_size, least=least)
    return SpeakerChoice(accepted[row_track], log_odds[row_track])


def _no_odds(faces: FaceRows) -> Float64Array:
    return np.zeros(len(faces.picture))


def _tracks(faces: FaceRows) -> tuple[list[npt.NDArray[np.intp]], npt.NDArray[np.intp]]:
    """Rows of every face in every shot, and the track of every row."""
    keys = np.column_stack([faces.shot, faces.face_id])
    _, row_track = np.unique(keys, axis=0, return_inverse=True)
    row_track = row_track.reshape(-1)
    order = np.argsort(row_track, kind="stable")
    return np.split(order, np.cumsum(np.bincount(row_track))[:-1]), row_track


def _prior_log_odds(faces: FaceRows, *, tracks: list[npt.NDArray[np.intp]]) -> Float64Array:
    """Log odds of every track by size and centrality against the faces seen with it.

    A face's share of a picture is its weight over that of all in the picture and of nobody: ten
    to one for a face alone, less than even for one of several equals.
    """
    weight = faces.size**2 * np.exp(-0.5 * (faces.off_center / OFF_CENTER) ** 2)
    _, picture = np.unique(faces.picture, return_inverse=True)
    together = np.bincount(picture, weight)
    largest = np.zeros(len(together))
    np.maximum.at(largest, picture, weight)
    share = weight / (together + NOBODY * largest)[picture]
    means = np.array([share[rows].mean() for rows in tracks])
    return np.log(means / (1.0 - means))


def _with_sound(
    faces: FaceRows,
    *,
    tracks: list[npt.NDArray[np.intp]],
    by_size: Float64Array,
    envelope: Float64Array,
) -> Float64Array:
    """Add to the log odds what the mouths tell while there is lively sound."""
    lively = _lively(envelope)
    loudness_slope = np.convolve(np.pad(envelope, 2, mode="edge"), _SLOPE, "valid")
    log_odds = by_size.copy()
    agreement = np.zeros((len(tracks), len(LEADS)))
    for track, rows in enumerate(tracks):
        mouth = _mouth_velocity(time=faces.time[rows], opening=faces.mouth_opening[rows])
        inside = mouth.at < len(envelope)
        at, velocity = mouth.at[inside], mouth.velocity[inside]
        at, velocity = at[lively[at]], velocity[lively[at]]
        log_odds[track] += _movement_log_odds(velocity)
        agreement[track] = _agreement_log_odds(velocity, at=at, slope=loudness_slope)
    # How well each lead explains the whole clip, if every track speaks or not by its odds so far.
    speaks, silent = -np.logaddexp(0.0, -log_odds), -np.logaddexp(0.0, log_odds)
    explained = np.logaddexp(speaks[:, None] + agreement, silent[:, None]).sum(axis=0)
    explained -= 0.5 * ((LEADS - USUAL_LEAD) / LEAD_SPREAD) ** 2
    best = int(np.argmax(explained))
    # Sound that no mouth follows (dubbed, music) says nothing about any.
    return log_odds + agreement[:, best] if explained[best] > 0.0 else log_odds


def _lively(envelope: Float64Array) -> BoolArray:
    """Where the loudness goes up and down as speech does, within a second."""
    half = ENVELOPE_RATE // 2
    padded = np.pad(envelope, half, mode="reflect" if len(envelope) > half else "edge")
    window = np.full(2 * half + 1, 1.0 / (2 * half + 1))
    mean = np.convolve(padded, window, "valid")
    square = np.convolve(padded**2, window, "valid")
    lively: BoolArray = square - mean**2 > LIVELY**2
    return lively


class _Mouth(NamedTuple):
    """Velocity of a mouth's opening in cm/s, at some of the envelope's times."""

    at: npt.NDArray[np.intp]
    velocity: Float64Array


def _mouth_velocity(*, time: npt.NDArray[np.floating], opening: npt.NDArray[np.floating]) -> _Mouth:
    """Measure the velocity at the envelope's times, as far as the mouth is known around them."""
    known = np.isfinite(opening)
    time, opening = time[known], opening[known]
    if len(time) < len(_SLOPE):
        return _Mouth(np.zeros(0, np.intp), np.zeros(0))
    first, last = int(np.ceil(time[0] * ENVELOPE_RATE)), int(time[-1] * ENVELOPE_RATE)
    if last - first < len(_SLOPE):
        return _Mouth(np.zeros(0, np.intp), np.zeros(0))
    at = np.arange(first, last + 1)
    when = at / ENVELOPE_RATE
    after = np.clip(np.searchsorted(time, when), 1, len(time) - 1)
    near = np.minimum(np.abs(when - time[after - 1]), np.abs(time[after] - when)) <= GAP
    velocity = np.convolve(np.interp(when, time, opening), _SLOPE, "valid")
    whole = np.convolve(near, np.ones(len(_SLOPE)), "valid") > len(_SLOPE) - 0.5
    return _Mouth(at[2:-2][whole], velocity[whole])


def _movement_log_odds(velocity: Float64Array) -> float:
    """Tell a moving mouth from a still one: two log-normal speeds, one with a second mode."""
    if not len(velocity):
        return 0.0
    speed = np.log(np.abs(velocity) + LEAST_SPEED).mean()
    middle = (np.log(SPEAKING_SPEED) + np.log(STILL_SPEED)) / 2.0
    stiller = np.exp((np.log(SPEAKING_SPEED) - np.log(STILL_SPEED)) * (middle - speed))
    known = min(1.0, len(velocity) / ENVELOPE_RATE / WHOLE_EVIDENCE)
    return float(-known * np.log(OTHERWISE_MOVING + (1.0 - OTHERWISE_MOVING) * stiller))


def _agreement_log_odds(
    velocity: Float64Array, *, at: npt.NDArray[np.intp], slope: Float64Array
) -> Float64Array:
    """Tell a mouth that moves with the sound from another, for every lead.

    A ratio of two normal densities of the correlation, whose chance part shrinks with time.
    """
    independent = len(velocity) / ENVELOPE_RATE * INDEPENDENT_RATE
    moves = velocity.std() if len(velocity) else 0.0
    if independent < INDEPENDENT_RATE * WHOLE_EVIDENCE or moves == 0.0:
        return np.zeros(len(LEADS))
    sound = slope[np.clip(at[:, None] + LEADS, 0, len(slope) - 1)]
    sound = sound - sound.mean(axis=0)
    heard = np.maximum(sound.std(axis=0), 1e-9)
    correlation = (velocity - velocity.mean()) @ sound / (len(velocity) * moves * heard)
    speaking = AGREEMENT_SPREAD**2 + 1.0 / independent
    other = CHANCE_SPREAD**2 + 1.0 / independent
    log_odds: Float64Array = 0.5 * (
        correlation**2 / other
        - (correlation - AGREEMENT) ** 2 / speaking
        + np.log(other / speaking)
    )
    return log_odds


def _without_rivals(
    faces: FaceRows,
    *,
    tracks: list[npt.NDArray[np.intp]],
    rank: Float64Array,
    least: float,
) -> BoolArray:
    """Accept tracks from the best down, but none that is seen together with a better one."""
    accepted = np.zeros(len(tracks), np.bool_)
    taken: set[int] = set()
    for track in np.argsort(-rank, kind="stable"):
        if rank[track] <= least:
            break
        pictures = set(faces.picture[tracks[track]].tolist())
        if taken.isdisjoint(pictures):
            accepted[track] = True
            taken |= pictures
    return accepted
