"""What a report's page is made of, whatever it is written as."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Link:
    """A cell that leads somewhere.

    Parameters
    ----------
    text : str
        What is shown.
    address : str
        Where to.
    """

    text: str
    address: str


Cell = str | Link


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows below a heading.

    Parameters
    ----------
    caption : str
        What the table shows.
    heading : tuple of str
        One a column; the first column names the rows.
    rows : tuple of tuple of str or Link
        As wide as the heading.
    note : str
        What a reader must know beside it, possibly nothing.
    folded : bool
        Whether a page that can shows it only when asked.
    """

    caption: str
    heading: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A Plotly figure.

    Parameters
    ----------
    caption : str
        Its title.
    description : str
        What it shows, in words, for those who do not see it.
    data : list of dict
        Traces.
    layout : dict
        Without the title.
    large : bool
        Whether it has a row of its own.
    """

    caption: str
    description: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    large: bool = False


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page.

    Parameters
    ----------
    title : str
        Its heading.
    text : str
        What comes first, possibly nothing.
    tables : tuple of Table
        Those that there are.
    panels : tuple of Panel
        Figures, several in a row where there is room.
    """

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    panels: tuple[Panel, ...] = ()


def make_table(
    caption: str,
    heading: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    note: str = "",
    folded: bool = False,
) -> Table:
    """Make a table of sequences.

    Parameters
    ----------
    caption, heading, rows, note, folded
        As of :class:`Table`.

    Returns
    -------
    Table
        The same.
    """
    cells = tuple(tuple(row) for row in rows)
    return Table(caption=caption, heading=tuple(heading), rows=cells, note=note, folded=folded)


def table_markdown(table: Table) -> str:
    """Write a table, without its caption and note.

    Parameters
    ----------
    table : Table
        Any.

    Returns
    -------
    str
        Markdown; nothing if it has no rows.
    """
    if not table.rows:
        return ""
    lines = [table.heading, ["---"] * len(table.heading), *table.rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def section_markdown(section: Section, *, level: int = 2) -> str:
    """Write a section; of figures what they show.

    Parameters
    ----------
    section : Section
        Any.
    level : int
        Of its heading, >= 1.

    Returns
    -------
    str
        Markdown.
    """
    parts = [f"{'#' * level} {section.title}", section.text]
    for table in section.tables:
        rows = table_markdown(table)
        parts += [f"*{table.caption}*", rows, table.note] if rows else []
    parts += [f"Figure: {panel.caption}. {panel.description}" for panel in section.panels]
    return "\n\n".join(part for part in parts if part)


def cell_text(cell: Cell) -> str:
    """Tell what a cell shows.

    Parameters
    ----------
    cell : str or Link
        Any.

    Returns
    -------
    str
        Its text.
    """
    return cell.text if isinstance(cell, Link) else cell


def _cell(cell: Cell) -> str:
    if isinstance(cell, Link):
        return f"[{_plain(cell.text).replace('[', '(').replace(']', ')')}](<{cell.address}>)"
    return _plain(cell)


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
