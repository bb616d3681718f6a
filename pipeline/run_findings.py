"""Everything that there is to tell of a finished run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.part_analysis import PartAnalysis, analyse_parts
from pipeline.published_comparison import resolve_dataset
from pipeline.report import RunReport
from pipeline.run_examples import SourceSpan, load_spans
from pipeline.run_parts import FILE
from pipeline.run_predictions import Scored, read_predictions

Floats = npt.NDArray[np.float64]

#: The table of a run's test utterances.
SPANS_FILE = "examples.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFindings:
    """A run with what lies in its folder.

    Parameters
    ----------
    report : RunReport
        Settings, scores and curves.
    dataset : str or None
        The data set as papers call it; None if it is nobody else's.
    test : Scored or None
        Predictions of the labelled test utterances; None if there is no file of them.
    spans : mapping of str to SourceSpan
        Segment id to where it comes from; empty for data that are no clips.
    parts : PartAnalysis or None
        None if the model has no parts, or they were not analysed.
    parts_kept : bool
        Whether there are parts to analyse.
    """

    report: RunReport
    dataset: str | None
    test: Scored | None
    spans: Mapping[str, SourceSpan]
    parts: PartAnalysis | None
    parts_kept: bool

    @property
    def together(self) -> Floats:
        """What the seeds predict together, shape (n,); empty without predictions.

        Their mean, or the number of the class with the largest mean probability.
        """
        if self.test is None:
            return np.zeros(0)
        return self.report.task.together(self.test.by_seed, self.test.probabilities)

    @property
    def target(self) -> Floats:
        """Labels, or numbers of the labelled classes, shape (n,); empty without predictions."""
        return np.zeros(0) if self.test is None else self.report.task.target(self.test.target)

    @property
    def probabilities(self) -> Floats:
        """Of the classes, mean over the seeds, shape (n, classes)."""
        if self.test is None or not self.report.classes:
            return np.zeros((0, len(self.report.classes)))
        return self.test.class_probabilities(self.report.task)

    @property
    def error(self) -> Floats:
        """How far each prediction is off, shape (n,).

        Of classes it is what the probability of the labelled one lacks to 1.
        """
        if not self.report.classes:
            return self.together - self.target
        rows = np.arange(len(self.target))
        missing: Floats = 1 - self.probabilities[rows, self.target.astype(np.int64)]
        return missing


def read_findings(
    folder: Path,
    *,
    report: RunReport | None = None,
    paper: str | None = None,
    spans: Mapping[str, SourceSpan] | None = None,
    analyse: bool = True,
    on_map: Callable[[], object] = lambda: None,
) -> RunFindings:
    """Gather what a run's folder holds.

    Parameters
    ----------
    folder : Path
        The run's.
    report : RunReport, optional
        Its report; read from the folder without it.
    paper : str, optional
        The data set, instead of the one that the report names.
    spans : mapping of str to SourceSpan, optional
        For a run from before they were kept.
    analyse : bool
        Whether parts are analysed that were not before.
    on_map : callable, optional
        Told of every map of parts that is drawn.

    Returns
    -------
    RunFindings
        All of it.

    Raises
    ------
    ConfigError
        If ``paper`` is no data set that there are published figures of.
    StoreError
        If a file is damaged.
    """
    found = RunReport.load(folder / "report.json") if report is None else report
    predictions = folder / "predictions.csv"
    return RunFindings(
        report=found,
        dataset=_known_dataset(found) if paper is None else resolve_dataset(paper),
        test=read_predictions(predictions, on="test", classes=found.task.class_numbers)
        if predictions.exists()
        else None,
        spans=load_spans(folder / SPANS_FILE) or dict(spans or {}),
        parts=analyse_parts(folder, only_kept=not analyse, on_map=on_map),
        parts_kept=(folder / FILE).exists(),
    )


def _known_dataset(report: RunReport) -> str | None:
    named = report.data.get("dataset")
    if not isinstance(named, str):
        return None
    try:
        return resolve_dataset(named)
    except ConfigError:
        # a name of the user's own: nothing is published about it
        return None
