"""Open, probe and decode a clip; the only place that reads media.

Time is counted in seconds from the start of the container, for sound and picture alike, so that
rows of different extractors of one clip can be laid side by side. Rotation written in the file is
applied; timestamps are the file's own, so variable frame rates keep their true times.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.error
import numpy as np
import numpy.typing as npt

from extractors.errors import MediaError, MissingStreamError
from extractors.sequence import FloatArray, Seconds
from extractors.words import Word

ImageArray = npt.NDArray[np.uint8]
# A hole in the sound's timestamps longer than this is silence that was not stored.
AUDIO_GAP: Seconds = 0.1


class VideoFrame(NamedTuple):
    """One decoded picture.

    Attributes
    ----------
    time : Seconds
        When it is first shown, from the start of the clip.
    image : ndarray of uint8, shape (height, width, 3)
        RGB, upright.
    """

    time: Seconds
    image: ImageArray


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What a probe says about a file.

    Parameters
    ----------
    duration : Seconds
        Length of the clip, > 0.
    fps : float or None
        Average frame rate; None without a picture.
    width, height : int or None
        Upright picture size in pixels, rotation applied.
    sample_rate : int or None
        Native sampling rate in Hz; None without sound.
    rotation : int
        Degrees counter-clockwise by which stored pictures are turned to be upright: 0, 90, 180
        or 270.
    """

    duration: Seconds
    fps: float | None
    width: int | None
    height: int | None
    sample_rate: int | None
    rotation: int = 0

    @property
    def has_video(self) -> bool:
        """Whether there are moving pictures."""
        return self.fps is not None

    @property
    def has_audio(self) -> bool:
        """Whether there is sound."""
        return self.sample_rate is not None


@dataclass(frozen=True, kw_only=True)
class Media:
    """A clip that extractors read from.

    Parameters
    ----------
    path : Path
        The media file.
    words : tuple of Word, optional
        Its transcript with times; empty if there is none.
    """

    path: Path
    words: tuple[Word, ...] = ()
    _probed: list[MediaInfo] = field(default_factory=list, repr=False, compare=False)

    @property
    def info(self) -> MediaInfo:
        """The file's :func:`probe`, made once."""
        if not self._probed:
            self._probed.append(probe(self.path))
        return self._probed[0]

    def audio(self, *, sample_rate: int) -> FloatArray:
        """Decode the first channel of the first sound stream.

        Parameters
        ----------
        sample_rate : int
            Wanted sampling rate in Hz, > 0.

        Returns
        -------
        ndarray of float32, shape (N,)
            Samples, nominally in [-1, 1]; sample 0 is the start of the clip, so sound that
            starts late or has holes is preceded or filled by zeros.

        Raises
        ------
        MissingStreamError
            If the clip has no sound.
        MediaError
            If nothing of it can be decoded.
        """
        return np.concatenate([np.zeros(0, np.float32), *self.audio_pieces(sample_rate)])

    def audio_pieces(self, sample_rate: int) -> Iterator[FloatArray]:
        """Decode the same as :meth:`audio` piece by piece, for long clips.

        Parameters
        ----------
        sample_rate : int
            Wanted sampling rate in Hz, > 0.

        Yields
        ------
        ndarray of float32, shape (n,)
            The next samples; n differs and can be 0.

        Raises
        ------
        ExtractorError
            As :meth:`audio`.
        """
        with _opened(self.path) as container:
            if not container.streams.audio:
                raise MissingStreamError(f"{self.path}: has no sound stream", code="no_audio")
            stream = container.streams.audio[0]
            native_rate = int(stream.rate)
            pieces = _laid_out(
                frames=_decode(container=container, stream=stream, path=self.path),
                rate=native_rate,
                origin=_origin(container),
            )
            yield from _resampled(pieces=pieces, native_rate=native_rate, wanted_rate=sample_rate)

    def frames(self) -> Iterator[VideoFrame]:
        """Decode the pictures of the first video stream one by one, upright, in time order.

        Yields
        ------
        VideoFrame
            Damaged frames are left out, so that times never shift.

        Raises
        ------
        MissingStreamError
            If the clip has no pictures.
        MediaError
            If none can be decoded.
        """
        with _opened(self.path) as container:
            stream = _picture_stream(container)
            if stream is None:
                raise MissingStreamError(f"{self.path}: has no video stream", code="no_video")
            origin, latest = _origin(container), -math.inf
            for frame in _decode(container=container, stream=stream, path=self.path):
                time = (frame.time if frame.time is not None else 0.0) - origin
                if time <= latest:
                    continue
                latest = time
                image = np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90))
                yield VideoFrame(max(time, 0.0), np.ascontiguousarray(image))


def probe(path: Path) -> MediaInfo:
    """Read what a file holds: header, first frame and the times of all packets.

    Parameters
    ----------
    path : Path
        A media file.

    Returns
    -------
    MediaInfo
        True duration and frame rate, counted from the packets instead of believed.

    Raises
    ------
    MediaError
        With code ``missing_file``, ``empty_file``, ``not_media``, ``no_streams``,
        ``no_duration``, ``undecodable`` or ``truncated``.
    """
    if not path.is_file():
        raise MediaError(f"{path}: no such file", code="missing_file")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty", code="empty_file")
    with _opened(path) as container:
        picture = _picture_stream(container)
        sound = container.streams.audio[0] if container.streams.audio else None
        if picture is None and sound is None:
            raise MediaError(f"{path}: holds neither pictures nor sound", code="no_streams")
        spans = _packet_spans(container, [s for s in (picture, sound) if s is not None])
        _refuse_truncated(path=path, container=container, spans=spans)
        fps = None if picture is None else _frame_rate(spans[picture.index])
        sample_rate = None if sound is None else int(sound.rate)
    duration = max(span.end for span in spans.values())
    if duration <= 0:
        raise MediaError(f"{path}: lasts {duration:.3f} s, which is nothing", code="no_duration")
    shape = None if fps is None else _first_picture(path)
    if sample_rate is not None:
        _first_sound(path)
    return MediaInfo(
        duration=duration,
        fps=fps,
        width=None if shape is None else shape.width,
        height=None if shape is None else shape.height,
        sample_rate=sample_rate,
        rotation=0 if shape is None else shape.rotation,
    )


