"""Contrast that pulls what modalities share together and pushes what they do not share away."""

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_decomposition_loss(
    *,
    similar: Tensor,
    dissimilar: Tensor,
    present: Tensor,
    positives: Tensor,
    negatives: Tensor,
    temperature: float = 0.5,
) -> Tensor:
    """NT-Xent over pairs within a clip and between clips, with the first modality at the centre.

    A positive pair of an anchor a and a code p costs ``-log(e^(c(a, p) / t) / (e^(c(a, p) / t) +
    sum_n e^(c(a, n) / t)))``, with c the cosine and n the anchor's negatives; the mean over all
    positive pairs. The pairs, with s similar and d dissimilar codes and modality 0 the first one:

    - within a clip: s_0 and every other s_m are positive;
    - between clips: s_m of a clip and s_m of its positive neighbours are positive;
    - negatives of s_m: s_m of the clip's negative neighbours, and for s_0 all d_m of its clip too.

    Parameters
    ----------
    similar, dissimilar : Tensor, shape (M, B, d)
        Codes of M modalities, the central one first.
    present : Tensor of bool, shape (M, B)
        Which modalities a clip has; codes of others are in no pair.
    positives, negatives : Tensor of bool, shape (B, B)
        Neighbours j of clip i, disjoint and without i itself.
    temperature : float
        t, > 0.

    Returns
    -------
    Tensor
        Scalar >= 0. It is the loss of supervised contrast, in each modality, without dissimilar
        codes and pairs within clips; without neighbours it looks at each clip by itself, and at
        one modality alone it has nothing to look at then: 0 with a gradient of 0, as without any
        positive pair. If all codes are the same, a pair costs log(1 + its anchor's negatives).

    Raises
    ------
    ValueError
        If the temperature is not positive.

    Notes
    -----
    Yang et al., ConFEDE, ACL 2023, the contrastive loss, with the pairs of the authors' code;
    NT-Xent is equation 1 of Chen et al., SimCLR, ICML 2020.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    similar, dissimilar = F.normalize(similar, dim=2), F.normalize(dissimilar, dim=2)
    together = present[:, :, None] & present[:, None, :]
    between = similar @ similar.transpose(1, 2) / temperature
    within = (similar[0] * similar).sum(dim=2) / temperature
    apart = (similar[0] * dissimilar).sum(dim=2) / temperature

    lowest = torch.finfo(between.dtype).min / 2.0  # e^lowest is 0, its gradient not NaN
    pushed = between.masked_fill(~(negatives & together), lowest).logsumexp(dim=2)
    parted = apart.masked_fill(~present, lowest).logsumexp(dim=0)
    central = torch.logaddexp(pushed[0], parted)
    pushed = torch.cat([central[None], pushed[1:]])

    costs_between = F.softplus(pushed[:, :, None] - between)[positives & together]
    costs_within = F.softplus(central - within)[1:][(present & present[0])[1:]]
    costs = torch.cat([costs_between, costs_within])
    # without any pair there is still a graph to go back through
    return (costs.sum() + 0.0 * similar.sum()) / max(1, len(costs))
