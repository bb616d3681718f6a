"""Make the sample videos, their transcripts, labels and ground truth.

Run ``python sample_videos/make_samples.py``; it needs scikit-image (``pip install .[samples]``) and
espeak-ng, and no network. The same seed gives the same tracks, sounds and pictures.
"""

import argparse
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from encode import TIME_BASE, transcript, write_video
from performance import Spoken, perform
from portrait import Camera, Portrait, Pose
from rich.console import Console
from rich.progress import Progress
from script import VIDEOS, Video, lines_of
from speech import ESPEAK_RATE, Prosody, SpeechError, envelope, prosody_of, resample, speak

FloatArray = npt.NDArray[np.float64]
SEED = 20240501
LEAD, TAIL = 0.5, 0.6
HEAD_CENTRE = (225.0, 103.0)
PORTRAIT_SIZE = 512
# How far the view moves sideways, in portrait pixels, so that the head is out of it.
AWAY = 182.0
LABEL_COLUMNS = ("video", "utterance", "start", "end", "text", "label", "split")


def main() -> None:
    """Make all videos, or those named on the command line."""
    parser = argparse.ArgumentParser(description="Make the sample videos.")
    parser.add_argument(
        "stems", nargs="*", help="videos to make, for example sample_03 (default: all)"
    )
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="where to write")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    console = Console(stderr=True)
    known = [video.stem for video in VIDEOS]
    unknown = sorted(set(arguments.stems) - set(known))
    if unknown:
        parser.error(f"no video is called {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [video for video in VIDEOS if not arguments.stems or video.stem in arguments.stems]
    try:
        with Progress(console=console) as progress:
            for video in progress.track(chosen, description="videos"):
                make_video(video=video, folder=arguments.folder, seed=arguments.seed,
                           progress=progress)  # fmt: skip
    except SpeechError as error:
        raise SystemExit(f"make_samples: {error}") from error
    write_labels(folder=arguments.folder)


def make_video(*, video: Video, folder: Path, seed: int, progress: Progress) -> None:
    """Make one video with its transcript and ground truth.

    Parameters
    ----------
    video : Video
        What to make.
    folder : Path
        Where to write ``<stem>.mp4``, the transcript and ``truth/<stem>.json``.
    seed : int
        Of the pseudo-random variation.
    progress : rich.progress.Progress
        Shows the frames as they are rendered.
    """
    rng = np.random.default_rng([seed, VIDEOS.index(video)])
    spoken, prosodies, sound = _say_all(video, rng)
    duration = len(sound) / ESPEAK_RATE
    ticks = _ticks(video, duration, rng)
    times = np.array(ticks) * float(TIME_BASE)
    tracks = perform(spoken=spoken, duration=duration, times=times, rng=rng)
    tracks = {name: np.round(track, 3) for name, track in tracks.items()}
    portrait = Portrait(mirrored=video.mirrored, warmth=video.warmth, brightness=video.brightness)
    cameras = _cameras(video, spoken, times)
    poses = [
        Pose(**{name: float(track[k]) for name, track in tracks.items()}) for k in range(len(times))
    ]
    visible = [
        portrait.share_in_view(pose=pose, camera=camera) >= 0.5
        for pose, camera in zip(poses, cameras, strict=True)
    ]
    task = progress.add_task(video.stem, total=len(poses))

    def pictures() -> Iterator[npt.NDArray[np.uint8]]:
        for pose, camera in zip(poses, cameras, strict=True):
            yield portrait.render(pose=pose, camera=camera)
            progress.advance(task)

    with TemporaryDirectory(dir=folder) as scratch:
        unfinished = Path(scratch) / f"{video.stem}.mp4"
        write_video(
            target=unfinished,
            pictures=pictures(),
            ticks=ticks,
            fps=video.fps,
            sound=None if video.silent else resample(signal=sound, sample_rate=video.sample_rate),
            sample_rate=video.sample_rate,
            sideways=video.sideways,
        )
        unfinished.replace(folder / unfinished.name)
    cues = [(part.start, part.end, part.line.text) for part in spoken]
    _write_text(
        folder / f"{video.stem}.{video.transcript}", transcript(cues=cues, kind=video.transcript)
    )
    truth = _truth(spoken, prosodies, times, tracks | {"face_visible": np.array(visible, int)})
    _write_text(folder / "truth" / f"{video.stem}.json", json.dumps(truth, separators=(",", ":")))


def _say_all(
    video: Video, rng: np.random.Generator
) -> tuple[list[Spoken], list[Prosody], FloatArray]:
    """Speak all utterances of a video and string them together with pauses."""
    spoken, prosodies, pieces = [], [], [np.zeros(round(LEAD * ESPEAK_RATE))]
    for line in lines_of(video=video):
        prosody = prosody_of(video=video, sentiment=line.voice, rng=rng)
        speech = speak(text=line.text, prosody=prosody)
        begin = sum(len(piece) for piece in pieces)
        spoken.append(
            Spoken(
                line=line,
                start=round(begin / ESPEAK_RATE, 3),
                end=round((begin + len(speech)) / ESPEAK_RATE, 3),
                opening=envelope(signal=speech),
            )
        )
        prosodies.append(prosody)
        pieces += [speech, np.zeros(round(rng.uniform(0.4, 0.65) * ESPEAK_RATE))]
    pieces[-1] = np.zeros(round(TAIL * ESPEAK_RATE))
    # A trace of room noise, so that silence is not digital zero.
    sound = np.concatenate(pieces)
    return spoken, prosodies, sound + 2e-4 * rng.standard_normal(len(sound))


def _ticks(video: Video, duration: float, rng: np.random.Generator) -> list[int]:
    """Choose the times of the frames, in units of ``TIME_BASE``."""
    unit = TIME_BASE.denominator
    if not video.variable_rate:
        return [k * unit // video.fps for k in range(int(duration * video.fps))]
    steps = rng.choice([unit // 30, unit // 24, unit // 20, unit // 15], size=int(40 * duration))
    ticks = np.concatenate([[0], np.cumsum(steps)])
    return [int(tick) for tick in ticks[ticks < duration * unit]]


def _cameras(video: Video, spoken: list[Spoken], times: FloatArray) -> list[Camera]:
    """View of every frame: the head in the middle, except where it leaves the picture."""
    width, height = video.width / video.scale, video.height / video.scale
    centre = PORTRAIT_SIZE - 1 - HEAD_CENTRE[0] if video.mirrored else HEAD_CENTRE[0]
    shift = np.zeros_like(times)
    if video.leaves:
        begin = 0.5 * (spoken[2].start + spoken[2].end) - 1.3
        away = [begin, begin + 0.7, begin + 1.9, begin + 2.6]
        progress = np.interp(times, away, [0, 1, 1, 0])
        shift = AWAY * progress**2 * (3 - 2 * progress)
    return [
        Camera(
            left=centre - width / 2 + float(moved),
            top=max(HEAD_CENTRE[1] - height / 2, 0.0),
            scale=video.scale,
            width=video.width,
            height=video.height,
        )
        for moved in shift
    ]


def _truth(
    spoken: list[Spoken], prosodies: list[Prosody], times: FloatArray, tracks: dict[str, Any]
) -> dict[str, Any]:
    utterances = [
        {
            "start": part.start,
            "end": part.end,
            "text": part.line.text,
            "valence": {
                "text": part.line.text_valence,
                "voice": part.line.voice,
                "face": part.line.face,
            },
            "label": part.line.label,
            "prosody": vars(prosody),
        }
        for part, prosody in zip(spoken, prosodies, strict=True)
    ]
    frames = {"time": np.round(times, 4).tolist()}
    frames |= {name: track.tolist() for name, track in tracks.items()}
    return {"utterances": utterances, "frames": frames}


def write_labels(*, folder: Path) -> None:
    """Write ``labels.csv`` for all labelled videos from their ground truth.

    Parameters
    ----------
    folder : Path
        Holds ``truth`` and takes ``labels.csv``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LABEL_COLUMNS)
    for video in VIDEOS:
        source = folder / "truth" / f"{video.stem}.json"
        if video.split is None or not source.exists():
            continue
        for number, told in enumerate(json.loads(source.read_text())["utterances"]):
            writer.writerow(
                [f"{video.stem}.mp4", number, told["start"], told["end"], told["text"],
                 told["label"], video.split]
            )  # fmt: skip
    _write_text(folder / "labels.csv", text.getvalue())


def _write_text(target: Path, text: str) -> None:
    target.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as scratch:
        unfinished = Path(scratch) / target.name
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(target)


if __name__ == "__main__":
    main()
