"""The ablations of MInD's Table 2: the full model and what is left without each of its parts."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.mind_ablations import ABLATIONS, Ablation
from pipeline.bootstrap import Difference, paired_bootstrap
from pipeline.clip_names import clip_names
from pipeline.dataset import PackedDataset
from pipeline.errors import ConfigError, DataError, RunError
from pipeline.fingerprint import settings_digest
from pipeline.report import RunReport
from pipeline.run_folder import mark_latest
from pipeline.run_predictions import Scored, read_predictions
from pipeline.run_task import RunTask
from pipeline.runs import run_id, train_run
from pipeline.score_summary import SeedScores, score_seeds
from pipeline.splits import Split
from pipeline.training_config import Selection, TrainingConfig
from pipeline.training_state import EpochRecord

FULL = "full"
#: Our name to the row of the paper's table, in its order.
PAPER_ROWS = {
    FULL: "full",
    "without_vision": "w/o visual",
    "without_audio": "w/o audio",
    "without_text": "w/o text",
    "without_shared": "w/o M-invariant",
    "without_private": "w/o M-specific",
    "nondisentangled": "Non-disentangled",
    "without_info": "w/o L_Info",
    "without_consistency": "w/o L_Cons",
    "without_difference": "w/o L_Diff",
    "without_reconstruction": "w/o L_Recon",
    "without_cyclic": "w/o L_CyR",
    "without_noise_prediction": "w/o L_NP",
    "task_only": "Only L_Task",
}
#: What is compared of scores, and of classes.
SCORE_METRICS = ("mae", "correlation", "accuracy_2_non0")
CLASS_METRICS = ("accuracy",)


@dataclass(frozen=True, kw_only=True)
class AblationRow:
    """What one variant does on the test split.

    Parameters
    ----------
    name : str
        Of :data:`PAPER_ROWS`.
    run : str
        Its run's id.
    scores : dict of str to SeedScores
        Metric to mean, deviation and interval; empty if the training failed.
    differences : dict of str to Difference
        Metric to this variant minus the full model, on the same resampled clips; empty for the
        full model, and if either failed.
    failure : str
        Why the training failed, or empty.
    """

    name: str
    run: str
    scores: dict[str, SeedScores]
    differences: dict[str, Difference]
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class AblationResult:
    """All variants of one data set.

    Parameters
    ----------
    rows : tuple of AblationRow
        The full model first, then in the order of the paper's table.
    metrics : tuple of str
        Which are there.
    seeds : tuple of int
        Of the trainings.
    selection : {"valid", "test_oracle"}
        How epochs were selected.
    utterances, clips : int
        Of the labelled test split.
    """

    rows: tuple[AblationRow, ...]
    metrics: tuple[str, ...]
    seeds: tuple[int, ...]
    selection: Selection
    utterances: int
    clips: int


def chosen_variants(names: tuple[str, ...]) -> tuple[str, ...]:
    """Check names of variants.

    Parameters
    ----------
    names : tuple of str
        Of :data:`PAPER_ROWS`; all of them if empty.

    Returns
    -------
    tuple of str
        In the paper's order, the full model first in any case.

    Raises
    ------
    ConfigError
        If one is unknown.
    """
    unknown = sorted(set(names) - set(PAPER_ROWS))
    if unknown:
        raise ConfigError(f"unknown ablations {unknown}; there are {', '.join(PAPER_ROWS)}")
    return tuple(name for name in PAPER_ROWS if name == FULL or not names or name in names)


def run_ablations(
    *,
    dataset: PackedDataset,
    split: Split,
    settings: Mapping[str, Any],
    training: TrainingConfig,
    runs_folder: Path,
    variants: tuple[str, ...] = (),
    guard: Callable[[str], AbstractContextManager[None]] = lambda run: nullcontext(),
    on_progress: Callable[[str, int, EpochRecord], None] | None = None,
) -> AblationResult:
    """Train and compare MInD's variants; what an earlier call finished is not done again.

    Every variant is a run like any other, and ``latest`` is the full model's afterwards.

    Parameters
    ----------
    dataset : PackedDataset
        With labels, and the modalities that are to be left out.
    split : Split
        Of the data set.
    settings : mapping
        Of the full model: what differs from the defaults of ``mind``.
    training : TrainingConfig
        How all of them are trained.
    runs_folder : Path
        Receives a folder for each run.
    variants : tuple of str
        Which, of :data:`PAPER_ROWS`; all if empty. The full model is always there.
    guard : callable
        Run id to a context in which nobody else trains it.
    on_progress : callable, optional
        Called with variant, seed and epoch after each epoch.

    Returns
    -------
    AblationResult
        A training that diverges is a row of its own.

    Raises
    ------
    ConfigError
        If a setting or variant is not valid.
    DataError
        If a split is too small, or a modality that shall be left out is not there or is the only
        one.
    """
    chosen = chosen_variants(variants)
    plans = {name: _plan(name, dataset, settings) for name in chosen}
    done: dict[str, RunReport | RunError] = {}
    names = {}
    for name, plan in plans.items():
        job = {**plan, "split": split, "model_name": "mind", "training": training}
        names[name] = run_id(**job)
        with guard(names[name]):
            done[name] = _train(job, runs_folder, name, on_progress)
    if isinstance(done[FULL], RunReport):
        mark_latest(runs_folder, names[FULL])
    compared = _Comparison(runs_folder, names, done)
    return compared.result(training)


def _plan(name: str, dataset: PackedDataset, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Choose data and settings of a variant."""
    ablation = ABLATIONS[name] if name != FULL else Ablation()
    lacking = [m for m in Ablation().modalities if m not in ablation.modalities]
    if absent := [m for m in lacking if m not in dataset.modalities]:
        raise DataError(
            f"{name}: the data set has no {absent[0]} to leave out, only "
            f"{sorted(dataset.modalities)}; name the variants that shall be trained"
        )
    kept = {m: rows for m, rows in dataset.modalities.items() if m not in lacking}
    if not kept:
        raise DataError(f"{name}: nothing is left of {sorted(dataset.modalities)}")
    if lacking:
        digest = settings_digest({"of": dataset.digest, "modalities": sorted(kept)})
        dataset = replace(dataset, modalities=kept, digest=digest)
    return {"dataset": dataset, "model_config": {**settings, **ablation.settings}}


