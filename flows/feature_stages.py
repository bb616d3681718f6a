"""The stages that most flows begin with: find what is there, extract what is missing."""

import time
from dataclasses import dataclass

from flows.extraction import extract_missing
from flows.tasks import ingest_videos
from flows.time_left import TimeLeft
from pipeline.chain import Project
from pipeline.extraction import ExtractionReport
from pipeline.ingest import IngestReport


@dataclass(frozen=True, kw_only=True)
class Features:
    """What was found and extracted.

    Parameters
    ----------
    found : IngestReport
        Clips, transcripts, utterances.
    extraction : ExtractionReport
        Counts.
    timings : dict of str to float
        Seconds by stage.
    """

    found: IngestReport
    extraction: ExtractionReport
    timings: dict[str, float]

    def __str__(self) -> str:
        counts = self.extraction
        extracted, failed = sum(counts.extracted.values()), sum(counts.failed.values())
        return (
            f"{len(self.found.clips)} clips; {extracted} sequences extracted, "
            f"{sum(counts.stored.values())} stored before, {failed} failed"
        )


def prepare_features(project: Project, videos: str, time_left: TimeLeft) -> Features:
    """Ingest, and extract what is missing; to be called in a flow.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    videos : str
        A folder, a video, an address, or a list of addresses.
    time_left : TimeLeft
        Limits of the steps.

    Returns
    -------
    Features
        What was done.
    """
    started = time.perf_counter()
    ingest = ingest_videos.with_options(timeout_seconds=time_left.seconds("ingest"))
    found = ingest(project, videos)
    ingested = time.perf_counter()
    extraction = extract_missing(project, timeout_seconds=time_left.seconds("extract"))
    timings = {"ingest": ingested - started, "extract": time.perf_counter() - ingested}
    return Features(found=found, extraction=extraction, timings=timings)
