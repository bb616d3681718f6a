"""One training on several devices: each takes its share of every batch."""

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.plugins.precision.amp import MixedPrecision
from lightning_fabric.plugins.precision.precision import Precision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, distributed, nn

from models.base import Output, SentimentModel
from pipeline.errors import ConfigError
from pipeline.training_config import TrainingConfig

# rank 0 may write a large state or validate while the others wait
_TIMEOUT = timedelta(hours=2)


def rank() -> int:
    """Tell which of the processes of one training this is.

    Returns
    -------
    int
        From 0, as torchrun says; 0 without it.
    """
    return int(os.environ.get("RANK", "0"))


def started_ranks() -> int:
    """Tell how many processes were started for one training.

    Returns
    -------
    int
        As torchrun says; 1 without it.
    """
    return int(os.environ.get("WORLD_SIZE", "1"))


def make_fabric(config: TrainingConfig, device: str) -> Fabric:
    """Set up devices and precision.

    Parameters
    ----------
    config : TrainingConfig
        How to train.
    device : str
        ``cpu`` or ``cuda``.

    Returns
    -------
    Fabric
        Of one device, or of one of the processes of one training.

    Raises
    ------
    ConfigError
        If the GPU has no bfloat16, there are fewer GPUs than are asked for, or the processes that
        were started are not those of the settings.
    """
    if config.precision == "bf16" and device == "cuda" and not torch.cuda.is_bf16_supported():
        raise ConfigError(
            f"training: {torch.cuda.get_device_name()} does not compute in bf16; set "
            "training.precision to 32"
        )
    kind: Any = device
    precision = MixedPrecision("bf16-mixed", kind) if config.precision == "bf16" else Precision()
    if started_ranks() != config.ranks:
        raise ConfigError(
            f"training: {started_ranks()} processes were started for {config.devices} devices on "
            f"each of {config.nodes} machines; torchrun --nnodes {config.nodes} --nproc-per-node "
            f"{config.devices} starts as many as the settings say"
        )
    if config.ranks == 1:
        return Fabric(accelerator=device, devices=1, plugins=[precision])
    if device == "cuda" and torch.cuda.device_count() < config.devices:
        raise ConfigError(
            f"training: devices is {config.devices}, this machine has {torch.cuda.device_count()} "
            "GPUs"
        )
    # estimators, and modalities that a share of a batch lacks, are in no graph; buffers come from
    # hooks that see the whole batch, or are sent at the end of the epoch
    strategy = DDPStrategy(
        find_unused_parameters=True,
        broadcast_buffers=False,
        timeout=_TIMEOUT,
        cluster_environment=TorchElasticEnvironment(),
    )
    fabric = Fabric(
        accelerator=device,
        devices=config.devices,
        num_nodes=config.nodes,
        strategy=strategy,
        plugins=[precision],
    )
    fabric.launch()
    return fabric


def shares(index: Tensor, *, ranks: int) -> list[Tensor]:
    """Divide a batch among processes.

    Parameters
    ----------
    index : Tensor of int64, shape (n,)
        Positions.
    ranks : int
        Processes, >= 1.

    Returns
    -------
    list of Tensor
        One a process; sizes differ by 1 at most, and so do lengths where they are sorted.
    """
    return [index[rank::ranks] for rank in range(ranks)]


def whole_output(output: Output, *, sizes: list[int], model: SentimentModel) -> Output:
    """Put together what all processes say of their shares, in the order of the processes.

    Parameters
    ----------
    output : Output
        Detached, of this process's share.
    sizes : list of int
        Rows of each share.
    model : SentimentModel
        For the message.

    Returns
    -------
    Output
        Of the whole batch, the same in all processes.

    Raises
    ------
    ConfigError
        If something in the output is not one vector or number per utterance.
    """

    def gather(name: str, values: Tensor) -> Tensor:
        if values.ndim not in (1, 2) or len(values) != sizes[rank()]:
            raise ConfigError(
                f"model {model.name!r} learns from its output after each step, and {name} of "
                f"shape {tuple(values.shape)} cannot be put together from several processes; set "
                "training.devices and training.nodes to 1"
            )
        padded = values.new_zeros(max(sizes), *values.shape[1:])
        padded[: len(values)] = values
        found = [torch.empty_like(padded) for _ in sizes]
        distributed.all_gather(found, padded)
        return torch.cat([part[:size] for part, size in zip(found, sizes, strict=True)])

    return replace(
        output,
        prediction=gather("prediction", output.prediction),
        parts={
            part: {m: gather(f"part {part} of {m}", code) for m, code in codes.items()}
            for part, codes in output.parts.items()
        },
        extras={name: gather(name, value) for name, value in output.extras.items()},
    )


def sum_over_ranks(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add up scalars over all processes.

    Parameters
    ----------
    tensors : dict of str to Tensor
        The same names in all processes.

    Returns
    -------
    dict of str to Tensor
        The sums; what was given if there is one process.
    """
    if not distributed.is_initialized() or not tensors:
        return tensors
    names = sorted(tensors)
    stacked = torch.stack([tensors[name].detach().double() for name in names])
    distributed.all_reduce(stacked)
    return dict(zip(names, stacked, strict=True))


def send_buffers(model: nn.Module) -> None:
    """Give all processes the buffers of the first, such as running means of its shares.

    Parameters
    ----------
    model : Module
        The same in all processes but for its buffers' values.
    """
    if distributed.is_initialized():
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)
