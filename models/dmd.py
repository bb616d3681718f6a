"""DMD: decoupled multimodal distilling (Li et al., CVPR 2023).

===============================  ================================================================
paper                            code
===============================  ================================================================
X~_m, m in {L, V, A}             ``convolutions``, part ``"Z"`` (its mean over steps)
X^com_m = E^com(X~_m)            ``decoupler.shared``, part ``"S"`` (mean): one for all modalities
X^prt_m = E^prt_m(X~_m)          ``decoupler.private``, part ``"P"`` (mean)
L_rec, D_m                       term ``reconstruction``, ``decoupler.decoders``
L_cyc                            term ``cycle``
L_mar                            term ``margin``,
                                 :func:`models.losses.label_margin.label_margin_loss`
L_ort                            term ``orthogonality``,
                                 :func:`models.losses.steps.step_orthogonality_loss`
L_dec                            ``reconstruction_weight`` to ``margin_weight``: 0.1 (L_rec +
                                 L_cyc + 0.1 (L_mar + L_ort))
GD-Unit, W                       ``shared_graph`` (HomoGD) and ``private_graph`` (HeteroGD),
                                 :class:`models.graph_distillation.DistillationGraph`
distillation loss                terms ``shared_distillation`` and ``private_distillation``,
                                 :func:`models.losses.graph_edges.edge_distillation_loss`, 0.05
crossmodal attention             ``crossmodal``, ``<source>_to_<target>``
what it makes of X^prt_m         :func:`models.crossmodal.retold_last_step`
L_task                           the sum of the terms whose names have ``task`` in them
===============================  ================================================================

How the symbols are computed is told by the authors' code; where it and this differ:

====================  ===============================  ==========================================
item                  authors' code                    here
====================  ===============================  ==========================================
L_rec, L_cyc          means over all steps, padding    means over valid steps
                      too
L_mar                 over triplets of any             the same, of clips that have a label and
                      modalities, margin               the modality
                      0.15 |y_i - y_k|
L_ort                 positive part of the cosine, of  its positive part, of each step over
                      each step and feature over the   features
                      batch's clips
one vector of all     a linear map of all padded       their mean, so that length does not matter
steps (L_mar, scores  steps side by side
of X^com)
edges of a graph      softmax over all six ordered     the same, over those whose two ends a clip
                      pairs, scaled by 1/8             has
weights of edges      the edges and a prior; 10 times  the same; the prior, too, is only over the
                      the squared distance of their    edges that are there
                      mean to it is added
prior                 fixed by hand: L teaches V and   the same; ``prior_temperature``
                      A, and V teaches A of private
                      codes
shared graph's        make edges and are not           the same: features behind the ReLU
features              distilled
private graph's       students' are turned away from   the same, of each clip by itself
features              teachers' (positive part of the
                      cosine), the batch's mean
teacher               detached, edges are not          the same
text                  BERT, trained at the rate of     the same with ``text_model``, else stored
                      the rest                         features
frames                aligned with words               unaligned; ``audio_stride`` and
                                                       ``vision_stride`` averaged into one
a clip without a      no such case                     does not count in what is said of the
modality                                               modality
gradient, optimiser   clipped by value, Adam           clipped by norm, AdamW
fewer modalities      no such case                     two: graphs of two edges; one: no graph, no
                                                       crossmodal transformers
====================  ===============================  ==========================================

Transformers differ from the authors' as :mod:`models.mult` says.

E^com and E^prt are linear maps of each step, so that S, P and Z are linear in each other: what a
linear probe finds in one of them is a question of rank and scale, not of two encoders' work.
"""

from collections.abc import Mapping
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import Losses, Output, register
from models.batch import Batch, PaddedSequence
from models.crossmodal import retold_last_step
from models.decoupled_baseline import DecoupledBaseline
from models.decoupler import DecoupledSteps
from models.dmd_config import DMDConfig
from models.graph_distillation import DistillationGraph
from models.losses.graph_edges import edge_distillation_loss, edge_prior_loss

# student and teacher
_TAUGHT = (("vision", "text"), ("audio", "text"))


class _StepMap(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)

    def forward(self, sequence: PaddedSequence) -> Tensor:
        mapped: Tensor = self.linear(sequence.values)
        return mapped


