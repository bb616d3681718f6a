"""``python -m pipeline.training_worker``: train what the first line of the input says.

Each epoch, and an error, is a line of JSON on the output. When the input ends, so does the process:
whoever started it is gone.
"""

import json
import os
import sys
import threading
from typing import Any

from pydantic import TypeAdapter
from torch import distributed

from models.errors import ModelError
from pipeline.errors import PipelineError
from pipeline.training_job import TrainingJob
from pipeline.training_state import EpochRecord


def main() -> int:
    """Train.

    Returns
    -------
    int
        Exit status.
    """
    # whatever else is printed must not get between the lines
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    def on_epoch(record: EpochRecord) -> None:
        say({"epoch": TypeAdapter(EpochRecord).dump_python(record, mode="json")})

    job = TrainingJob.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    try:
        job.run(on_epoch)
    except (PipelineError, ModelError) as error:
        say(
            {
                "error": str(error),
                "kind": type(error).__name__,
                "code": getattr(error, "code", None),
            }
        )
        return 2
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
    return 0


def _end_with_the_input() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
