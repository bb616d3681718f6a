"""Which clips were here and are no more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.records import Clip


@dataclass(frozen=True, kw_only=True)
class RemovedClip:
    """A clip that an earlier ingest found and the latest did not.

    Parameters
    ----------
    clip_id : str
        Its content.
    path : str
        Where it was seen last.
    duration : float
        Length in seconds.
    gone : bool
        Whether its file is gone; otherwise it lies in a folder that was not named again.
    since : str
        When that was noticed (UTC, ISO 8601).
    """

    clip_id: str
    path: str
    duration: float
    gone: bool
    since: str

    def age_days(self, now: datetime) -> float:
        """Say how long it has been missing.

        Parameters
        ----------
        now : datetime
            Present time, with its time zone.

        Returns
        -------
        float
            Days.
        """
        return (now - datetime.fromisoformat(self.since)).total_seconds() / 86_400


def update_removals(
    known: Iterable[RemovedClip],
    *,
    before: Sequence[Clip],
    after: Sequence[Clip],
    now: datetime,
) -> list[RemovedClip]:
    """Bring the list of removed clips up to date.

    Parameters
    ----------
    known : iterable of RemovedClip
        As the latest ingest left it.
    before, after : sequence of Clip
        What the latest ingest found, and what this one did.
    now : datetime
        Time of this one, with its time zone.

    Returns
    -------
    list of RemovedClip
        Those that are still missing, with the time at which that was noticed first, and those
        that are missing since now; a clip that came back under any name is not among them.
    """
    there = {clip.id for clip in after}
    removed = {
        clip.id: RemovedClip(
            clip_id=clip.id,
            path=clip.path,
            duration=clip.duration,
            gone=not Path(clip.path).exists(),
            since=now.isoformat(timespec="seconds"),
        )
        for clip in before
        if clip.id not in there
    }
    removed |= {entry.clip_id: entry for entry in known if entry.clip_id not in there}
    return list(removed.values())
