"""Contrastive predictive coding: a prediction should be nearer to its own code than to others'."""

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_prediction_loss(*, codes: Tensor, predicted: Tensor) -> Tensor:
    """Cross entropy of finding the prediction of each code among those of all rows.

    ``-1/B sum_i log softmax_j(c_ij)_i`` with c_ij the cosine of ``codes_i`` and ``predicted_j``.

    Parameters
    ----------
    codes : Tensor, shape (B, d)
        What is predicted.
    predicted : Tensor, shape (B, d)
        Predictions, of the same rows.

    Returns
    -------
    Tensor
        Scalar: log B for predictions that are all the same, and never less than
        ``log(1 + (B - 1) exp(-2))``, since cosines are not divided by a temperature; 0 for a single
        row.

    Notes
    -----
    Han et al., MMIM, EMNLP 2021, the loss of the fusion level; van den Oord et al.,
    arXiv 1807.03748, equation 4. Unlike in :func:`models.losses.info_nce.info_nce_loss` codes are
    neither standardised over the batch nor sought in the other direction.
    """
    scores = F.normalize(codes, dim=1) @ F.normalize(predicted, dim=1).T
    return F.cross_entropy(scores, torch.arange(len(codes), device=codes.device))
