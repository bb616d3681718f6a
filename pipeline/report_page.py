"""A run's report as a page to read."""

from pipeline.collection_metrics import COLLECTION_METRICS
from pipeline.figures import figure_titles
from pipeline.report import RunReport
from pipeline.report_blocks import Table, table_markdown
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


def render_markdown(report: RunReport) -> str:
    """Write the page.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    str
        Markdown that links to ``figures/*.png`` beside it.
    """
    tables = [table_markdown(table) for table in data_tables(report)]
    sections = [
        f"# Run {report.id}",
        about(report),
        "## Test metrics",
        _with_note(headline_table(report)),
        *(_collection(report, name) for name in COLLECTION_METRICS if name in report.collection),
        "## Every seed",
        _with_note(seeds_table(report)),
        "## Loss terms",
        _with_note(terms_table(report)),
        "## Data",
        *tables,
        f"Data digest `{report.data_digest[:12]}`.",
        "## Failures",
        *([_with_note(table) for table in failure_tables(report)] or ["None."]),
        "## Time",
        _with_note(time_table(report)),
        "## Figures",
        "\n\n".join(
            f"![{title}](figures/{name}.png)" for name, title in figure_titles(report).items()
        ),
        "## Settings",
        _with_note(pairs_table("Training", ("training", "value"), report.training.items())),
        _with_note(pairs_table("Model", ("model", "value"), report.model_config.items())),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _collection(report: RunReport, name: str) -> str:
    table = collection_table(name, report.collection[name])
    return f"### {table.caption}\n\n{COLLECTION_METRICS[name]}\n\n{table_markdown(table)}"


def _with_note(table: Table) -> str:
    return "\n\n".join(part for part in (table_markdown(table), table.note) if part)
