"""A trained model in one file that names no module and holds no pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import models.base
from models.base import SentimentModel
from models.errors import ModelError
from pipeline.atomic import write_bytes
from pipeline.dataset import PackedDataset
from pipeline.errors import ConfigError, DataError, StoreError
from pipeline.normalise import Normaliser
from pipeline.randomness import seeded

#: Raised when an older file can no longer be read.
FORMAT = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A trained model with what it needs to read features.

    Parameters
    ----------
    model : SentimentModel
        On the CPU after loading, in evaluation mode.
    normaliser : Normaliser
        Statistics of the training split.
    names : dict of str to tuple of str
        Modality to the names of the columns that the model was trained on.
    winnow : str
        Version of Winnow that wrote it.
    """

    model: SentimentModel
    normaliser: Normaliser
    names: dict[str, tuple[str, ...]]
    winnow: str

    def fit(self, dataset: PackedDataset) -> PackedDataset:
        """Give a data set exactly the modalities that the model reads.

        Parameters
        ----------
        dataset : PackedDataset
            Features to predict from. A modality that none of its utterances has is taken as
            missing in all of them, one that the model does not know is left out.

        Returns
        -------
        PackedDataset
            With the model's modalities.

        Raises
        ------
        DataError
            If a modality's columns are not those of the training, or no modality is shared.
        """
        for modality, names in self.names.items():
            found = dataset.modalities.get(modality)
            if found is not None and found.names != names:
                raise DataError(
                    f"{modality}: the model was trained on {_brief(names)}, the data has "
                    f"{_brief(found.names)}; extract with the settings of the training"
                )
        if not set(self.names) & set(dataset.modalities):
            raise DataError(
                f"the model reads {sorted(self.names)}, the data has only "
                f"{sorted(dataset.modalities)}"
            )
        return dataset.select(self.names)


def _brief(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return f"{len(names)} columns ({shown}{', ...' if len(names) > 3 else ''})"


def plain_model_config(name: str, config: Any) -> dict[str, Any]:
    """Spell out every hyper-parameter of a model.

    Parameters
    ----------
    name : str
        Registered name of the model.
    config : mapping or instance of the model's ``Config``
        What was chosen; the rest takes its default.

    Returns
    -------
    dict
        All fields, plain JSON values.

    Raises
    ------
    ConfigError
        If the model or a field is unknown, or a value is not valid.
    """
    adapter, parsed = _parse(name, config)
    plain: dict[str, Any] = adapter.dump_python(parsed, mode="json")
    # runs of scores keep the names that they had before there were classes
    if not plain.get("classes", True):
        del plain["classes"]
    return plain


def build_model(name: str, config: Any, dimensions: Mapping[str, int]) -> SentimentModel:
    """Make an untrained model.

    Parameters
    ----------
    name : str
        Registered name.
    config : mapping or instance of the model's ``Config``
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width.

    Returns
    -------
    SentimentModel
        With parameters drawn from torch's global generator.

    Raises
    ------
    ConfigError
        If the model is unknown or its configuration is not valid.
    """
    _, parsed = _parse(name, config)
    try:
        return models.base.get(name)(parsed, dimensions)
    except (ModelError, ValueError) as error:
        raise ConfigError(f"model {name!r} cannot be built: {error}") from error


def _parse(name: str, config: Any) -> tuple[TypeAdapter[Any], Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(models.base.get(name).Config)
        plain = asdict(config) if is_dataclass(config) and not isinstance(config, type) else config
        return adapter, adapter.validate_python(plain)
    except ModelError as error:
        raise ConfigError(str(error)) from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise ConfigError(f"configuration of model {name!r}: {wrong}") from error


def save_checkpoint(
    path: Path,
    *,
    model: SentimentModel,
    normaliser: Normaliser,
    names: Mapping[str, tuple[str, ...]],
) -> None:
    """Write a model as one safetensors file with a JSON header, atomically.

    Parameters
    ----------
    path : Path
        Where to.
    model : SentimentModel
        What to keep: weights, registered name and configuration.
    normaliser : Normaliser
        Statistics of the training split.
    names : mapping of str to tuple of str
        Modality to column names.
    """
    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    for modality in model.modalities:
        tensors[f"mean/{modality}"] = normaliser.mean[modality]
        tensors[f"scale/{modality}"] = normaliser.scale[modality]
    header = {
        "format": FORMAT,
        "winnow": version("winnow"),
        "model": model.name,
        "config": plain_model_config(model.name, model.config),
        "dimensions": model.dimensions,
        "names": {modality: names[modality] for modality in model.modalities},
    }
    write_tensors(path, tensors, header)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what :func:`save_checkpoint` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Checkpoint
        On the CPU, in evaluation mode.

    Raises
    ------
    StoreError
        If the file is not there, damaged, or of a model that is not known here.
    """
    tensors, header = read_tensors(path)
    try:
        if header["format"] != FORMAT:
            raise StoreError(f"{path}: format {header['format']}, this version reads {FORMAT}")
        with seeded(0):
            model = build_model(header["model"], header["config"], header["dimensions"])
        model.load_state_dict(subset(tensors, "model"))
        normaliser = Normaliser(mean=subset(tensors, "mean"), scale=subset(tensors, "scale"))
        names = {modality: tuple(columns) for modality, columns in header["names"].items()}
    except (KeyError, TypeError, AttributeError, RuntimeError, ConfigError) as error:
        raise StoreError(f"{path}: not a usable checkpoint ({error}); train again") from error
    return Checkpoint(
        model=model.eval(), normaliser=normaliser, names=names, winnow=header.get("winnow", "")
    )


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors with a JSON header as one safetensors file, atomically.

    Parameters
    ----------
    path : Path
        Where to.
    tensors : mapping of str to Tensor
        From any device; tensors that share memory are written one by one.
    header : mapping
        Plain JSON values.
    """
    # safetensors refuses tensors that share memory, and tied weights do
    own = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    write_bytes(path, save(own, metadata={"winnow": json.dumps(header, allow_nan=False)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_tensors` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    header : dict
        As it was given.

    Raises
    ------
    StoreError
        If the file is not there or damaged.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            header: dict[str, Any] = json.loads((stored.metadata() or {})["winnow"])
            return {name: stored.get_tensor(name) for name in stored.keys()}, header  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
        raise StoreError(f"{path}: cannot be read ({error}); delete it and train again") from error


def subset(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors of one group.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Named ``<group>/<name>``.
    prefix : str
        The group.

    Returns
    -------
    dict of str to Tensor
        By ``<name>``.
    """
    start = f"{prefix}/"
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }
