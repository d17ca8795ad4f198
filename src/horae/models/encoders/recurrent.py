"""What the GRU and the LSTM share: a recurrent cell over a history, plain or with attention over its states.

In: one vector per event. Out: one state per event that carries what came before. Knows order, not time. Does not know
items, nor which cell it runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from horae.errors import RecipeError
from horae.models.encoders import last_state
from horae.models.encoders.attention import AttentionKind, state_attention
from horae.models.encoders.dropout import Dropout

__all__ = ["Recurrent", "RecurrentSettings", "init_cells"]


@dataclass(frozen=True)
class RecurrentSettings:
    """Keys of `[model]` with `encoder = "gru"` or `encoder = "lstm"`."""

    num_layers: int = field(default=1, metadata={"doc": "Recurrent layers, one above the other."})
    attention: AttentionKind = field(
        default="none", metadata={"doc": "How each state looks back at the states before it: none, dot or additive."}
    )

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise RecipeError(f"[model] num_layers = {self.num_layers}: expected at least 1.", hint="Raise num_layers.")

    def check_dim(self, dim: int) -> None:
        """See `EncoderSettings`; any width will do."""


class Recurrent(nn.Module):
    """A cell as wide as its input, with dropout before it, between its layers and after it.

    Shape:
        x_BLD -> h_BLD. Padding at the right is run through and never reaches a real position.
    """

    causal = True

    def __init__(
        self, cell: type[nn.GRU] | type[nn.LSTM], settings: RecurrentSettings, dim: int, max_len: int, dropout: float
    ) -> None:
        super().__init__()
        self.max_len = max_len
        between = dropout if settings.num_layers > 1 else 0.0
        self.cells = cell(dim, dim, settings.num_layers, batch_first=True, dropout=between)
        self.attention = state_attention(settings.attention, dim)
        self.input_dropout = Dropout(dropout, of_inputs=True)
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """See `Encoder`; times are not looked at."""
        h_BLD, _ = self.cells(self.input_dropout(x_BLD))
        enriched: Tensor = self.dropout(self.attention(h_BLD))
        return enriched

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`."""
        return last_state(h_BLD, length_B)


def init_cells(cells: nn.GRU | nn.LSTM, gates: int) -> None:
    """Input weights Glorot uniform, recurrent weights orthogonal gate by gate, biases 0."""
    for name, parameter in cells.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
        else:
            init = nn.init.xavier_uniform_ if name.startswith("weight_ih") else nn.init.orthogonal_
            for gate in parameter.data.chunk(gates):
                init(gate)
