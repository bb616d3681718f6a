"""Extract what is missing of one clip; whatever goes wrong in it becomes a record."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from extractors.base import Extractor
from extractors.errors import ExtractorError
from extractors.media import Media
from pipeline.disk_space import is_disk_full
from pipeline.errors import PipelineError
from pipeline.extraction_plan import ClipJob
from pipeline.freshness import refuse_changed
from pipeline.records import Clip, Failure
from pipeline.store import FeatureKey, FeatureStore


class Outcome(NamedTuple):
    """What became of one extractor on one clip.

    Attributes
    ----------
    extractor : str
        Its name.
    seconds : float
        Time taken.
    failure : Failure or None
        Why nothing was stored; None if it was.
    """

    extractor: str
    seconds: float
    failure: Failure | None


def extract_clip(
    *, job: ClipJob, extractors: Mapping[str, Extractor], store: FeatureStore
) -> list[Outcome]:
    """Extract and store what is missing of one clip.

    This is the one place where any exception becomes data: whatever an extractor meets in a clip
    must not cost another clip.

    Parameters
    ----------
    job : ClipJob
        Clip and what is missing.
    extractors : mapping of str to Extractor
        Configured, by name.
    store : FeatureStore
        Where to.

    Returns
    -------
    list of Outcome
        One for each missing sequence.
    """
    media = Media(path=Path(job.clip.path))
    outcomes = []
    for name, key in job.missing.items():
        started = time.perf_counter()
        failure = _try(job, media, extractors[name], key, store)
        outcomes.append(Outcome(name, time.perf_counter() - started, failure))
    return outcomes


def clip_failure(clip: Clip, *, extractor: str, code: str, detail: str) -> Failure:
    """Describe that an extractor gave nothing on a clip.

    Parameters
    ----------
    clip : Clip
        The clip.
    extractor : str
        Registered name.
    code, detail : str
        The reason.

    Returns
    -------
    Failure
        Of the step ``extract:<extractor>``.
    """
    return Failure(
        item=clip.path, step=f"extract:{extractor}", code=code, detail=detail, clip_id=clip.id
    )


def _try(
    job: ClipJob, media: Media, extractor: Extractor, key: FeatureKey, store: FeatureStore
) -> Failure | None:
    clip, writing = job.clip, False
    try:
        refuse_changed(clip)
        if extractor.source == "words":
            media = replace(media, words=job.read_words())
        sequence = extractor.extract(media)
        refuse_changed(clip)
        writing = True
        store.put(key, sequence)
    except Exception as error:  # noqa: BLE001
        return clip_failure(
            clip,
            extractor=extractor.name,
            code=_code(error, writing=writing),
            detail=f"{type(error).__name__}: {error}",
        )
    return None


def _code(error: Exception, *, writing: bool) -> str:
    if is_disk_full(error):
        return "disk_full"
    if writing:
        return "not_written"
    if isinstance(error, ExtractorError | PipelineError):
        return error.code
    return "out_of_memory" if isinstance(error, MemoryError) else "unexpected"
