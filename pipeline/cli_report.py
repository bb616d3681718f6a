"""The command ``winnow report``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pipeline.atomic import write_text
from pipeline.cli_options import DEFAULT_WORKSPACE, console, progress_bar
from pipeline.errors import ConfigError
from pipeline.manifest import read_manifest
from pipeline.records import Clip, Segment
from pipeline.report_html import render_html
from pipeline.report_json import findings_json
from pipeline.run_examples import SourceSpan, source_spans
from pipeline.run_findings import RunFindings, read_findings
from pipeline.run_folder import load_run
from pipeline.run_pages import findings_markdown
from pipeline.tables import result_table
from pipeline.workspace import Workspace

Format = Literal["html", "markdown", "json"]

_SUFFIXES: dict[Format, tuple[str, ...]] = {
    "html": (".html", ".htm"),
    "markdown": (".md", ".markdown"),
    "json": (".json",),
}
_WRITERS: dict[Format, Callable[[Sequence[RunFindings]], str]] = {
    "html": render_html,
    "markdown": findings_markdown,
    "json": findings_json,
}


def report(
    *runs: str,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    format_name: Annotated[Format | None, Parameter(name="--format")] = None,
    paper: str | None = None,
    workspace: Path = DEFAULT_WORKSPACE,
) -> None:
    """Write a run's report, or set several runs side by side.

    Parameters
    ----------
    runs : tuple of str
        Ids of complete runs, or latest; without any the latest.
    output : Path
        The file or the folder to write; without it the run's folder, or of several runs that of all
        runs.
    format_name : str
        html, one page that needs no network; markdown; or json. Without it what the output's name
        means, or html.
    paper : str
        The data set whose published figures stand beside, such as CMU-MOSI, where a run does not
        know its own.
    workspace : Path
        Where everything that is made lies.
    """
    place = Workspace(root=workspace)
    names = dict.fromkeys(load_run(place.runs, run).id for run in runs or ("latest",))
    chosen = _chosen_format(format_name, output)
    with progress_bar("report", None) as step:
        spans = _spans(place)
        found = [
            read_findings(
                place.runs / name, paper=paper, spans=spans, on_map=lambda: step("maps of parts")
            )
            for name in names
        ]
    path = _path(output, place.runs, list(names), chosen)
    write_text(path, _WRITERS[chosen](found))
    for one in found:
        console.print(result_table(one.report))
    console.print(f"report: {path}")


def _chosen_format(named: Format | None, output: Path | None) -> Format:
    suffix = "" if output is None or output.is_dir() else output.suffix.lower()
    meant = next((name for name, suffixes in _SUFFIXES.items() if suffix in suffixes), None)
    if named is not None and meant not in (None, named):
        raise ConfigError(f"--format {named}, but {output} would be {meant}; name another file")
    return named or meant or "html"


def _path(output: Path | None, runs_folder: Path, names: Sequence[str], chosen: Format) -> Path:
    several = len(names) > 1
    suffix = _SUFFIXES[chosen][0]
    # a run's report.json is its own; the document that holds it is another file
    single = "report-full" if chosen == "json" else "report"
    name = f"{'comparison' if several else single}{suffix}"
    if output is None:
        return (runs_folder if several else runs_folder / names[0]) / name
    return output / name if output.is_dir() or not output.suffix else output


def _spans(place: Workspace) -> dict[str, SourceSpan]:
    """Look the workspace's utterances up, for runs from before they were kept with a run."""
    if not (place.segments.exists() and place.clips.exists()):
        return {}
    return source_spans(
        segments=read_manifest(place.segments, Segment), clips=read_manifest(place.clips, Clip)
    )
