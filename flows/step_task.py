"""A Prefect task that is one step of a flow."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import Task

from flows.healing import RETRIES, RETRY_DELAYS, heals

P = ParamSpec("P")
R = TypeVar("R")


def step_task(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task that is neither cached nor stored, and tried again if that can help.

    Prefect's cache knows paths and not contents, and its results are pickles.

    Parameters
    ----------
    name : str
        Of the task.

    Returns
    -------
    callable
        A decorator.
    """
    return task(
        name=name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=RETRIES,
        retry_delay_seconds=list(RETRY_DELAYS),
        retry_condition_fn=heals,
    )
