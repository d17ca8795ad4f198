"""The GRU over a history; see `recurrent` for what it shares with the LSTM."""

from __future__ import annotations

from torch import nn

from horae.models.encoders.recurrent import Recurrent, RecurrentSettings, init_cells

__all__ = ["GRU"]

GATES = 3


class GRU(Recurrent):
    """A GRU as wide as its input, with dropout before it, between its layers and after it.

    With `s` the logistic function:

        r_t = s(W_r x_t + b_r + U_r h_t-1 + c_r)            how much of the past the candidate sees
        z_t = s(W_z x_t + b_z + U_z h_t-1 + c_z)            how much of the past stays
        n_t = tanh(W_n x_t + b_n + r_t * (U_n h_t-1 + c_n))
        h_t = (1 - z_t) * n_t + z_t * h_t-1

    Source: Cho et al. 2014 (arXiv:1406.1078), section 2.3; Hidasi et al. 2016 (arXiv:1511.06939) for recommending.
    Differs: the reset gate acts after the product with `U_n`, and `z` keeps the past where the paper's keeps the new
        (both as in torch and cuDNN); trained on every position of a user's window, not on session-parallel batches.
    """

    def __init__(self, settings: RecurrentSettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__(nn.GRU, settings, dim, max_len, dropout)
        init_cells(self.cells, GATES)
