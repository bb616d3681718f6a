"""Encoders of MIRD: the shared code behind word-wise attention, and one of each modality."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from models.batch import Batch, PaddedSequence
from models.bert import BertTransformer
from models.mird_config import MIRDConfig
from models.pooling import average_windows
from models.recurrent import RecurrentEncoder
from models.text_transformer import EmbeddedText, FeatureTransformer, TextTransformer
from models.wsa import WordwiseAttention


class MIRDEncoders(nn.Module):
    """From a batch to z^S and z^L, z^A, z^V.

    z^S is the pooled output of a text encoder whose embedded words took frames up; z^L that of
    another encoder without, z^A and z^V the last states of LSTMs. Without text, the frames of the
    first modality stand for words in z^S.

    Parameters
    ----------
    config : MIRDConfig
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    def __init__(self, config: MIRDConfig, dimensions: Mapping[str, int]) -> None:
        super().__init__()
        self.config = config
        self.dimensions = dict(dimensions)
        self.shared_encoder = self._text_encoder()
        self.shared_code = self._code(self.shared_encoder.width)
        self.attention = self._attention()
        self.language_encoder = None
        self.codes = nn.ModuleDict()
        for name, width in self.dimensions.items():
            if name != "text":
                self.codes[name] = self._recurrence(width)
            elif config.language_encoder == "lstm":
                self.codes[name] = self._recurrence(self.shared_encoder.width)
            else:
                self.codes[name] = self._code(self.shared_encoder.width)
        if "text" in self.dimensions and config.language_encoder == "own":
            self.language_encoder = self._text_encoder()

    @property
    def vocabulary_size(self) -> int | None:
        """Entries of the vocabulary; None without a BERT."""
        encoder = self.shared_encoder
        return encoder.vocabulary_size if isinstance(encoder, BertTransformer) else None

    def _text_encoder(self) -> TextTransformer:
        if self.config.text_model is not None and "text" in self.dimensions:
            return BertTransformer(
                self.config.text_model, max_pieces=self.config.max_pieces, pooler=True
            )
        words, width = next(iter(self.dimensions.items()))
        return FeatureTransformer(
            modality=words,
            input_width=width,
            width=self.config.text_width,
            layers=self.config.text_layers,
            heads=self.config.text_heads,
            dropout=self.config.text_dropout,
        )

    def _attention(self) -> WordwiseAttention | None:
        others = dict(list(self.dimensions.items())[1:])
        if self.config.attention == "none" or not others:
            return None
        return WordwiseAttention(
            width=self.shared_encoder.width,
            frame_widths=others,
            attention=self.config.attention,
            beta=self.config.beta,
            dropout=self.config.dropout,
        )

    def _code(self, width: int) -> nn.Sequential:
        return nn.Sequential(nn.Dropout(self.config.dropout), nn.Linear(width, self.config.width))

    def _recurrence(self, input_width: int) -> nn.Sequential:
        width = self.config.width
        return nn.Sequential(
            RecurrentEncoder(input_width=input_width, width=width), nn.Linear(width, width)
        )

    def text_parameters(self) -> list[nn.Parameter]:
        """List the parameters of text encoders.

        Returns
        -------
        list of Parameter
            Those of one or two encoders.
        """
        encoders = [self.shared_encoder]
        if self.language_encoder is not None:
            encoders.append(self.language_encoder)
        return [parameter for encoder in encoders for parameter in encoder.parameters()]

    def frames(self, batch: Batch) -> dict[str, PaddedSequence]:
        """Average windows of frames, which is what encoders read and decoders rebuild.

        Parameters
        ----------
        batch : Batch
            B utterances.

        Returns
        -------
        dict of str to PaddedSequence
            Modality to sequence; text as it is, and only where its features are read.
        """
        strides = {"audio": self.config.audio_stride, "vision": self.config.vision_stride}
        averaged = {}
        for name in self.dimensions:
            if name == "text" and self.vocabulary_size is not None:
                continue
            sequence = batch.sequences[name]
            values, mask = average_windows(
                values=sequence.values, mask=sequence.mask, size=strides.get(name, 1)
            )
            averaged[name] = PaddedSequence(values=values, mask=mask)
        return averaged

    def token_ids(self, batch: Batch) -> Tensor | None:
        """Get the word pieces that a BERT reads.

        Parameters
        ----------
        batch : Batch
            B utterances.

        Returns
        -------
        Tensor of int64, shape (B, L), or None
            0 where padded; None without a BERT.
        """
        encoder = self.shared_encoder
        return encoder.token_ids(batch) if isinstance(encoder, BertTransformer) else None

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Encode.

        Parameters
        ----------
        batch : Batch
            B utterances with all modalities.

        Returns
        -------
        shared : Tensor, shape (B, width)
            z^S.
        private : dict of str to Tensor, shape (B, width)
            Modality to z^m.
        """
        frames = self.frames(batch)
        batch = replace(batch, sequences=frames)
        words = self.shared_encoder.embed(batch)
        shared = self._shared(words, frames)
        private: dict[str, Tensor] = {
            name: self._language(batch, words) if name == "text" else self.codes[name](frames[name])
            for name in self.dimensions
        }
        return shared, private

    def _shared(self, words: EmbeddedText, frames: dict[str, PaddedSequence]) -> Tensor:
        values = words.values
        if self.attention is not None:
            others = {name: frames[name] for name in list(self.dimensions)[1:]}
            values = self.attention(words, others)
        pooled = _pooled(self.shared_encoder, replace(words, values=values))
        shared: Tensor = self.shared_code(pooled)
        return shared

    def _language(self, batch: Batch, words: EmbeddedText) -> Tensor:
        if self.config.language_encoder == "lstm":
            read: Tensor | PaddedSequence = PaddedSequence(values=words.values, mask=words.mask)
        elif self.language_encoder is None:
            read = _pooled(self.shared_encoder, words)
        else:
            read = _pooled(self.language_encoder, self.language_encoder.embed(batch))
        code: Tensor = self.codes["text"](read)
        return code


def _pooled(encoder: TextTransformer, words: EmbeddedText) -> Tensor:
    return encoder.pool(encoder.encode(words.values, words.mask), words.mask)
