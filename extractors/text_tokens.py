"""Token ids of a clip's transcript, for models that train their text encoder."""

import functools
from typing import Any

import numpy as np

from extractors.base import Extractor, register
from extractors.bert import find_model, load_tokenizer, split_words, tokenizer_digest
from extractors.media import Media
from extractors.sequence import FeatureSequence
from extractors.text import TextConfig
from extractors.word_pieces import spread_over_pieces


@register
class TokenExtractor(Extractor):
    """Number in BERT's vocabulary of every word piece of the transcript.

    The rows are those of the extractor ``bert``; [CLS] and [SEP] are left to the model that reads
    them. The one column ``token_id`` holds whole numbers, which float32 holds exactly up to 2**24.

    Parameters
    ----------
    config : TextConfig, optional
        Whose vocabulary; the embedded model's without it.
    """

    name = "bert_tokens"
    version = 1
    modality = "text"
    source = "words"
    libraries = ("tokenizers", "transformers")
    Config = TextConfig

    @functools.cached_property
    def _tokenizer(self) -> Any:
        """The tokenizer, loaded when the first clip needs it."""
        return load_tokenizer(self.config.model)

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
            If the model's vocabulary is not on this machine.
        """
        words = [word.text for word in media.words]
        token_ids, word_of_piece = split_words(tokenizer=self._tokenizer, words=words)
        spans = np.array([(word.start, word.end) for word in media.words], np.float64)
        return FeatureSequence(
            values=token_ids.astype(np.float32)[:, None],
            times=spread_over_pieces(word_spans=spans.reshape(-1, 2), word_of_piece=word_of_piece),
            names=("token_id",),
            valid=np.ones(len(token_ids), np.bool_),
        )

    def weights_digest(self) -> str:
        """Digest of the vocabulary.

        Returns
        -------
        str
            Hexadecimal SHA-256, remembered until the files change.

        Raises
        ------
        MissingModelError
            If the model is not on this machine.
        """
        return tokenizer_digest(find_model(self.config.model))
