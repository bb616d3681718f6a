"""Decoders of MIRD: each modality rebuilt from the shared code and its own."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.losses.reconstruction import reconstruction_loss
from models.losses.token_reconstruction import token_reconstruction_loss
from models.recurrent import RecurrentDecoder


class MIRDDecoders(nn.Module):
    """L_rec^m of each modality m, by an LSTM that runs freely from [z^S; z^m].

    Parameters
    ----------
    widths : mapping of str to int
        Modality to feature width.
    vocabulary_size : int or None
        Entries of the vocabulary if word pieces are rebuilt, None if text features are.
    width : int
        Width of a code.
    """

    def __init__(
        self, *, widths: Mapping[str, int], vocabulary_size: int | None, width: int
    ) -> None:
        super().__init__()
        outputs = dict(widths)
        self.rebuilds_words = vocabulary_size is not None
        if "text" in outputs and vocabulary_size is not None:
            outputs["text"] = vocabulary_size
        self.decoders = nn.ModuleDict(
            {
                name: RecurrentDecoder(width=2 * width, output_width=size)
                for name, size in outputs.items()
            }
        )

    def forward(
        self,
        *,
        shared: Tensor,
        private: Mapping[str, Tensor],
        sequences: Mapping[str, PaddedSequence],
        token_ids: Tensor | None,
    ) -> dict[str, Tensor | None]:
        """Rebuild and compare.

        Parameters
        ----------
        shared : Tensor, shape (B, width)
            z^S.
        private : mapping of str to Tensor, shape (B, width)
            Modality to z^m.
        sequences : mapping of str to PaddedSequence
            Modality to what is to be rebuilt.
        token_ids : Tensor of int64, shape (B, L), or None
            Word pieces to be rebuilt in the place of text features, 0 where padded.

        Returns
        -------
        dict of str to Tensor or None
            Modality to the mean squared error over valid steps, or to the cross-entropy of word
            pieces in nats; None for a modality without any valid step.
        """
        errors: dict[str, Tensor | None] = {}
        for name, decoder in self.decoders.items():
            code = torch.cat([shared, private[name]], dim=1)
            if name == "text" and token_ids is not None:
                errors[name] = _word_error(decoder, code, token_ids)
            else:
                errors[name] = _frame_error(decoder, code, sequences[name])
        return errors

    def frames(
        self, *, shared: Mapping[str, Tensor], private: Mapping[str, Tensor], steps: int
    ) -> dict[str, Tensor]:
        """Rebuild the first frames of each modality, from any codes.

        Parameters
        ----------
        shared, private : mapping of str to Tensor, shape (B, width)
            Modality to z^S and to z^m, which need not belong to the same utterances.
        steps : int
            Number of frames L, >= 0.

        Returns
        -------
        dict of str to Tensor, shape (B, L, D)
            Modality to frames; text only where its features are rebuilt.
        """
        return {
            name: decoder(torch.cat([shared[name], private[name]], dim=1), steps)
            for name, decoder in self.decoders.items()
            if name != "text" or not self.rebuilds_words
        }


def _word_error(decoder: nn.Module, code: Tensor, token_ids: Tensor) -> Tensor | None:
    mask = token_ids != 0
    if not mask.any():
        return None
    logits = decoder(code, token_ids.shape[1])
    return token_reconstruction_loss(logits=logits, token_ids=token_ids, mask=mask)


def _frame_error(decoder: nn.Module, code: Tensor, sequence: PaddedSequence) -> Tensor | None:
    if not sequence.mask.any():
        return None
    rebuilt = decoder(code, sequence.mask.shape[1])
    return reconstruction_loss(reconstruction=rebuilt, target=sequence.values, mask=sequence.mask)
