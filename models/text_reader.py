"""Text as a sequence: stored features, or the hidden states of a BERT that is trained along."""

from torch import nn

from models.batch import Batch
from models.bert import BertTransformer
from models.text_transformer import EmbeddedText


class TextReader(nn.Module):
    """Where a model's text comes from.

    Parameters
    ----------
    text_model : str or None
        BERT that reads word pieces, as in :class:`models.bert.BertTransformer`; stored features
        without it.
    max_pieces : int
        Word pieces that a BERT reads of an utterance, >= 1.
    input_width : int
        Width of stored features; of no use with a BERT.

    Attributes
    ----------
    width : int
        Width of a step.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    def __init__(self, text_model: str | None, *, max_pieces: int, input_width: int) -> None:
        super().__init__()
        self.bert = (
            None
            if text_model is None
            else BertTransformer(text_model, max_pieces=max_pieces, pooler=False)
        )
        self.width = input_width if self.bert is None else self.bert.width

    def forward(self, batch: Batch) -> EmbeddedText:
        """Read.

        Parameters
        ----------
        batch : Batch
            B utterances with text.

        Returns
        -------
        EmbeddedText
            Hidden states of the last layer with those of [CLS] and [SEP], or stored features, all
            of whose steps count as pieces.
        """
        if self.bert is None:
            stored = batch.sequences["text"]
            return EmbeddedText(values=stored.values, mask=stored.mask, pieces=stored.mask)
        words = self.bert.embed(batch)
        hidden = self.bert.encode(words.values, words.mask)
        return EmbeddedText(values=hidden, mask=words.mask, pieces=words.pieces)
