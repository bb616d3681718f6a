"""The sections of one run's report."""

from collections.abc import Mapping

import numpy as np

from pipeline.collection_metrics import COLLECTION_METRICS
from pipeline.curve_panels import curve_panels
from pipeline.part_analysis import FEWEST_MAPPED, FEWEST_PROBED
from pipeline.part_panels import map_panels, probe_panels
from pipeline.prediction_panels import confusion_panel, prediction_panels
from pipeline.published_comparison import MetricPlace
from pipeline.published_tables import landmarks_table, published_column
from pipeline.report_blocks import Cell, Link, Panel, Section, Table, make_table
from pipeline.report_tables import (
    about,
    collection_table,
    data_tables,
    failure_tables,
    headline_table,
    pairs_table,
    seeds_table,
    terms_table,
    time_table,
)
from pipeline.run_findings import RunFindings

#: Utterances in the table of the largest errors.
LARGEST_ERRORS = 20


def run_sections(findings: RunFindings) -> tuple[Section, ...]:
    """Write a run's report.

    Parameters
    ----------
    findings : RunFindings
        Of a finished run.

    Returns
    -------
    tuple of Section
        Those that there is something to say in.
    """
    report = findings.report
    settings = (
        pairs_table("Training", ("training", "value"), report.training.items(), folded=True),
        pairs_table("Model", ("model", "value"), report.model_config.items(), folded=True),
    )
    return (
        scores_section(findings),
        Section(title="Training", tables=(terms_table(report),), panels=curve_panels(report)),
        predictions_section(findings),
        parts_section(findings),
        Section(
            title="Data",
            text=f"Data digest `{report.data_digest[:12]}`. {about(report)}",
            tables=data_tables(report),
        ),
        Section(
            title="Failures",
            text="" if report.failures else "None.",
            tables=failure_tables(report),
        ),
        Section(title="Time and settings", tables=(time_table(report), *settings)),
    )


def scores_section(findings: RunFindings) -> Section:
    """Show test metrics beside published ones.

    Parameters
    ----------
    findings : RunFindings
        Of a finished run.

    Returns
    -------
    Section
        Headline, collections' metrics, what is published, seeds.
    """
    report, dataset = findings.report, findings.dataset
    published = published_column(report, dataset)
    text = ""
    if dataset is None:
        text = (
            "These data are not known as a published data set: no paper's figures stand beside "
            "them. `--paper` names one."
        )
    elif not published:
        text = f"No published figures of `{report.model}` on {dataset}."
    tables = [
        headline_table(report, published=_in_group(published, "")),
        *(
            collection_table(name, report.collection[name], published=_in_group(published, name))
            for name in COLLECTION_METRICS
            if name in report.collection
        ),
        *([landmarks_table([report], dataset)] if dataset else []),
        seeds_table(report),
    ]
    return Section(title="Test metrics", text=text, tables=tuple(tables))


def _in_group(published: Mapping[MetricPlace, str], group: str) -> dict[str, str]:
    return {place.metric: text for place, text in published.items() if place.group == group}


def predictions_section(findings: RunFindings) -> Section:
    """Show predictions against labels, and where they are worst.

    Parameters
    ----------
    findings : RunFindings
        Of a finished run.

    Returns
    -------
    Section
        Figures, and the largest errors.
    """
    if findings.test is None:
        return Section(title="Predictions", text="The run's folder holds no predictions.")
    return Section(
        title="Predictions",
        tables=(largest_errors(findings),),
        panels=_prediction_panels(findings),
    )


def _prediction_panels(findings: RunFindings) -> tuple[Panel, ...]:
    test, report = findings.test, findings.report
    if test is None:
        return ()
    if report.classes:
        true, predicted = (one.astype(np.int64) for one in (findings.target, findings.together))
        return (confusion_panel(true, predicted, names=report.classes),)
    hints = [
        f"{_clip_name(findings, name)}: {_shortened(findings.spans[name].text, 80)}"
        if name in findings.spans
        else name
        for name in test.ids
    ]
    return prediction_panels(
        target=test.target,
        prediction=findings.together,
        hints=hints,
        scale=report.label_range[1],
    )


def largest_errors(findings: RunFindings) -> Table:
    """List the test utterances whose mean prediction is furthest from the label.

    Parameters
    ----------
    findings : RunFindings
        With predictions.

    Returns
    -------
    Table
        At most :data:`LARGEST_ERRORS` rows; links lead to the clip at this time.
    """
    heading = ["utterance", "time", "text", "label", "prediction", "error", "sd over seeds"]
    test = findings.test
    if test is None:
        return make_table("Largest errors on the test split", heading, [])
    if findings.report.classes:
        return _wrong_classes(findings)
    error = findings.error
    sd = test.by_seed.std(axis=0, ddof=1) if len(test.by_seed) > 1 else None
    rows: list[list[Cell]] = [
        [
            *_where(findings, test.ids[row]),
            f"{test.target[row]:+.2f}",
            f"{findings.together[row]:+.2f}",
            f"{error[row]:+.2f}",
            "–" if sd is None else f"{sd[row]:.2f}",
        ]
        for row in error_order(findings)
    ]
    note = "" if findings.spans else "No clips are known of these data; only ids are shown."
    return make_table("Largest errors on the test split", heading, rows, note=note)


