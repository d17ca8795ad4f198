"""The Transformer with a frequency filter beside its attention: for short, sparse histories.

In: one vector per event. Out: one state per event. The filter smooths what came before and lets each unit keep as much
of the quick changes as it learns to; attention alone would smooth without such a choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from horae.errors import RecipeError
from horae.models.encoders.self_attention import SelfAttention
from horae.models.encoders.transformer import Block, FeedForward, Stack, TransformerSettings

__all__ = ["LowPassSettings", "LowPassTransformer", "low_pass_weights"]


@dataclass(frozen=True)
class LowPassSettings(TransformerSettings):
    """Keys of `[model]` with `encoder = "low_pass"`."""

    filter_share: float = field(
        default=0.7, metadata={"doc": "How much of each block's mixing is the filter's; the rest is attention's."}
    )
    low_frequencies: int = field(
        default=3,
        metadata={"doc": "Frequencies, from 0 up, that the filter keeps as they are; the others it rescales."},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.filter_share <= 1:
            raise RecipeError(
                f"[model] filter_share = {self.filter_share}: expected above 0, at most 1.",
                hint='Try 0.7; for no filter choose encoder = "transformer".',
            )
        if self.low_frequencies < 1:
            raise RecipeError(
                f"[model] low_frequencies = {self.low_frequencies}: expected at least 1.",
                hint="1 keeps the mean alone.",
            )


class LowPassTransformer(Stack):
    """The Transformer's blocks, each mixing by the filter and by attention.

    Source: Shin et al. 2024 (arXiv:2312.10325), section 4 (BSARec).
    Differs: no position sees a later one, where the paper's filter runs over the whole window (see `LowPassAttention`),
        and so every position is trained on at once; norms come before each part, with none between filter and
        attention; one dropout acts on their sum. Positions count from the oldest event, as in `Transformer`.
    """

    def __init__(self, settings: LowPassSettings, dim: int, max_len: int, dropout: float) -> None:
        settings.check_dim(dim)
        blocks = [
            Block(LowPassAttention(settings, dim, max_len), FeedForward(settings, dim, dropout), dim, dropout)
            for _ in range(settings.num_layers)
        ]
        super().__init__(blocks, dim, max_len, dropout)


class LowPassAttention(SelfAttention):
    """`a (low(x) + b^2 (x - low(x))) + (1 - a) attention(x)`, `a` the filter's share, `b` learned per unit.

    Source: Shin et al. 2024 (arXiv:2312.10325), section 4: frequency rescaler and attentive inductive bias.
    Differs: `low` at a position is what the paper's filter gives at the newest event of the window of `max_len` events
        that ends there, those before the first counting as zero: so at every position the filter is the paper's as if
        the question were asked there, and a later event moves nothing.
    """

    low_LL: Tensor

    def __init__(self, settings: LowPassSettings, dim: int, max_len: int) -> None:
        super().__init__(settings, dim)
        self.share = settings.filter_share
        self.scale_D = nn.Parameter(torch.randn(dim))
        weight_L = low_pass_weights(max_len, settings.low_frequencies)
        step_L = torch.arange(max_len)
        low_LL = weight_L[(step_L[:, None] - step_L).clamp(min=0)].tril()
        self.register_buffer("low_LL", low_LL, persistent=False)

    def forward(self, x_BLD: Tensor, key_B11L: Tensor | None = None) -> Tensor:
        """See `SelfAttention`; the filter looks back only."""
        length = x_BLD.shape[1]
        return self._both(x_BLD, self.low_LL[:length, :length] @ x_BLD, super().forward(x_BLD, key_B11L))

    def newest(self, x_BLD: Tensor, newest_B1D: Tensor, length_B: Tensor) -> Tensor:
        """See `SelfAttention`."""
        weight_B1L = self.low_LL[(length_B - 1).clamp(min=0), None, : x_BLD.shape[1]]
        return self._both(newest_B1D, weight_B1L @ x_BLD, super().newest(x_BLD, newest_B1D, length_B))

    def _both(self, x_BLD: Tensor, low_BLD: Tensor, attended_BLD: Tensor) -> Tensor:
        filtered_BLD = low_BLD + self.scale_D.square() * (x_BLD - low_BLD)
        return self.share * filtered_BLD + (1 - self.share) * attended_BLD


def low_pass_weights(width: int, frequencies: int) -> Tensor:
    """What each event, newest first, adds to the newest one's value when only the lowest frequencies are kept.

    The Fourier transform of a window of `width`, its higher frequencies set to zero, transformed back, read at the
    newest event: `(1 + 2 sum_k cos(2 pi k lag / width)) / width` over the kept k above 0.

    Raises:
        RecipeError: So many frequencies that nothing is left to filter.
    """
    if 2 * frequencies > width:
        raise RecipeError(
            f"[model] low_frequencies = {frequencies} keeps every frequency of max_len = {width} events.",
            hint=f"At most {width // 2} with this max_len.",
        )
    lag_L = torch.arange(width, dtype=torch.float64)
    kept = [2 * torch.cos(2 * math.pi * k * lag_L / width) for k in range(1, frequencies)]
    return ((1 + sum(kept, torch.zeros_like(lag_L))) / width).float()
