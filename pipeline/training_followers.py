"""What torchrun starts besides the first process: they train what it says, and nothing else."""

import atexit
import itertools
import os
from datetime import timedelta

from torch import distributed
from torch._C._distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from pipeline.training_job import TrainingJob
from pipeline.training_ranks import rank, started_ranks

# the first process may ingest, pack and evaluate between trainings
_PATIENCE = timedelta(days=30)
_END = "end"
_numbers = itertools.count()


def follow() -> bool:
    """Train what the first process publishes, until it ends.

    To be called once, first of all, by every process that torchrun may have started: only the first
    ingests, evaluates and writes.

    Returns
    -------
    bool
        Whether this was such a follower and is done; False in the first process, which goes on.
    """
    if started_ranks() == 1:
        return False
    if rank() == 0:
        atexit.register(_end)
        return False
    store = _store()
    while True:
        key = _key()
        text = store.get(key).decode()
        if text == _END:
            _leave()
            return True
        TrainingJob.from_json(text).run()


def publish(job: TrainingJob) -> None:
    """Have all other processes join a training that the first is about to begin.

    Parameters
    ----------
    job : TrainingJob
        Its paths are the same on all machines.
    """
    _store().set(_key(), job.as_json())


def _end() -> None:
    _store().set(_key(), _END)
    _leave()


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _key() -> str:
    return f"winnow/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}/{next(_numbers)}"


def _store() -> Store:
    store: Store = next(rendezvous("env://"))[0]
    store.set_timeout(_PATIENCE)
    return store
