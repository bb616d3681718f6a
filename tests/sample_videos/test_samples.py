import csv
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "sample_videos"
STEMS = [f"sample_{number:02d}" for number in range(1, 13)]
VIDEOS = [FOLDER / f"{stem}.mp4" for stem in STEMS]
TRACKS = {
    "mouth": (0, 1),
    "blink": (0, 1),
    "smile": (-1, 1),
    "brow": (-1, 1),
    "face_visible": (0, 1),
    "yaw": (-30, 30),
    "pitch": (-15, 15),
    "roll": (-10, 10),
}
# Points that expressions hardly move, for the fit of the head's pose.
RIGID = [10, 67, 297, 54, 284, 168, 6, 197, 195, 5, 33, 133, 362, 263, 127, 356, 234, 454, 143, 372]


@cache
def labels() -> list[dict[str, str]]:
    with (FOLDER / "labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def truth(stem: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "truth" / f"{stem}.json").read_text())
    return content


@cache
def picture_times(stem: str) -> np.ndarray:
    with av.open(str(FOLDER / f"{stem}.mp4")) as container:
        return np.array([frame.time for frame in container.decode(video=0)])


def sound_of(stem: str) -> tuple[np.ndarray, int]:
    with av.open(str(FOLDER / f"{stem}.mp4")) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        return np.concatenate(parts), container.streams.audio[0].rate


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def cues_of(stem: str) -> list[tuple[float | None, float | None, str]]:
    plain = FOLDER / f"{stem}.txt"
    if plain.exists():
        return [(None, None, line) for line in plain.read_text(encoding="utf-8").splitlines()]
    timed = next(path for path in FOLDER.glob(f"{stem}.*") if path.suffix in {".srt", ".vtt"})
    found = re.findall(r"(\S+) --> (\S+)\n(.+)\n", timed.read_text(encoding="utf-8"))
    return [(seconds(start), seconds(end), text) for start, end, text in found]


def test_twelve_videos_under_twelve_megabytes() -> None:
    assert sorted(FOLDER.glob("*.mp4")) == VIDEOS
    committed = [*FOLDER.glob("*.*"), *FOLDER.glob("truth/*.json")]
    assert sum(path.stat().st_size for path in committed) < 12e6
    assert sum(picture_times(stem)[-1] for stem in STEMS) < 330


def test_transcript_kinds() -> None:
    kinds = [path.suffix for path in FOLDER.glob("sample_*") if path.suffix != ".mp4"]
    assert len(kinds) == len(STEMS)
    assert kinds.count(".srt") >= 3
    assert kinds.count(".vtt") >= 3
    assert kinds.count(".txt") >= 2


def test_labels_have_the_documented_columns_and_ranges() -> None:
    rows = labels()
    assert list(rows[0]) == ["video", "utterance", "start", "end", "text", "label", "split"]
    assert len(rows) == 60
    assert len({row["video"] for row in rows}) == 10
    assert {row["split"] for row in rows} == {"train", "valid", "test"}
    for row in rows:
        assert -3 <= float(row["label"]) <= 3
        assert 2 < float(row["end"]) - float(row["start"]) < 6


def test_splits_share_no_video() -> None:
    splits_of: dict[str, set[str]] = {}
    for row in labels():
        splits_of.setdefault(row["video"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in splits_of.values())
    counts = [list(splits_of.values()).count({name}) for name in ("train", "valid", "test")]
    assert counts == [6, 2, 2]


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_labels_vary_in_every_split(split: str) -> None:
    values = np.array([float(row["label"]) for row in labels() if row["split"] == split])
    assert values.std() > 1.5
    assert abs(values.mean()) < 0.75


@pytest.mark.parametrize("stem", STEMS[:10])
def test_labels_agree_with_transcript_and_truth(stem: str) -> None:
    rows = [row for row in labels() if row["video"] == f"{stem}.mp4"]
    told = truth(stem)["utterances"]
    cues = cues_of(stem)
    assert [int(row["utterance"]) for row in rows] == list(range(len(rows)))
    assert len(rows) == len(told) == len(cues)
    for row, utterance, (start, end, text) in zip(rows, told, cues, strict=True):
        assert row["text"] == utterance["text"] == text
        assert float(row["start"]) == utterance["start"]
        assert float(row["end"]) == utterance["end"]
        if start is not None and end is not None:
            assert start == pytest.approx(utterance["start"], abs=1e-3)
            assert end == pytest.approx(utterance["end"], abs=1e-3)
        valence = utterance["valence"]
        weighted = 0.5 * valence["text"] + 0.25 * valence["voice"] + 0.25 * valence["face"]
        assert float(row["label"]) == pytest.approx(3 * np.clip(weighted, -1, 1), abs=0.0051)


def test_words_alone_do_not_give_the_label() -> None:
    told = [utterance for stem in STEMS[:10] for utterance in truth(stem)["utterances"]]
    contradictory = [
        utterance
        for utterance in told
        if utterance["valence"]["text"] * utterance["valence"]["face"] < 0
        and abs(utterance["valence"]["face"]) >= 0.5
    ]
    assert len(contradictory) >= 8


def test_two_videos_have_transcripts_but_no_labels() -> None:
    labelled = {row["video"] for row in labels()}
    for stem in STEMS[10:]:
        assert f"{stem}.mp4" not in labelled
        assert [text for _, _, text in cues_of(stem)] == [
            utterance["text"] for utterance in truth(stem)["utterances"]
        ]


@pytest.mark.parametrize("stem", STEMS)
def test_truth_has_one_row_for_every_picture(stem: str) -> None:
    frames = truth(stem)["frames"]
    np.testing.assert_allclose(frames["time"], picture_times(stem), atol=1e-4)
    for name, (low, high) in TRACKS.items():
        track = np.array(frames[name])
        assert track.shape == (len(picture_times(stem)),)
        assert track.min() >= low
        assert track.max() <= high


@pytest.mark.parametrize("stem", STEMS)
def test_every_face_moves(stem: str) -> None:
    frames = {name: np.array(track) for name, track in truth(stem)["frames"].items()}
    assert np.ptp(frames["yaw"]) > 15
    assert frames["blink"].max() == 1
    assert frames["mouth"].max() > 0.8
    assert np.ptp(frames["smile"]) > 1


def test_one_video_has_a_variable_frame_rate() -> None:
    uneven = [stem for stem in STEMS if np.ptp(np.diff(picture_times(stem))) > 0.02]
    assert uneven == ["sample_03"]


def test_one_video_is_stored_sideways() -> None:
    rotations = {}
    for stem in STEMS:
        with av.open(str(FOLDER / f"{stem}.mp4")) as container:
            frame = next(container.decode(video=0))
            rotations[stem] = frame.rotation
            if stem == "sample_07":
                upright = np.rot90(frame.to_ndarray(format="rgb24"), k=frame.rotation // 90)
    assert rotations == {stem: -90 if stem == "sample_07" else 0 for stem in STEMS}
    assert upright.shape == (352, 288, 3)
    # The suit's black collar is at the bottom, the pale studio at the top.
    assert upright[-40:, 100:188].mean() < 0.6 * upright[:12, 100:188].mean()


def test_one_video_has_no_sound_stream() -> None:
    silent = []
    for stem in STEMS:
        with av.open(str(FOLDER / f"{stem}.mp4")) as container:
            if not container.streams.audio:
                silent.append(stem)
    assert silent == ["sample_05"]
    assert all(told["valence"]["voice"] == 0 for told in truth("sample_05")["utterances"])


def test_one_face_leaves_the_picture_while_speaking() -> None:
    for stem in STEMS:
        frames = truth(stem)["frames"]
        hidden = np.array(frames["time"])[np.array(frames["face_visible"]) == 0]
        if stem != "sample_06":
            assert hidden.size == 0
            continue
        assert 1 < np.ptp(hidden) < 3
        assert any(
            told["start"] < hidden.mean() < told["end"] for told in truth(stem)["utterances"]
        )


@pytest.mark.parametrize("stem", ["sample_01", "sample_03", "sample_07", "sample_12"])
def test_mouth_follows_the_sound(stem: str) -> None:
    sound, rate = sound_of(stem)
    window = int(0.08 * rate)
    power = np.convolve(sound**2, np.ones(window) / window, mode="same")
    frames = truth(stem)["frames"]
    loudness = np.sqrt(np.interp(frames["time"], np.arange(len(sound)) / rate, power))
    assert np.corrcoef(loudness, frames["mouth"])[0, 1] > 0.7


@pytest.mark.parametrize("stem", ["sample_01", "sample_06", "sample_09"])
def test_voice_follows_its_valence(stem: str) -> None:
    sound, rate = sound_of(stem)
    told = truth(stem)["utterances"]
    level = [
        np.sqrt(np.mean(sound[int(part["start"] * rate) : int(part["end"] * rate)] ** 2))
        for part in told
    ]
    voice = [part["valence"]["voice"] for part in told]
    assert np.corrcoef(np.log(level), voice)[0, 1] > 0.9


def fit_rotation(template: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, float]:
    """Rotation and scale of the similarity that maps one set of points on the other."""
    a, b = template - template.mean(axis=0), points - points.mean(axis=0)
    left, strength, right = np.linalg.svd(b.T @ a)
    turn = np.diag([1, 1, np.sign(np.linalg.det(left @ right))])
    return left @ turn @ right, float(np.trace(np.diag(strength) @ turn) / (a**2).sum())


def face_measures(template: np.ndarray, mesh: np.ndarray) -> dict[str, float]:
    rotation, scale = fit_rotation(template[RIGID], mesh[RIGID])
    face = mesh @ rotation / scale
    lids = face[[144, 145, 153, 373, 374, 380], 1].mean()
    lids -= face[[158, 159, 160, 385, 386, 387], 1].mean()
    lips = [np.linalg.norm(face[a] - face[b]) for a, b in ((13, 14), (82, 87), (312, 317))]
    width = face[291, 0] - face[61, 0]
    corners = face[[0, 17], 1].mean() - face[[61, 291], 1].mean()
    return {
        "yaw": float(np.arcsin(rotation[0, 2])),
        "blink": float(-lids),
        "mouth": float(np.mean(lips)),
        "smile": float(width / 2 + corners),
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("stem", ["sample_02", "sample_06", "sample_07"])
def test_face_mesh_measures_follow_the_truth(stem: str) -> None:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    frames = truth(stem)["frames"]
    found: list[tuple[int, np.ndarray]] = []
    with (
        av.open(str(FOLDER / f"{stem}.mp4")) as container,
        FaceMesh(static_image_mode=True, refine_landmarks=True) as finder,
    ):
        for number, frame in enumerate(container.decode(video=0)):
            if number % 2 or not frames["face_visible"][number]:
                continue
            picture = np.rot90(frame.to_ndarray(format="rgb24"), k=frame.rotation // 90)
            answer = finder.process(np.ascontiguousarray(picture))
            if answer.multi_face_landmarks:
                marks = answer.multi_face_landmarks[0].landmark[:468]
                size = [picture.shape[1], picture.shape[0], picture.shape[1]]
                found.append((number, np.array([[p.x, p.y, p.z] for p in marks]) * size))
    numbers = [number for number, _ in found]
    assert len(numbers) > 0.95 * sum(frames["face_visible"][::2])
    measured = [face_measures(found[0][1], mesh) for _, mesh in found]
    for name in ("yaw", "blink", "mouth", "smile"):
        expected = np.array(frames[name])[numbers]
        r = np.corrcoef([row[name] for row in measured], expected)[0, 1]
        assert r > 0.9, f"{stem}: {name} follows the truth with r = {r:.3f}"
