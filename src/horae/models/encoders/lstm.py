"""The LSTM over a history, plain or with attention over its states.

In: one vector per event. Out: one state per event that carries what came before. Knows order, not time. Does not know
items.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from horae.errors import RecipeError
from horae.models.encoders import last_state
from horae.models.encoders.attention import AttentionKind, state_attention
from horae.models.encoders.dropout import Dropout

__all__ = ["LSTM", "LSTMSettings"]


@dataclass(frozen=True)
class LSTMSettings:
    """Keys of `[model]` with `encoder = "lstm"`."""

    num_layers: int = field(default=1, metadata={"doc": "Recurrent layers, one above the other."})
    attention: AttentionKind = field(
        default="none", metadata={"doc": "How each state looks back at the states before it: none, dot or additive."}
    )

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise RecipeError(f"[model] num_layers = {self.num_layers}: expected at least 1.", hint="Raise num_layers.")

    def check_dim(self, dim: int) -> None:
        """See `EncoderSettings`; any width will do."""


class LSTM(nn.Module):
    """An LSTM as wide as its input, with dropout before it, between its layers and after it.

    With `s` the logistic function:

        i_t = s(W_i x_t + b_i + U_i h_t-1 + c_i)            what enters the cell
        f_t = s(W_f x_t + b_f + U_f h_t-1 + c_f)            what stays in it
        g_t = tanh(W_g x_t + b_g + U_g h_t-1 + c_g)
        o_t = s(W_o x_t + b_o + U_o h_t-1 + c_o)            what is shown of it
        c_t = f_t * c_t-1 + i_t * g_t
        h_t = o_t * tanh(c_t)

    Shape:
        x_BLD -> h_BLD. Padding at the right is run through and never reaches a real position.

    Source: Hochreiter & Schmidhuber 1997 (doi:10.1162/neco.1997.9.8.1735); the forget gate is Gers et al. 2000
        (doi:10.1162/089976600300015015).
    Differs: no peepholes; two bias vectors per gate, as torch and cuDNN have them.
    """

    causal = True

    def __init__(self, settings: LSTMSettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__()
        self.max_len = max_len
        between = dropout if settings.num_layers > 1 else 0.0
        self.cells = nn.LSTM(dim, dim, settings.num_layers, batch_first=True, dropout=between)
        self.attention = state_attention(settings.attention, dim)
        self.dropout = Dropout(dropout)
        init_lstm(self.cells)

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`; times are not looked at."""
        h_BLD, _ = self.cells(self.dropout(x_BLD))
        enriched: Tensor = self.dropout(self.attention(h_BLD))
        return enriched

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`."""
        return last_state(h_BLD, length_B)


def init_lstm(cells: nn.LSTM) -> None:
    """Input weights Glorot uniform, recurrent weights orthogonal gate by gate, biases 0 but for the forget gate.

    The forget gate's bias starts at 1, so that the cell remembers until it learns to forget (Jozefowicz et al. 2015,
    http://proceedings.mlr.press/v37/jozefowicz15.html).
    """
    for name, parameter in cells.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
        else:
            init = nn.init.xavier_uniform_ if name.startswith("weight_ih") else nn.init.orthogonal_
            for gate in parameter.data.chunk(4):
                init(gate)
        if name.startswith("bias_ih"):
            nn.init.ones_(parameter.data.chunk(4)[1])  # gates in torch's order: i, f, g, o
