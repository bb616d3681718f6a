"""Text as embedded steps and a transformer over them, so that something can be added between."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from models.batch import Batch
from models.pooling import masked_mean
from models.transformer import TransformerLayer, sinusoidal_positions


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddedText:
    """Steps in front of a transformer.

    Parameters
    ----------
    values : Tensor, shape (B, L, d)
        Embeddings.
    mask : Tensor of bool, shape (B, L)
        True for the steps that are there.
    pieces : Tensor of bool, shape (B, L)
        True for word pieces, which [CLS] and [SEP] are not.
    """

    values: Tensor
    mask: Tensor
    pieces: Tensor


class TextTransformer(nn.Module, ABC):
    """A text encoder in two halves.

    Attributes
    ----------
    width : int
        Width d of embeddings and hidden states.
    """

    width: int

    @abstractmethod
    def embed(self, batch: Batch) -> EmbeddedText:
        """Look the words of a batch up.

        Parameters
        ----------
        batch : Batch
            B utterances with text.

        Returns
        -------
        EmbeddedText
            In front of the first layer.
        """

    @abstractmethod
    def encode(self, values: Tensor, mask: Tensor) -> Tensor:
        """Run the layers.

        Parameters
        ----------
        values : Tensor, shape (B, L, d)
            Embeddings, with or without something added.
        mask : Tensor of bool, shape (B, L)
            Steps that are there; a row without any is legal.

        Returns
        -------
        Tensor, shape (B, L, d)
            Finite hidden states.
        """

    @abstractmethod
    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Reduce hidden states to one vector.

        Parameters
        ----------
        hidden : Tensor, shape (B, L, d)
            From :meth:`encode`.
        mask : Tensor of bool, shape (B, L)
            The same mask.

        Returns
        -------
        Tensor, shape (B, d)
            One vector a row.
        """


class FeatureTransformer(TextTransformer):
    """Stored features in the place of BERT's embeddings, and a small transformer in BERT's.

    Features are projected linearly and given sinusoidal positions and a LayerNorm; the pooled
    vector is the mean over the valid steps.

    Parameters
    ----------
    modality : str
        Which sequence of a batch is read; text, if there is any.
    input_width : int
        Width of its features.
    width : int
        Width d, even and a multiple of ``heads``.
    layers, heads : int
        Of the transformer, >= 1.
    dropout : float
        Everywhere in the layers, in [0, 1).
    """

    def __init__(
        self,
        *,
        modality: str,
        input_width: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.modality = modality
        self.width = width
        self.projection = nn.Linear(input_width, width)
        self.embedding_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            TransformerLayer(
                width=width,
                heads=heads,
                attention_dropout=dropout,
                feedforward_dropout=dropout,
                residual_dropout=dropout,
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def embed(self, batch: Batch) -> EmbeddedText:
        """Project the stored features; see :meth:`TextTransformer.embed`."""
        sequence = batch.sequences[self.modality]
        projected = self.projection(sequence.values)
        positions = sinusoidal_positions(
            length=projected.shape[1], width=self.width, like=projected
        )
        values = self.embedding_norm(projected + positions)
        return EmbeddedText(values=values, mask=sequence.mask, pieces=sequence.mask)

    def encode(self, values: Tensor, mask: Tensor) -> Tensor:
        """Run the layers; see :meth:`TextTransformer.encode`."""
        # a row with nothing to attend to attends to its padding, and pooling drops it
        keys = mask | ~mask.any(dim=1, keepdim=True)
        for layer in self.layers:
            values = layer(values, keys)
        hidden: Tensor = self.norm(values)
        return hidden

    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Average over the valid steps; see :meth:`TextTransformer.pool`."""
        return masked_mean(values=hidden, mask=mask)
