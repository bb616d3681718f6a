"""Models on a data set that somebody owns, as a paper's table has them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from models.base import available, get, with_classes
from models.errors import ModelError
from pipeline.config import RunConfig, load_config
from pipeline.dataset import PackedDataset
from pipeline.errors import ConfigError, DataError, RunError
from pipeline.foreign_data import foreign_classes, load_foreign
from pipeline.presets import find_preset, models_with_presets
from pipeline.published_comparison import resolve_dataset
from pipeline.report import RunReport
from pipeline.runs import run_id, train_run
from pipeline.score_summary import SeedScores
from pipeline.split_checks import refuse_unlabelled
from pipeline.splits import SPLIT_NAMES, Split
from pipeline.training_config import Selection
from pipeline.training_state import EpochRecord

#: Name of a data set to the kind of its metrics: the usual ones, those of a group of
#: :mod:`pipeline.collection_metrics`, or of classes.
COLLECTIONS = {
    "mosi": "",
    "mosei": "",
    "sims": "sims",
    "urfunny": "two_classes",
    "mintrec": "classes",
}


@dataclass(frozen=True, kw_only=True)
class ReproducedModel:
    """One model's result.

    Parameters
    ----------
    model : str
        Registered name.
    preset : str
        File of the published settings, empty where there are none and the defaults were taken.
    text : str
        Where its text was from.
    run : str
        Its run's id.
    scores : dict of str to SeedScores
        Metric to mean, deviation and 95 % interval on the test split; empty if it failed.
    failure : str
        Why the training failed, or empty.
    """

    model: str
    preset: str
    text: str
    run: str
    scores: dict[str, SeedScores]
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What some models do on a data set.

    Parameters
    ----------
    dataset : str
        As papers call it.
    data : str
        Name of the file or folder.
    digest : str
        Of its contents.
    utterances : dict of str to int
        Labelled ones by split.
    seeds : tuple of int
        Of the trainings.
    selection : {"valid", "test_oracle"}
        How epochs were selected.
    overrides : dict of str to object
        Settings that were given beside the published ones.
    models : tuple of ReproducedModel
        In the order asked for.
    """

    dataset: str
    data: str
    digest: str
    utterances: dict[str, int]
    seeds: tuple[int, ...]
    selection: Selection
    overrides: dict[str, Any] = field(default_factory=dict)
    models: tuple[ReproducedModel, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReproductionPlan:
    """What is to be reproduced.

    Parameters
    ----------
    collection : str
        Of :data:`COLLECTIONS`.
    models : tuple of str
        Registered names; if empty those with published settings for the data set.
    seeds : int
        How many, >= 1: 0, 1, 2 and so on.
    selection : {"valid", "test_oracle"}
        Whose error selects epochs.
    text_model : str or None
        BERT that is trained along in the models that can; stored text features are read without.
    settings : dict of str to object
        Dotted names to values that override published settings, such as ``training.max_epochs``.

    Raises
    ------
    ConfigError
        If the data set or a model is unknown, or there is no seed.
    """

    collection: str
    models: tuple[str, ...] = ()
    seeds: int = 5
    selection: Selection = "valid"
    text_model: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.collection not in COLLECTIONS:
            raise ConfigError(
                f"reproduce {self.collection!r}: choose one of {', '.join(COLLECTIONS)}"
            )
        unknown = sorted(set(self.models) - set(available()))
        if unknown:
            raise ConfigError(f"unknown models {unknown}; there are {', '.join(available())}")
        scoring = sorted(set(self.models) - set(with_classes()))
        if self.of_classes and scoring:
            raise ConfigError(
                f"reproduce {self.collection}: {', '.join(scoring)} predict a score, not classes; "
                f"choose some of {', '.join(with_classes())}"
            )
        if self.seeds < 1:
            raise ConfigError(f"reproduce: {self.seeds} seeds; choose at least 1")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The models, each once."""
        return tuple(dict.fromkeys(self.models or models_with_presets(self.collection)))

    @property
    def of_classes(self) -> bool:
        """Whether the data set's utterances are of classes with names."""
        return COLLECTIONS[self.collection] == "classes"

    def trains_text(self, model: str) -> bool:
        """Tell whether a BERT is trained along in a model.

        Parameters
        ----------
        model : str
            Registered name.

        Returns
        -------
        bool
            False for models that cannot have one, too.
        """
        return self.text_model is not None and "text_model" in _fields(model)

    def config(self, model: str, *, classes: Sequence[str] = ()) -> RunConfig:
        """Read the settings of a model.

        Parameters
        ----------
        model : str
            Registered name.
        classes : sequence of str
            Names of the data set's classes.

        Returns
        -------
        RunConfig
            Published settings, or the model's defaults, with what was overridden.

        Raises
        ------
        ConfigError
            If a setting is unknown or out of range.
        """
        fixed: dict[str, Any] = {
            "model.name": model,
            "training.seeds": list(range(self.seeds)),
            "training.selection": self.selection,
        }
        if "text_model" in _fields(model):
            fixed["model.settings.text_model"] = self.text_model
        if classes:
            fixed["model.settings.classes"] = list(classes)
        if COLLECTIONS[self.collection] == "two_classes" and "regression" in _fields(model):
            fixed["model.settings.regression"] = "logistic"
        return load_config(find_preset(model, self.collection), fixed | self.settings)


def reproduce(
    plan: ReproductionPlan,
    data: Path,
    *,
    runs_folder: Path,
    packed_folder: Path | None = None,
    format_name: str | None = None,
    guard: Callable[[str], AbstractContextManager[None]] = lambda run: nullcontext(),
    on_progress: Callable[[str, int, EpochRecord], None] | None = None,
) -> Reproduction:
    """Train models on a data set with its own split; what an earlier call finished is kept.

    Every model is a run like any other.

    Parameters
    ----------
    plan : ReproductionPlan
        What is to be done.
    data : Path
        A file or folder in one of the formats of :mod:`pipeline.formats`.
    runs_folder : Path
        Receives a folder for each run.
    packed_folder : Path, optional
        Receives the packed data set, which is then memory-mapped.
    format_name : str, optional
        Registered name of the format; recognised by names without it.
    guard : callable
        Run id to a context in which nobody else trains it.
    on_progress : callable, optional
        Called with model, seed and epoch after each epoch.

    Returns
    -------
    Reproduction
        A model that cannot be trained on these data, or diverges, is a row of its own.

    Raises
    ------
    ConfigError
        If a setting is not valid.
    SourceError
        If the data set cannot be read.
    DataError
        If it lacks text or a split.
    """
    # all of them first: a setting that is wrong is told before hours of training
    classes = foreign_classes(data, format_name=format_name) if plan.of_classes else ()
    configs = {model: plan.config(model, classes=classes) for model in plan.chosen}
    read = partial(
        load_foreign, data, format_name=format_name, classes=classes, folder=packed_folder
    )
    loaded = _Loaded(plan, data, read)
    done = [
        _train(model, config, loaded, runs_folder, guard, on_progress)
        for model, config in configs.items()
    ]
    dataset, split = loaded.of(plan.chosen[0])
    return Reproduction(
        dataset=resolve_dataset(plan.collection),
        data=data.name,
        digest=dataset.digest,
        utterances={name: len(getattr(split, name)) for name in SPLIT_NAMES},
        seeds=tuple(range(plan.seeds)),
        selection=plan.selection,
        overrides=plan.settings,
        models=tuple(done),
    )


class _Loaded:
    """The data set with stored text features, and with word pieces, each read once if needed."""

    def __init__(
        self, plan: ReproductionPlan, path: Path, read: Callable[..., tuple[PackedDataset, Split]]
    ) -> None:
        self.plan, self.path, self.read = plan, path, read
        self._found: dict[bool, tuple[PackedDataset, Split]] = {}

    def of(self, model: str) -> tuple[PackedDataset, Split]:
        pieces = self.plan.trains_text(model)
        if pieces not in self._found:
            self._found[pieces] = self._read(self.plan.text_model if pieces else None)
        return self._found[pieces]

    def _read(self, text_model: str | None) -> tuple[PackedDataset, Split]:
        dataset, split = self.read(text_model=text_model)
        if "text" not in dataset.modalities:
            raise DataError(
                f"{self.path}: holds no text features; name a BERT that is trained along with "
                "--text-model, such as the folder of bert-base-uncased, or minilm"
                if text_model is None
                else f"{self.path}: holds no text"
            )
        refuse_unlabelled(split)
        return dataset, split

    def text(self, model: str) -> str:
        if self.plan.trains_text(model):
            return f"{self.plan.text_model} trained along"
        dataset, _ = self.of(model)
        return f"stored features of {dataset.dimensions['text']} columns"


def _train(
    model: str,
    config: RunConfig,
    loaded: _Loaded,
    runs_folder: Path,
    guard: Callable[[str], AbstractContextManager[None]],
    on_progress: Callable[[str, int, EpochRecord], None] | None,
) -> ReproducedModel:
    dataset, split = loaded.of(model)
    job: dict[str, Any] = {
        "dataset": dataset,
        "split": split,
        "model_name": model,
        "model_config": config.model.settings,
        "training": config.training,
    }

    def on_epoch(seed: int, record: EpochRecord) -> None:
        if on_progress is not None:
            on_progress(model, seed, record)

    run, failure, scores = run_id(**job), "", {}
    try:
        with guard(run):
            report = train_run(**job, runs_folder=runs_folder, on_progress=on_epoch)
        scores = _scores(report, COLLECTIONS[loaded.plan.collection])
    except (RunError, ConfigError, ModelError) as error:
        failure = str(error)
    preset = find_preset(model, loaded.plan.collection)
    return ReproducedModel(
        model=model,
        preset="" if preset is None else preset.name,
        text=loaded.text(model),
        run=run,
        scores=scores,
        failure=failure,
    )


def _scores(report: RunReport, kind: str) -> dict[str, SeedScores]:
    """Take the metrics of the data set from a report."""
    there = report.classes if kind in ("two_classes", "classes") else report.collection.get(kind)
    if kind and not there:
        raise RunError(
            f"run {report.id}: its labels are not those of this data set; there are only the "
            f"metrics {[*report.metric_names, *report.collection]}"
        )
    if kind in report.collection:
        return dict(report.collection[kind])
    return {
        name: SeedScores(
            mean=report.summary["test"][name].mean,
            sd=report.summary["test"][name].sd,
            interval=report.intervals["test"][name],
        )
        for name in report.metric_names
    }


def _fields(model: str) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = get(model).Config.__dataclass_fields__
    return fields
