"""The command ``winnow maintain``."""

from rich.table import Table

from pipeline.cli_options import DEFAULTS, Options, console


def maintain(
    *,
    dry_run: bool = False,
    options: Options = DEFAULTS,
) -> None:
    """Verify stored features and delete what nothing in use needs; settings in maintenance.

    Parameters
    ----------
    dry_run : bool
        Only say what would be deleted.
    options : Options
        Workspace and settings.
    """
    from pipeline.maintenance import maintain as run

    done = run(options.project(), dry_run=dry_run)
    if done.removed:
        table = Table("what", "count", "MB", "why", title="Maintenance")
        for row in done.rows():
            size = f"{row['bytes'] / 1e6:.1f}"
            table.add_row(row["kind"], str(row["count"]), size, row["reason"])
        console.print(table)
    console.print(done.summary())
