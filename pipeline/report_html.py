"""Reports as one self-contained page that needs no network."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from pipeline.atomic import write_text
from pipeline.report import RunReport
from pipeline.report_blocks import Link, Panel, Section, cell_text
from pipeline.report_comparison import comparison_section
from pipeline.report_sections import run_sections
from pipeline.run_findings import RunFindings
from pipeline.score_text import SELECTION_NOTES, interval_text, mean_sd_text

# Characters of a cell that is not broken into lines.
_SHORT = 32
# What a reader looks for first.
_CARDS = {
    "": {
        "mae": "MAE",
        "correlation": "Correlation",
        "accuracy_2_non0": "Acc-2, non0",
        "accuracy_7": "Acc-7",
    },
    "sims": {
        "mae": "MAE",
        "correlation": "Correlation",
        "accuracy_2": "Acc-2",
        "accuracy_5": "Acc-5",
    },
}
_CLASS_CARDS = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "f1_weighted": "F1, weighted",
    "precision": "Precision",
    "recall": "Recall",
}


@dataclass(frozen=True, kw_only=True)
class Article:
    """One run on a page, or what is said of all of them.

    Parameters
    ----------
    name : str
        Distinct on the page; made of letters, digits, hyphens.
    title : str
        Its heading.
    lead : str
        What comes first.
    warning : str
        What nobody may overlook, possibly nothing.
    cards : tuple of (str, str, str)
        Metric, score and interval of the most important scores.
    sections : tuple of Section
        The rest.
    """

    name: str
    title: str
    lead: str = ""
    warning: str = ""
    cards: tuple[tuple[str, str, str], ...] = ()
    sections: tuple[Section, ...] = ()


def write_html(path: Path, runs: Sequence[RunFindings]) -> None:
    """Write a page with everything in it, Plotly's program included, atomically.

    Parameters
    ----------
    path : Path
        Where to.
    runs : sequence of RunFindings
        At least one; several are set side by side first.
    """
    write_text(path, render_html(runs))


def render_html(runs: Sequence[RunFindings]) -> str:
    """Make the page of :func:`write_html`.

    Parameters
    ----------
    runs : sequence of RunFindings
        At least one.

    Returns
    -------
    str
        HTML.
    """
    articles = [_article(run) for run in runs]
    if len(runs) > 1:
        whole = Article(
            name="comparison",
            title=f"{len(runs)} runs side by side",
            sections=(comparison_section(runs),),
        )
        articles.insert(0, whole)
    figures = dict(_figures(articles))
    page: str = (
        _environment().get_template("report.html.j2").render(articles=articles, figures=figures)
    )
    return page


def _article(run: RunFindings) -> Article:
    report = run.report
    seeds, test = len(report.seeds), report.constant["test"]
    note = SELECTION_NOTES[report.selection][0]
    oracle = report.selection == "test_oracle"
    return Article(
        name=re.sub(r"[^A-Za-z0-9-]", "-", report.id),
        title=f"Run {report.id}",
        lead=f"`{report.model}`{f' on {run.dataset}' if run.dataset else ''}, {seeds} seed"
        f"{'' if seeds == 1 else 's'}, {test.n} test utterances, {report.created[:16]} UTC. "
        f"{'' if oracle else note}",
        warning=note if oracle else "",
        cards=tuple(_cards(report)),
        sections=run_sections(run),
    )


def _cards(report: RunReport) -> Iterator[tuple[str, str, str]]:
    groups = (name for name in _CARDS if name and name in report.collection)
    group = next(groups, "")
    # reports from before classes had metrics of their own hold only those of scores
    of_classes = "accuracy" in report.metric_names
    for metric, name in (_CLASS_CARDS if of_classes else _CARDS[group]).items():
        if group:
            found = report.collection[group][metric]
            yield name, mean_sd_text(found), interval_text(found.interval)
        else:
            interval = report.intervals.get("test", {}).get(metric)
            yield name, mean_sd_text(report.summary["test"][metric]), interval_text(interval)


def _figures(articles: Sequence[Article]) -> Iterator[tuple[str, dict[str, Any]]]:
    for article in articles:
        for number, section in enumerate(article.sections):
            for place, panel in enumerate(section.panels):
                yield panel_name(article.name, number, place), _plot(panel)


def panel_name(article: str, section: int, panel: int) -> str:
    """Name a figure on the page.

    Parameters
    ----------
    article : str
        Name of its article.
    section, panel : int
        Its place there, from 0.

    Returns
    -------
    str
        Distinct on the page.
    """
    return f"figure-{article}-{section}-{panel}"


def _plot(panel: Panel) -> dict[str, Any]:
    return {"data": panel.data, "layout": panel.layout}


@cache
def _environment() -> Any:
    # a command that writes no page need not wait for it
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = inline_html
    environment.filters["data"] = data_html
    environment.globals["panel_name"] = panel_name
    environment.globals["plotly"] = _plotly
    environment.tests["long"] = lambda cell: len(cell_text(cell)) > _SHORT
    environment.tests["link"] = lambda cell: isinstance(cell, Link)
    return environment


def inline_html(text: str) -> Markup:
    """Write the little Markdown that notes use.

    Parameters
    ----------
    text : str
        With **bold**, `code`, and blank lines between paragraphs; everything else is taken as it
        is.

    Returns
    -------
    Markup
        HTML, escaped.
    """
    safe = str(escape(text))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return Markup(safe.replace("\n\n", "<br><br>"))


def data_html(value: Any) -> Markup:
    """Write JSON that can stand inside a script element.

    Parameters
    ----------
    value : object
        Plain values without NaN.

    Returns
    -------
    Markup
        JSON in which nothing ends the element.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def _plotly() -> Markup:
    from plotly.offline import get_plotlyjs

    # nothing inside the program may end the element that holds it
    return Markup(get_plotlyjs().replace("</script", "<\\/script"))
