"""An LSTM in both directions over padded rows, each read up to its own length."""

from typing import Any

import torch
from torch import Tensor, nn


def reverse_rows(*, values: Tensor, lengths: Tensor) -> Tensor:
    """Turn round the first steps of each row; those behind them stay where they are.

    Parameters
    ----------
    values : Tensor, shape (B, L, D)
        Sequences.
    lengths : Tensor of int64, shape (B,)
        How many steps of each are turned round, 0 to L.

    Returns
    -------
    Tensor, shape (B, L, D)
        Of each row with n steps: n-1, ..., 0, n, ..., L-1.
    """
    steps = torch.arange(values.shape[1], device=values.device)
    count = lengths[:, None]
    order = torch.where(steps < count, count - 1 - steps, steps)
    return torch.gather(values, 1, order[..., None].expand_as(values))


class BidirectionalLSTM(nn.Module):
    """One layer in both directions, each from the zero state, over the first steps of each row.

    Parameters
    ----------
    input_width : int
        Width of a step, >= 1.
    width : int
        Width h of the state in one direction, >= 1.

    Notes
    -----
    Same function as a bidirectional ``torch.nn.LSTM`` of packed sequences, whose weights it loads,
    too. That one goes step by step on a CPU, several times slower, and needs the lengths on the
    host, for which a GPU is waited for; here each direction is one call on padded rows, of which
    the second is given every row turned round.
    """

    def __init__(self, *, input_width: int, width: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(input_width, width, batch_first=True)
        self.backwards = nn.LSTM(input_width, width, batch_first=True)
        self.register_load_state_dict_pre_hook(_divide_by_direction)  # type: ignore[no-untyped-call]

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read the rows.

        Parameters
        ----------
        values : Tensor, shape (B, L, input_width)
            Sequences of L >= 1 steps.
        lengths : Tensor of int64, shape (B,)
            Steps of each, 0 to L.

        Returns
        -------
        states : Tensor, shape (B, L, 2 h)
            Of each step forwards and backwards; meaningless behind a row's last step.
        last : Tensor, shape (B, 2 h)
            After the last step forwards, after the first step backwards; zeros for a row without
            any.
        """
        there, _ = self.forwards(values)
        back, _ = self.backwards(reverse_rows(values=values, lengths=lengths))
        rows = torch.arange(len(lengths), device=lengths.device)
        ends = (lengths - 1).clamp(min=0)
        last = torch.cat([there[rows, ends], back[rows, ends]], dim=1) * (lengths > 0)[:, None]
        return torch.cat([there, reverse_rows(values=back, lengths=lengths)], dim=2), last


def _divide_by_direction(_: nn.Module, weights: dict[str, Any], prefix: str, *__: Any) -> None:
    """Rename the weights of a bidirectional LSTM of torch."""
    for name in [one for one in weights if one.startswith(prefix)]:
        plain = name.removeprefix(prefix)
        if "." not in plain:
            direction = "backwards" if plain.endswith("_reverse") else "forwards"
            ours = f"{prefix}{direction}.{plain.removesuffix('_reverse')}"
            weights[ours] = weights.pop(name)
