"""A graph of modalities whose edges say who learns how much from whom."""

from collections.abc import Mapping, Sequence
from itertools import permutations

import torch
from torch import Tensor, nn


class DistillationGraph(nn.Module):
    """Strength of the edge between each student and each teacher, for each clip.

    Each vertex is ``z = [Linear(score); Linear(features)]``; an edge is
    ``Linear([z_student; z_teacher])``, and a softmax over all edges of a clip, scaled by ``scale``,
    makes its strengths.

    Parameters
    ----------
    modalities : sequence of str
        The vertices, two or more.
    feature_width : int
        Width of a modality's features, >= 1.
    edge_width : int
        Width of either half of z, >= 1.
    scale : float
        Of the edges in front of the softmax, > 0.
    favoured : sequence of (str, str)
        Student and teacher of the edges that should be the strongest.
    temperature : float
        The prior is a softmax of 1 for favoured edges and 0 for others, divided by this, > 0.

    Attributes
    ----------
    pairs : tuple of (str, str)
        Student and teacher of the E edges: each ordered pair of modalities.
    prior : Tensor, shape (E,)
        What mean strengths should be, of sum 1.

    Notes
    -----
    Li et al., DMD, CVPR 2023, the GD-Unit.
    """

    prior: Tensor

    def __init__(
        self,
        modalities: Sequence[str],
        *,
        feature_width: int,
        edge_width: int,
        scale: float,
        favoured: Sequence[tuple[str, str]],
        temperature: float,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.pairs = tuple(permutations(modalities, 2))
        self.score_vertex = nn.Linear(1, edge_width)
        self.feature_vertex = nn.Linear(feature_width, edge_width)
        self.edge = nn.Linear(4 * edge_width, 1)
        wanted = torch.tensor([float(pair in favoured) for pair in self.pairs])
        self.register_buffer("prior", (wanted / temperature).softmax(dim=0), persistent=False)

    def forward(
        self,
        scores: Mapping[str, Tensor],
        features: Mapping[str, Tensor],
        there: Mapping[str, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Weigh the edges.

        Parameters
        ----------
        scores : mapping of str to Tensor, shape (B,)
            Modality to predicted sentiment.
        features : mapping of str to Tensor, shape (B, feature_width)
            Modality to features.
        there : mapping of str to Tensor of bool, shape (B,)
            Modality to whether each clip has it.

        Returns
        -------
        edges : Tensor, shape (B, E)
            Strengths; of sum 1 in each clip of two modalities or more, 0 where either end is not
            there.
        valid : Tensor of bool, shape (B, E)
            Whether both ends are there.
        """
        vertices = {
            name: torch.cat(
                [self.score_vertex(scores[name][:, None]), self.feature_vertex(features[name])],
                dim=1,
            )
            for name in scores
        }
        raw = [
            self.edge(torch.cat([vertices[student], vertices[teacher]], dim=1))
            for student, teacher in self.pairs
        ]
        valid = torch.stack([there[student] & there[teacher] for student, teacher in self.pairs], 1)
        # a finite filler: a softmax over nothing but -inf is not a number
        scaled = torch.where(valid, self.scale * torch.cat(raw, dim=1), -1e4)
        return torch.where(valid, scaled.softmax(dim=1), 0.0), valid
