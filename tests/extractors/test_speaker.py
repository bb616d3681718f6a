import itertools
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.face_features import face_measures
from extractors.face_tracks import follow_faces
from extractors.media import Media, VideoFrame
from extractors.sound_envelope import ENVELOPE_RATE, sound_envelope
from extractors.speaker import FaceRows, choose_speakers

SAMPLES = Path(__file__).parents[2] / "sample_videos"


def syllables(*, seconds, seed):
    """Loudness from 0 to 1 that rises and falls about four times a second."""
    rng = np.random.default_rng(seed)
    rough = rng.standard_normal(round(seconds * ENVELOPE_RATE) + 1)
    smooth = scipy.ndimage.gaussian_filter1d(rough, 1.5)
    return np.clip(0.5 + 0.3 * smooth / smooth.std(), 0.0, 1.2)


def mouth(loudness, *, noise, seed, lead=2, fps=25.0, cm=1.0):
    """The opening of a mouth that makes this sound 0.08 s later, measured with noise."""
    own = syllables(seconds=(len(loudness) - 1) / ENVELOPE_RATE, seed=1000 + seed)
    ahead = loudness[np.clip(np.arange(len(loudness)) + lead, 0, len(loudness) - 1)]
    opening = cm * ((1 - noise) * ahead + noise * own)
    times = np.arange(int((len(loudness) - 1) / ENVELOPE_RATE * fps)) / fps
    return times, np.interp(times, np.arange(len(loudness)) / ENVELOPE_RATE, opening)


def face(*, times, opening, face_id=0, shot=0, size=40.0, off_center=0.1, first=0):
    n = len(times)
    return {
        "picture": first + np.arange(n),
        "time": np.asarray(times, float),
        "shot": np.full(n, shot),
        "face_id": np.full(n, face_id),
        "mouth_opening": np.broadcast_to(np.asarray(opening, float), n),
        "size": np.full(n, size),
        "off_center": np.full(n, off_center),
    }


def together(*faces):
    joined = {f.name: np.concatenate([face[f.name] for face in faces]) for f in fields(FaceRows)}
    order = np.lexsort([joined["face_id"], joined["picture"]])
    return FaceRows(**{name: values[order] for name, values in joined.items()})


def chosen_ids(faces, choice):
    return set(faces.face_id[choice.chosen].tolist())


