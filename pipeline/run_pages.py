"""The pages in a run's folder."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.atomic import write_text
from pipeline.published_tables import landmarks_table
from pipeline.report import RunReport
from pipeline.report_blocks import Section, section_markdown
from pipeline.report_comparison import comparison_section
from pipeline.report_html import write_html
from pipeline.report_page import render_markdown
from pipeline.report_sections import largest_errors, parts_section
from pipeline.run_findings import RunFindings, read_findings


def write_pages(folder: Path, report: RunReport) -> None:
    """Write ``report.md`` and ``report.html``, within a second.

    Maps and probes of parts, which take seconds to minutes, are there only if they were made before
    by ``winnow report``.

    Parameters
    ----------
    folder : Path
        The run's.
    report : RunReport
        Its report, whether it is written there already or not.
    """
    findings = read_findings(folder, report=report, analyse=False)
    write_text(folder / "report.md", findings_markdown([findings]))
    write_html(folder / "report.html", [findings])


def findings_markdown(runs: Sequence[RunFindings]) -> str:
    """Write runs as a page of Markdown.

    Parameters
    ----------
    runs : sequence of RunFindings
        At least one; several are set side by side first.

    Returns
    -------
    str
        Markdown.
    """
    pages = [render_markdown(run.report) + _more(run) for run in runs]
    if len(runs) > 1:
        pages.insert(0, section_markdown(comparison_section(runs), level=1) + "\n")
    return "\n".join(pages)


def _more(run: RunFindings) -> str:
    """Write what lies in the folder beside the report."""
    sections = [parts_section(run)]
    errors = largest_errors(run)
    if errors.rows:
        sections.insert(0, Section(title="Errors", tables=(errors,)))
    if run.dataset is not None:
        published = landmarks_table([run.report], run.dataset)
        sections.insert(0, Section(title="Published", tables=(published,)))
    return "".join(f"\n{section_markdown(section)}\n" for section in sections)
