"""Retraining: a candidate on the data of today, against the champion."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from models.base import get as get_model
from pipeline.chain import Project
from pipeline.champion import Champion, Decision, Judgement, now, report_page
from pipeline.checkpoint import plain_model_config
from pipeline.clip_names import clip_names
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError, RunError
from pipeline.extraction import ExtractionReport
from pipeline.learned_data import LearnedData, changes_between, learned_data
from pipeline.run_comparison import STORED, Comparison, compare_runs
from pipeline.run_folder import is_complete, load_run
from pipeline.runs import run_id
from pipeline.splits import Split
from pipeline.tracking import track_champion, track_run
from pipeline.training_state import EpochRecord
from pipeline.training_unlabelled import unlabelled_ids

_LOG = logging.getLogger(__name__)

RetrainingOutcome = Judgement | Literal["unchanged", "too_few_new"]


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """What a retraining decided.

    Parameters
    ----------
    outcome : {"unchanged", "too_few_new", "first", "promoted", "refused"}
        The first two: nothing was trained. ``first``: there was no champion to compare with.
    candidate : str or None
        The id of the run that was trained; None if none was.
    champion : str or None
        The id of the champion afterwards.
    beaten : str or None
        The id of the champion that the candidate was compared with.
    comparison : Comparison or None
        Of both.
    reasons : tuple of str
        For the outcome.
    test_version : int or None
        Which frozen test split was in force.
    """

    outcome: RetrainingOutcome
    candidate: str | None
    champion: str | None
    beaten: str | None
    comparison: Comparison | None
    reasons: tuple[str, ...]
    test_version: int | None

    @property
    def trained(self) -> bool:
        """Whether there is a new candidate."""
        return self.outcome in ("first", "promoted", "refused")

    def __str__(self) -> str:
        names = {
            "unchanged": f"unchanged, champion is {self.champion}",
            "too_few_new": f"too few new clips, champion is {self.champion}",
            "first": f"{self.candidate} is the first champion",
            "promoted": f"promoted {self.candidate}, champion was {self.beaten}",
            "refused": f"refused {self.candidate}, champion stays {self.champion}",
        }
        return f"{names[self.outcome]}: {'; '.join(self.reasons)}"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Today:
    """The data as they are, what a run of them is called, and what clips it learns from."""

    dataset: PackedDataset
    split: Split
    run: str
    learned: LearnedData
    clips: frozenset[str]


def retrain(
    project: Project,
    *,
    force: bool = False,
    extraction: ExtractionReport | None = None,
    timings: dict[str, float] | None = None,
    on_epoch: Callable[[int, EpochRecord], None] | None = None,
) -> Retraining:
    """Train a candidate if there is something new to learn, and promote it if it is better.

    Candidate and champion are compared on the same test clips, which are frozen when the first
    champion is made, by the paired bootstrap over clips. Killed at any time and called again it
    goes on where it was and decides the same, once.

    Parameters
    ----------
    project : Project
        After ingest and extraction.
    force : bool
        Promote the candidate whatever the comparison says, and do not wait for more new clips.
    extraction : ExtractionReport, optional
        For the candidate's report.
    timings : dict of str to float, optional
        Seconds by earlier stage, for the candidate's report.
    on_epoch : callable, optional
        Called with seed and epoch after each epoch.

    Returns
    -------
    Retraining
        Also written to the champion's history if a candidate was trained, and logged in one line.

    Raises
    ------
    DataError
        If there are too few labelled utterances in a split.
    RunError
        If an earlier version scored the champion's classes.
    WorkspaceError
        If another run is at work in the workspace all the time.
    """
    arguments: dict[str, Any] = {
        "extraction": extraction, "timings": timings, "on_epoch": on_epoch,
    }  # fmt: skip
    while True:
        today = _today(project)
        done = _idle(project, today, force=force)
        if done is None:
            done = _train(project, today, force=force, arguments=arguments)
        if done is not None:
            _LOG.info("retraining: %s", done)
            _track(project)
            return done


def _track(project: Project) -> None:
    """Log the latest candidate, if that was not done before, and follow the champion."""
    history = Champion.load(project.workspace).history
    candidate = history[-1].candidate if history else None
    if candidate is not None and is_complete(project.workspace.runs, candidate):
        track_run(project, load_run(project.workspace.runs, candidate))
    else:
        track_champion(project)


def _train(
    project: Project, today: _Today, *, force: bool, arguments: dict[str, Any]
) -> Retraining | None:
    """Train and decide; None if the data or the test split have changed before that."""
    failure = ""
    try:
        report = project.train(**arguments)
        if report.data_digest != today.dataset.digest:
            return None
    except RunError as error:
        if error.code != "diverged":
            raise
        failure = str(error)
    with project.locked("retrain"):
        return _decide(project, today, force=force, failure=failure)


def _today(project: Project) -> _Today:
    with project.locked("retrain"):
        dataset, split = project.pack()
    config = project.config
    model = config.model.name
    settings = [model, get_model(model).version, plain_model_config(model, config.model.settings)]
    rate = config.training.split_rate
    unlabelled = unlabelled_ids(dataset=dataset, split=split, split_rate=rate)
    return _Today(
        dataset=dataset,
        split=split,
        run=run_id(
            dataset=dataset,
            split=split,
            model_name=model,
            model_config=config.model.settings,
            training=config.training,
        ),
        learned=learned_data(
            dataset=dataset, split=split, settings=settings, training=config.training
        ),
        clips=frozenset(clip_names(split.train + split.valid + unlabelled)),
    )


def _idle(project: Project, today: _Today, *, force: bool) -> Retraining | None:
    """Say why nothing is to be trained, if so."""
    known = Champion.load(project.workspace)
    if _champion_run(project, known) is None:
        return None
    if today.run == known.run:
        return _quiet(known)
    if known.learned is None:
        return None
    changes = changes_between(known.learned, today.learned)
    if not changes.any:
        refused = bool(known.history) and known.history[-1].outcome == "refused"
        return None if force and refused else _quiet(known)
    fewest = project.config.retraining.min_new_clips
    if changes.only_new and changes.new < fewest and not force:
        told = f"{changes} since the last decision, {fewest} are awaited"
        return _quiet(known, outcome="too_few_new", reason=told)
    _LOG.info("retraining: a candidate is trained: %s since the last decision", changes)
    return None


def _quiet(
    known: Champion,
    *,
    outcome: RetrainingOutcome = "unchanged",
    reason: str = "nothing has changed of what a run learns from",
) -> Retraining:
    return Retraining(
        outcome=outcome,
        candidate=None,
        champion=known.run,
        beaten=None,
        comparison=None,
        reasons=(reason,),
        test_version=known.test.version if known.test else None,
    )


def _decide(project: Project, today: _Today, *, force: bool, failure: str) -> Retraining | None:
    """Compare and write down; None if the candidate has learned from what tests by now."""
    known = Champion.load(project.workspace).frozen(today.split)
    test = known.test
    if test and today.clips & set(test.clips):
        return None
    if (done := _decided_before(known, today, force=force)) is not None:
        return done
    if today.run == known.run:
        return _quiet(known, reason="the champion is what these data and settings give")
    beaten = _champion_run(project, known)
    comparison, outcome, reasons = _judge(project, today, beaten, force=force, failure=failure)
    if beaten is None and known.run is not None:
        reasons = (f"the run of champion {known.run} is gone", *reasons)
    decision = Decision(
        at=now(),
        outcome=outcome,
        candidate_report=None if failure else report_page(today.run),
        champion_report=report_page(beaten),
        comparison=comparison,
        reasons=reasons,
        test_version=test.version if test else None,
    )
    after = known.decided(decision, run=beaten if outcome == "refused" else today.run)
    replace(after, learned=today.learned).save(project.workspace)
    return _made(decision, outcome, today, after)


def _decided_before(known: Champion, today: _Today, *, force: bool) -> Retraining | None:
    """Find the decision of another process that was quicker with the same candidate."""
    last = known.history[-1] if known.history else None
    if last is None or last.outcome == "set" or last.outcome == "cleared":
        return None
    same = last.candidate == today.run and known.learned == today.learned
    overruled = force and last.outcome == "refused"
    return _made(last, last.outcome, today, known) if same and not overruled else None


def _made(decision: Decision, outcome: Judgement, today: _Today, after: Champion) -> Retraining:
    return Retraining(
        outcome=outcome,
        candidate=today.run,
        champion=after.run,
        beaten=decision.champion,
        comparison=decision.comparison,
        reasons=decision.reasons,
        test_version=decision.test_version,
    )


def _judge(
    project: Project, today: _Today, beaten: str | None, *, force: bool, failure: str
) -> tuple[Comparison | None, Judgement, tuple[str, ...]]:
    if failure:
        return None, "refused", (failure,)
    if beaten is None:
        return None, "first", ("there is no champion to compare it with",)
    try:
        comparison = _compare(project, today, beaten)
    except DataError as error:
        return None, "promoted" if force else "refused", (str(error),)
    reasons = [str(comparison)]
    if comparison.champion_from == STORED:
        reasons.append("the champion cannot read the features of today: its stored predictions")
    if not comparison.enough_clips:
        reasons.append(f"{comparison.clips} test clips are too few to tell: add more, or force it")
    if comparison.better and comparison.enough_clips:
        return comparison, "promoted", tuple(reasons)
    if force:
        return comparison, "promoted", ("forced", *reasons)
    return comparison, "refused", (*reasons, "not better beyond noise")


def _compare(project: Project, today: _Today, beaten: str) -> Comparison:
    config = project.config
    return compare_runs(
        runs_folder=project.workspace.runs,
        candidate=today.run,
        champion=beaten,
        dataset=today.dataset,
        split=today.split,
        metric=config.retraining.metric,
        confidence=config.retraining.confidence,
        device=config.training.device,
    )


def _champion_run(project: Project, champion: Champion) -> str | None:
    """Give the champion's id, if its folder is there."""
    if champion.run is None or not is_complete(project.workspace.runs, champion.run):
        return None
    return load_run(project.workspace.runs, champion.run).id
