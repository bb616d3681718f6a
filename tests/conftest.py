"""Fixtures that every test package uses: the reference folder and synthesised clips."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

AUDIO_FRAME = 1024
# A new database of MLflow takes seconds, in every workspace; the tests of tracking turn it on.
os.environ.setdefault("WINNOW_TRACKING", "off")


@pytest.fixture(scope="session")
def reference() -> Path:
    folder = os.environ.get("WINNOW_REFERENCE")
    if not folder:
        pytest.skip("WINNOW_REFERENCE names no folder of reference output")
    return Path(folder)


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Write a real small media file and return its path.

    ``make_clip(path="a.mp4", seconds=1.0, fps=25, picture="moving", sound="voice", ...)``; see
    :func:`write_clip` for everything else. A relative path lies in ``tmp_path``.
    """

    def make(*, path: str | Path = "clip.mp4", **wanted: Any) -> Path:
        whole = tmp_path / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path=whole, **wanted)
        return whole

    return make


def write_clip(
    *,
    path: Path,
    seconds: float = 1.0,
    fps: float = 25,
    picture: np.ndarray | str | None = "moving",
    sound: np.ndarray | str | None = "voice",
    sample_rate: int = 16000,
    pts: np.ndarray | None = None,
    rotation: int = 0,
    size: tuple[int, int] = (64, 48),
    sound_start: float = 0.0,
    sound_hole: tuple[float, float] | None = None,
    sound_codec: str | None = None,
    faststart: bool = False,
) -> None:
    """Write pictures and/or sound.

    picture: None, "moving", "black", or uint8 (frames, height, width, 3) RGB.
    sound: None, "voice", "silence", or float (samples,) or (channels, samples) in [-1, 1].
    pts: time of every picture in seconds; evenly spaced without it.
    rotation: degrees counter-clockwise by which a player must turn the pictures.
    size: (width, height) of made-up pictures.
    sound_start: seconds by which the sound's timestamps start late.
    sound_hole: (at, length) in seconds: the timestamps jump by `length` at sample `at`; only
        uncompressed sound in .mkv keeps such a hole where it is.
    sound_codec: without it "aac" for .mp4, "pcm_s16le" otherwise.
    """
    options = {"movflags": "+faststart"} if faststart else {}
    images = None if picture is None else _images(picture, seconds=seconds, fps=fps, size=size)
    samples = None if sound is None else _samples(sound, seconds=seconds, sample_rate=sample_rate)
    packets = []
    with av.open(str(path), "w", options=options) as container:
        # every stream must be known before the first packet is written
        if images is not None:
            video = _video_stream(container, images=images, fps=fps, rotation=rotation)
        if samples is not None:
            codec = sound_codec or ("aac" if path.suffix == ".mp4" else "pcm_s16le")
            audio = container.add_stream(codec, rate=sample_rate)
            audio.layout = "stereo" if len(samples) == 2 else "mono"
        if images is not None:
            times = np.arange(len(images)) / fps if pts is None else np.asarray(pts)
            packets += _encode_video(video, images=images, times=times)
        if samples is not None:
            packets += _encode_audio(
                audio, samples=samples, rate=sample_rate, start=sound_start, hole=sound_hole
            )
        container.start_encoding()
        for packet in sorted(packets, key=lambda p: float((p.dts or 0) * p.time_base)):
            container.mux(packet)


def _images(
    picture: np.ndarray | str, *, seconds: float, fps: float, size: tuple[int, int]
) -> np.ndarray:
    if not isinstance(picture, str):
        return picture
    width, height = size
    count = max(1, round(seconds * fps))
    images = np.zeros((count, height, width, 3), np.uint8)
    if picture == "moving":
        ramp = np.arange(width)[None, :] + np.arange(height)[:, None]
        for i in range(count):
            images[i] = ((ramp + 3 * i) % 256)[..., None]
    return images


def _samples(sound: np.ndarray | str, *, seconds: float, sample_rate: int) -> np.ndarray:
    if not isinstance(sound, str):
        return np.atleast_2d(np.asarray(sound, np.float32))
    n = np.arange(round(seconds * sample_rate))
    if sound == "silence":
        return np.zeros((1, len(n)), np.float32)
    return _voice(n=n, sample_rate=sample_rate)[None]


def _voice(*, n: np.ndarray, sample_rate: int) -> np.ndarray:
    """A 120 Hz buzz with three formants, syllables of 4 Hz and a little noise."""
    t = n / sample_rate
    voice = np.zeros(len(n))
    for q in range(1, int(0.45 * sample_rate / 120)):
        f = 120 * q
        gain = sum(1 / (1 + ((f - c) / 120) ** 2) for c in (600, 1300, 2500)) + 0.01
        voice += gain * np.sin(2 * np.pi * f * t + q * q)
    voice *= 0.55 - 0.45 * np.cos(2 * np.pi * 4 * t)
    noise = np.random.default_rng(0).standard_normal(len(n))
    return (0.3 * voice / (np.abs(voice).max(initial=0) + 1e-9) + 1e-3 * noise).astype(np.float32)


def _video_stream(container: Any, *, images: np.ndarray, fps: float, rotation: int) -> Any:
    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
    stream.height, stream.width = images.shape[1:3]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, 90000)
    stream.options = {"preset": "ultrafast", "bf": "0", "crf": "10"}
    if rotation:
        stream.set_display_rotation(rotation)
    return stream


def _encode_video(stream: Any, *, images: np.ndarray, times: np.ndarray) -> list[Any]:
    packets = []
    for image, time in zip(images, times, strict=True):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.time_base = Fraction(1, 90000)
        frame.pts = round(float(time) * 90000)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _encode_audio(
    stream: Any,
    *,
    samples: np.ndarray,
    rate: int,
    start: float,
    hole: tuple[float, float] | None,
) -> list[Any]:
    layout = "stereo" if len(samples) == 2 else "mono"
    resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
    packets, at = [], 0
    while at < samples.shape[1]:
        size = AUDIO_FRAME
        if hole is not None and at < round(hole[0] * rate) < at + size:
            size = round(hole[0] * rate) - at
        part = np.ascontiguousarray(samples[:, at : at + size], np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = at + round(start * rate)
        if hole is not None and at >= round(hole[0] * rate):
            frame.pts += round(hole[1] * rate)
        for converted in resampler.resample(frame):
            packets += stream.encode(converted)
        at += size
    return packets + stream.encode(None)
