"""EF-LSTM: early fusion, one LSTM over words with the frames that belong to them, as in MMSA.

==========================  ===============================================================
step                        code
==========================  ===============================================================
aligned sequences           :func:`models.word_alignment.proportional_alignment`
LSTM over [x_T; x_A; x_V]   ``EFLSTM.lstm``, over the valid steps alone
prediction                  ``Linear(Dropout(ReLU(Linear(Dropout(h)))))``
error                       term ``task``
==========================  ===============================================================

It has no paper of its own. Where MMSA and this differ:

====================  ==============================  ========================================
item                  MMSA                            here
====================  ==============================  ========================================
alignment             data aligned to words           word j of n gets the mean of frames
                                                      j/n to (j + 1)/n: a guess that takes
                                                      words to be equally long; data that are
                                                      aligned stay as they are
padding               read by the LSTM                left out
batch normalisation   of each step's number, over     none; features are standardised by the
                      utterances and features         training split
weight decay          Adam's, in the gradient         AdamW's, decoupled; see the configuration
without text          no such case                    the first modality's frames are the words
rows without words    no such case                    one step of the means of all frames
defaults              4 layers, dropout .5            1 layer, .1; ``configs/ef_lstm_*.yaml``
                                                      has the published ones
====================  ==============================  ========================================

Fusion comes first, so there is nothing of a single modality inside: the part ``"Z"`` is the fused
state, the same for all modalities.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from models.base import Output, register
from models.baseline import Baseline, BaselineConfig
from models.batch import Batch
from models.recurrent import gather_valid
from models.text_transformer import EmbeddedText
from models.word_alignment import proportional_alignment


@dataclass(frozen=True, kw_only=True)
class EFLSTMConfig(BaselineConfig):
    """Hyper-parameters of :class:`EFLSTM`, besides those of all baselines.

    Parameters
    ----------
    width : int
        Width of the state.
    layers : int
        LSTMs on top of each other.
    dropout : float
        Between LSTMs and around the layer behind them, in [0, 1).

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    width: int = 128
    layers: int = 1
    dropout: float = 0.1


@register
class EFLSTM(Baseline):
    """Predict from the last state of an LSTM over all modalities at once.

    Parameters
    ----------
    config : EFLSTMConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "ef_lstm"
    Config = EFLSTMConfig
    config: EFLSTMConfig

    def __init__(self, config: EFLSTMConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        width, layers, dropout = self.config.width, self.config.layers, self.config.dropout
        self.lstm = nn.LSTM(
            sum(self.widths.values()),
            width,
            num_layers=layers,
            dropout=dropout if layers > 1 else 0.0,
            batch_first=True,
        )
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, 1),
            nn.Flatten(0),
        )

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities.

        Returns
        -------
        Output
            With the part ``"Z"``, the fused state under the name of each modality.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        self.require_modalities(batch)
        words = self._words(batch)
        values = [words.values]
        for name in self.modalities[1:]:
            frames = batch.sequences[name]
            weights = proportional_alignment(steps=words.pieces, frames=frames.mask)
            values.append(weights.to(frames.values.dtype) @ frames.values)
        gathered, lengths = gather_valid(values=torch.cat(values, dim=2), mask=words.mask)
        states, _ = self.lstm(gathered)
        state = states[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        return Output(
            prediction=self.head(state), parts={"Z": dict.fromkeys(self.modalities, state)}
        )

    def _words(self, batch: Batch) -> EmbeddedText:
        """Get the steps that frames are brought to, at least one in each row."""
        if self.text_reader is None:
            first = batch.sequences[self.modalities[0]]
            words = EmbeddedText(values=first.values, mask=first.mask, pieces=first.mask)
        else:
            words = self.text_reader(batch)
        missing = int(not words.mask.shape[1])
        pieces, mask = (F.pad(steps, (0, missing)) for steps in (words.pieces, words.mask))
        lone = ~pieces.any(dim=1)
        pieces, mask = pieces.clone(), mask.clone()
        pieces[:, 0] |= lone
        mask[:, 0] |= lone
        values = F.pad(words.values, (0, 0, 0, missing))
        return EmbeddedText(values=values, mask=mask, pieces=pieces)