def _wrong_classes(findings: RunFindings) -> Table:
    test, task = findings.test, findings.report.task
    heading = ["utterance", "time", "text", "label", "its probability", "prediction"]
    heading += ["its probability", "seeds wrong"]
    if test is None:
        return make_table("Wrong classes on the test split", heading, [])
    wrong = (task.said(test.by_seed) != findings.target).mean(axis=0)
    rows: list[list[Cell]] = []
    for row in error_order(findings):
        said = [int(one[row]) for one in (findings.target, findings.together)]
        likely = [f"{findings.probabilities[row, number]:.3f}" for number in said]
        if said[0] != said[1]:
            rows.append([
                *_where(findings, test.ids[row]),
                *(task.classes[said[0]], likely[0], task.classes[said[1]], likely[1]),
                f"{100 * wrong[row]:.0f} %",
            ])  # fmt: skip
    note = (
        "Probabilities are means over the seeds; those of the labelled classes are the smallest."
        if task.numbered or task.log_odds
        else "Trained to predict the labels 0 and 1: the score, cut off there, is taken for the "
        "probability of the second."
    )
    return make_table("Wrong classes on the test split", heading, rows, note=note)


def error_order(findings: RunFindings) -> list[int]:
    """Find the largest errors.

    Parameters
    ----------
    findings : RunFindings
        Of a run.

    Returns
    -------
    list of int
        Rows of the test utterances, the largest error first, at most :data:`LARGEST_ERRORS`;
        empty without predictions.
    """
    if findings.test is None:
        return []
    order = np.argsort(-np.abs(findings.error), kind="stable")
    return [int(row) for row in order[:LARGEST_ERRORS]]


def _where(findings: RunFindings, name: str) -> list[Cell]:
    span = findings.spans.get(name)
    if span is None:
        return [_shortened(name, 60), "–", "–"]
    link = Link(text=_clip_name(findings, name), address=span.address)
    return [link, f"{span.start:.1f} to {span.end:.1f} s", _shortened(span.text, 200) or "–"]


def _clip_name(findings: RunFindings, name: str) -> str:
    return findings.spans[name].clip.replace("\\", "/").rpartition("/")[2]


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def parts_section(findings: RunFindings) -> Section:
    """Show what the parts of the test split look like and hold.

    Parameters
    ----------
    findings : RunFindings
        Of a finished run.

    Returns
    -------
    Section
        Maps, silhouettes and probes, or why there are none.
    """
    analysis, title = findings.parts, "Parts"
    if analysis is None:
        text = (
            f"Not analysed at the end of the training; `winnow report {findings.report.id}` does "
            "it."
            if findings.parts_kept
            else "No parts are kept of this run: the model takes clips apart into none, or it was "
            "trained by a version that did not keep them."
        )
        return Section(title=title, text=text)
    told = [
        f"Seed {analysis.seed}, {analysis.utterances} labelled test utterances. S is what the "
        "modalities share, P what is private to one, N noise, Z the whole of a modality."
    ]
    if not analysis.maps:
        told.append(
            f"No maps: they need two parts of one width, S, P or N, and {FEWEST_MAPPED} utterances."
        )
    if not analysis.label_scores:
        told.append(f"No probes: they need {FEWEST_PROBED} utterances of two clips.")
    return Section(
        title=title,
        text=" ".join(told),
        tables=_part_tables(findings),
        panels=(*map_panels(analysis), *probe_panels(analysis)),
    )


def _part_tables(findings: RunFindings) -> tuple[Table, ...]:
    analysis = findings.parts
    if analysis is None:
        return ()
    separation = [
        [
            f"{stage} training",
            name,
            f"{value:.3f}",
            f"{analysis.part_accuracy[stage][name]:.3f}",
        ]
        for stage, by_name in analysis.silhouettes.items()
        for name, value in by_name.items()
    ]
    columns = list(next(iter(analysis.label_scores.values()), {}))
    kind = "R²" if analysis.label_chance is None else "share of hits"
    probes = [
        [
            part,
            *(f"{scores[name]:.3f}" for name in columns),
            f"{analysis.modality_accuracy[part]:.3f}" if part in analysis.modality_accuracy else "",
        ]
        for part, scores in analysis.label_scores.items()
    ]
    heading = ["part", *(f"label from {name}, {kind}" for name in columns), "modality told"]
    return (
        make_table(
            "Separation of the parts",
            ["when", "modality", "silhouette", "part told by a linear probe"],
            separation,
            note="Noise that is drawn, as in MInD's code, holds nothing of a clip: that it lies "
            "apart is no evidence of a separation."
            if separation
            else "",
        ),
        make_table(
            "Linear probes, cross-validated over clips",
            heading,
            probes,
            note=f"Modality told by chance: {1 / analysis.modalities:.3f}." if probes else "",
        ),
    )
