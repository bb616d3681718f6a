"""What executes the tasks of an extraction: threads of this process, Dask or Ray."""

import math
import os
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from pipeline.config import RunConfig, Runner
from pipeline.errors import ConfigError
from pipeline.sharding import FEWEST_CLIPS


def task_runner(config: RunConfig) -> TaskRunner[Any]:
    """Make the chosen task runner.

    Parameters
    ----------
    config : RunConfig
        ``runner``, ``runner_address`` and ``jobs`` decide.

    Returns
    -------
    TaskRunner
        To be entered. Threads only feed one pool of processes. A cluster of its own, where no
        address is named, has one Dask worker with a thread for each process, or as many Ray
        workers as processes.

    Raises
    ------
    ConfigError
        If the runner's package is not installed.
    """
    processes = config.jobs or os.cpu_count() or 1
    if config.runner == "dask":
        return _dask(config.runner_address, processes)
    if config.runner == "ray":
        return _ray(config.runner_address, processes)
    # the next shard's clips are there when the last of this one's are at work
    return ThreadPoolTaskRunner(max_workers=1 + math.ceil(processes / FEWEST_CLIPS))


def default_processes(runner: Runner) -> int:
    """Say how many processes the worker that this runs in keeps busy.

    Parameters
    ----------
    runner : {"local", "dask", "ray"}
        Whose worker.

    Returns
    -------
    int
        One for each thread of a Dask worker, which then works on as many shards; one in a Ray
        worker, of which there is one for each core; 0 for one a processor core otherwise.
    """
    if runner == "dask":
        from distributed import get_worker

        return int(get_worker().state.nthreads)
    return int(runner == "ray")


def _dask(address: str | None, processes: int) -> TaskRunner[Any]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise _missing("dask", error) from error
    if address is not None:
        return DaskTaskRunner(address=address)
    # no web page of its own
    own = {"n_workers": 1, "threads_per_worker": processes, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=own)


def _ray(address: str | None, processes: int) -> TaskRunner[Any]:
    runner: TaskRunner[Any]
    try:
        from prefect_ray.task_runners import RayTaskRunner
    except ImportError as error:
        raise _missing("ray", error) from error
    if address is not None:
        runner = RayTaskRunner(address=address)
    else:
        own = {"num_cpus": processes, "include_dashboard": False}
        runner = RayTaskRunner(init_kwargs=own)
    return runner


def _missing(runner: str, error: ImportError) -> ConfigError:
    return ConfigError(
        f"runner {runner!r} needs a package that is not installed ({error}); "
        f"pip install 'winnow[{runner}]', or set runner: local"
    )
