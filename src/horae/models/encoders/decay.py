"""Recurrent cells that forget while nothing happens: the GRU and the LSTM with decay between events.

In: one vector per event, the events' times, and when the question after each is asked. Out: one state per event, as it
is when the question is asked. Knows order and time. Does not know items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.encoders import last_state
from horae.models.encoders.attention import state_attention
from horae.models.encoders.dropout import Dropout
from horae.models.encoders.recompute import through
from horae.models.encoders.recurrent import RecurrentSettings

__all__ = ["DecayGRU", "DecayLSTM", "DecaySettings"]

DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class DecaySettings(RecurrentSettings):
    """Keys of `[model]` with `encoder = "decay_gru"` or `encoder = "decay_lstm"`."""

    @property
    def timed(self) -> bool:
        """See `EncoderSettings`."""
        return True


class _Decaying(nn.Module):
    """Layers of a cell whose state decays from event to event, and from the last event to the question.

    Shape:
        x_BLD -> h_BLD. Padding at the right is run through and never reaches a real position. Where a time is unknown,
        nothing decays.
    """

    causal = True
    timed = True
    recomputes = True

    def __init__(
        self, cell: type[_GRULayer] | type[_LSTMLayer], settings: DecaySettings, dim: int, max_len: int, dropout: float
    ) -> None:
        super().__init__()
        self.max_len = max_len
        self.layers = nn.ModuleList(cell(dim) for _ in range(settings.num_layers))
        self.attention = state_attention(settings.attention, dim)
        self.input_dropout = Dropout(dropout, of_inputs=True)
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """See `Encoder`."""
        before_BL = F.pad(time_BL[:, :-1], (1, 0), value=torch.nan)
        gap_BL, wait_BL = _days(time_BL - before_BL), _days(request_time_BL - time_BL)
        h_BLD = self.input_dropout(x_BLD)
        for number, layer in enumerate(self.layers):
            h_BLD = self.dropout(h_BLD) if number else h_BLD
            h_BLD = through(self, layer, h_BLD, gap_BL, wait_BL)
        enriched: Tensor = self.dropout(self.attention(h_BLD))
        return enriched

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`."""
        return last_state(h_BLD, length_B)


