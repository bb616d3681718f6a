"""Divide missing work into shards that are worth a task each."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.extraction_plan import ClipJob, ExtractionPlan

#: A shard has at least so many clips and so much work, if there is so much, and at most so many
#: clips; of long clips fewer are enough.
FEWEST_CLIPS, MOST_CLIPS, LEAST_SECONDS, ENOUGH_SECONDS = 16, 64, 20.0, 600.0
#: A plan has at most so many shards: the server records 20 to 50 a second.
MOST_SHARDS = 500
#: Work for a second of clip where nothing was measured before.
SECONDS_PER_SECOND = 1.0


def divide_plan(
    plan: ExtractionPlan, *, seconds_per_second: float = SECONDS_PER_SECOND
) -> list[ExtractionPlan]:
    """Divide a plan so that the cost of a task vanishes beside the work in it.

    Parameters
    ----------
    plan : ExtractionPlan
        What is missing.
    seconds_per_second : float
        Processor time that a second of clip takes, > 0.

    Returns
    -------
    list of ExtractionPlan
        In the plan's order, each with the keys of its own clips; none if nothing is missing.
    """
    # half of the shards may be closed for their number of clips, half for their work
    fewest = max(FEWEST_CLIPS, math.ceil(2 * len(plan.jobs) / MOST_SHARDS))
    work = seconds_per_second * sum(job.clip.duration for job in plan.jobs)
    enough = max(ENOUGH_SECONDS, 2 * work / MOST_SHARDS)
    return [
        replace(plan, jobs=part, keys={job.clip.id: plan.keys[job.clip.id] for job in part})
        for part in _parts(plan.jobs, fewest, enough, seconds_per_second)
    ]


def _parts(
    jobs: Sequence[ClipJob], fewest: int, enough: float, seconds_per_second: float
) -> Iterator[tuple[ClipJob, ...]]:
    most = max(MOST_CLIPS, fewest)
    part: list[ClipJob] = []
    before: list[ClipJob] = []
    work = 0.0
    for job in jobs:
        part.append(job)
        work += job.clip.duration * seconds_per_second
        worth_a_task = len(part) >= fewest and work >= LEAST_SECONDS
        # of long clips: to wait for more of them would keep other workers idle
        if worth_a_task or work >= enough or len(part) == most:
            if before:
                yield tuple(before)
            before, part, work = part, [], 0.0
    if part and before and len(before) + len(part) <= most:
        before, part = before + part, []
    for last in (before, part):
        if last:
            yield tuple(last)
