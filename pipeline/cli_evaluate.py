"""The command ``winnow evaluate``."""

from pipeline.cli_options import DEFAULTS, Options, console
from pipeline.tables import evaluation_table


def evaluate(
    *,
    run: str = "latest",
    split: str = "test",
    options: Options = DEFAULTS,
) -> None:
    """Score a run's checkpoints on the labelled utterances of a split, with 95 % intervals.

    Parameters
    ----------
    run : str
        A run's id, or latest.
    split : str
        One of train, valid and test.
    options : Options
        Workspace and settings.
    """
    found = options.project().evaluate(run=run, on=split)
    console.print(evaluation_table(found, name=run))
