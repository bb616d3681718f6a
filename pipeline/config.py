"""One validated description of a run."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from extractors.base import Extractor
from extractors.base import get as get_extractor
from extractors.errors import ExtractorError
from pipeline.checkpoint import plain_model_config
from pipeline.download import DownloadConfig
from pipeline.errors import ConfigError
from pipeline.maintenance_config import MaintenanceConfig
from pipeline.retraining_config import RetrainingConfig
from pipeline.segments import SegmentConfig
from pipeline.splits import SplitConfig
from pipeline.store_files import refuse_secrets
from pipeline.time_limits import TimeLimits
from pipeline.tracking_config import TrackingConfig
from pipeline.training_config import TrainingConfig
from pipeline.word_config import WordConfig
from pipeline.workspace import Workspace

#: What is extracted when the configuration does not say.
DEFAULT_EXTRACTORS: dict[str, dict[str, Any]] = {"covarep": {}, "openface": {}, "bert": {}}
_STRICT = ConfigDict(extra="forbid", frozen=True)
#: What executes the shards of an extraction.
Runner = Literal["local", "dask", "ray"]


class ModelChoice(BaseModel):
    """Which model, with which hyper-parameters.

    Parameters
    ----------
    name : str
        Registered name.
    settings : dict
        Those of its ``Config`` that differ from the defaults.
    """

    model_config = _STRICT

    name: str = "mind"
    settings: dict[str, Any] = Field(default_factory=dict)


class RunConfig(BaseModel):
    """Everything that can be set, with defaults for all of it.

    Parameters
    ----------
    extractors : dict of str to dict
        Registered name to those settings that differ from the defaults; at most one a modality.
    model : ModelChoice
        What is trained.
    training : TrainingConfig
        How.
    retraining : RetrainingConfig
        When a candidate is trained, and what makes it the champion.
    tracking : TrackingConfig
        Where finished runs are logged.
    segments : SegmentConfig
        Where an utterance ends that has no label.
    split : SplitConfig
        How labelled clips are divided where ``labels.csv`` does not say.
    download : DownloadConfig
        Limits of what is fetched from addresses.
    words : WordConfig
        What is done about words without times and clips without words.
    store : str or None
        Folder or fsspec URL of the feature store; inside the workspace without it.
    store_options : dict
        What fsspec is to know of the store's file system besides its URL, such as
        ``endpoint_url``; secrets are read from the environment.
    runner : {"local", "dask", "ray"}
        What executes the shards of an extraction in a flow.
    runner_address : str or None
        Dask's scheduler or Ray's head node; without it a cluster that lasts as long as the flow.
    jobs : int
        Processes that extract features; 0 for one a processor core.
    stable_seconds : float
        How long ago a new video's last change must be; until then it may be half copied, is
        reported and left for the next time. For a folder that is watched: 10.
    quarantine_after : int
        How often an extractor may fail on a clip before it is not tried again; 0 for no end.
    reserve_megabytes : float
        What features and packed data leave free of a disk; what leaves less is not begun.
    maintenance : MaintenanceConfig
        How long is kept what nothing in use needs.
    wait_seconds : float
        How long a step waits while another run is at work in the workspace; then it is refused.
    hours : TimeLimits
        How long the steps of a flow may take.
    """

    model_config = _STRICT

    extractors: dict[str, dict[str, Any]] = DEFAULT_EXTRACTORS
    model: ModelChoice = ModelChoice()
    training: TrainingConfig = TrainingConfig()
    retraining: RetrainingConfig = RetrainingConfig()
    tracking: TrackingConfig = TrackingConfig()
    segments: SegmentConfig = SegmentConfig()
    split: SplitConfig = SplitConfig()
    download: DownloadConfig = DownloadConfig()
    words: WordConfig = WordConfig()
    maintenance: MaintenanceConfig = MaintenanceConfig()
    store: str | None = None
    store_options: dict[str, Any] = Field(default_factory=dict)
    runner: Runner = "local"
    runner_address: str | None = None
    jobs: int = Field(default=0, ge=0)
    stable_seconds: float = Field(default=0.0, ge=0)
    quarantine_after: int = Field(default=3, ge=0)
    reserve_megabytes: float = Field(default=64.0, ge=0)
    wait_seconds: float = Field(default=600.0, ge=0)
    hours: TimeLimits = TimeLimits()

    @field_validator("extractors")
    @classmethod
    def _check_extractors(cls, chosen: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        try:
            build_extractors(chosen)
        except (ConfigError, ExtractorError) as error:
            raise ValueError(str(error)) from error
        return chosen

    @field_validator("store_options")
    @classmethod
    def _check_store_options(cls, chosen: dict[str, Any]) -> dict[str, Any]:
        try:
            refuse_secrets(chosen)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return chosen

    @field_validator("model")
    @classmethod
    def _check_model(cls, chosen: ModelChoice) -> ModelChoice:
        try:
            plain_model_config(chosen.name, chosen.settings)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return chosen

    @property
    def reserve_bytes(self) -> int:
        """The reserve in bytes."""
        return round(self.reserve_megabytes * 1e6)

    def store_root(self, workspace: Workspace) -> str:
        """Say where features lie.

        Parameters
        ----------
        workspace : Workspace
            The workspace in use.

        Returns
        -------
        str
            Folder or URL.
        """
        return self.store or str(workspace.features)


def build_extractors(chosen: dict[str, dict[str, Any]]) -> dict[str, Extractor]:
    """Make configured extractors.

    Parameters
    ----------
    chosen : dict of str to dict
        Registered name to settings.

    Returns
    -------
    dict of str to Extractor
        By name.

    Raises
    ------
    ConfigError
        If settings are not valid, or two extractors feed one modality.
    RegistryError
        If a name is unknown.
    """
    built: dict[str, Extractor] = {}
    for name, settings in chosen.items():
        kind = get_extractor(name)
        rival = next((b.name for b in built.values() if b.modality == kind.modality), None)
        if rival is not None:
            raise ConfigError(
                f"extractors {rival!r} and {name!r} both give {kind.modality}; choose one of them"
            )
        try:
            built[name] = kind(TypeAdapter(kind.Config).validate_python(settings))
        except ValidationError as error:
            raise ConfigError(f"extractor {name!r}: {_first(error)}") from error
    if not built:
        raise ConfigError("extractors: name at least one")
    return built


def load_config(path: Path | None, settings: dict[str, Any] | None = None) -> RunConfig:
    """Read a run's description.

    Parameters
    ----------
    path : Path or None
        A YAML file; defaults without it.
    settings : dict, optional
        Dotted names to values that override the file, such as ``{"training.max_epochs": 3}``.

    Returns
    -------
    RunConfig
        Validated.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a setting is unknown or out of range; it is named.
    """
    tree: Any = {}
    if path is not None:
        try:
            tree = yaml.safe_load(path.read_bytes()) or {}
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: cannot be read as YAML ({error})") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: must hold names and values, holds a {type(tree).__name__}")
    for name, value in (settings or {}).items():
        _override(tree, name, value)
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{path or 'settings'}: {_first(error)}") from error


def _override(tree: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    if parents[:1] == ["extractors"]:
        # a setting of one extractor does not take the others away
        tree.setdefault("extractors", {name: dict(s) for name, s in DEFAULT_EXTRACTORS.items()})
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"setting {name!r}: {parent!r} holds a value, not settings")
    tree[last] = value


def _first(error: ValidationError) -> str:
    details = error.errors()[0]
    where = ".".join(str(part) for part in details["loc"])
    return f"{where}: {details['msg']}" if where else str(details["msg"])
