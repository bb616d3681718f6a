"""Clips on which an extractor fails again and again are not tried again."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.extraction_plan import ExtractionPlan
from pipeline.manifest import read_manifest, write_manifest
from pipeline.records import Failure
from pipeline.store import FeatureKey

#: What is no fault of the clip, and heals without it.
HEALING_CODES = frozenset(("missing_file", "changed_since_ingest", "disk_full", "not_written"))


@dataclass(frozen=True, kw_only=True)
class RepeatedFailure:
    """How often an extractor failed on a clip.

    Parameters
    ----------
    key : str
        Where the features would lie in the store: it changes with the clip's content, the words
        and everything of the extractor, and then the failures before count no more.
    clip_id : str
        The clip.
    path : str
        Where it was seen last.
    extractor : str
        Registered name.
    count : int
        How many times, one after the other.
    code, detail, at : str
        The latest failure, and when it was (UTC, ISO 8601).
    """

    key: str
    clip_id: str
    path: str
    extractor: str
    count: int
    code: str
    detail: str
    at: str


class Quarantine:
    """What failed, how often, and what is therefore left alone.

    Parameters
    ----------
    path : Path
        Manifest of :class:`RepeatedFailure`.
    limit : int
        How many failures are enough, >= 0; with 0 everything is tried again for ever.

    Raises
    ------
    StoreError
        If the manifest is damaged.
    """

    def __init__(self, path: Path, *, limit: int) -> None:
        self._path, self._limit = path, limit
        self._failures = {failure.key: failure for failure in read_manifest(path, RepeatedFailure)}

    @property
    def held(self) -> list[RepeatedFailure]:
        """What is not tried again, in the order of paths."""
        found = (f for f in self._failures.values() if 0 < self._limit <= f.count)
        return sorted(found, key=lambda failure: (failure.path, failure.extractor))

    def spare(self, plan: ExtractionPlan) -> ExtractionPlan:
        """Take out of a plan what would fail again.

        Parameters
        ----------
        plan : ExtractionPlan
            What is missing.

        Returns
        -------
        ExtractionPlan
            With all keys, and jobs for the rest.
        """
        held = {failure.key for failure in self.held}
        jobs = (
            replace(job, missing={n: key for n, key in job.missing.items() if key.path not in held})
            for job in plan.jobs
        )
        return replace(plan, jobs=tuple(job for job in jobs if job.missing))

    @property
    def clips(self) -> set[str]:
        """Ids of the clips that something failed on, often or not."""
        return {failure.clip_id for failure in self._failures.values()}

    def update(self, failures: Iterable[Failure], plan: ExtractionPlan) -> list[Failure]:
        """Write down what an extraction did; what heals by itself does not count.

        Parameters
        ----------
        failures : iterable of Failure
            Of the extraction.
        plan : ExtractionPlan
            Of at least the clips that failed and :attr:`clips`, made after the extraction, with
            nothing taken out by :meth:`spare`.

        Returns
        -------
        list of Failure
            One with code ``quarantined`` and the latest reason for what was not tried.
        """
        missing = {key.path for job in plan.jobs for key in job.missing.values()}
        asked = {key.path for by_name in plan.keys.values() for key in by_name.values()}
        left = [_left_alone(failure) for failure in self.held if failure.key in missing]
        counted = {k: f for k, f in self._failures.items() if k not in asked or k in missing}
        for failure in failures:
            extractor = failure.step.partition(":")[2]
            key = plan.keys.get(failure.clip_id or "", {}).get(extractor)
            if key is not None and failure.code not in HEALING_CODES:
                counted[key.path] = _once_more(counted.get(key.path), failure, key)
        self._replace(counted)
        return left

    def forget(self, keys: Iterable[str]) -> None:
        """Forget failures, so that these are tried again.

        Parameters
        ----------
        keys : iterable of str
            Of :class:`RepeatedFailure`; unknown ones are no error.
        """
        gone = set(keys)
        self._replace({key: f for key, f in self._failures.items() if key not in gone})

    def named(self, name: str | None = None) -> list[RepeatedFailure]:
        """Find failures by what a person calls them.

        Parameters
        ----------
        name : str, optional
            A path, file name, clip id or extractor; every failure without it.

        Returns
        -------
        list of RepeatedFailure
            Also those that are still tried.
        """
        return [f for f in self._failures.values() if name is None or name in _names(f)]

    def _replace(self, failures: dict[str, RepeatedFailure]) -> None:
        if failures != self._failures:
            write_manifest(self._path, failures.values())
            self._failures = failures


def _once_more(
    before: RepeatedFailure | None, failure: Failure, key: FeatureKey
) -> RepeatedFailure:
    return RepeatedFailure(
        key=key.path,
        clip_id=key.clip_id,
        path=failure.item,
        extractor=key.extractor,
        count=1 + (before.count if before else 0),
        code=failure.code,
        detail=failure.detail,
        at=failure.at,
    )


def _left_alone(failure: RepeatedFailure) -> Failure:
    return Failure(
        item=failure.path,
        step=f"extract:{failure.extractor}",
        code="quarantined",
        detail=f"{failure.path}: failed {failure.count} times, the last time {failure.at} with "
        f"{failure.code} ({failure.detail}); not tried again until the file or the extractor "
        "changes, or after `winnow quarantine clear`",
        clip_id=failure.clip_id,
    )


def _names(failure: RepeatedFailure) -> set[str]:
    return {failure.path, Path(failure.path).name, failure.clip_id, failure.extractor}
