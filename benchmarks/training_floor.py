"""What a step of training must cost at least on this machine.

The floor of a step is the larger of two times: its floating-point operations at the rate of a large
matrix product, and the bytes that it must move at the rate of a large copy.

Operations are those that torch counts in matrix products, convolutions, attention and recurrent
layers, forward and backward. Bytes are those that even a perfectly fused step moves: weights read
forward and backward; gradients written and read; weight and both moments of AdamW read and written
(40 bytes for each float32 weight); what autograd keeps for the backward pass written and read; the
batch read, written and read.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from models.batch import Batch
from pipeline.training_loop import TrainingLoop

_WORDS_A_WEIGHT = 10


class Machine(NamedTuple):
    """What the machine reaches.

    Attributes
    ----------
    flops : float
        Floating-point operations a second of a matrix product.
    bandwidth : float
        Bytes a second of a copy, read and written ones together.
    """

    flops: float
    bandwidth: float


class Work(NamedTuple):
    """What a step does.

    Attributes
    ----------
    flop : float
        Floating-point operations.
    moved : float
        Bytes.
    """

    flop: float
    moved: float

    def floor(self, machine: Machine) -> float:
        """Seconds that it takes at least."""
        return max(self.flop / machine.flops, self.moved / machine.bandwidth)


def _best(work: Callable[[], object], *, device: torch.device, repeats: int = 5) -> float:
    """Seconds of the fastest of some calls."""
    fastest = float("inf")
    for _ in range(repeats + 1):
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        fastest = min(fastest, time.perf_counter() - started)
    return fastest


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_machine(
    device: torch.device,
    *,
    dtype: torch.dtype = torch.float32,
    size: int | None = None,
    block: int | None = None,
) -> Machine:
    """Measure what a machine reaches.

    Parameters
    ----------
    device : torch.device
        Of the training.
    dtype : torch.dtype
        That the training computes in.
    size, block : int, optional
        Rows of the matrices and values of the copy; large ones without.

    Returns
    -------
    Machine
        The best of five of each.
    """
    on_gpu = device.type == "cuda"
    size = size or (8192 if on_gpu else 2048)
    one = torch.randn(size, size, device=device).to(dtype)
    product = torch.empty_like(one)
    seconds = _best(lambda: torch.mm(one, one, out=product), device=device)
    source = torch.zeros(block or (2**28 if on_gpu else 2**26), device=device)
    target = torch.zeros_like(source)
    copied = _best(lambda: target.copy_(source), device=device)
    return Machine(2 * size**3 / seconds, 2 * source.nbytes / copied)


def count_work(loop: TrainingLoop, batches: list[Tensor]) -> Work:
    """Count what steps do, on average; weights are not changed.

    Parameters
    ----------
    loop : TrainingLoop
        Whose model.
    batches : list of Tensor of int64
        Positions of the utterances of each batch.

    Returns
    -------
    Work
        Of one step.
    """
    flop, moved = 0.0, 0.0
    weights = {p.untyped_storage().data_ptr() for p in loop.model.parameters()}
    for index in batches:
        kept: dict[int, int] = {}

        def keep(value: Tensor, kept: dict[int, int] = kept) -> Tensor:
            storage = value.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return value

        counter = FlopCounterMode(display=False, custom_mapping=RECURRENT)
        with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            loss = loop.step(index, 0.0)["total"]
            loss.backward()
        loop.optimizer.zero_grad()
        flop += counter.get_total_flops()
        moved += 2 * sum(kept.values()) + 3 * _batch_bytes(loop.step.seen[0])
    trained = sum(p.nbytes for p in loop.model.parameters() if p.requires_grad)
    return Work(flop / len(batches), moved / len(batches) + _WORDS_A_WEIGHT * trained)


def _batch_bytes(batch: Batch) -> int:
    return sum(padded.values.nbytes + padded.mask.nbytes for padded in batch.sequences.values())


def _recurrent(rows: int, weights: list[Any]) -> int:
    return 2 * rows * sum(int(w.numel()) for w in weights if w is not None and w.dim() == 2)


def _cudnn(source: Tensor, weights: list[Tensor], *_: Any, **__: Any) -> int:
    return _recurrent(source.shape[:-1].numel(), weights)


def _onednn(source: Tensor, *weights: Any, **__: Any) -> int:
    return _recurrent(source.shape[:-1].numel(), list(weights[:2]))


#: Recurrent layers that torch runs as one operation, which its counter does not know.
RECURRENT: dict[Any, Any] = {}
for _name, _formula, _times in (
    ("_cudnn_rnn", _cudnn, 1),
    ("_cudnn_rnn_backward", _cudnn, 2),
    ("mkldnn_rnn_layer", _onednn, 1),
    ("mkldnn_rnn_layer_backward", _onednn, 2),
):

    def _count(
        *tensors: Any,
        out_val: Any = None,
        _formula: Callable[..., int] = _formula,
        _times: int = _times,
        **settings: Any,
    ) -> int:
        return _times * _formula(*tensors)

    _count._get_raw = True  # type: ignore[attr-defined]
    RECURRENT[getattr(torch.ops.aten, _name)] = _count
