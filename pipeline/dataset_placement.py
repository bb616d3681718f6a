"""Where the values of a data set are while a model trains on it."""

from dataclasses import replace
from typing import Literal, get_args

import torch

from pipeline.dataset import PackedDataset
from pipeline.errors import ConfigError
from pipeline.hosted_rows import HostedRagged
from pipeline.ragged import Ragged

DataPlace = Literal["auto", "device", "host"]


def place(
    dataset: PackedDataset,
    *,
    device: torch.device | str,
    data_on: DataPlace = "auto",
    limit_bytes: int | None = None,
) -> PackedDataset:
    """Bring a data set to a device, or all of it but its values.

    Values that stay on the host are read a batch at a time from where they are, which for a stored
    data set is its memory-mapped file: nothing else of them is in memory. Batches are the same
    either way, bit for bit.

    Parameters
    ----------
    dataset : PackedDataset
        On the host.
    device : torch.device or str
        Where the model is.
    data_on : {"auto", "device", "host"}
        Where the values shall be; ``auto`` keeps them on the host if they are larger than the
        limit. On a CPU, values on the device are memory-mapped too.
    limit_bytes : int, optional
        For ``auto``. Without it, half of the GPU's free memory, and on a CPU no limit.

    Returns
    -------
    PackedDataset
        Labels, masks and lengths are on the device.

    Raises
    ------
    ConfigError
        If ``data_on`` is none of these.
    """
    if data_on not in get_args(DataPlace):
        raise ConfigError(f"data_on is {data_on!r}; it is one of {list(get_args(DataPlace))}")
    there = torch.device(device)
    if data_on == "auto":
        limit = _room(there) if limit_bytes is None else limit_bytes
        data_on = "device" if limit is None or dataset.value_bytes <= limit else "host"
    return dataset.to(there) if data_on == "device" else _hosted(dataset, there)


def _room(device: torch.device) -> int | None:
    """Half of what is free: the rest is for the model and what it computes."""
    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else None


def _hosted(dataset: PackedDataset, device: torch.device) -> PackedDataset:
    bare = {m: replace(one, values=one.values[:0]) for m, one in dataset.modalities.items()}
    moved = replace(dataset, modalities=bare).to(device)
    modalities: dict[str, Ragged] = {
        name: HostedRagged(
            values=ragged.values,
            valid=moved.modalities[name].valid,
            offsets=moved.modalities[name].offsets,
            names=ragged.names,
            host_offsets=ragged.offsets,
        )
        for name, ragged in dataset.modalities.items()
    }
    return replace(moved, modalities=modalities)
