"""One network for all series: an encoder over a window, and a head that gives quantiles of every bin asked about.

In: `WindowBatch`. Out: scaled quantiles. Architecture only; the encoders are those of the recommenders. Does not know
dates, losses or units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.forecasting.series.convolution import Convolution
from horae.forecasting.series.settings import SeriesNetworkSettings
from horae.forecasting.series.windows import ASKED_FEATURES, PAST_FEATURES, WindowBatch
from horae.models.encoders import last_state
from horae.models.encoders.dropout import Dropout
from horae.models.encoders.gru import GRU
from horae.models.encoders.lstm import LSTM
from horae.models.encoders.recurrent import RecurrentSettings
from horae.models.encoders.transformer import Transformer, TransformerSettings

__all__ = ["NETWORKS", "SeriesNetwork", "pinball_loss"]

SKIPPED: Final = (0.0, 1.0)
"""Where the point starts: not at the last season, but at the mean of the last four."""


def _gru(settings: SeriesNetworkSettings, window: int) -> nn.Module:
    return GRU(RecurrentSettings(settings.num_layers, "dot"), settings.dim, window, settings.dropout)


def _lstm(settings: SeriesNetworkSettings, window: int) -> nn.Module:
    return LSTM(RecurrentSettings(settings.num_layers), settings.dim, window, settings.dropout)


def _transformer(settings: SeriesNetworkSettings, window: int) -> nn.Module:
    own = TransformerSettings(num_layers=settings.num_layers, num_heads=2, ffn_multiple=2)
    return Transformer(own, settings.dim, window, settings.dropout)


def _convolution(settings: SeriesNetworkSettings, window: int) -> nn.Module:
    return Convolution(settings.num_layers - 1, settings.dim, window, settings.dropout)


NETWORKS: Final[dict[str, Callable[[SeriesNetworkSettings, int], nn.Module]]] = {
    "gru-attention": _gru,
    "lstm": _lstm,
    "convolution": _convolution,
    "transformer": _transformer,
}


class SeriesNetwork(nn.Module):
    """Encoder, then for every bin asked about: its features beside the window's state, through two layers.

    The point is a learned mixture of the last season's value and the mean of the last four, plus what the layers say;
    the bounds lie below and above it by distances that cannot be negative, so quantiles never cross.

    Shape:
        WindowBatch -> scaled_BHQ, Q being lower bound, point, upper bound.

    Source: Wen et al. 2017 (arXiv:1711.11053), section 3.2, for direct quantiles of all steps from one state, with the
        future's calendar; Park et al. 2022 (arXiv:2111.06581), for quantiles that do not cross.
    Differs: any encoder; one head for all steps; the bounds are distances from the point, not a chain of increments;
        the seasonal shortcut.
    """

    def __init__(
        self, name: str, settings: SeriesNetworkSettings, window: int, num_series: int, ahead: int = 0
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(PAST_FEATURES + ahead, settings.dim)
        self.series = nn.Embedding(num_series, settings.dim) if settings.embed_series else None
        self.encoder = NETWORKS[name](settings, window)
        self.widen = nn.Linear(settings.dim + ASKED_FEATURES + ahead, 2 * settings.dim)
        self.say = nn.Linear(2 * settings.dim, 3)
        self.dropout = Dropout(settings.dropout)
        self.skip = nn.Parameter(torch.tensor(SKIPPED))
        nn.init.zeros_(self.say.weight)
        nn.init.zeros_(self.say.bias)
        if self.series is not None:
            nn.init.normal_(self.series.weight, std=0.02)

    def forward(self, batch: WindowBatch) -> Tensor:
        """`scaled_BHQ`."""
        x_BLD = self.embed(batch.past_BLF)
        if self.series is not None:
            x_BLD = x_BLD + self.series(batch.series_B)[:, None]
        h_BLD = self.encoder(x_BLD, batch.time_BL, batch.length_B, batch.next_time_BL)
        h_BD = last_state(h_BLD, batch.length_B)
        h_BHD = h_BD[:, None].expand(-1, batch.asked_BHG.shape[1], -1)
        state = self.dropout(F.gelu(self.widen(torch.cat([h_BHD, batch.asked_BHG], dim=-1))))
        point_BH, below_BH, above_BH = self.say(state).unbind(-1)
        point_BH = point_BH + batch.asked_BHG[..., :2] @ self.skip
        low_BH, high_BH = point_BH - F.softplus(below_BH), point_BH + F.softplus(above_BH)
        return torch.stack([low_BH, point_BH, high_BH], dim=-1)


def pinball_loss(said_BHQ: Tensor, target_BH: Tensor, levels: tuple[float, float, float]) -> Tensor:
    """Mean of `max(q (y - f), (q - 1) (y - f))` over known targets and levels; 0 where no target is known.

    Source: Koenker & Bassett 1978 (doi:10.2307/1913643), equation 2.1.
    Differs: nothing.
    """
    known_BH = ~target_BH.isnan()
    level_Q = torch.tensor(levels, device=said_BHQ.device)
    over_BHQ = torch.where(known_BH, target_BH, 0.0)[..., None] - said_BHQ
    cost_BHQ = torch.maximum(level_Q * over_BHQ, (level_Q - 1) * over_BHQ) * known_BH[..., None]
    return cost_BHQ.sum() / (known_BH.sum() * len(levels)).clamp(min=1)