class _Span(NamedTuple):
    """Times of a stream's packets: how many, first and last start, latest end."""

    packets: int
    first: Seconds
    last: Seconds
    end: Seconds


class _Shape(NamedTuple):
    """An upright picture's size and the turn that makes it upright."""

    width: int
    height: int
    rotation: int


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a container, and turn every error of the decoding library into ours."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            yield container
    except av.error.FileNotFoundError as error:
        raise MediaError(f"{path}: no such file", code="missing_file") from error
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            f"{path}: cannot be read as media ({error}); convert it, or fetch it again",
            code="not_media",
        ) from error


def _picture_stream(container: Any) -> Any:
    """First stream of moving pictures; a cover image is not one."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    return None


def _origin(container: Any) -> Seconds:
    """Time stamp that is the start of the clip."""
    return 0.0 if container.start_time is None else container.start_time / 1e6


def _decode(*, container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """Decode a stream, passing over damaged packets, as long as anything can be decoded."""
    decoded, damaged = 0, 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            damaged += 1
            continue
        for frame in frames:
            decoded += 1
            yield frame
    if not decoded:
        raise MediaError(
            f"{path}: none of the {damaged} packets of its {stream.type} stream can be decoded; "
            "fetch the file again",
            code="undecodable",
        )


def _packet_spans(container: Any, streams: list[Any]) -> dict[int, _Span]:
    """Read the times of all packets, without decoding them."""
    spans: dict[int, _Span] = {}
    origin = _origin(container)
    for packet in container.demux(streams):
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None:
            continue
        start = float(stamp * packet.time_base) - origin
        end = start + float((packet.duration or 0) * packet.time_base)
        known = spans.get(packet.stream_index, _Span(0, start, start, end))
        spans[packet.stream_index] = _Span(
            known.packets + 1, min(known.first, start), max(known.last, start), max(known.end, end)
        )
    for stream in streams:
        if stream.index not in spans:
            raise MediaError(
                f"{container.name}: its {stream.type} stream holds no data", code="undecodable"
            )
    return spans


def _refuse_truncated(*, path: Path, container: Any, spans: dict[int, _Span]) -> None:
    """Compare what the header promises with what is there.

    Only for containers that state a duration; others estimate it from the bit rate.
    """
    stated = container.duration
    if stated is None or not container.format.name.startswith(("mov", "matroska")):
        return
    promised, there = stated / 1e6, max(span.end for span in spans.values())
    if there < promised - max(1.0, 0.05 * promised):
        raise MediaError(
            f"{path}: the header promises {promised:.1f} s, the file ends after {there:.1f} s; "
            "fetch it again",
            code="truncated",
        )


def _frame_rate(span: _Span) -> float:
    """Average frame rate from the packets' times; a single picture counts as lasting 1 s."""
    return (span.packets - 1) / (span.last - span.first) if span.last > span.first else 1.0


def _first_picture(path: Path) -> _Shape:
    with _opened(path) as container:
        stream = _picture_stream(container)
        frame = next(_decode(container=container, stream=stream, path=path))
        rotation = round(frame.rotation / 90) * 90 % 360
        width, height = frame.width, frame.height
        return _Shape(*((height, width) if rotation % 180 else (width, height)), rotation)


def _first_sound(path: Path) -> None:
    with _opened(path) as container:
        next(_decode(container=container, stream=container.streams.audio[0], path=path))


def _laid_out(*, frames: Iterator[Any], rate: int, origin: Seconds) -> Iterator[FloatArray]:
    """Lay decoded sound on the clip's time axis: late starts and holes become zeros."""
    to_float = av.AudioResampler(format="fltp")
    written = 0
    for decoded in frames:
        for frame in to_float.resample(decoded):
            samples = frame.to_ndarray()[0]
            start = written if frame.time is None else round((frame.time - origin) * rate)
            if start < 0:
                samples, start = samples[-start:], 0
            tolerance = 0 if written == 0 else round(AUDIO_GAP * rate)
            if start - written > tolerance:
                yield np.zeros(start - written, np.float32)
                written = start
            yield np.nan_to_num(samples).astype(np.float32, copy=False)
            written += len(samples)


def _resampled(
    *, pieces: Iterator[FloatArray], native_rate: int, wanted_rate: int
) -> Iterator[FloatArray]:
    """Change the sampling rate as sound is decoded, as librosa does for a whole sound."""
    if native_rate == wanted_rate:
        yield from pieces
        return
    import soxr

    stream = soxr.ResampleStream(native_rate, wanted_rate, 1, dtype="float32", quality="HQ")
    count = done = 0
    for piece in pieces:
        resampled = stream.resample_chunk(piece)
        count, done = count + len(piece), done + len(resampled)
        yield resampled
    if count:
        left = max(0, math.ceil(count * wanted_rate / native_rate) - done)
        end = stream.resample_chunk(np.zeros(0, np.float32), last=True)[:left]
        yield np.pad(end, (0, left - len(end)))