@register
class DMD(DecoupledBaseline):
    """Shared and private codes in each of which modalities learn from each other.

    Parameters
    ----------
    config : DMDConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "dmd"
    Config = DMDConfig
    config: DMDConfig

    def __init__(self, config: DMDConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        settings, width = self.config, self.config.step_width
        self.crossmodal = nn.ModuleDict(
            {
                f"{source}_to_{target}": self._transformer(source, settings.layers)
                for source, target in permutations(self.modalities, 2)
            }
        )
        self.self_attention = nn.ModuleDict(
            {
                name: self._transformer("text", settings.self_attention_layers, self._private_width)
                for name in self.modalities
            }
        )
        self.single_heads = nn.ModuleDict({name: self._head(width) for name in self.modalities})
        if len(self.modalities) > 1:
            self.shared_graph = self._graph(width, settings.shared_edge_width, _TAUGHT)
            self.private_graph = self._graph(
                self._private_width, settings.private_edge_width, (*_TAUGHT, ("audio", "vision"))
            )

    @property
    def _private_width(self) -> int:
        return self.config.step_width * max(1, len(self.modalities) - 1)

    def _encoder(self, modality: str | None) -> nn.Module:
        return _StepMap(self.config.step_width)

    def _graph(
        self, feature_width: int, edge_width: int, favoured: tuple[tuple[str, str], ...]
    ) -> DistillationGraph:
        return DistillationGraph(
            self.modalities,
            feature_width=feature_width,
            edge_width=edge_width,
            scale=self.config.edge_scale,
            favoured=favoured,
            temperature=self.config.prior_temperature,
        )

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
        retold = {
            name: retold_last_step(
                target=name,
                steps=codes.private,
                crossmodal=self.crossmodal,
                self_attention=self.self_attention[name],
            )
            for name in self.modalities
        }
        heads = {name: self.private_heads[name](vector) for name, vector in retold.items()}
        output = self.fuse(codes, retold, heads)
        for name, mean in output.parts["S"].items():
            single = self.single_heads[name](mean)
            output.extras[f"single_score_{name}"] = single.score
            output.extras[f"single_features_{name}"] = single.hidden
            output.extras[f"private_features_{name}"] = heads[name].features
        return output

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the errors of all heads, the terms of the decoupling and the distillation.

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
            Those of :class:`models.decoupled_baseline.DecoupledBaseline`,
            ``single_task_<modality>`` of the shared codes and, with two modalities or more,
            ``shared_distillation`` and ``private_distillation``.
        """
        common = super().losses(batch, output, progress)
        there = DecoupledSteps.of(output.extras, self.modalities).there
        terms, weights = dict(common.terms), dict(common.weights)
        for name in self.modalities:
            score = output.extras[f"single_score_{name}"]
            terms[f"single_task_{name}"] = self.task_error(batch, score, there[name])
            weights[f"single_task_{name}"] = 1.0
        if len(self.modalities) > 1:
            terms["shared_distillation"] = self._distil(
                self.shared_graph, self._of(output, "single"), there, turned_away=False
            )
            terms["private_distillation"] = self._distil(
                self.private_graph, self._of(output, "private"), there, turned_away=True
            )
            for name in ("shared_distillation", "private_distillation"):
                weights[name] = self.config.distillation_weight
        return Losses(terms=terms, weights=weights)

    def _of(self, output: Output, kind: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        scores, features = (
            {name: output.extras[f"{kind}_{what}_{name}"] for name in self.modalities}
            for what in ("score", "features")
        )
        return scores, features

    def _distil(
        self,
        graph: DistillationGraph,
        vertices: tuple[dict[str, Tensor], dict[str, Tensor]],
        there: Mapping[str, Tensor],
        *,
        turned_away: bool,
    ) -> Tensor:
        scores, features = vertices
        edges, valid = graph(scores, features, there)
        distances = torch.stack(
            [(scores[one] - scores[other].detach()).abs() for one, other in graph.pairs], dim=1
        )
        if turned_away:
            cosines = [
                F.cosine_similarity(features[one], features[other].detach(), dim=1)
                for one, other in graph.pairs
            ]
            closeness = torch.stack(cosines, dim=1).clamp(min=0.0)
            distances = distances + self.config.feature_distillation_weight * closeness
        prior = edge_prior_loss(edges=edges, prior=graph.prior, there=valid)
        taught = edge_distillation_loss(
            distances=distances, weights=edges + graph.prior, there=valid
        )
        return taught + self.config.prior_weight * prior
