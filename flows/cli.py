"""The command ``winnow`` with what needs Prefect, which is imported by that command alone."""

from pipeline import cli

cli.app.command(
    "flows.deploy:deploy",
    name="deploy",
    help="Register the five deployments on a Prefect server that is there.",
)
cli.app.command(
    "flows.watcher:watch",
    name="watch",
    help="Tell Prefect when videos have arrived in a folder.",
)


def main() -> None:
    """Run the command, as :func:`pipeline.cli.main`."""
    cli.main()
