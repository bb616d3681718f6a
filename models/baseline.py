"""What the baselines have in common: where text comes from, the task's loss, learning rates."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from torch import nn

from models.base import Losses, Output, SentimentModel
from models.batch import Batch, PaddedSequence
from models.class_output import check_classes, scores_of, task_loss
from models.losses.regression import RegressionKind
from models.text_reader import TextReader


@dataclass(frozen=True, kw_only=True)
class BaselineConfig:
    """Hyper-parameters that all baselines have.

    Values are checked by the endings of their names, those of subclasses too.

    Parameters
    ----------
    text_model : str or None
        BERT that is trained with the model, as in :class:`models.bert.BertTransformer`; without it
        stored text features are read.
    max_pieces : int
        Word pieces that such a BERT reads of an utterance, >= 1.
    text_rate : float
        Learning rate of the BERT in units of the run's, > 0.
    regression : {"l1", "mse"}
        Error of the task.
    classes : tuple of str
        Names of classes, for the models that predict some; cross entropy is then the error. Targets
        are their numbers.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    text_model: str | None = None
    max_pieces: int = 50
    text_rate: float = 0.05
    regression: RegressionKind = "l1"
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rules: dict[tuple[str, ...], Callable[[float], bool]] = {
            ("width", "layers", "heads", "rank", "stride", "max_pieces"): lambda value: value >= 1,
            ("dropout",): lambda value: 0.0 <= value < 1.0,
            ("_rate", "_limit", "beta"): lambda value: value > 0.0,
            ("_weight",): lambda value: value >= 0.0,
        }
        wrong = {
            name: getattr(self, name)
            for endings, fits in rules.items()
            for name in self.__dataclass_fields__
            if name.endswith(endings) and not fits(getattr(self, name))
        }
        if self.regression not in get_args(RegressionKind):
            wrong["regression"] = self.regression
        if wrong:
            raise ValueError(f"values outside their range: {wrong}")
        check_classes(self.classes)


class Baseline(SentimentModel):
    """A model whose loss is the error of the task; what it predicts is up to subclasses.

    Parameters
    ----------
    config : BaselineConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width. That of text does not matter with a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "baseline"  # registered are subclasses alone
    Config = BaselineConfig
    config: BaselineConfig

    def __init__(self, config: BaselineConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.text_reader = self._text_reader()

    def _text_reader(self) -> TextReader | None:
        if "text" not in self.modalities:
            return None
        return TextReader(
            self.config.text_model,
            max_pieces=self.config.max_pieces,
            input_width=self.dimensions["text"],
        )

    def text_parameters(self) -> list[nn.Parameter]:
        """List the parameters that :attr:`BaselineConfig.text_rate` is for.

        Returns
        -------
        list of Parameter
            Those of a BERT; none without.
        """
        return [] if self.text_reader is None else list(self.text_reader.parameters())

    @property
    def reads_token_ids(self) -> bool:
        """Whether there is a BERT inside."""
        return self.config.text_model is not None and "text" in self.modalities

    @property
    def widths(self) -> dict[str, int]:
        """Modality to the width of a step of :meth:`read`."""
        if self.text_reader is None:
            return dict(self.dimensions)
        return {**self.dimensions, "text": self.text_reader.width}

    def read(self, batch: Batch) -> dict[str, PaddedSequence]:
        """Get the sequences of a batch.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities; with token ids for a
            ``text_model``.

        Returns
        -------
        dict of str to PaddedSequence
            Modality to its frames, to stored text features or to a BERT's hidden states.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        self.require_modalities(batch)
        found = {name: batch.sequences[name] for name in self.modalities if name != "text"}
        if self.text_reader is None:
            return found
        text = self.text_reader(batch)
        return {"text": PaddedSequence(values=text.values, mask=text.mask), **found}

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the error of the task.

        Parameters
        ----------
        batch : Batch
            What was predicted; a batch without any target is legal, and trains nothing.
        output : Output
            What :meth:`forward` returned for it.
        progress : float
            Not used.

        Returns
        -------
        Losses
            ``task``.
        """
        task = task_loss(scores=scores_of(output), batch=batch, kind=self.config.regression)
        return Losses(terms={"task": task}, weights={"task": 1.0})

    def parameter_groups(self, learning_rate: float) -> Iterable[dict[str, Any]]:
        """Give a BERT a rate of its own.

        Parameters
        ----------
        learning_rate : float
            The run's base rate, > 0.

        Returns
        -------
        iterable of dict
            All parameters but the BERT's, and the BERT's if there is one.
        """
        text = self.text_parameters()
        apart = {id(parameter) for parameter in text}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in apart]
        groups = [{"params": rest, "lr": learning_rate}]
        if text:
            groups.append({"params": text, "lr": self.config.text_rate * learning_rate})
        return groups
