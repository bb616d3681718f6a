"""Which clips of a batch are like a clip, by what is known of them and by their labels."""

import torch
import torch.nn.functional as F
from torch import Tensor


def choose_neighbours(
    *, features: Tensor, target: Tensor, has_target: Tensor, count: int, class_interval: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Choose positive and negative neighbours of each clip.

    Positive are the ``count`` most similar clips of its own class; negative the ``count`` most
    similar and the ``count`` least similar clips of other classes. Similarity is the cosine of
    features, a class the label in units of ``class_interval``, rounded.

    Parameters
    ----------
    features : Tensor, shape (B, d)
        One vector a clip; takes no part in a gradient.
    target : Tensor, shape (B,)
        Labels; any value where ``has_target`` is False.
    has_target : Tensor of bool, shape (B,)
        Clips without a label have no neighbours and are none.
    count : int
        Neighbours of each of the three kinds, >= 1; fewer where there are not as many.
    class_interval : float
        Length of a class in units of the label, > 0.

    Returns
    -------
    positives, negatives : Tensor of bool, shape (B, B)
        Column j is True where clip j is a neighbour of clip i; disjoint, False on the diagonal.

    Notes
    -----
    Yang et al., ConFEDE, ACL 2023, sampling of similar and dissimilar clips.
    """
    unit = F.normalize(features.detach(), dim=1)
    similarity = unit @ unit.T
    classes = (torch.where(has_target, target, 0.0) / class_interval).round()
    own = torch.eye(len(target), dtype=torch.bool, device=target.device)
    others = has_target[:, None] & has_target[None, :] & ~own
    same = classes[:, None] == classes[None, :]
    positives = _highest(similarity, others & same, count)
    unlike = others & ~same
    negatives = _highest(similarity, unlike, count) | _highest(-similarity, unlike, count)
    return positives, negatives


def _highest(scores: Tensor, eligible: Tensor, count: int) -> Tensor:
    best = scores.masked_fill(~eligible, -torch.inf).topk(min(count, len(scores)), dim=1).indices
    chosen = torch.zeros_like(eligible).scatter(1, best, True)
    return chosen & eligible
