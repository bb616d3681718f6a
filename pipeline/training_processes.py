"""Trainings in processes of their own: several seeds, or several devices of one seed."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Any

from pydantic import TypeAdapter

import pipeline.errors
from pipeline.errors import PipelineError, RunError
from pipeline.training_job import TrainingJob
from pipeline.training_state import EpochRecord

_SHOWN = 4000


@dataclass(frozen=True, kw_only=True, eq=False)
class _Worker:
    """A process that trains, and what it wrote to its error output."""

    seed: int
    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]

    def failure(self) -> PipelineError:
        """Explain a process that died without a word of its own."""
        self.errors.seek(0)
        told = self.errors.read().decode(errors="replace").strip()[-_SHOWN:]
        return RunError(
            f"seed {self.seed}: its process ended with status {self.process.returncode}; begin "
            f"again to go on where it was. It wrote: {told or 'nothing'}",
            code="process_died",
        )

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.errors.close()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def run_side_by_side(
    jobs: Sequence[TrainingJob],
    *,
    at_once: int,
    on_epoch: Callable[[int, EpochRecord], None] | None = None,
) -> None:
    """Train several seeds at the same time; one that fails does not stop the others.

    Parameters
    ----------
    jobs : sequence of TrainingJob
        One a seed.
    at_once : int
        Processes, >= 1.
    on_epoch : callable, optional
        Called with seed and epoch, in this thread.

    Raises
    ------
    PipelineError
        What the first failed seed said, after all others are done.
    """

    def tell(number: int, record: EpochRecord) -> None:
        if on_epoch is not None:
            on_epoch(jobs[number].seed, record)

    failures = _run(
        jobs, environments=[{}] * len(jobs), at_once=at_once, together=False, on_epoch=tell
    )
    if failures:
        (_, error), *others = failures.items()
        seeds = sorted(jobs[number].seed for number, _ in others)
        more = f" (seeds {seeds} failed too)" if seeds else ""
        raise type(error)(f"{error}{more}", code=error.code)


def run_ranks(job: TrainingJob, *, on_epoch: Callable[[EpochRecord], None] | None = None) -> None:
    """Train one seed on several devices of this machine.

    Parameters
    ----------
    job : TrainingJob
        Its configuration says how many.
    on_epoch : callable, optional
        Called with each epoch.

    Raises
    ------
    ConfigError
        If several machines are asked for: torchrun starts those.
    PipelineError
        What the first failed process said; the others are ended.
    """
    config = job.config
    if config.nodes > 1:
        raise pipeline.errors.ConfigError(
            f"training: for {config.nodes} machines, run on each: torchrun --nnodes "
            f"{config.nodes} --nproc-per-node {config.devices} --rdzv-backend c10d "
            "--rdzv-endpoint HOST:PORT --no-python winnow train ..."
        )
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(config.devices),
        "LOCAL_WORLD_SIZE": str(config.devices),
        "GROUP_RANK": "0",
    }
    environments = [
        shared | {"RANK": str(number), "LOCAL_RANK": str(number)}
        for number in range(config.devices)
    ]

    def tell(number: int, record: EpochRecord) -> None:
        if on_epoch is not None:
            on_epoch(record)

    failures = _run(
        [job] * config.devices,
        environments=environments,
        at_once=config.devices,
        together=True,
        on_epoch=tell,
    )
    for error in failures.values():
        raise error


def _run(
    jobs: Sequence[TrainingJob],
    *,
    environments: Sequence[Mapping[str, str]],
    at_once: int,
    together: bool,
    on_epoch: Callable[[int, EpochRecord], None],
) -> dict[int, PipelineError]:
    """Run all jobs, or if they belong together, until one fails; return what went wrong."""
    events: SimpleQueue[tuple[int, dict[str, Any] | None]] = SimpleQueue()
    waiting, running = list(range(len(jobs))), dict[int, _Worker]()
    failures: dict[int, PipelineError] = {}
    try:
        while (waiting or running) and not (together and failures):
            while waiting and len(running) < at_once:
                number = waiting.pop(0)
                running[number] = _start(number, jobs[number], environments[number], events)
            number, message = events.get()
            if message is None:
                worker = running.pop(number)
                if worker.process.wait() and number not in failures:
                    failures[number] = worker.failure()
                worker.end()
            elif "error" in message:
                kind = getattr(pipeline.errors, message["kind"], RunError)
                failures[number] = kind(message["error"], code=message["code"])
            else:
                on_epoch(number, TypeAdapter(EpochRecord).validate_python(message["epoch"]))
    finally:
        for worker in running.values():
            worker.end()
    return failures


def _start(
    number: int,
    job: TrainingJob,
    environment: Mapping[str, str],
    events: "SimpleQueue[tuple[int, dict[str, Any] | None]]",
) -> _Worker:
    errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by the worker's end)
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.training_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        # threads of several processes that wait for each other shall not keep the cores busy
        env={
            **os.environ,
            "OMP_WAIT_POLICY": "passive",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **environment,
        },
    )
    threading.Thread(target=_listen, args=(number, process, job, events), daemon=True).start()
    return _Worker(seed=job.seed, process=process, errors=errors)


def _listen(
    number: int,
    process: "subprocess.Popen[bytes]",
    job: TrainingJob,
    events: "SimpleQueue[tuple[int, dict[str, Any] | None]]",
) -> None:
    try:
        if process.stdin is not None:
            process.stdin.write(job.as_json().encode() + b"\n")
            process.stdin.flush()
        for line in process.stdout or ():
            events.put((number, json.loads(line)))
    except (OSError, ValueError):
        # a process that is gone, or was ended in the middle of a line: its status says so
        pass
    finally:
        events.put((number, None))


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
