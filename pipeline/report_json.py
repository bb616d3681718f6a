"""Reports as JSON, for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from pipeline.bootstrap import Difference
from pipeline.paper_tables import PublishedScore
from pipeline.part_analysis import PartAnalysis
from pipeline.published_comparison import published_of
from pipeline.report import RunReport
from pipeline.report_comparison import differences
from pipeline.report_sections import error_order
from pipeline.run_examples import SourceSpan
from pipeline.run_findings import RunFindings


@dataclass(frozen=True, kw_only=True)
class UtteranceError:
    """One test utterance.

    Parameters
    ----------
    id : str
        Segment id.
    label, prediction : float or str
        The label and the seeds' mean prediction; of classes their names, the second being the most
        probable by the mean over the seeds.
    error : float
        How much more the prediction is; of classes what the probability of the labelled one lacks
        to 1.
    source : SourceSpan or None
        Where it comes from, if that is known.
    """

    id: str
    label: float | str
    prediction: float | str
    error: float
    source: SourceSpan | None


@dataclass(frozen=True, kw_only=True)
class RunDocument:
    """A run.

    Parameters
    ----------
    report : RunReport
        As in its folder.
    dataset : str or None
        The data set as papers call it.
    published : tuple of PublishedScore
        What papers print of this model on it.
    difference_to_first : dict of str to Difference
        Metric to the distance from the document's first run; empty for that one, and where test
        utterances differ.
    largest_errors : tuple of UtteranceError
        The largest first.
    parts : PartAnalysis or None
        Maps and probes, if there are any.
    """

    report: RunReport
    dataset: str | None
    published: tuple[PublishedScore, ...]
    difference_to_first: Mapping[str, Difference]
    largest_errors: tuple[UtteranceError, ...]
    parts: PartAnalysis | None


def findings_json(runs: Sequence[RunFindings]) -> str:
    """Write runs.

    Parameters
    ----------
    runs : sequence of RunFindings
        At least one.

    Returns
    -------
    str
        A JSON list of :class:`RunDocument`; what is not defined is null.
    """
    documents = [
        RunDocument(
            report=run.report,
            dataset=run.dataset,
            published=published_of(run.dataset, model=run.report.model) if run.dataset else (),
            difference_to_first=differences(run, runs[0]) if run is not runs[0] else {},
            largest_errors=tuple(_errors(run)),
            parts=run.parts,
        )
        for run in runs
    ]
    return TypeAdapter(list[RunDocument]).dump_json(documents, indent=1).decode()


def _errors(run: RunFindings) -> list[UtteranceError]:
    if run.test is None:
        return []
    return [
        UtteranceError(
            id=run.test.ids[row],
            label=_named(run, run.target[row]),
            prediction=_named(run, run.together[row]),
            error=float(run.error[row]),
            source=run.spans.get(run.test.ids[row]),
        )
        for row in error_order(run)
    ]


def _named(run: RunFindings, value: float) -> float | str:
    classes = run.report.classes
    return classes[int(value)] if classes else float(value)
