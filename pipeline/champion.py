"""The champion: the run that new videos are predicted by, and how it came to be."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from pipeline.atomic import write_bytes
from pipeline.clip_names import clip_names
from pipeline.errors import RunError, StoreError
from pipeline.learned_data import LearnedData
from pipeline.run_comparison import Comparison
from pipeline.run_folder import load_run, selected_on, utterances_tested
from pipeline.splits import Split
from pipeline.workspace import Workspace

Judgement = Literal["first", "promoted", "refused"]


@dataclass(frozen=True, kw_only=True)
class FrozenTest:
    """The clips that champion and candidates are compared on.

    Parameters
    ----------
    version : int
        From 1; higher whenever clips are added.
    since : str
        UTC time, ISO 8601.
    clips : tuple of str
        As :func:`pipeline.clip_names.clip_names` names them; all their utterances test.
    """

    version: int
    since: str
    clips: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided about a run.

    Parameters
    ----------
    at : str
        UTC time, ISO 8601.
    outcome : {"first", "promoted", "refused", "set", "cleared"}
        What became of the candidate.
    candidate_report, champion_report : str or None
        Below the workspace: the page of the run that it was about, and of the champion until then.
    comparison : Comparison or None
        Of both, if there was one.
    reasons : tuple of str
        For the outcome.
    test_version : int or None
        Which frozen test split was in force.
    """

    at: str
    outcome: Judgement | Literal["set", "cleared"]
    candidate_report: str | None
    champion_report: str | None
    comparison: Comparison | None
    reasons: tuple[str, ...]
    test_version: int | None

    @property
    def candidate(self) -> str | None:
        """The id of the run that it was about."""
        return _run_of(self.candidate_report)

    @property
    def champion(self) -> str | None:
        """The id of the champion until then."""
        return _run_of(self.champion_report)


@dataclass(frozen=True, kw_only=True)
class Champion:
    """The champion of a workspace.

    Parameters
    ----------
    run : str or None
        Its id, None if there is none.
    previous : str or None
        The champion before it, to which ``winnow champion set`` can return.
    since : str
        UTC time, ISO 8601.
    why : str
        The decision in words.
    test : FrozenTest or None
        Kept from the first champion on, whoever becomes champion.
    learned : LearnedData or None
        What the candidate of the latest retraining learned from.
    history : tuple of Decision
        All of them, the latest last.
    """

    run: str | None = None
    previous: str | None = None
    since: str = ""
    why: str = ""
    test: FrozenTest | None = None
    learned: LearnedData | None = None
    history: tuple[Decision, ...] = ()

    @classmethod
    def load(cls, workspace: Workspace) -> "Champion":
        """Read a workspace's champion.

        Parameters
        ----------
        workspace : Workspace
            Where.

        Returns
        -------
        Champion
            Without a run if nobody ever decided.

        Raises
        ------
        StoreError
            If its file is damaged.
        """
        try:
            return TypeAdapter(Champion).validate_json(workspace.champion.read_bytes())
        except FileNotFoundError:
            return cls()
        except ValidationError as error:
            raise StoreError(
                f"{workspace.champion}: not a champion's file ({error.error_count()} errors); "
                "delete it and name the champion with `winnow champion set RUN`"
            ) from error

    def save(self, workspace: Workspace) -> None:
        """Write as JSON, atomically.

        Parameters
        ----------
        workspace : Workspace
            Whose champion it is.
        """
        write_bytes(workspace.champion, TypeAdapter(Champion).dump_json(self, indent=1))

    def decided(self, decision: Decision, *, run: str | None) -> "Champion":
        """Add a decision.

        Parameters
        ----------
        decision : Decision
            What was decided.
        run : str or None
            The champion from now on; the same as before if a candidate was refused.

        Returns
        -------
        Champion
            To be saved.
        """
        history = (*self.history, decision)
        if run == self.run:
            return replace(self, history=history)
        why = f"{decision.outcome}: {'; '.join(decision.reasons)}"
        return replace(
            self, run=run, previous=self.run, since=decision.at, why=why, history=history
        )

    def frozen(self, split: Split) -> "Champion":
        """Keep today's test clips for ever; a clip more is another version.

        Parameters
        ----------
        split : Split
            As :func:`pipeline.frozen_test.frozen_split` gives it.

        Returns
        -------
        Champion
            To be saved.
        """
        old = self.test.clips if self.test else ()
        new = sorted(set(clip_names(split.test)) - set(old))
        if not new:
            return self
        version = self.test.version + 1 if self.test else 1
        return replace(self, test=FrozenTest(version=version, since=now(), clips=(*old, *new)))


