"""Processes that extract clips, and stay warm from clip to clip and from shard to shard."""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import current_process, get_context
from typing import Any

import torch
from pebble import ProcessFuture, ProcessPool
from threadpoolctl import threadpool_limits

from extractors.base import Extractor
from pipeline.clip_extraction import Outcome, extract_clip
from pipeline.config import build_extractors
from pipeline.extraction_plan import ClipJob
from pipeline.records import Clip
from pipeline.store import FeatureStore

#: A clip may take this long, and this many times its length; then its process is killed.
PATIENCE_SECONDS, PATIENCE_FACTOR = 120.0, 60.0


def patience(clip: Clip) -> float:
    """Say how long a clip may take.

    Parameters
    ----------
    clip : Clip
        The clip.

    Returns
    -------
    float
        Seconds.
    """
    return PATIENCE_SECONDS + PATIENCE_FACTOR * clip.duration


class ClipPool:
    """Spawned processes with extractors in them, shared by the threads of this process.

    A clip that takes too long costs its process, a crash costs one clip; the pool replaces the
    process and goes on. If it breaks as a whole, the next clip gets new processes.

    Parameters
    ----------
    extractors : dict of str to dict
        Registered name to settings.
    store : FeatureStore
        Where to.
    processes : int
        How many, >= 1.
    """

    def __init__(
        self, *, extractors: dict[str, dict[str, Any]], store: FeatureStore, processes: int
    ) -> None:
        self._processes, self._extractors, self._store = processes, extractors, store
        self._mutex = threading.Lock()
        self._given: set[ProcessFuture[list[Outcome]]] = set()
        self._pool = self._made()

    def submit(self, job: ClipJob) -> "ProcessFuture[list[Outcome]]":
        """Have a clip extracted.

        Parameters
        ----------
        job : ClipJob
            What is missing of it.

        Returns
        -------
        ProcessFuture
            To be cancelled, or to give what :func:`pipeline.clip_extraction.extract_clip` gives;
            raises ``TimeoutError``, :class:`pebble.ProcessExpired` and, for a clip that was not
            begun, ``BrokenProcessPool``.
        """
        self.mend()
        future = self._pool.schedule(_work, args=(job,), timeout=patience(job.clip))
        self._given.add(future)
        future.add_done_callback(self._given.discard)
        return future

    def mend(self) -> None:
        """Take new processes if these broke as a whole, which one that dies idle does."""
        with self._mutex:
            if self._pool.active:
                return
            for future in list(self._given):
                with suppress(InvalidStateError):
                    future.set_exception(BrokenProcessPool())
            _end(self._pool)
            self._pool = self._made()

    def close(self) -> None:
        """End the processes, whatever they do."""
        _end(self._pool)

    def _made(self) -> ProcessPool:
        # a Dask worker is a daemon, which may have no children; ours end themselves with it
        current_process().daemon = False
        return ProcessPool(
            max_workers=self._processes,
            context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(os.getpid(), self._extractors, self._store),
        )


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


@dataclass(kw_only=True)
class _Warm:
    pool: ClipPool
    users: int = 0


_mutex = threading.Lock()
_warm: dict[str, _Warm] = {}


@contextmanager
def warm_pool(
    *, extractors: dict[str, dict[str, Any]], store: FeatureStore, processes: int
) -> Iterator[ClipPool]:
    """Use the pool that this process keeps for such work; it stays warm afterwards.

    Parameters
    ----------
    extractors, store, processes
        As for :class:`ClipPool`. With others than the last time, a pool that nobody uses any more
        is closed first: warm models take memory.

    Yields
    ------
    ClipPool
        Shared with every thread that asks for the same.
    """
    key = json.dumps([extractors, store.location, store.options, processes], sort_keys=True)
    with _mutex:
        _close_idle(keep=key)
        if key not in _warm:
            pool = ClipPool(extractors=extractors, store=store, processes=processes)
            _warm[key] = _Warm(pool=pool)
        warm = _warm[key]
        warm.users += 1
    try:
        yield warm.pool
    finally:
        with _mutex:
            warm.users -= 1


def close_idle_pools() -> None:
    """End the warm processes that nobody uses."""
    with _mutex:
        _close_idle(keep=None)


def _close_idle(*, keep: str | None) -> None:
    for key, warm in list(_warm.items()):
        if warm.users == 0 and key != keep:
            del _warm[key]
            warm.pool.close()


class _Worker:
    """What a worker process keeps warm between clips."""

    extractors: Mapping[str, Extractor]
    store: FeatureStore


def _start_worker(parent: int, extractors: dict[str, dict[str, Any]], store: FeatureStore) -> None:
    # One process a core is faster than threads that compete for all cores.
    threadpool_limits(limits=1)
    torch.set_num_threads(1)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _Worker.extractors = build_extractors(extractors)
    _Worker.store = store


def _die_with(parent: int) -> None:
    """End this process when its parent was killed and so cannot stop it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _work(job: ClipJob) -> list[Outcome]:
    return extract_clip(job=job, extractors=_Worker.extractors, store=_Worker.store)
