"""Word pieces of what is said, for a BERT that is trained along."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from extractors.bert import load_tokenizer, split_words
from extractors.sequence import FeatureSequence
from pipeline.formats.utterance import Utterance, counted


def with_token_ids(utterances: Iterable[Utterance], *, text_model: str) -> Iterator[Utterance]:
    """Put the numbers of word pieces in the place of text features.

    Parameters
    ----------
    utterances : iterable of Utterance
        With ``text``; those without any lose their text.
    text_model : str
        Whose vocabulary: ``"minilm"``, the folder of a saved BERT, or a name in the local cache.

    Yields
    ------
    Utterance
        In the same order. ``features["text"]`` has the column ``token_id`` as the extractor
        ``bert_tokens`` gives it, without [CLS] and [SEP]; its rows are numbered.

    Raises
    ------
    MissingModelError
        If the vocabulary is not on this machine.
    """
    tokenizer = load_tokenizer(text_model)
    for utterance in utterances:
        features = {name: rows for name, rows in utterance.features.items() if name != "text"}
        token_ids, _ = split_words(tokenizer=tokenizer, words=utterance.text.split())
        if len(token_ids):
            features["text"] = FeatureSequence(
                values=token_ids.astype(np.float32)[:, None],
                times=counted(len(token_ids)),
                names=("token_id",),
                valid=np.ones(len(token_ids), np.bool_),
            )
        yield replace(utterance, features=features)