class DecayGRU(_Decaying):
    """A GRU whose state fades before each event and before the question, each number at its own learned speed.

        g_t = exp(-relu(w * log(1 + days since the event before) + b))
        h_t = GRU(x_t, g_t * h_t-1)                         see `GRU` for the cell

    Source: Che et al. 2018 (doi:10.1038/s41598-018-24271-9), eq. 10 and 11 (GRU-D), for the decay of hidden states.
    Differs: the logarithm of the days, so that a year is not four hundred times a day; one weight per number; nothing
        fades within a moment; no decay of inputs, which are events and never missing; the state that answers has
        decayed until the question.
    """

    def __init__(self, settings: DecaySettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__(_GRULayer, settings, dim, max_len, dropout)


class DecayLSTM(_Decaying):
    """An LSTM whose cell is split into what lasts and what fades; only the latter is discounted by the time passed.

        s_t = tanh(W_d c_t-1 + b_d)                         what fades
        c*_t = c_t-1 - s_t + s_t / log(e + days since the event before)
        h_t, c_t = LSTM(x_t, h_t-1, c*_t)                   see `LSTM` for the cell

    Source: Baytas et al. 2017 (doi:10.1145/3097983.3097997), section 3.2 (T-LSTM).
    Differs: time in days; the state that answers comes from a cell discounted until the question.
    """

    def __init__(self, settings: DecaySettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__(_LSTMLayer, settings, dim, max_len, dropout)


class _GRULayer(nn.Module):
    """One layer; the inputs' part of the gates is one product for all positions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(dim, 3 * dim)
        self.from_state = nn.Linear(dim, 3 * dim)
        self.speed_D = nn.Parameter(torch.zeros(dim))
        self.offset_D = nn.Parameter(torch.full((dim,), 0.01))  # above 0, where the relu has a slope
        _init_gates(self.from_input, self.from_state, 3)

    def forward(self, x_BLD: Tensor, gap_BL: Tensor, wait_BL: Tensor) -> Tensor:
        """`h_BLD`, each as it is when its question is asked."""
        x_L = self.from_input(x_BLD).unbind(1)
        kept_L = self._kept(gap_BL).unbind(1)
        h_BD = torch.zeros_like(x_BLD[:, 0])
        states = []
        for x_BG, kept_BD in zip(x_L, kept_L, strict=True):
            h_BD = kept_BD * h_BD
            xr, xz, xn = x_BG.chunk(3, -1)
            hr, hz, hn = self.from_state(h_BD).chunk(3, -1)
            z_BD = torch.sigmoid(xz + hz)
            new_BD = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
            h_BD = new_BD + z_BD * (h_BD - new_BD)
            states.append(h_BD)
        return torch.stack(states, 1) * self._kept(wait_BL)

    def _kept(self, days_BL: Tensor) -> Tensor:
        """The share that is left, from 0 to 1; all of it where nothing is known."""
        known_BL1 = ~days_BL.isnan()[..., None]
        passed_BL1 = torch.log1p(days_BL.nan_to_num(0.0))[..., None]
        fading_BLD = F.relu(self.speed_D * passed_BL1 + self.offset_D * (passed_BL1 > 0))
        return torch.where(known_BL1, torch.exp(-fading_BLD), 1.0)


class _LSTMLayer(nn.Module):
    """One layer; the inputs' part of the gates is one product for all positions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(dim, 4 * dim)
        self.from_state = nn.Linear(dim, 4 * dim)
        self.fading = nn.Linear(dim, dim)
        _init_gates(self.from_input, self.from_state, 4)
        nn.init.ones_(self.from_input.bias.data.chunk(4)[1])  # i, f, g, o: remember until it learns to forget
        nn.init.xavier_uniform_(self.fading.weight)
        nn.init.zeros_(self.fading.bias)

    def forward(self, x_BLD: Tensor, gap_BL: Tensor, wait_BL: Tensor) -> Tensor:
        """`h_BLD`, each as it is when its question is asked."""
        lost_L = _discounted(gap_BL).unbind(1)
        h_BD = c_BD = torch.zeros_like(x_BLD[:, 0])
        cells, shown = [], []
        for x_BG, lost_B1 in zip(self.from_input(x_BLD).unbind(1), lost_L, strict=True):
            i, f, g, o = (x_BG + self.from_state(h_BD)).chunk(4, -1)
            c_BD = torch.sigmoid(f) * self._faded(c_BD, lost_B1) + torch.sigmoid(i) * torch.tanh(g)
            o_BD = torch.sigmoid(o)
            h_BD = o_BD * torch.tanh(c_BD)
            cells.append(c_BD)
            shown.append(o_BD)
        asked_BLD = self._faded(torch.stack(cells, 1), _discounted(wait_BL))
        return torch.stack(shown, 1) * torch.tanh(asked_BLD)

    def _faded(self, c: Tensor, lost: Tensor) -> Tensor:
        """The cell, what fades in it discounted."""
        return c - lost * torch.tanh(self.fading(c))


def _discounted(days_BL: Tensor) -> Tensor:
    """`lost_BL1`: the share of what fades that is gone; none where nothing is known."""
    return (1 - 1 / torch.log(torch.e + days_BL.nan_to_num(0.0)))[..., None]


def _days(seconds_BL: Tensor) -> Tensor:
    return (seconds_BL / DAY_SECONDS).float().clamp(min=0)


def _init_gates(from_input: nn.Linear, from_state: nn.Linear, gates: int) -> None:
    """As `init_cells`: gate by gate Glorot uniform from inputs, orthogonal from states; biases 0."""
    for linear, init in ((from_input, nn.init.xavier_uniform_), (from_state, nn.init.orthogonal_)):
        for gate in linear.weight.data.chunk(gates):
            init(gate)
        nn.init.zeros_(cast(Tensor, linear.bias))
