"""DLF: disentangled-language-focused sentiment analysis (Wang et al., AAAI 2025).

===============================  ================================================================
paper                            code
===============================  ================================================================
X_m, m in {L, V, A}              ``convolutions``, part ``"Z"`` (its mean over steps)
shared encoder and features      ``decoupler.shared``, part ``"S"`` (mean): one transformer for all
                                 modalities
specific encoders and features   ``decoupler.private``, part ``"P"`` (mean)
L_r, decoders                    term ``reconstruction``, ``decoupler.decoders``
L_s                              term ``cycle``
L_m                              term ``margin``,
                                 :func:`models.losses.label_margin.label_margin_loss`
L_o                              term ``orthogonality``,
                                 :func:`models.losses.steps.step_orthogonality_loss`
L_d                              ``reconstruction_weight`` to ``margin_weight``: 0.1 (L_r + L_s
                                 + 0.1 (L_m + L_o))
language-focused attractor       ``DLF._attract``: ``crossmodal``, ``<source>_to_text``, and
                                 ``self_attention``, the last step
shared prediction                term ``shared_task``
specific predictions             terms ``private_task_<modality>``, that of text with
                                 ``text_task_weight``
L_MSA                            the sum of the terms whose names have ``task`` in them
===============================  ================================================================

How the symbols are computed is told by the authors' code; where it and this differ:

====================  ===============================  ==========================================
item                  authors' code                    here
====================  ===============================  ==========================================
L_r, L_s              means over all steps, padding    means over valid steps
                      too
L_m                   of a linear map of all padded    of a linear map of their mean, of clips
                      steps side by side               that have a label and the modality
L_o                   positive part of the cosine of   positive part of the cosine of each step
                      every 50 (CMU-MOSI: a step) or
                      10 (CMU-MOSEI: a fifth)
                      features
heads of single       there, in no loss                none
shared codes
text to itself        self-attention alone             the same
what is gated         features behind the private      the same
                      heads' blocks
text                  BERT, trained at the rate of     the same with ``text_model``, else stored
                      the rest                         features
frames                aligned with words               unaligned; ``audio_stride`` and
                                                       ``vision_stride`` averaged into one
a clip without a      no such case                     zeros in the place of what is made of it,
modality                                               and no error of its head; without text,
                                                       that of all three
gradient, optimiser   clipped by value, Adam           clipped by norm, AdamW
fewer modalities      no such case                     text is needed, others are left out
====================  ===============================  ==========================================

Transformers differ from the authors' as :mod:`models.mult` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from models.base import Losses, Output, register
from models.batch import Batch, PaddedSequence
from models.decoupled_baseline import DecoupledBaseline
from models.decoupled_config import DecoupledConfig
from models.decoupler import DecoupledSteps
from models.errors import ModelError
from models.last_step import last_step


@dataclass(frozen=True, kw_only=True)
class DLFConfig(DecoupledConfig):
    """Hyper-parameters of :class:`DLF`, besides those it shares with DMD.

    The default sizes are those that the authors publish, with less dropout; ``configs/dlf_*.yaml``
    has all that they publish for CMU-MOSI and CMU-MOSEI. ``layers`` is the depth of encoders and of
    the attention of text to other modalities, ``self_attention_layers`` that of shared codes and of
    text to itself.

    Parameters
    ----------
    attractor_layers : int
        Depth of the self-attention over what text has seen of another modality, >= 1.
    text_task_weight : float
        Weight of the error of the text's own head, >= 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    attractor_layers: int = 3
    text_task_weight: float = 3.0


@register
class DLF(DecoupledBaseline):
    """Private codes of all modalities are looked at from the text's steps.

    Parameters
    ----------
    config : DLFConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; text and any others. That of text does not matter with a
        ``text_model``.

    Raises
    ------
    ModelError
        If text is not among the modalities, or there is no such ``text_model``.
    """

    name = "dlf"
    Config = DLFConfig
    config: DLFConfig

    def __init__(self, config: DLFConfig | None, dimensions: Mapping[str, int]) -> None:
        if "text" not in dimensions:
            raise ModelError(
                f"model 'dlf' reads text, the data has {sorted(dimensions)}; use another model, "
                "such as 'dmd', or give it text"
            )
        super().__init__(config, dimensions)
        settings = self.config
        others = [name for name in self.modalities if name != "text"]
        self.crossmodal = nn.ModuleDict(
            {f"{name}_to_text": self._transformer(name, settings.layers) for name in others}
        )
        depths = {"text": settings.self_attention_layers}
        depths |= dict.fromkeys(others, settings.attractor_layers)
        self.self_attention = nn.ModuleDict(
            {name: self._transformer("text", depth) for name, depth in depths.items()}
        )

    @property
    def _private_width(self) -> int:
        return self.config.step_width

    def _encoder(self, modality: str | None) -> nn.Module:
        return self._transformer(modality or "text", self.config.layers)

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
            With the parts ``"S"``, ``"P"`` and ``"Z"``.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        codes = self.decouple(batch)
        heads = {
            name: self.private_heads[name](self._attract(name, codes)) for name in self.modalities
        }
        return self.fuse(codes, {name: head.features for name, head in heads.items()}, heads)

    def _attract(self, modality: str, codes: DecoupledSteps) -> Tensor:
        """Look at a modality from the text's steps, then at what came of it, and take the last."""
        text = codes.private["text"]
        values = text.values
        if modality != "text":
            values = self.crossmodal[f"{modality}_to_text"](text, codes.private[modality])
        hidden = self.self_attention[modality](PaddedSequence(values=values, mask=text.mask))
        return last_step(values=hidden, mask=text.mask) * codes.there[modality][:, None]

    def scored(self, codes: DecoupledSteps) -> dict[str, Tensor]:
        """Tell which clips the private heads can say something of.

        Parameters
        ----------
        codes : DecoupledSteps
            From :meth:`decouple`.

        Returns
        -------
        dict of str to Tensor of bool, shape (B,)
            Modality to the clips that have it and text.
        """
        there = codes.there
        return {name: found & there["text"] for name, found in there.items()}

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the errors of all heads and the terms of the decoupling.

        Parameters
        ----------
        batch : Batch
            What was predicted; a batch without any target is legal, and trains the rest.
        output : Output
            What :meth:`forward` returned for it.
        progress : float
            Not used.

        Returns
        -------
        Losses
            Those of :class:`models.decoupled_baseline.DecoupledBaseline`.
        """
        common = super().losses(batch, output, progress)
        weights = {**common.weights, "private_task_text": self.config.text_task_weight}
        return Losses(terms=common.terms, weights=weights)
