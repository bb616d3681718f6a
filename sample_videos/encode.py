"""Write pictures and sound as H.264 and AAC in MP4, and transcripts beside them."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

TIME_BASE = Fraction(1, 90000)
AUDIO_CHUNK = 1024
# Degrees counter-clockwise by which the stored pictures are to be shown, as PyAV reads it back.
SIDEWAYS = -90

Cue = tuple[float, float, str]


def write_video(
    *,
    target: Path,
    pictures: Iterable[npt.NDArray[np.uint8]],
    ticks: Sequence[int],
    fps: int,
    sound: npt.NDArray[np.float64] | None,
    sample_rate: int,
    sideways: bool = False,
) -> None:
    """Write one MP4 file.

    Parameters
    ----------
    target : Path
        The file.
    pictures : iterable of ndarray of uint8, shape (height, width, 3)
        Upright RGB pictures.
    ticks : sequence of int
        When each picture is shown, in units of ``TIME_BASE``.
    fps : int
        Nominal frame rate.
    sound : ndarray, shape (samples,), or None
        Mono sound in [-1, 1]; None writes no sound stream.
    sample_rate : int
        Of the sound in Hz.
    sideways : bool
        Store the pictures turned by 90 degrees, with a display matrix that turns them back.
    """
    stored = (_turned(picture) for picture in pictures) if sideways else iter(pictures)
    first = next(stored)
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video: Any = container.add_stream("libx264", rate=fps)
        video.height, video.width = first.shape[:2]
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = TIME_BASE
        video.codec_context.thread_count = 1
        video.options = {"crf": "25", "preset": "slow", "g": str(4 * fps)}
        if sideways:
            video.set_display_rotation(SIDEWAYS)
        audio: Any = None
        if sound is not None:
            audio = container.add_stream("aac", rate=sample_rate, layout="mono")
            audio.bit_rate = 64000
        chunks = _chunks(sound, sample_rate)
        chunk = next(chunks, None)
        for tick, picture in zip(ticks, chain([first], stored), strict=True):
            while chunk is not None and chunk.time <= float(tick * TIME_BASE):
                container.mux(audio.encode(chunk))
                chunk = next(chunks, None)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick, TIME_BASE
            container.mux(video.encode(frame))
        while chunk is not None:
            container.mux(audio.encode(chunk))
            chunk = next(chunks, None)
        for stream in (video, audio):
            if stream is not None:
                container.mux(stream.encode(None))


def _turned(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.rot90(picture, -SIDEWAYS // 90))


def _chunks(sound: npt.NDArray[np.float64] | None, sample_rate: int) -> Iterator[Any]:
    if sound is None:
        return
    for begin in range(0, len(sound), AUDIO_CHUNK):
        part = sound[None, begin : begin + AUDIO_CHUNK].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        frame.sample_rate = sample_rate
        frame.pts, frame.time_base = begin, Fraction(1, sample_rate)
        yield frame


def transcript(*, cues: Sequence[Cue], kind: str) -> str:
    """Lay out a transcript.

    Parameters
    ----------
    cues : sequence of (start, end, text)
        Seconds and words.
    kind : str
        ``srt``, ``vtt`` or ``txt``; the last has one sentence a line and no times.

    Returns
    -------
    str
        Contents of the file.
    """
    if kind == "txt":
        return "".join(f"{text}\n" for _, _, text in cues)
    mark = "," if kind == "srt" else "."
    blocks = [
        f"{number}\n{_clock(start, mark)} --> {_clock(end, mark)}\n{text}\n"
        for number, (start, end, text) in enumerate(cues, start=1)
    ]
    return ("" if kind == "srt" else "WEBVTT\n\n") + "\n".join(blocks)


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"
