"""The contract of a model, and the registry of all of them."""

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

import models
from models.batch import MODALITIES, Batch
from models.errors import MissingModalityError, ModelError, RegistryError


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a model says of a batch.

    Parameters
    ----------
    prediction : Tensor, shape (B,)
        Sentiment.
    parts : dict
        Disentangled representations for probes, part name (``"S"`` shared, ``"P"`` private,
        ``"N"`` noise, ``"Z"`` unimodal) to modality to Tensor of shape (B, d). A part that a
        model does not have is an absent key.
    extras : dict of str to Tensor
        What the model's own losses need besides.
    """

    prediction: Tensor
    parts: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    extras: dict[str, Tensor] = field(default_factory=dict)

    def detach(self) -> "Output":
        """Cut every tensor off its graph.

        Returns
        -------
        Output
            The same values.
        """
        parts = {
            part: {modality: code.detach() for modality, code in codes.items()}
            for part, codes in self.parts.items()
        }
        extras = {name: value.detach() for name, value in self.extras.items()}
        return replace(self, prediction=self.prediction.detach(), parts=parts, extras=extras)


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Named loss terms with the weights that make the total.

    Parameters
    ----------
    terms : dict of str to Tensor
        Scalars, unweighted.
    weights : dict of str to float
        One weight per term.

    Raises
    ------
    ModelError
        If the names of terms and weights differ.
    """

    terms: dict[str, Tensor]
    weights: dict[str, float]

    def __post_init__(self) -> None:
        if self.terms.keys() != self.weights.keys() or not self.terms:
            raise ModelError(
                f"terms {sorted(self.terms)} and weights {sorted(self.weights)} must have the "
                "same names, at least one"
            )

    @property
    def total(self) -> Tensor:
        """Weighted sum of the terms, a scalar Tensor."""
        weighted = [self.weights[name] * term for name, term in self.terms.items()]
        total = weighted[0]
        for term in weighted[1:]:
            total = total + term
        return total