def _train(
    job: dict[str, Any],
    runs_folder: Path,
    name: str,
    on_progress: Callable[[str, int, EpochRecord], None] | None,
) -> RunReport | RunError:
    def tell(seed: int, record: EpochRecord) -> None:
        if on_progress is not None:
            on_progress(name, seed, record)

    facts = {"ablation": name}
    try:
        return train_run(**job, runs_folder=runs_folder, context={"data": facts}, on_progress=tell)
    except RunError as error:
        if error.code != "diverged":
            raise
        return error


class _Comparison:
    """Finished runs beside each other."""

    def __init__(
        self,
        runs_folder: Path,
        names: Mapping[str, str],
        done: Mapping[str, RunReport | RunError],
    ) -> None:
        self.names, self.done = names, done
        reports = {name: one for name, one in done.items() if isinstance(one, RunReport)}
        # all are of the same labels and classes
        self.task = next((report.task for report in reports.values()), RunTask())
        self.metrics = CLASS_METRICS if self.task.classes else SCORE_METRICS
        self.scored = {
            name: self._read(runs_folder / report.id / "predictions.csv")
            for name, report in reports.items()
        }

    def result(self, training: TrainingConfig) -> AblationResult:
        first = next(iter(self.scored.values()), None)
        return AblationResult(
            rows=tuple(self._row(name) for name in self.names),
            metrics=self.metrics,
            seeds=training.seeds,
            selection=training.selection,
            utterances=0 if first is None else len(first.ids),
            clips=0 if first is None else len(set(clip_names(first.ids))),
        )

    def _row(self, name: str) -> AblationRow:
        outcome = self.done[name]
        failure = str(outcome) if isinstance(outcome, RunError) else ""
        scores = {} if failure else self._scores(self.scored[name])
        return AblationRow(
            name=name,
            run=self.names[name],
            scores=scores,
            differences=self._differences(name),
            failure=failure,
        )

    def _read(self, path: Path) -> Scored:
        """Take what a run predicts of the test split as its own report does."""
        scored = read_predictions(path, on="test", classes=self.task.class_numbers)
        return scored._replace(
            target=self.task.target(scored.target), by_seed=self.task.said(scored.by_seed)
        )

    def _scores(self, scored: Scored) -> dict[str, SeedScores]:
        found = score_seeds(
            predictions=scored.by_seed,
            target=scored.target,
            clips=clip_names(scored.ids),
            scoring=self.task.scoring,
        )
        return {metric: found[metric] for metric in self.metrics}

    def _differences(self, name: str) -> dict[str, Difference]:
        if name == FULL or not {name, FULL} <= set(self.scored):
            return {}
        one, full = self.scored[name], self.scored[FULL]
        found = paired_bootstrap(
            first=one.by_seed,
            second=full.by_seed,
            target=full.target,
            clips=clip_names(full.ids),
            scoring=self.task.scoring,
        )
        return {metric: found[metric] for metric in self.metrics}
