"""Mean squared reconstruction error."""

from torch import Tensor

from models.errors import ModelError


def reconstruction_loss(
    *, reconstruction: Tensor, target: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Mean squared error, over all values or over those of the masked-in items.

    Parameters
    ----------
    reconstruction, target : Tensor, shape (..., d)
        What was rebuilt and what it should be.
    mask : Tensor of bool, shape (...), optional
        True for the items that count; all of them without it.

    Returns
    -------
    Tensor
        Scalar >= 0.

    Raises
    ------
    ModelError
        If the shapes differ or the mask is False throughout: the mean of nothing is not a number.

    Notes
    -----
    MInD eq. 13.
    """
    if reconstruction.shape != target.shape:
        raise ModelError(
            f"reconstruction has shape {tuple(reconstruction.shape)}, the target "
            f"{tuple(target.shape)}; they must be equal"
        )
    error = (reconstruction - target).square()
    if mask is None:
        return error.mean()
    if mask.shape != target.shape[:-1]:
        raise ModelError(
            f"mask has shape {tuple(mask.shape)}, a target of shape {tuple(target.shape)} needs "
            f"{tuple(target.shape[:-1])}"
        )
    if not mask.any():
        raise ModelError(
            f"the mask of shape {tuple(mask.shape)} is False throughout; leave the term out for "
            "a batch without any item to rebuild"
        )
    return error[mask].mean()
