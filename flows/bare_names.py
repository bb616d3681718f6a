"""Lets ``prefect deployment run extract-and-train`` mean ``extract-and-train/extract-and-train``.

Prefect's command line wants ``<flow>/<deployment>``. Our deployments have the name of their flow,
so the bare name is enough. Prefect loads this module as a plugin (entry point group
``prefect.plugins``) and calls :func:`setup_environment` when it is imported, before its command
line reads the arguments.
"""

import sys
from collections.abc import Sequence

from prefect.plugins import HookContext, register_hook

#: Deployments that have the name of their flow.
DEPLOYMENTS = (
    "extract-and-train",
    "extract-new-videos",
    "scheduled-retrain",
    "predict-new-videos",
    "maintain-store",
)
_COMMAND = ["deployment", "run"]


@register_hook
def setup_environment(*, ctx: HookContext) -> None:
    """Complete a bare deployment name among the arguments of the running command.

    Parameters
    ----------
    ctx : HookContext
        Prefect's; not needed.
    """
    del ctx
    sys.argv[:] = complete_name(sys.argv)


def complete_name(arguments: Sequence[str]) -> list[str]:
    """Write a bare deployment name out.

    Parameters
    ----------
    arguments : sequence of str
        The command and its arguments.

    Returns
    -------
    list of str
        The same, but for the name of one of our deployments right after ``deployment run``.

    Examples
    --------
    >>> complete_name(["prefect", "deployment", "run", "extract-and-train", "--watch"])
    ['prefect', 'deployment', 'run', 'extract-and-train/extract-and-train', '--watch']
    """
    completed = list(arguments)
    if completed[1:3] == _COMMAND and len(completed) > 3 and completed[3] in DEPLOYMENTS:
        completed[3] = f"{completed[3]}/{completed[3]}"
    return completed