@given(
    seed=st.integers(0, 1000),
    fps=st.sampled_from([10.0, 15.0, 25.0, 29.97, 50.0]),
    lead=st.integers(-1, 5),
    swapped=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_of_two_talking_faces_the_one_that_fits_the_sound_speaks(seed, fps, lead, swapped):
    loudness = syllables(seconds=10, seed=seed)
    other = syllables(seconds=10, seed=seed + 5000)
    times, fits = mouth(loudness, noise=0.4, seed=seed, lead=lead, fps=fps)
    _, does_not = mouth(other, noise=0.4, seed=seed + 1, lead=lead, fps=fps)
    faces = together(
        face(times=times, opening=fits, face_id=int(swapped), size=30.0),
        face(times=times, opening=does_not, face_id=int(not swapped), size=33.0),
    )
    choice = choose_speakers(faces=faces, envelope=loudness)
    assert chosen_ids(faces, choice) == {int(swapped)}
    assert (choice.chosen == (faces.face_id == int(swapped))).all()


def test_the_clips_delay_is_found_on_all_its_shots():
    """Two seconds are too short to tell a delay, many shots of two seconds are not."""
    loudness = syllables(seconds=40, seed=3)
    times, opening = mouth(loudness, noise=0.5, seed=0, lead=6)
    other = mouth(syllables(seconds=40, seed=4), noise=0.5, seed=1, lead=6)[1]
    parts = []
    for shot in range(20):
        part = slice(50 * shot, 50 * shot + 50)
        parts += [
            face(
                times=times[part], opening=o[part], face_id=2 * shot + k, shot=shot, first=50 * shot
            )
            for k, o in enumerate((opening, other))
        ]
    faces = together(*parts)
    right = (faces.face_id % 2 == 0)[choose_speakers(faces=faces, envelope=loudness).chosen]
    assert right.size == 20 * 50
    assert right.mean() >= 0.9


def test_a_portrait_is_no_speaker_while_somebody_speaks():
    loudness = syllables(seconds=16, seed=0)
    times, opening = mouth(loudness[:201], noise=0.3, seed=0)
    still = 0.03 + 0.001 * np.sin(np.arange(200))
    faces = together(
        face(times=times, opening=opening, face_id=0, shot=0),
        face(times=times + 8, opening=still, face_id=1, shot=1, size=90.0, first=200),
    )
    assert chosen_ids(faces, choose_speakers(faces=faces, envelope=loudness)) == {0}
    assert chosen_ids(faces, choose_speakers(faces=faces, envelope=None)) == {0, 1}


def test_a_listener_who_nods_now_and_then_beside_the_speaker_is_none():
    loudness = syllables(seconds=8, seed=1)
    times, opening = mouth(loudness, noise=0.3, seed=0)
    smiles = 0.1 + 0.1 * np.exp(-((times - 4.0) ** 2))
    faces = together(
        face(times=times, opening=opening, face_id=0, size=25.0, off_center=0.3),
        face(times=times, opening=smiles, face_id=1, size=50.0, off_center=0.0),
    )
    assert chosen_ids(faces, choose_speakers(faces=faces, envelope=loudness)) == {0}


def test_applause_says_nothing_against_a_still_mouth():
    applause = 0.9 + 0.04 * np.random.default_rng(0).standard_normal(101)
    loudness = np.concatenate([syllables(seconds=8, seed=0), applause])
    times, opening = mouth(loudness, noise=0.3, seed=0)
    opening[200:] = 0.03
    faces = together(
        face(times=times[:195], opening=opening[:195], face_id=0, shot=0),
        face(times=times[220:], opening=opening[220:], face_id=1, shot=1, first=220),
    )
    assert chosen_ids(faces, choose_speakers(faces=faces, envelope=loudness)) == {0, 1}


def test_one_of_many_alike_needs_evidence():
    """An audience: four faces as large as each other, chewing out of time with the sound."""
    loudness = syllables(seconds=12, seed=0)
    times, opening = mouth(loudness[:201], noise=0.3, seed=0)
    crowd = [
        face(
            times=8 + times[:100],
            opening=0.3 * mouth(syllables(seconds=8, seed=90 + k), noise=0, seed=k)[1][:100],
            face_id=1 + k,
            shot=1,
            first=200,
            off_center=0.2,
        )
        for k in range(4)
    ]
    faces = together(face(times=times, opening=opening), *crowd)
    assert chosen_ids(faces, choose_speakers(faces=faces, envelope=loudness)) == {0}


def test_a_face_lost_and_found_under_another_id_is_chosen_twice():
    loudness = syllables(seconds=12, seed=2)
    times, opening = mouth(loudness, noise=0.4, seed=0)
    before, after = slice(0, 140), slice(150, 300)
    faces = together(
        face(times=times[before], opening=opening[before], face_id=0),
        face(times=times[after], opening=opening[after], face_id=1, first=150),
    )
    assert choose_speakers(faces=faces, envelope=loudness).chosen.all()


def test_what_flits_by_is_not_chosen_beside_a_speaker():
    loudness = syllables(seconds=12, seed=2)
    times, opening = mouth(loudness[:251], noise=0.4, seed=0)
    faces = together(
        face(times=times, opening=opening),
        face(times=[11.0, 11.04, 11.08], opening=0.2, face_id=1, shot=1, first=275),
    )
    assert chosen_ids(faces, choose_speakers(faces=faces, envelope=loudness)) == {0}


def test_a_single_picture_has_its_only_face():
    faces = together(face(times=[0.0], opening=np.nan))
    assert choose_speakers(faces=faces, envelope=np.ones(3)).chosen.all()


def test_sound_of_another_place_does_not_take_the_only_face():
    for seed in range(10):
        times, opening = mouth(syllables(seconds=20, seed=seed), noise=0.3, seed=seed)
        faces = together(face(times=times, opening=opening))
        music = syllables(seconds=20, seed=seed + 77)
        assert choose_speakers(faces=faces, envelope=music).chosen.all()


def test_nobody_speaks_then_size_decides():
    loudness = syllables(seconds=6, seed=2)
    times = np.arange(150) / 25
    faces = together(
        face(times=times, opening=0.02, face_id=0, size=20.0),
        face(times=times, opening=0.02, face_id=1, size=80.0),
    )
    assert chosen_ids(faces, choose_speakers(faces=faces, envelope=loudness)) == {1}


@pytest.mark.parametrize("envelope", [None, np.zeros(200)])
def test_without_sound_the_larger_then_the_more_central_face(envelope):
    times = np.arange(100) / 25
    larger = together(
        face(times=times, opening=0.1, face_id=0, size=60.0, off_center=0.3),
        face(times=times, opening=0.5, face_id=1, size=30.0, off_center=0.3),
    )
    assert chosen_ids(larger, choose_speakers(faces=larger, envelope=envelope)) == {0}
    central = together(
        face(times=times, opening=0.1, face_id=0, size=30.0, off_center=0.5),
        face(times=times, opening=0.5, face_id=1, size=30.0, off_center=0.0),
    )
    assert chosen_ids(central, choose_speakers(faces=central, envelope=envelope)) == {1}


def test_odds_of_a_central_face_alone_are_ten_to_one():
    faces = together(face(times=np.arange(50) / 25, opening=np.nan, off_center=0.0))
    log_odds = choose_speakers(faces=faces, envelope=None).log_odds
    np.testing.assert_allclose(log_odds, np.log(10.0))


def test_largest_goes_by_size_and_time_in_every_shot():
    times = np.arange(100) / 25
    faces = together(
        face(times=times, opening=0.1, face_id=0, size=30.0),
        face(times=times[:20], opening=0.1, face_id=1, size=90.0),
        face(times=4 + times, opening=0.1, face_id=2, shot=1, size=10.0, first=100),
    )
    choice = choose_speakers(faces=faces, envelope=None, choice="largest")
    assert chosen_ids(faces, choice) == {0, 2}


def test_all_are_all():
    faces = together(
        face(times=[0.0, 0.04], opening=0.1), face(times=[0.0, 0.04], opening=0.1, face_id=1)
    )
    assert choose_speakers(faces=faces, envelope=None, choice="all").chosen.all()


@pytest.mark.parametrize("choice", ["speaker", "largest", "all"])
def test_no_faces(choice):
    faces = FaceRows(**{f.name: np.zeros(0, int) for f in fields(FaceRows)})
    found = choose_speakers(faces=faces, envelope=np.ones(5), choice=choice)
    assert found.chosen.shape == (0,)
    assert found.chosen.dtype == np.bool_
    assert found.log_odds.shape == (0,)


@given(data=st.data(), choice=st.sampled_from(["speaker", "largest"]))
@settings(deadline=None, max_examples=40)
def test_never_two_faces_of_one_picture_and_nothing_hangs_on_names(data, choice):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    parts = []
    for face_id in range(data.draw(st.integers(1, 6))):
        first, length, shot = rng.integers(0, 60), rng.integers(1, 60), rng.integers(0, 2)
        opening = np.abs(rng.standard_normal(length))
        opening[rng.random(length) < 0.3] = np.nan
        times = (100 * shot + first + np.arange(length)) / 20
        size = rng.uniform(10, 80)
        parts.append(
            face(
                times=times,
                opening=opening,
                face_id=face_id,
                shot=shot,
                size=size,
                first=100 * shot + first,
            )
        )
    faces = together(*parts)
    loudness = syllables(seconds=8, seed=int(rng.integers(1000)))
    found = choose_speakers(faces=faces, envelope=loudness, choice=choice)
    assert np.bincount(faces.picture[found.chosen]).max(initial=0) <= 1
    assert np.isfinite(found.log_odds).all()
    renamed = together(*[part | {"face_id": 90 - part["face_id"]} for part in parts])
    again = choose_speakers(faces=renamed, envelope=loudness, choice=choice)
    kept = set(zip(faces.picture[found.chosen], faces.face_id[found.chosen], strict=True))
    also = set(zip(renamed.picture[again.chosen], 90 - renamed.face_id[again.chosen], strict=True))
    assert kept == also


def side_by_side(left, right, *, seconds):
    """Pictures of two sample videos beside each other."""
    pairs = zip(Media(path=left).frames(), Media(path=right).frames(), strict=False)
    for (time, one), (_, two) in itertools.takewhile(lambda pair: pair[0].time < seconds, pairs):
        yield VideoFrame(time, np.ascontiguousarray(np.hstack([one, two])))


def rows_of(frames):
    found = [
        (picture.index, picture.time, picture.shot, face.face_id, face.landmarks)
        for picture in follow_faces(frames=frames)
        for face in picture.faces
    ]
    picture, time, shot, face_id, landmarks = map(np.array, zip(*found, strict=True))
    measures = face_measures(landmarks=landmarks, width=640, height=320)
    faces = FaceRows(
        picture=picture,
        time=time,
        shot=shot,
        face_id=face_id,
        mouth_opening=measures.mouth_opening,
        size=measures.eye_span,
        off_center=np.linalg.norm(measures.center - [320, 160], axis=1) / 640,
    )
    return faces, measures.center[:, 0] < 320


@pytest.mark.slow
@pytest.mark.parametrize(("left", "right"), [("01", "08"), ("08", "01")])
def test_two_people_side_by_side_one_of_whom_is_heard(left, right):
    paths = [SAMPLES / f"sample_{number}.mp4" for number in (left, right)]
    faces, on_the_left = rows_of(side_by_side(*paths, seconds=6.0))
    assert set(on_the_left.tolist()) == {True, False}
    for path, heard in zip(paths, (on_the_left, ~on_the_left), strict=True):
        envelope = sound_envelope(pieces=Media(path=path).audio_pieces(16000), sample_rate=16000)
        choice = choose_speakers(faces=faces, envelope=envelope)
        np.testing.assert_array_equal(choice.chosen, heard)
    muted = choose_speakers(faces=faces, envelope=None)
    assert len(set(on_the_left[muted.chosen].tolist())) == 1
    assert muted.chosen.sum() == heard.sum()
