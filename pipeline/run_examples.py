"""Where a run's utterances come from: the clip, the span and the words, for those who look."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from extractors.sequence import Seconds
from pipeline.atomic import write_bytes
from pipeline.errors import StoreError
from pipeline.records import Clip, Segment


@dataclass(frozen=True, kw_only=True)
class SourceSpan:
    """An utterance as a person finds it again.

    Parameters
    ----------
    clip : str
        Path of the video or sound file.
    start, end : float
        Span in seconds from the start of the clip.
    text : str
        What is said, possibly empty.
    """

    clip: str
    start: Seconds
    end: Seconds
    text: str

    @property
    def address(self) -> str:
        """The file at this time, as a ``file:`` address with a media fragment."""
        # W3C Media Fragments URI 1.0, section 4.2.1
        return f"{Path(self.clip).resolve().as_uri()}#t={self.start:.2f},{self.end:.2f}"


_FORMAT = TypeAdapter(dict[str, SourceSpan])


def source_spans(
    *, segments: Iterable[Segment], clips: Iterable[Clip], only: Collection[str] | None = None
) -> dict[str, SourceSpan]:
    """Look up where utterances come from.

    Parameters
    ----------
    segments : iterable of Segment
        Utterances.
    clips : iterable of Clip
        Their clips; the segments of others are left out.
    only : collection of str, optional
        Ids of the segments that are wanted.

    Returns
    -------
    dict of str to SourceSpan
        By segment id.
    """
    paths = {clip.id: clip.path for clip in clips}
    return {
        segment.id: SourceSpan(
            clip=paths[segment.clip_id], start=segment.start, end=segment.end, text=segment.text
        )
        for segment in segments
        if segment.clip_id in paths and (only is None or segment.id in only)
    }


def save_spans(path: Path, spans: Mapping[str, SourceSpan]) -> None:
    """Write as JSON, atomically.

    Parameters
    ----------
    path : Path
        Where to.
    spans : mapping of str to SourceSpan
        By segment id.
    """
    write_bytes(path, _FORMAT.dump_json(dict(spans), indent=1))


def load_spans(path: Path) -> dict[str, SourceSpan]:
    """Read what :func:`save_spans` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to SourceSpan
        Empty if there is no such file, as in runs on a data file.

    Raises
    ------
    StoreError
        If the file is damaged.
    """
    if not path.exists():
        return {}
    try:
        return _FORMAT.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(f"{path}: not a table of utterances; delete it") from error
