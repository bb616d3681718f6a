"""Who takes part in the benchmark."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import yaml

from models.base import available, get
from pipeline.errors import ConfigError

# Published settings suit features of 25 to 100 frames a second and a thousand training clips.
# Generated clips have 10 to 50 frames, and there are thousands: every frame is read, by small
# backbones with little dropout. What is left to the factors' separation is the method's: every
# vector of a modality is 64 wide, and all parts of a model learn at the same rate.
_SUITED: dict[str, Any] = {
    "backbone": "frames",
    "audio_stride": 1,
    "vision_stride": 1,
    "width": 64,
    "audio_state_width": 64,
    "vision_state_width": 64,
    "audio_rate": 1.0,
    "vision_rate": 1.0,
    "layers": 2,
    "embedding_dropout": 0.0,
    "attention_dropout": 0.1,
    "feedforward_dropout": 0.1,
    "residual_dropout": 0.1,
    "dropout": 0.1,
}
_WIDE = {"audio_width": 64, "vision_width": 64}
# Names that mean the same only in these models.
_SUITED_OF: dict[str, dict[str, Any]] = {
    "dma": _WIDE,
    "mind": {"statistics_width": 128, "decoder_width": 128},
    "mird": {"text_width": 64},
    "misa": {"feedforward_width": 256, "transformer_dropout": 0.1},
    "self_mm": _WIDE,
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A model with its settings.

    Parameters
    ----------
    name : str
        In tables and file names.
    model : str
        Registered name.
    settings : mapping
        Those of the model's ``Config`` that differ from the defaults.
    modalities : tuple of str, optional
        What it is given; all of them without it.
    """

    name: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    modalities: tuple[str, ...] | None = None


#: Contenders besides the registered models with their defaults.
VARIANTS = (
    Contender(name="mind_author", model="mind", settings={"preset": "author"}),
    Contender(name="mind_paper", model="mind", settings={"preset": "paper"}),
    Contender(name="mind_strong", model="mind", settings={"preset": "strong"}),
    Contender(name="mind_task_only", model="mind", settings={"disentangle": False}),
    Contender(
        name="mind_text_only",
        model="mind",
        settings={"disentangle": False},
        modalities=("text",),
    ),
)


def find_contender(name: str) -> Contender:
    """Look a contender up.

    Parameters
    ----------
    name : str
        Of a variant or a registered model, followed by settings that differ from its own, such as
        ``mind,width=32,muted=P``.

    Returns
    -------
    Contender
        Its backbones suit generated clips: it reads every frame, at width 64 with little dropout,
        MInD by a network on each frame as concatenation does, where these are settings of the
        model and not among those given.

    Raises
    ------
    ConfigError
        If there is no such contender, with a list of all, or a setting is not written as
        name=value.
    """
    base, *written = name.split(",")
    known = {variant.name: variant for variant in VARIANTS}
    known |= {model: Contender(name=model, model=model) for model in available()}
    if base not in known:
        raise ConfigError(f"unknown contender {base!r}; there are: {', '.join(sorted(known))}")
    names = {setting.name for setting in fields(get(known[base].model).Config)}
    suited = _SUITED | _SUITED_OF.get(known[base].model, {})
    settings = {key: value for key, value in suited.items() if key in names}
    settings |= dict(known[base].settings) | dict(_parse(setting) for setting in written)
    return replace(known[base], name=name, settings=settings)


def _parse(setting: str) -> tuple[str, Any]:
    key, found, value = setting.partition("=")
    if not found:
        raise ConfigError(f"contender setting {setting!r}: write name=value, such as width=64")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"contender setting {setting!r}: not a YAML value") from error
