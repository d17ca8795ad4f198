"""The causal Transformer over a history.

In: one vector per event. Out: one state per event that has looked at it and at the events before it. Knows order by
position, not by time. Does not know items.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.errors import RecipeError
from horae.models.encoders import last_state
from horae.models.encoders.dropout import Dropout

__all__ = ["Transformer", "TransformerSettings"]


@dataclass(frozen=True)
class TransformerSettings:
    """Keys of `[model]` with `encoder = "transformer"`."""

    num_layers: int = field(default=2, metadata={"doc": "Blocks of attention and feed-forward."})
    num_heads: int = field(default=2, metadata={"doc": "Attention heads; must divide dim."})
    ffn_multiple: int = field(default=4, metadata={"doc": "Width of the feed-forward's inner layer, in dims."})
    activation: Literal["gelu", "relu"] = field(default="gelu", metadata={"doc": "Of the feed-forward's inner layer."})
    attention_dropout: float = field(
        default=0.0,
        metadata={"doc": "Share of attention weights dropped; above 0 torch leaves its fused kernel on CPUs (slower)."},
    )

    def __post_init__(self) -> None:
        for key in ("num_layers", "num_heads", "ffn_multiple"):
            if getattr(self, key) < 1:
                raise RecipeError(f"[model] {key} = {getattr(self, key)}: expected at least 1.", hint=f"Raise {key}.")
        if not 0 <= self.attention_dropout < 1:
            raise RecipeError(
                f"[model] attention_dropout = {self.attention_dropout}: expected a share from 0 to below 1.",
                hint="0.0 drops nothing.",
            )

    def check_dim(self, dim: int) -> None:
        """See `EncoderSettings`."""
        if dim % self.num_heads:
            raise RecipeError(
                f"[model] dim = {dim} cannot be divided among num_heads = {self.num_heads}.",
                hint=f"Choose num_heads from {', '.join(str(n) for n in range(1, 17) if dim % n == 0)}.",
            )


class Transformer(nn.Module):
    """Learned positions, then pre-norm blocks, then a last LayerNorm.

    Shape:
        x_BLD -> h_BLD, L at most `max_len`. Padding at the right needs no mask: no real position looks to its right.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III (SASRec); the norm before each part is Xiong et al. 2020
        (arXiv:2002.04745), figure 1b.
    Differs: positions count from the oldest event in the window, not from the newest: so the state after n events is
        the same whether it is a training position or a request, and padding cannot move it. Queries are normed like
        keys and values; the feed-forward is wider than dim, with GELU; attention weights are not dropped by default.
    """

    causal = True

    def __init__(self, settings: TransformerSettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__()
        settings.check_dim(dim)
        self.max_len = max_len
        self.position_LD = nn.Parameter(torch.empty(max_len, dim))
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(settings, dim, dropout) for _ in range(settings.num_layers))
        self.norm = nn.LayerNorm(dim)
        init_transformer(self)

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """See `Encoder`; times are not looked at."""
        length = x_BLD.shape[1]
        assert length <= self.max_len, f"{length} positions, {self.max_len} at most"
        h_BLD = self.dropout(x_BLD + self.position_LD[:length])
        for block in self.blocks:
            h_BLD = block(h_BLD)
        normed: Tensor = self.norm(h_BLD)
        return normed

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`."""
        return last_state(h_BLD, length_B)


class Block(nn.Module):
    """`h + attention(norm(h))`, then `h + feed_forward(norm(h))`.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3; Xiong et al. 2020 (arXiv:2002.04745), table 1, right.
    Differs: nothing.
    """

    def __init__(self, settings: TransformerSettings, dim: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = settings.num_heads
        self.attention_dropout = settings.attention_dropout
        self.attention_norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.mix = nn.Linear(dim, dim)
        self.ffn_norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, settings.ffn_multiple * dim)
        self.activation = F.gelu if settings.activation == "gelu" else F.relu
        self.narrow = nn.Linear(settings.ffn_multiple * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, h_BLD: Tensor) -> Tensor:
        """One block."""
        h_BLD = h_BLD + self.dropout(self._attend(self.attention_norm(h_BLD)))
        inner = self.dropout(self.activation(self.widen(self.ffn_norm(h_BLD))))
        out_BLD: Tensor = h_BLD + self.dropout(self.narrow(inner))
        return out_BLD

    def _attend(self, x_BLD: Tensor) -> Tensor:
        batch, length, _ = x_BLD.shape
        qkv = self.qkv(x_BLD).view(batch, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q_BHLK, k_BHLK, v_BHLK = qkv.unbind(0)
        dropped = self.attention_dropout if self.training else 0.0
        out_BHLK = F.scaled_dot_product_attention(q_BHLK, k_BHLK, v_BHLK, dropout_p=dropped, is_causal=True)
        mixed: Tensor = self.mix(out_BHLK.transpose(1, 2).flatten(2))
        return mixed


def init_transformer(transformer: Transformer) -> None:
    """Positions from N(0, 0.02^2); linear layers Glorot uniform with zero bias; norms 1 and 0 (as torch has them)."""
    nn.init.normal_(transformer.position_LD, std=0.02)
    for module in transformer.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