class SentimentModel(nn.Module, ABC):
    """A network from padded sequences to a sentiment score.

    Parameters
    ----------
    config : object or None
        An instance of the class's ``Config``; its defaults if None.
    dimensions : mapping of str to int
        Modality to feature width, as found in the data; at least one modality.

    Attributes
    ----------
    name : str
        Registered name.
    Config : type
        Frozen, keyword-only dataclass of hyper-parameters.
    predicts_classes : bool
        Whether its configuration may name classes, which it then predicts instead of a score.
    version : int
        Raised whenever training on the same data gives other weights; part of a run's name.
    estimator_steps : int
        Steps of the estimators after each step of the model, >= 1; of no use without estimators.
    estimator_learning_rate : float
        Of the estimators' Adam, > 0.

    Raises
    ------
    ModelError
        If a modality is unknown, none is given, or a width is not positive, or classes are named
        and the model predicts scores alone.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Any]]
    predicts_classes: ClassVar[bool] = False
    version: ClassVar[int] = 1
    estimator_steps: int = 1
    estimator_learning_rate: float = 1e-3

    def __init__(self, config: Any, dimensions: Mapping[str, int]) -> None:
        super().__init__()
        if config is not None and not isinstance(config, self.Config):
            raise TypeError(
                f"model {self.name!r} takes a {self.Config.__name__}, got {type(config).__name__}"
            )
        bad = {m: d for m, d in dimensions.items() if m not in MODALITIES or d < 1}
        if bad or not dimensions:
            raise ModelError(
                f"model {self.name!r}: dimensions must map some of {list(MODALITIES)} to positive "
                f"widths, got {dict(dimensions)}"
            )
        self.config = self.Config() if config is None else config
        if getattr(self.config, "classes", ()) and not self.predicts_classes:
            raise ModelError(
                f"model {self.name!r} predicts a score, not classes; choose one of "
                f"{', '.join(with_classes())}"
            )
        self.dimensions = {m: dimensions[m] for m in MODALITIES if m in dimensions}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        missing = [name for name in ("name", "Config") if not hasattr(cls, name)]
        if missing:
            raise TypeError(f"{cls.__name__} must define {', '.join(missing)} as class attributes")

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities the model was built for, in the order of ``MODALITIES``."""
        return tuple(self.dimensions)

    @property
    def reads_token_ids(self) -> bool:
        """Whether the text is read from ``Batch.token_ids`` instead of stored features."""
        return False

    def require_modalities(self, batch: Batch) -> None:
        """Refuse a batch that lacks one of the model's modalities.

        For a model that reads token ids these are its text.

        Parameters
        ----------
        batch : Batch
            What ``forward`` was given.

        Raises
        ------
        MissingModalityError
            Naming what is missing and what is there.
        """
        there = set(batch.sequences)
        if self.reads_token_ids:
            there = there - {"text"} if batch.token_ids is None else there | {"text"}
        missing = [name for name in self.modalities if name not in there]
        if missing:
            kind = " (as token ids)" if self.reads_token_ids and "text" in missing else ""
            raise MissingModalityError(
                f"model {self.name!r} was built for {list(self.modalities)}, the batch lacks "
                f"{missing}{kind} and has {sorted(there)}; build the model for the modalities "
                "that the data has"
            )

    @abstractmethod
    def forward(self, batch: Batch) -> Output:
        """Predict.

        Parameters
        ----------
        batch : Batch
            B utterances.

        Returns
        -------
        Output
            With ``prediction`` of shape (B,).
        """

    @abstractmethod
    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute every loss term.

        Parameters
        ----------
        batch : Batch
            What was predicted.
        output : Output
            What :meth:`forward` returned for it.
        progress : float
            Share of the planned training that is done, 0 to 1.

        Returns
        -------
        Losses
            Scalars with gradients.
        """

    def parameter_groups(self, learning_rate: float) -> Iterable[dict[str, Any]]:
        """Split the parameters into optimiser groups.

        Parameters
        ----------
        learning_rate : float
            The run's base rate, > 0.

        Returns
        -------
        iterable of dict
            Keyword arguments of an optimiser's parameter groups; by default all parameters in
            one, but for those of estimators.
        """
        apart = {id(parameter) for parameter in self.estimator_parameters()}
        parameters = [p for p in self.parameters() if id(p) not in apart]
        return [{"params": parameters, "lr": learning_rate}]

    def estimator_parameters(self) -> list[nn.Parameter]:
        """Name the parameters of estimators, which have a loss and an optimiser of their own.

        An estimator measures something of the model's codes, such as their mutual information, and
        is fitted to them between the model's steps. The model's own loss must not reach its
        parameters, and they are in none of :meth:`parameter_groups`.

        Returns
        -------
        list of Parameter
            None by default.
        """
        return []

    def estimator_loss(self, batch: Batch, output: Output) -> Tensor | None:
        """Compute the loss that the estimators are fitted by.

        Parameters
        ----------
        batch : Batch
            The batch.
        output : Output
            What :meth:`forward` returned for it, detached.

        Returns
        -------
        Tensor or None
            Scalar with gradients to exactly :meth:`estimator_parameters`; None, the default, if
            there are no estimators.
        """
        return None

    def after_step(self, batch: Batch, output: Output, epoch: int) -> None:
        """Update buffers after an optimiser step; does nothing by default.

        Parameters
        ----------
        batch : Batch
            The batch.
        output : Output
            What :meth:`forward` returned for it, detached.
        epoch : int
            Epochs done, from 0.
        """


ModelT = TypeVar("ModelT", bound=SentimentModel)
_REGISTRY: dict[str, type[SentimentModel]] = {}


def register(cls: type[ModelT]) -> type[ModelT]:
    """Make a model known by its name; used as a class decorator.

    Parameters
    ----------
    cls : type of SentimentModel
        The class.

    Returns
    -------
    type of SentimentModel
        The same class.

    Raises
    ------
    RegistryError
        If another class has that name already.
    """
    taken = _REGISTRY.get(cls.name)
    if taken is not None and taken.__qualname__ != cls.__qualname__:
        raise RegistryError(
            f"model name {cls.name!r} of {cls.__qualname__} is taken by "
            f"{taken.__module__}.{taken.__qualname__}; choose another name"
        )
    _REGISTRY[cls.name] = cls
    return cls


@functools.cache
def _import_all() -> None:
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"models.{module.name}")


def get(name: str) -> type[SentimentModel]:
    """Look a model up.

    Parameters
    ----------
    name : str
        Registered name.

    Returns
    -------
    type of SentimentModel
        The class.

    Raises
    ------
    RegistryError
        If nothing has that name; the message lists what there is.
    """
    _import_all()
    if name not in _REGISTRY:
        raise RegistryError(f"unknown model {name!r}; there are: {', '.join(sorted(_REGISTRY))}")
    return _REGISTRY[name]


def with_classes() -> tuple[str, ...]:
    """List the models that predict classes where their configuration names some.

    Returns
    -------
    tuple of str
        Sorted names.
    """
    return tuple(name for name in available() if _REGISTRY[name].predicts_classes)


def available() -> tuple[str, ...]:
    """List the registered names.

    Returns
    -------
    tuple of str
        Sorted names of every model in this package.
    """
    _import_all()
    return tuple(sorted(_REGISTRY))
