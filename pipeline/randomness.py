"""Random numbers that depend on nothing that ran before."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipeline.fingerprint import settings_digest


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generators for a while, then put them back as they were.

    Parameters
    ----------
    seed : int
        Of every device's generator.

    Yields
    ------
    None
        Within, torch draws what the seed says.
    """
    # asked for by number: fork_rng warns when it has to find several GPUs itself
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        torch.manual_seed(seed)
        yield


def mixed_seed(*parts: int | str) -> int:
    """Derive a generator's seed; related parts give unrelated seeds.

    Parameters
    ----------
    *parts : int or str
        What it depends on.

    Returns
    -------
    int
        Less than 2**60.
    """
    return int(settings_digest(list(parts))[:15], 16)
