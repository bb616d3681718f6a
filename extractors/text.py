"""BERT features of a clip's transcript."""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from extractors.base import Extractor, register
from extractors.bert import EMBEDDED_MODEL, Bert, find_model, weights_digest
from extractors.media import Media
from extractors.sequence import FeatureSequence
from extractors.word_pieces import spread_over_pieces


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Settings of :class:`TextExtractor`.

    Parameters
    ----------
    model : str
        ``"minilm"`` for the BERT that is installed with Winnow (6 layers of 384), a folder that
        ``save_pretrained`` wrote, or the name of a model in the local cache. Nothing is fetched.

    Raises
    ------
    ValueError
        If it is empty.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    model: str = EMBEDDED_MODEL

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError(f"model must name a BERT, for example {EMBEDDED_MODEL!r}; it is empty")


@register
class TextExtractor(Extractor):
    """Last hidden state of a pretrained BERT for every word piece of the transcript.

    A row is a word piece; a word's span is split evenly over its pieces. The whole transcript is
    context, [CLS] and [SEP] included, which have no rows.

    Parameters
    ----------
    config : TextConfig, optional
        Settings; the defaults without it.

    References
    ----------
    Devlin et al. (2019), "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", NAACL. Wang et al. (2020), "MiniLM: Deep Self-Attention Distillation for
    Task-Agnostic Compression of Pre-Trained Transformers", NeurIPS.
    """

    name = "bert"
    version = 2
    modality = "text"
    source = "words"
    libraries = ("tokenizers", "torch", "transformers")
    Config = TextConfig

    @functools.cached_property
    def _bert(self) -> Bert:
        """The model, loaded when the first clip needs it."""
        return Bert(self.config.model)

    def extract(self, media: Media) -> FeatureSequence:
        """Extract the whole clip.

        Parameters
        ----------
        media : Media
            A clip with words, in order of time; its media file is not opened.

        Returns
        -------
        FeatureSequence
            One row per word piece; none without words.

        Raises
        ------
        MissingModelError
            If the model is not on this machine.
        """
        names = tuple(f"bert_{column}" for column in range(self._bert.hidden_size))
        encoded = self._bert.encode([word.text for word in media.words])
        spans = np.array([(word.start, word.end) for word in media.words], np.float64)
        return FeatureSequence(
            values=encoded.hidden_states,
            times=spread_over_pieces(
                word_spans=spans.reshape(-1, 2), word_of_piece=encoded.word_of_piece
            ),
            names=names,
            valid=np.ones(len(encoded.hidden_states), np.bool_),
        )

    def weights_digest(self) -> str:
        """Digest of the model's weights.

        Returns
        -------
        str
            Hexadecimal SHA-256, remembered until the files change.

        Raises
        ------
        MissingModelError
            If the model is not on this machine.
        """
        return weights_digest(find_model(self.config.model))
