"""MMSA's own training loop on a file, for :mod:`benchmarks.training`.

Run by the Python of an environment that has MMSA 2.2.1; nothing of MMSA is changed. Two things
around it are: newer versions of torch have no ``verbose`` in ReduceLROnPlateau, which is left out
for it, and torch's hook after a step takes the time.
"""

import contextlib
import functools
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.optimizer import register_optimizer_step_post_hook


class Plateau(ReduceLROnPlateau):
    """Takes ``verbose`` as older versions of torch do."""

    def __init__(self, *positional, verbose=False, **named):
        super().__init__(*positional, **named)


class Enough(Exception):  # noqa: N818 - it is no error
    """As many steps as were wanted."""


def prepare(case, folder):
    """Make settings, model, data and trainer as MMSA's own entry point does."""
    torch.optim.lr_scheduler.ReduceLROnPlateau = Plateau
    from MMSA.config import get_config_regression
    from MMSA.data_loader import MMDataLoader
    from MMSA.models import AMIO
    from MMSA.trains import ATIO
    from MMSA.utils import assign_gpu, setup_seed

    args = get_config_regression(case["model"], "mosei")
    args.update(
        model_save_path=Path(folder) / "model.pth",
        device=assign_gpu([0] if torch.cuda.is_available() else []),
        train_mode="regression",
        custom_feature=case["data"],
        feature_T="",
        feature_A="",
        feature_V="",
        cur_seed=1,
    )
    args.update(case["settings"])
    setup_seed(1111)
    data = MMDataLoader(args, case["workers"])
    model = AMIO(args).to(args["device"])
    return args, model, data, ATIO().getTrain(args)


def clock(ends, steps, warm_up, count, *_):
    """Take the time of a step's end."""
    count[0] += 1
    if torch.cuda.is_available() and count[0] in (warm_up, warm_up + steps):
        torch.cuda.synchronize()
    if count[0] >= warm_up:
        ends.append(time.perf_counter())
    if count[0] == warm_up + steps:
        raise Enough


def main(case):
    """Train for some steps, or until MMSA stops by itself."""
    torch.set_num_threads(case["threads"])
    ends = []
    with tempfile.TemporaryDirectory() as folder:
        args, model, data, trainer = prepare(case, folder)
        if not case["steps"]:
            logging.getLogger("MMSA").setLevel(logging.INFO)
            logging.basicConfig(format="%(name)s - %(message)s", level=logging.INFO)
            trainer.do_train(model, data)
            model.load_state_dict(torch.load(args["model_save_path"]))
            trainer.do_test(model, data["test"], mode="TEST")
            return {}
        hook = functools.partial(clock, ends, case["steps"], case["warm_up"], [0])
        register_optimizer_step_post_hook(hook)
        with contextlib.suppress(Enough):
            trainer.do_train(model, data)
    on_gpu = torch.cuda.is_available()
    status = Path("/proc/self/status")
    peak = int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 if status.exists() else 0
    return {
        "seconds_a_clip": (ends[-1] - ends[0]) / case["steps"] / args["batch_size"],
        "peak_bytes": torch.cuda.max_memory_allocated() if on_gpu else peak,
        "parameters": sum(p.numel() for p in model.parameters()),
        "clips": len(data["train"].dataset),
        "batch_size": args["batch_size"],
    }


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(main(json.loads(sys.argv[1]))) + "\n")
