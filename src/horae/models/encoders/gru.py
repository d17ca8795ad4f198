"""The GRU over a history, plain or with attention over its states.

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

__all__ = ["GRU", "GRUSettings"]


@dataclass(frozen=True)
class GRUSettings:
    """Keys of `[model]` with `encoder = "gru"`."""

    num_layers: int = field(default=1, metadata={"doc": "Recurrent layers, one above the other."})
    attention: AttentionKind = field(
        default="none", metadata={"doc": "How each state looks back at the states before it: none, dot or additive."}
    )

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise RecipeError(f"[model] num_layers = {self.num_layers}: expected at least 1.", hint="Raise num_layers.")

    def check_dim(self, dim: int) -> None:
        """See `EncoderSettings`; any width will do."""


class GRU(nn.Module):
    """A GRU as wide as its input, with dropout before it, between its layers and after it.

    With `s` the logistic function:

        r_t = s(W_r x_t + b_r + U_r h_t-1 + c_r)            how much of the past the candidate sees
        z_t = s(W_z x_t + b_z + U_z h_t-1 + c_z)            how much of the past stays
        n_t = tanh(W_n x_t + b_n + r_t * (U_n h_t-1 + c_n))
        h_t = (1 - z_t) * n_t + z_t * h_t-1

    Shape:
        x_BLD -> h_BLD. Padding at the right is run through and never reaches a real position.

    Source: Cho et al. 2014 (arXiv:1406.1078), section 2.3; Hidasi et al. 2016 (arXiv:1511.06939) for recommending.
    Differs: the reset gate acts after the product with `U_n`, and `z` keeps the past where the paper's keeps the new
        (both as in torch and cuDNN); trained on every position of a user's window, not on session-parallel batches.
    """

    causal = True

    def __init__(self, settings: GRUSettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__()
        self.max_len = max_len
        between = dropout if settings.num_layers > 1 else 0.0
        self.cells = nn.GRU(dim, dim, settings.num_layers, batch_first=True, dropout=between)
        self.attention = state_attention(settings.attention, dim)
        self.dropout = Dropout(dropout)
        init_gru(self.cells)

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`; times are not looked at."""
        h_BLD, _ = self.cells(self.dropout(x_BLD))
        enriched: Tensor = self.dropout(self.attention(h_BLD))
        return enriched

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`."""
        return last_state(h_BLD, length_B)


def init_gru(cells: nn.GRU) -> None:
    """Input weights Glorot uniform, recurrent weights orthogonal gate by gate, biases 0."""
    for name, parameter in cells.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
        else:
            init = nn.init.xavier_uniform_ if name.startswith("weight_ih") else nn.init.orthogonal_
            for gate in parameter.data.chunk(3):
                init(gate)
