"""What is said in each video, by whom and how it is filmed; and how a label follows from it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WEIGHT_TEXT, WEIGHT_VOICE, WEIGHT_FACE = 0.5, 0.25, 0.25
SCRIPT = Path(__file__).with_name("script.csv")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One utterance.

    Parameters
    ----------
    text : str
        What is said.
    text_valence, voice, face : float
        Sentiment of the words, of the prosody and of the facial expression, each in [-1, 1].
    """

    text: str
    text_valence: float
    voice: float
    face: float

    @property
    def label(self) -> float:
        """Sentiment in [-3, 3] as a function of words, voice and face, to two decimals."""
        total = (
            WEIGHT_TEXT * self.text_valence + WEIGHT_VOICE * self.voice + WEIGHT_FACE * self.face
        )
        return round(3 * min(max(total, -1.0), 1.0), 2)


@dataclass(frozen=True, kw_only=True)
class Video:
    """One video.

    Parameters
    ----------
    stem : str
        File name without its ending.
    split : str or None
        ``train``, ``valid`` or ``test``; None leaves the video without labels.
    transcript : str
        ``srt``, ``vtt`` or ``txt``.
    voice : str
        Voice and variant of espeak-ng.
    pitch, rate : int
        The speaker's base pitch (espeak-ng's 0-99) and words a minute.
    fps, width, height, sample_rate : int
        Of the written file.
    scale : float
        Picture pixels to one pixel of the portrait.
    mirrored : bool
        Whether the portrait is mirrored.
    warmth, brightness : float
        Colour of the picture, see ``Portrait``.
    variable_rate, sideways, silent, leaves : bool
        Special cases: timestamps that are not uniform; pixels stored sideways with a rotation in
        the container; no sound stream; the face is out of the picture for a while.
    """

    stem: str
    split: str | None
    transcript: str
    voice: str
    pitch: int
    rate: int = 158
    fps: int = 25
    width: int = 320
    height: int = 320
    sample_rate: int = 22050
    scale: float = 1.6
    mirrored: bool = False
    warmth: float = 0.0
    brightness: float = 1.0
    variable_rate: bool = False
    sideways: bool = False
    silent: bool = False
    leaves: bool = False


VIDEOS: Sequence[Video] = (
    Video(stem="sample_01", split="train", transcript="srt",
          voice="en-us+f2", pitch=50),
    Video(stem="sample_02", split="train", transcript="vtt",
          voice="en-gb-x-rp+f3", pitch=46, rate=166, mirrored=True, warmth=0.08,
          sample_rate=44100),
    Video(stem="sample_03", split="train", transcript="srt",
          voice="en-us+f4", pitch=48, rate=154, fps=30, scale=1.5, brightness=0.92,
          variable_rate=True),
    Video(stem="sample_04", split="train", transcript="txt",
          voice="en-gb-x-rp+f2", pitch=44, width=384, height=320, sample_rate=16000, warmth=-0.1),
    Video(stem="sample_05", split="train", transcript="vtt",
          voice="en-us+f3", pitch=50, fps=24, mirrored=True, scale=1.7, brightness=1.06,
          silent=True),
    Video(stem="sample_06", split="train", transcript="srt",
          voice="en-us+f5", pitch=52, rate=162, scale=1.5, warmth=0.1, sample_rate=16000,
          leaves=True),
    Video(stem="sample_07", split="valid", transcript="vtt",
          voice="en-gb-scotland+f4", pitch=50, fps=30, width=288, height=352, mirrored=True,
          brightness=0.95, sideways=True),
    Video(stem="sample_08", split="valid", transcript="srt",
          voice="en-us+f1", pitch=48, rate=162, scale=1.65, warmth=-0.06),
    Video(stem="sample_09", split="test", transcript="vtt",
          voice="en-gb-x-gbclan+f2", pitch=50, rate=156, mirrored=True, warmth=0.05,
          brightness=1.05, sample_rate=44100),
    Video(stem="sample_10", split="test", transcript="txt",
          voice="en-us+f2", pitch=42, rate=164, fps=24, width=384, height=320, scale=1.55,
          brightness=0.95),
    Video(stem="sample_11", split=None, transcript="vtt",
          voice="en-gb-x-rp+f3", pitch=52, scale=1.7),
    Video(stem="sample_12", split=None, transcript="txt",
          voice="en-us+f4", pitch=46, mirrored=True, warmth=-0.08),
)  # fmt: skip


def lines_of(*, video: Video) -> list[Line]:
    """Read the utterances of one video from ``script.csv``.

    Parameters
    ----------
    video : Video
        One of ``VIDEOS``.

    Returns
    -------
    list of Line
        In the order they are spoken.
    """
    with SCRIPT.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["video"] == video.stem]
    return [
        Line(
            text=row["text"],
            text_valence=float(row["text_valence"]),
            voice=float(row["voice"]),
            face=float(row["face"]),
        )
        for row in rows
    ]
