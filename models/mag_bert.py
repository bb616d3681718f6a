"""MAG-BERT: the multimodal adaptation gate inside BERT (Rahman et al., ACL 2020).

==========================  ===============================================================
paper                       code
==========================  ===============================================================
MAG: g, H, alpha, Z-bar     :class:`models.wsa.WordwiseAttention` with ``aligned`` frames,
                            behind the embeddings of :class:`models.bert.BertTransformer`
A_i, V_i of word i          :func:`models.word_alignment.proportional_alignment`
BERT's layers and pooler    the other half of :class:`models.bert.BertTransformer`
prediction                  ``Linear(Dropout(pooled))``
error                       term ``task``
==========================  ===============================================================

Where the authors' code, as MMSA has it, and this differ:

====================  ==============================  ========================================
item                  authors' code                   here
====================  ==============================  ========================================
alignment             data aligned to words           word piece j of n gets the mean of
                                                      frames j/n to (j + 1)/n
[CLS] and [SEP]       get zeros                       the same
values U a            with a bias                     without, so that nothing is added where
                                                      there are no frames
MAG's place           behind the embeddings; in the   behind the embeddings
                      paper behind any layer
error                 squared                         ``regression``, absolute by default
schedule              linear warm-up and decay        the run's
without ``text_model``  no such case                  stored features, a small transformer and
                                                      their mean: ``mag_lite`` in results
without text          no such case                    the first modality's frames are the words
====================  ==============================  ========================================

Every modality is in the words before the first layer, so there is nothing of a single modality
inside: the part ``"Z"`` is the pooled vector, the same for all modalities.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import nn

from models.base import Output, register
from models.baseline import Baseline, BaselineConfig
from models.batch import Batch, PaddedSequence
from models.bert import BertTransformer
from models.class_output import last_layers, task_output
from models.pooling import average_windows
from models.text_reader import TextReader
from models.text_transformer import FeatureTransformer, TextTransformer
from models.wsa import WordwiseAttention


@dataclass(frozen=True, kw_only=True)
class MAGBERTConfig(BaselineConfig):
    """Hyper-parameters of :class:`MAGBERT`, besides those of all baselines.

    The defaults are those published for CH-SIMS by MMSA, for the small transformer as for a BERT;
    ``configs/mag_bert_*.yaml`` has those for other data sets.

    Parameters
    ----------
    beta : float
        Longest shift of a word in units of its embedding, > 0.
    dropout : float
        Of the shifted words, in [0, 1).
    head_dropout : float
        Of the pooled vector, in [0, 1).
    frame_stride : int
        Frames averaged into one word where there is no text, >= 1.
    transformer_width, transformer_layers, transformer_heads : int
        Of the small transformer, >= 1; the width is even and a multiple of the heads.
    transformer_dropout : float
        Inside the small transformer, in [0, 1).

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    text_rate: float = 1.0
    beta: float = 1.0
    dropout: float = 0.1
    head_dropout: float = 0.1
    frame_stride: int = 8
    transformer_width: int = 128
    transformer_layers: int = 2
    transformer_heads: int = 4
    transformer_dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.transformer_width % 2 or self.transformer_width % self.transformer_heads:
            raise ValueError(
                "transformer_width must be even and a multiple of transformer_heads="
                f"{self.transformer_heads}, got {self.transformer_width}"
            )


@register
class MAGBERT(Baseline):
    """Predict from a BERT whose words are shifted by what is heard and seen meanwhile.

    Parameters
    ----------
    config : MAGBERTConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "mag_bert"
    Config = MAGBERTConfig
    predicts_classes = True
    config: MAGBERTConfig

    def __init__(self, config: MAGBERTConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.words, *others = self.modalities
        self.encoder = self._encoder()
        self.gate = (
            WordwiseAttention(
                width=self.encoder.width,
                frame_widths={name: self.dimensions[name] for name in others},
                attention="aligned",
                beta=self.config.beta,
                dropout=self.config.dropout,
            )
            if others
            else None
        )
        self.head = nn.Sequential(
            nn.Dropout(self.config.head_dropout),
            *last_layers(width=self.encoder.width, classes=self.config.classes),
        )

    def _text_reader(self) -> TextReader | None:
        # words are shifted inside the text encoder, which is therefore the model's own
        return None

    def _encoder(self) -> TextTransformer:
        settings = self.config
        if self.reads_token_ids and settings.text_model is not None:
            return BertTransformer(settings.text_model, max_pieces=settings.max_pieces, pooler=True)
        return FeatureTransformer(
            modality=self.words,
            input_width=self.dimensions[self.words],
            width=settings.transformer_width,
            layers=settings.transformer_layers,
            heads=settings.transformer_heads,
            dropout=settings.transformer_dropout,
        )

    def text_parameters(self) -> list[nn.Parameter]:
        """List the BERT's parameters; see :meth:`.baseline.Baseline.text_parameters`."""
        return list(self.encoder.parameters()) if self.reads_token_ids else []

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities; with token ids for a
            ``text_model``.

        Returns
        -------
        Output
            With the part ``"Z"``, the pooled vector under the name of each modality.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        self.require_modalities(batch)
        words = self.encoder.embed(self._with_fewer_frames(batch))
        values = words.values
        if self.gate is not None:
            values = self.gate(words, {name: batch.sequences[name] for name in self.modalities[1:]})
        pooled = self.encoder.pool(self.encoder.encode(values, words.mask), words.mask)
        return task_output(self.head(pooled), parts={"Z": dict.fromkeys(self.modalities, pooled)})

    def _with_fewer_frames(self, batch: Batch) -> Batch:
        """Average windows of the frames that stand for words."""
        if self.words == "text":
            return batch
        frames = batch.sequences[self.words]
        values, mask = average_windows(
            values=frames.values, mask=frames.mask, size=self.config.frame_stride
        )
        averaged = PaddedSequence(values=values, mask=mask)
        return replace(batch, sequences={**batch.sequences, self.words: averaged})
