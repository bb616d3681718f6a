"""The parts that a run's first seed takes the test split apart into, before and after training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.base import SentimentModel
from models.batch import MODALITIES
from pipeline.checkpoint import (
    Checkpoint,
    build_model,
    load_checkpoint,
    read_tensors,
    write_tensors,
)
from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import place
from pipeline.errors import StoreError
from pipeline.evaluation import labelled
from pipeline.randomness import mixed_seed, seeded
from pipeline.splits import Split
from pipeline.synthetic.encoding import encode

Floats = npt.NDArray[np.float32]

#: Utterances that are kept; of larger test splits these many, drawn at random.
MOST_UTTERANCES = 1000
#: The parts that a clip is taken apart into.
PARTS = ("S", "P", "N")
FILE = "parts.safetensors"
_HALF_MAX = 6e4


@dataclass(frozen=True, kw_only=True, eq=False)
class RunParts:
    """Codes of n labelled test utterances.

    Parameters
    ----------
    ids : tuple of str, length n
        Segment ids.
    target : ndarray, shape (n,)
        Labels.
    seed : int
        Which seed's checkpoint.
    before, after : dict of str to dict of str to ndarray, shape (n, d)
        Part to modality to codes: ``S``, ``P`` and ``N`` of the untrained model; those and ``Z`` of
        the checkpoint.
    """

    ids: tuple[str, ...]
    target: Floats
    seed: int
    before: dict[str, dict[str, Floats]]
    after: dict[str, dict[str, Floats]]


def save_parts(
    *,
    folder: Path,
    dataset: PackedDataset,
    split: Split,
    model_config: dict[str, Any],
    seed: int,
    device: str,
) -> None:
    """Encode the test split with a seed's checkpoint and with its untrained model.

    Parameters
    ----------
    folder : Path
        The run's; ``parts.safetensors`` is written there, atomically, unless the model has no
        parts.
    dataset : PackedDataset
        Of the run.
    split : Split
        Of the run.
    model_config : dict
        All of the model's settings.
    seed : int
        Which seed.
    device : str
        ``cpu`` or ``cuda``.
    """
    checkpoint = load_checkpoint(folder / f"seed-{seed}" / "model.safetensors")
    index = _sample(labelled(dataset, split.test).cpu())
    after = _codes(checkpoint.model, checkpoint, dataset, index, device)
    if not after:
        return
    before: dict[str, dict[str, torch.Tensor]] = {}
    if len(set(after) & set(PARTS)) > 1:
        # the weights that train_seed started from
        with seeded(mixed_seed(seed, "weights")):
            fresh = build_model(checkpoint.model.name, model_config, checkpoint.model.dimensions)
        found = _codes(fresh, checkpoint, dataset, index, device)
        before = {part: codes for part, codes in found.items() if part in PARTS}
    tensors = {
        f"{stage}/{part}/{modality}": values
        for stage, parts in (("before", before), ("after", after))
        for part, codes in parts.items()
        for modality, values in codes.items()
    }
    tensors["target"] = dataset.labels[index.to(dataset.labels.device)]
    header = {"ids": [dataset.ids[position] for position in index.tolist()], "seed": seed}
    write_tensors(folder / FILE, tensors, header)


def load_parts(folder: Path) -> RunParts | None:
    """Read what :func:`save_parts` wrote.

    Parameters
    ----------
    folder : Path
        The run's.

    Returns
    -------
    RunParts or None
        None if the model has no parts, or the run is from before they were kept.

    Raises
    ------
    StoreError
        If the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    tensors, header = read_tensors(path)
    stages: dict[str, dict[str, dict[str, Floats]]] = {"before": {}, "after": {}}
    try:
        target = tensors.pop("target").float().numpy()
        for name in sorted(tensors, key=_order):
            stage, part, modality = name.split("/")
            stages[stage].setdefault(part, {})[modality] = tensors[name].float().numpy()
        return RunParts(ids=tuple(header["ids"]), target=target, seed=header["seed"], **stages)
    except (KeyError, ValueError) as error:
        raise StoreError(f"{path}: not the parts of a run ({error}); delete it") from error


def _order(name: str) -> tuple[int, str]:
    """Modalities as everywhere, not as a file keeps them."""
    modality = name.rpartition("/")[2]
    return (MODALITIES.index(modality) if modality in MODALITIES else len(MODALITIES)), name


def _sample(index: torch.Tensor) -> torch.Tensor:
    if len(index) <= MOST_UTTERANCES:
        return index
    order = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))
    return index[order[:MOST_UTTERANCES].sort().values]


def _codes(
    model: SentimentModel,
    checkpoint: Checkpoint,
    dataset: PackedDataset,
    index: torch.Tensor,
    device: str,
) -> dict[str, dict[str, torch.Tensor]]:
    encoding = encode(
        model=model.to(device),
        normaliser=checkpoint.normaliser,
        dataset=place(checkpoint.fit(dataset), device=device),
        index=index,
        batch_size=64,
    )
    return {
        part: {name: _half(torch.from_numpy(values)) for name, values in codes.items()}
        for part, codes in encoding.parts.items()
    }


def _half(values: torch.Tensor) -> torch.Tensor:
    """Halve the file: three digits are plenty for a map and a linear probe."""
    known = torch.nan_to_num(values)
    return known.half() if known.abs().max() < _HALF_MAX else known.float()
