"""Facts that are written down: clips, transcripts, segments and failures."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime

from extractors.sequence import Seconds
from extractors.words import Word

#: The scale of sentiment labels in MOSI and MOSEI.
LABEL_RANGE = (-3.0, 3.0)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video or sound file, known by its content.

    Parameters
    ----------
    id : str
        SHA-256 of the file's bytes, hexadecimal.
    path : str
        Where it was last seen.
    duration : Seconds
        Length, > 0.
    fps : float or None
        Average frame rate, None without pictures.
    sample_rate : int or None
        Native sampling rate in Hz, None without sound.
    size : int
        Bytes.
    modified_ns : int
        Modification time in nanoseconds; with ``size`` it tells an unchanged file without reading.

    Raises
    ------
    ValueError
        If the duration is not positive or the id is not a SHA-256.
    """

    id: str
    path: str
    duration: Seconds
    fps: float | None
    sample_rate: int | None
    size: int
    modified_ns: int

    def __post_init__(self) -> None:
        if len(self.id) != 64:
            raise ValueError(f"clip {self.path!r}: id {self.id!r} is not a SHA-256")
        if not math.isfinite(self.duration) or self.duration <= 0:
            raise ValueError(f"clip {self.path!r}: duration {self.duration} s is not positive")

    @property
    def has_video(self) -> bool:
        """Whether there are moving pictures."""
        return self.fps is not None

    @property
    def has_audio(self) -> bool:
        """Whether there is sound."""
        return self.sample_rate is not None


@dataclass(frozen=True, kw_only=True)
class Repair:
    """Something in a transcript file that was mended or left out.

    Parameters
    ----------
    code : str
        Short machine-readable kind.
    detail : str
        File, line and what was done.
    """

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """The words of a clip.

    Parameters
    ----------
    clip_id : str
        Whose words.
    path : str
        The file they were read from.
    digest : str
        Of that file's bytes.
    words : tuple of Word
        In time order.
    repairs : tuple of Repair
        What was mended in the file.
    barriers : tuple of Seconds
        When somebody else begins to speak, in time order, as far as the file tells.
    language : str or None
        Code of the language, where a recogniser detected it.
    """

    clip_id: str
    path: str
    digest: str
    words: tuple[Word, ...]
    repairs: tuple[Repair, ...] = ()
    barriers: tuple[Seconds, ...] = ()
    language: str | None = None

    def __post_init__(self) -> None:
        starts = [word.start for word in self.words]
        if starts != sorted(starts):
            raise ValueError(f"transcript {self.path!r}: words are not in time order")


@dataclass(frozen=True, kw_only=True)
class SpeechSpans:
    """Where somebody speaks in a clip.

    Parameters
    ----------
    clip_id : str
        Of which clip.
    spans : tuple of (start, end)
        Seconds from the start of the clip, in time order.
    """

    clip_id: str
    spans: tuple[tuple[Seconds, Seconds], ...]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """An utterance: a span of a clip, with or without a label.

    Parameters
    ----------
    id : str
        Distinct within a workspace: clip id and running number or span.
    clip_id : str
        Of which clip.
    start, end : Seconds
        Span ``[start, end)`` from the start of the clip, ``0 <= start < end``.
    text : str
        What is said, possibly empty.
    label : float or None
        Sentiment, -3 to 3; None if unlabelled.

    Raises
    ------
    ValueError
        If the span is reversed or negative, or the label out of range.
    """

    id: str
    clip_id: str
    start: Seconds
    end: Seconds
    text: str
    label: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"segment {self.id}: span [{self.start}, {self.end}) is not finite")
        if not 0 <= self.start < self.end:
            raise ValueError(
                f"segment {self.id}: span [{self.start}, {self.end}) s must not be negative, "
                "empty or reversed"
            )
        low, high = LABEL_RANGE
        if self.label is not None and not low <= self.label <= high:
            raise ValueError(f"segment {self.id}: label {self.label} is outside [{low}, {high}]")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Something that could not be done for one item; the rest goes on.

    Parameters
    ----------
    item : str
        What failed: a file's path, or a row of a file.
    step : str
        During which step: ``ingest``, ``transcript``, ``labels`` or ``extract:<extractor>``.
    code : str
        Short machine-readable reason.
    detail : str
        The whole message.
    clip_id : str or None
        The clip, where there is one.
    at : str
        UTC time, ISO 8601.
    """

    item: str
    step: str
    code: str
    detail: str
    clip_id: str | None = None
    at: str = field(default_factory=_now)
