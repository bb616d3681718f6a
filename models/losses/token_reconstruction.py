"""Cross-entropy of rebuilt words."""

import torch.nn.functional as F
from torch import Tensor


def token_reconstruction_loss(*, logits: Tensor, token_ids: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of word pieces over the valid positions.

    Parameters
    ----------
    logits : Tensor, shape (B, L, V)
        Scores of the V entries of the vocabulary.
    token_ids : Tensor of int64, shape (B, L)
        The true entries; any where ``mask`` is False.
    mask : Tensor of bool, shape (B, L)
        Which positions count.

    Returns
    -------
    Tensor
        Scalar >= 0, in nats: log V for equal scores; 0 with a gradient of 0 if no position counts.

    Notes
    -----
    MIRD's reconstruction of language, whose authors' code counts padding too.
    """
    if not mask.any():
        return logits.sum() * 0.0
    return F.cross_entropy(logits[mask], token_ids[mask])
