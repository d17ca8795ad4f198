"""The gated Transformer: each block learns how much of its attention and of its feed-forward to let through.

In: one vector per event. Out: one state per event. All but the gates and the feed-forward is the Transformer's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.encoders.dropout import Dropout
from horae.models.encoders.self_attention import AttentionSettings, SelfAttention
from horae.models.encoders.transformer import Block, Stack

__all__ = ["LiGR", "LiGRSettings"]


@dataclass(frozen=True)
class LiGRSettings(AttentionSettings):
    """Keys of `[model]` with `encoder = "ligr"`."""


class LiGR(Stack):
    """Blocks with gated residuals and SwiGLU feed-forwards, between the Transformer's positions and last norm.

    Source: Borisyuk et al. 2025 (arXiv:2502.03417), the block that they call LiGR; Tikhonovich et al. 2025
        (arXiv:2508.06450) for it in SASRec, trained with sampled softmax (eSASRec).
    Differs: positions count from the oldest event, as in `Transformer`, and a LayerNorm follows the last block.
    """

    two_way = True

    def __init__(self, settings: LiGRSettings, dim: int, max_len: int, dropout: float, causal: bool = True) -> None:
        settings.check_dim(dim)
        blocks = [GatedBlock(settings, dim, dropout) for _ in range(settings.num_layers)]
        super().__init__(blocks, dim, max_len, dropout, causal)


class GatedBlock(Block):
    """`h + s(G1 h) * attention(norm(h))`, then `h + s(G2 h) * feed_forward(norm(h))`, with `s` the logistic function.

    Source: Borisyuk et al. 2025 (arXiv:2502.03417): gate on the block's input, before its norm.
    Differs: dropout acts on a branch before its gate, as in eSASRec's published code; gates have a bias.
    """

    def __init__(self, settings: LiGRSettings, dim: int, dropout: float) -> None:
        super().__init__(SelfAttention(settings, dim), SwiGLU(dim, settings.ffn_multiple * dim, dropout), dim, dropout)
        self.attention_gate = nn.Linear(dim, dim)
        self.ffn_gate = nn.Linear(dim, dim)

    def seen(self, h_BLD: Tensor, attended_BLD: Tensor) -> Tensor:
        """See `Block`."""
        out_BLD: Tensor = h_BLD + torch.sigmoid(self.attention_gate(h_BLD)) * self.dropout(attended_BLD)
        return out_BLD

    def fed(self, h_BLD: Tensor) -> Tensor:
        """See `Block`."""
        fed_BLD = self.dropout(self.feed_forward(self.ffn_norm(h_BLD)))
        out_BLD: Tensor = h_BLD + torch.sigmoid(self.ffn_gate(h_BLD)) * fed_BLD
        return out_BLD


class SwiGLU(nn.Module):
    """`W2 (silu(W1 x) * (W3 x))`, with dropout inside and no bias.

    Source: Shazeer 2020 (arXiv:2002.05202), eq. 6.
    Differs: the inner layer is not narrowed to keep the number of weights of the plain feed-forward.
    """

    def __init__(self, dim: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.widen = nn.Linear(dim, 2 * inner, bias=False)
        self.narrow = nn.Linear(inner, dim, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Each position by itself."""
        gate, value = self.widen(x_BLD).chunk(2, dim=-1)
        fed: Tensor = self.narrow(self.dropout(F.silu(gate) * value))
        return fed
