"""The contract of a feature extractor, and the registry of all of them."""

import functools
import importlib
import pkgutil
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, TypeVar

import extractors
from extractors.errors import RegistryError
from extractors.media import Media
from extractors.sequence import FeatureSequence

Modality = Literal["text", "audio", "vision"]
Source = Literal["audio", "video", "words"]


class Extractor(ABC):
    """Turns one whole clip into one :class:`FeatureSequence`.

    A subclass holds no numeric code of its own: it reads the media, calls pure functions and
    names the columns. It is constructed once per worker process and used for many clips.

    Parameters
    ----------
    config : object, optional
        An instance of the class's ``Config``; its defaults without it.

    Attributes
    ----------
    name : str
        Registered name, stable for ever (it is part of the cache key).
    version : int
        Raised whenever the values for the same input change.
    modality : {"text", "audio", "vision"}
        Which of a model's inputs the sequence feeds.
    source : {"audio", "video", "words"}
        What of a clip is read; a clip that lacks it is not given to the extractor.
    libraries : tuple of str
        Distributions whose version can change the values.
    Config : type
        Frozen, keyword-only dataclass of settings that change the values, and of no others.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    modality: ClassVar[Modality]
    source: ClassVar[Source]
    libraries: ClassVar[tuple[str, ...]]
    Config: ClassVar[type[Any]]

    def __init__(self, config: Any = None) -> None:
        if config is not None and not isinstance(config, self.Config):
            raise TypeError(
                f"extractor {self.name!r} takes a {self.Config.__name__}, "
                f"got {type(config).__name__}"
            )
        self.config = self.Config() if config is None else config

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        wanted = ("name", "version", "modality", "source", "libraries", "Config")
        missing = [attribute for attribute in wanted if not hasattr(cls, attribute)]
        if missing:
            raise TypeError(f"{cls.__name__} must define {', '.join(missing)} as class attributes")

    @abstractmethod
    def extract(self, media: Media) -> FeatureSequence:
        """Extract the whole clip.

        Parameters
        ----------
        media : Media
            The clip; for ``source = "words"`` with its words.

        Returns
        -------
        FeatureSequence
            Rows in time order, inside the clip.

        Raises
        ------
        ExtractorError
            If the media cannot be decoded or a model is missing.
        """

    def weights_digest(self) -> str:
        """Digest of weights read from disk, part of the cache key.

        Returns
        -------
        str
            Hexadecimal SHA-256, or an empty string for an extractor without weights of its own.
        """
        return ""


ExtractorT = TypeVar("ExtractorT", bound=Extractor)
_REGISTRY: dict[str, type[Extractor]] = {}


def register(cls: type[ExtractorT]) -> type[ExtractorT]:
    """Make an extractor known by its name; used as a class decorator.

    Parameters
    ----------
    cls : type of Extractor
        The class.

    Returns
    -------
    type of Extractor
        The same class.

    Raises
    ------
    RegistryError
        If another class has that name already.
    """
    taken = _REGISTRY.get(cls.name)
    if taken is not None and taken.__qualname__ != cls.__qualname__:
        raise RegistryError(
            f"extractor name {cls.name!r} of {cls.__qualname__} is taken by "
            f"{taken.__module__}.{taken.__qualname__}; choose another name"
        )
    _REGISTRY[cls.name] = cls
    return cls


@functools.cache
def _import_all() -> None:
    for module in pkgutil.iter_modules(extractors.__path__):
        importlib.import_module(f"extractors.{module.name}")


def get(name: str) -> type[Extractor]:
    """Look an extractor up.

    Parameters
    ----------
    name : str
        Registered name.

    Returns
    -------
    type of Extractor
        The class.

    Raises
    ------
    RegistryError
        If nothing has that name; the message lists what there is.
    """
    _import_all()
    if name not in _REGISTRY:
        raise RegistryError(
            f"unknown extractor {name!r}; there are: {', '.join(sorted(_REGISTRY))}"
        )
    return _REGISTRY[name]


def available() -> tuple[str, ...]:
    """List the registered names.

    Returns
    -------
    tuple of str
        Sorted names of every extractor in this package.
    """
    _import_all()
    return tuple(sorted(_REGISTRY))
