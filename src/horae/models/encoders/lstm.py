"""The LSTM over a history; see `recurrent` for what it shares with the GRU."""

from __future__ import annotations

from torch import nn

from horae.models.encoders.recurrent import Recurrent, RecurrentSettings, init_cells

__all__ = ["LSTM"]

GATES = 4


class LSTM(Recurrent):
    """An LSTM as wide as its input, with dropout before it, between its layers and after it.

    With `s` the logistic function:

        i_t = s(W_i x_t + b_i + U_i h_t-1 + c_i)            what enters the cell
        f_t = s(W_f x_t + b_f + U_f h_t-1 + c_f)            what stays in it
        g_t = tanh(W_g x_t + b_g + U_g h_t-1 + c_g)
        o_t = s(W_o x_t + b_o + U_o h_t-1 + c_o)            what is shown of it
        c_t = f_t * c_t-1 + i_t * g_t
        h_t = o_t * tanh(c_t)

    Source: Hochreiter & Schmidhuber 1997 (doi:10.1162/neco.1997.9.8.1735); the forget gate is Gers et al. 2000
        (doi:10.1162/089976600300015015).
    Differs: no peepholes; two bias vectors per gate, as torch and cuDNN have them. The forget gate's
        bias starts at 1, so that the cell remembers until it learns to forget (Jozefowicz et al. 2015,
        http://proceedings.mlr.press/v37/jozefowicz15.html).
    """

    def __init__(self, settings: RecurrentSettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__(nn.LSTM, settings, dim, max_len, dropout)
        init_cells(self.cells, GATES)
        for name, parameter in self.cells.named_parameters():
            if name.startswith("bias_ih"):
                nn.init.ones_(parameter.data.chunk(GATES)[1])  # gates in torch's order: i, f, g, o
