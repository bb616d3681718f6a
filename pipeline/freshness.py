"""Whether a clip's file is still the one that was ingested."""

from pathlib import Path

from pipeline.errors import SourceError
from pipeline.records import Clip


def refuse_changed(clip: Clip) -> None:
    """Refuse a file that has changed since it was ingested.

    Features must not be stored under the digest of bytes that they were not made from.

    Parameters
    ----------
    clip : Clip
        As ingested.

    Raises
    ------
    SourceError
        With code ``missing_file`` or ``changed_since_ingest``.
    """
    try:
        status = Path(clip.path).stat()
    except OSError as error:
        raise SourceError(f"{clip.path}: is gone ({error})", code="missing_file") from error
    if (status.st_size, status.st_mtime_ns) != (clip.size, clip.modified_ns):
        raise SourceError(
            f"{clip.path}: has changed since it was ingested; ingest again",
            code="changed_since_ingest",
        )
