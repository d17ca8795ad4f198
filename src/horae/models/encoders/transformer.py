"""The Transformer over a history.

In: one vector per event. Out: one state per event that has looked at it and at the events before it; or, where events
are masked and guessed, at all events. Knows order by position, not by time. Does not know items.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.encoders import last_state
from horae.models.encoders.dropout import Dropout
from horae.models.encoders.recompute import through
from horae.models.encoders.self_attention import AttentionSettings, SelfAttention, real_keys

__all__ = ["Block", "FeedForward", "Stack", "Transformer", "TransformerSettings"]


@dataclass(frozen=True)
class TransformerSettings(AttentionSettings):
    """Keys of `[model]` with `encoder = "transformer"`."""

    activation: Literal["gelu", "relu"] = field(default="gelu", metadata={"doc": "Of the feed-forward's inner layer."})


class Stack(nn.Module):
    """Learned positions, then blocks, then a last LayerNorm: what every encoder of attention blocks is.

    Shape:
        x_BLD -> h_BLD, L at most `max_len`. A causal stack needs no mask for padding at the right: no real position
        looks to its right. One that looks both ways is told which positions are real.
    """

    recomputes = True

    def __init__(self, blocks: Iterable[Block], dim: int, max_len: int, dropout: float, causal: bool = True) -> None:
        super().__init__()
        self.causal = causal
        self.max_len = max_len
        self.position_LD = nn.Parameter(torch.empty(max_len, dim))
        self.dropout = Dropout(dropout, of_inputs=True)
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(dim)
        self._init_weights()

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """See `Encoder`; times are not looked at."""
        key_B11L = self._keys(x_BLD, length_B)
        h_BLD = self._placed(x_BLD)
        for block in self.blocks:
            h_BLD = through(self, block, h_BLD, key_B11L)
        normed: Tensor = self.norm(h_BLD)
        return normed

    def newest(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """`h_BD`: `last` of `forward`, but the last block computes no state that nobody asks for."""
        key_B11L = self._keys(x_BLD, length_B)
        h_BLD = self._placed(x_BLD)
        for number in range(len(self.blocks) - 1):
            h_BLD = self.blocks[number](h_BLD, key_B11L)
        last_block = cast(Block, self.blocks[-1])
        normed: Tensor = self.norm(last_block.newest(h_BLD, length_B).squeeze(1))
        return normed

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`."""
        return last_state(h_BLD, length_B)

    def _keys(self, x_BLD: Tensor, length_B: Tensor) -> Tensor | None:
        return None if self.causal else real_keys(length_B, x_BLD.shape[1])

    def _placed(self, x_BLD: Tensor) -> Tensor:
        length = x_BLD.shape[1]
        assert length <= self.max_len, f"{length} positions, {self.max_len} at most"
        placed: Tensor = self.dropout(x_BLD + self.position_LD[:length])
        return placed

    def _init_weights(self) -> None:
        """Positions from N(0, 0.02^2); linear layers Glorot uniform with zero bias; the rest as its module has it."""
        nn.init.normal_(self.position_LD, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class Transformer(Stack):
    """Pre-norm blocks; causal, or looking both ways where masked events are guessed.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III (SASRec); the norm before each part is Xiong et al. 2020
        (arXiv:2002.04745), figure 1b. Looking both ways: Sun et al. 2019 (arXiv:1904.06690), section 3.3 (BERT4Rec).
    Differs: positions count from the oldest event in the window, not from the newest: so the state after n events is
        the same whether it is a training position or a request, and padding cannot move it. Queries are normed like
        keys and values; the feed-forward is wider than dim, with GELU; attention weights are not dropped by default.
        BERT4Rec puts its norms after each part, and one more layer between states and items.
    """

    two_way = True

    def __init__(
        self, settings: TransformerSettings, dim: int, max_len: int, dropout: float, causal: bool = True
    ) -> None:
        settings.check_dim(dim)
        blocks = [
            Block(SelfAttention(settings, dim), FeedForward(settings, dim, dropout), dim, dropout)
            for _ in range(settings.num_layers)
        ]
        super().__init__(blocks, dim, max_len, dropout, causal)


class Block(nn.Module):
    """`h + attention(norm(h))`, then `h + feed_forward(norm(h))`.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3; Xiong et al. 2020 (arXiv:2002.04745), table 1, right.
    Differs: nothing.
    """

    def __init__(self, attention: SelfAttention, feed_forward: nn.Module, dim: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = attention
        self.ffn_norm = nn.LayerNorm(dim)
        self.feed_forward = feed_forward
        self.dropout = Dropout(dropout)

    def forward(self, h_BLD: Tensor, key_B11L: Tensor | None = None) -> Tensor:
        """One block; `key_B11L` as `SelfAttention` takes it."""
        return self.fed(self.seen(h_BLD, self.attention(self.attention_norm(h_BLD), key_B11L)))

    def newest(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """`h_B1D`: what `forward` gives at each row's newest position."""
        newest_B1D = last_state(h_BLD, length_B)[:, None]
        attended_B1D = self.attention.newest(self.attention_norm(h_BLD), self.attention_norm(newest_B1D), length_B)
        return self.fed(self.seen(newest_B1D, attended_B1D))

    def seen(self, h_BLD: Tensor, attended_BLD: Tensor) -> Tensor:
        """States with what attention found."""
        out_BLD: Tensor = h_BLD + self.dropout(attended_BLD)
        return out_BLD

    def fed(self, h_BLD: Tensor) -> Tensor:
        """States with what the feed-forward makes of them."""
        out_BLD: Tensor = h_BLD + self.dropout(self.feed_forward(self.ffn_norm(h_BLD)))
        return out_BLD


class FeedForward(nn.Module):
    """`W2 f(W1 x + b1) + b2`, with dropout inside.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.3.
    Differs: GELU where the recipe asks for no ReLU.
    """

    def __init__(self, settings: TransformerSettings, dim: int, dropout: float) -> None:
        super().__init__()
        self.widen = nn.Linear(dim, settings.ffn_multiple * dim)
        self.activation = F.gelu if settings.activation == "gelu" else F.relu
        self.narrow = nn.Linear(settings.ffn_multiple * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Each position by itself."""
        fed: Tensor = self.narrow(self.dropout(self.activation(self.widen(x_BLD))))
        return fed
