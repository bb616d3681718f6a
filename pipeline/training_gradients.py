"""How strongly each term of a loss pulls at the parameters that the terms share."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def term_gradient_norms(
    *, terms: Mapping[str, Tensor], weights: Mapping[str, float], parameters: Sequence[Tensor]
) -> dict[str, float]:
    """Measure the gradient of each weighted term, before the loss is differentiated itself.

    The graph is kept, no ``grad`` is touched and nothing random is drawn, so a training is the same
    with and without it.

    Parameters
    ----------
    terms : mapping of str to Tensor
        Scalars with their graph, unweighted.
    weights : mapping of str to float
        One a term.
    parameters : sequence of Tensor
        Those that are trained.

    Returns
    -------
    dict of str to float
        2-norm over the parameters that two terms or more reach, or over all if there is only one
        term that reaches any; 0 for a term of weight 0.

    Notes
    -----
    The norms that Chen et al., GradNorm, ICML 2018, balance: ``||w_i dL_i/dW||`` over shared W.
    """
    squares = {
        name: _squares(weights[name] * term, parameters)
        for name, term in terms.items()
        if weights[name] and term.requires_grad
    }
    reached = [sum(one is not None for one in column) for column in zip(*squares.values())]  # noqa: B905
    fewest = min(2, sum(any(one is not None for one in row) for row in squares.values()))
    norms = dict.fromkeys(terms, 0.0)
    for name, row in squares.items():
        shared = [
            one for one, n in zip(row, reached, strict=True) if one is not None and n >= fewest
        ]
        norms[name] = float(torch.stack(shared).sum().sqrt()) if shared else 0.0
    return norms


def _squares(term: Tensor, parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """Sum of squares of a term's gradient, parameter by parameter; None where there is none."""
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    return [None if one is None else one.double().square().sum() for one in gradients]
