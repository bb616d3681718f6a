"""Text alone: the floor that every model of several modalities has to beat.

=====================  ==================================================================
step                   code
=====================  ==================================================================
text                   :class:`models.text_reader.TextReader`: a BERT trained along with
                       ``text_model``, or stored features
``Z_T``                :class:`models.frame_encoder.FrameEncoder`
prediction             ``Linear(Dropout(Z_T))``
error                  term ``task``
=====================  ==================================================================

It has no paper. Other modalities may be there, so that it runs on the data of other models; they
are not read, and a batch that lacks one of them is refused as it is by those.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from models.base import Output, register
from models.baseline import Baseline, BaselineConfig
from models.batch import Batch
from models.class_output import last_layers, task_output
from models.errors import ModelError
from models.frame_encoder import FrameEncoder


@dataclass(frozen=True, kw_only=True)
class TextOnlyConfig(BaselineConfig):
    """Hyper-parameters of :class:`TextOnly`, besides those of all baselines.

    Parameters
    ----------
    width : int
        Width of the vector.
    dropout : float
        Of the vector, in [0, 1).

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    width: int = 128
    dropout: float = 0.1


@register
class TextOnly(Baseline):
    """Predict from the text.

    Parameters
    ----------
    config : TextOnlyConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width, with text. That of text does not matter with a ``text_model``.

    Raises
    ------
    ModelError
        If the data has no text, or there is no such ``text_model``.
    """

    name = "text_only"
    Config = TextOnlyConfig
    predicts_classes = True
    config: TextOnlyConfig

    def __init__(self, config: TextOnlyConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        if "text" not in self.modalities:
            raise ModelError(
                f"model 'text_only' reads text, the data has {list(self.modalities)}; choose "
                "another model or extract the text"
            )
        self.encoder = FrameEncoder(input_width=self.widths["text"], width=self.config.width)
        self.head = nn.Sequential(
            nn.Dropout(self.config.dropout),
            *last_layers(width=self.config.width, classes=self.config.classes),
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
            With the part ``"Z"`` of text.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        Z = self.encoder(self.read(batch)["text"])
        return task_output(self.head(Z), parts={"Z": {"text": Z}})