def report_page(run: str | None) -> str | None:
    """Say where a run's page lies.

    Parameters
    ----------
    run : str or None
        Its id.

    Returns
    -------
    str or None
        Path below the workspace.
    """
    return None if run is None else f"runs/{run}/report.html"


def now() -> str:
    """Tell the time.

    Returns
    -------
    str
        UTC, ISO 8601, to the second.
    """
    return datetime.now(UTC).isoformat(timespec="seconds")


def serving_run(workspace: Workspace) -> str:
    """Choose who predicts new videos where nobody names a run.

    Parameters
    ----------
    workspace : Workspace
        Where.

    Returns
    -------
    str
        ``champion`` if there is one, otherwise ``latest``.
    """
    return "champion" if Champion.load(workspace).run else "latest"


def set_champion(workspace: Workspace, run: str, *, new_test: bool = False) -> Champion:
    """Make a run the champion, whatever it is worth: the way back after a promotion.

    Call it under the workspace's lock. The next retraining compares its candidate with this run.

    Parameters
    ----------
    workspace : Workspace
        Where.
    run : str
        A complete run's id, or ``latest``.
    new_test : bool
        Freeze the run's own test clips instead of those that are frozen.

    Returns
    -------
    Champion
        As written.

    Raises
    ------
    RunError
        If there is no such run, or it has learned from clips of the frozen test split.
    """
    before = Champion.load(workspace)
    run = load_run(workspace.runs, run).id
    if before.run == run and not new_test:
        return before
    if new_test:
        version = before.test.version if before.test else 0
        clips = tuple(dict.fromkeys(clip_names(utterances_tested(workspace.runs, run))))
        test = FrozenTest(version=version + 1, since=now(), clips=clips)
        before = replace(before, test=test)
    _refuse_trained(workspace, run, before.test)
    decision = Decision(
        at=now(),
        outcome="set",
        candidate_report=report_page(run),
        champion_report=report_page(before.run),
        comparison=None,
        reasons=("by hand",),
        test_version=before.test.version if before.test else None,
    )
    after = before.decided(decision, run=run)
    after.save(workspace)
    return after


def clear_champion(workspace: Workspace) -> Champion:
    """Let there be no champion; the next retraining's run becomes it. History and test split stay.

    Call it under the workspace's lock.

    Parameters
    ----------
    workspace : Workspace
        Where.

    Returns
    -------
    Champion
        As written.
    """
    before = Champion.load(workspace)
    if before.run is None:
        return before
    decision = Decision(
        at=now(),
        outcome="cleared",
        candidate_report=None,
        champion_report=report_page(before.run),
        comparison=None,
        reasons=("by hand",),
        test_version=before.test.version if before.test else None,
    )
    after = before.decided(decision, run=None)
    after.save(workspace)
    return after


def _run_of(page: str | None) -> str | None:
    return None if page is None else Path(page).parent.name


def _refuse_trained(workspace: Workspace, run: str, test: FrozenTest | None) -> None:
    learned = set(clip_names(selected_on(workspace.runs, run)))
    seen = learned & set(test.clips if test else ())
    if seen and test:
        raise RunError(
            f"run {run!r} has learned from {len(seen)} of the {len(test.clips)} clips of the "
            f"frozen test split (version {test.version}): nothing could be compared with it. With "
            "--new-test the run's own test clips are frozen instead"
        )
