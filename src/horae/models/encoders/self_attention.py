"""Self-attention over a history, and the settings of every encoder that is built of it.

In: states, oldest first, padding at the right. Out: states, each a weighted mean of what it may look at: itself and
those before it, or all real ones. Knows order only through its input, and does not know items.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.errors import RecipeError

__all__ = ["AttentionSettings", "SelfAttention", "real_keys"]


@dataclass(frozen=True)
class AttentionSettings:
    """Keys of `[model]` that every encoder of attention blocks has."""

    num_layers: int = field(default=2, metadata={"doc": "Blocks of attention and feed-forward."})
    num_heads: int = field(default=2, metadata={"doc": "Attention heads; must divide dim."})
    ffn_multiple: int = field(default=4, metadata={"doc": "Width of the feed-forward's inner layer, in dims."})
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


class SelfAttention(nn.Module):
    """`softmax(Q K^T / sqrt(K)) V` in each of H heads, their results side by side, mixed by one linear layer.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
    Differs: nothing.
    """

    def __init__(self, settings: AttentionSettings, dim: int) -> None:
        super().__init__()
        self.num_heads = settings.num_heads
        self.attention_dropout = settings.attention_dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.mix = nn.Linear(dim, dim)

    def forward(self, x_BLD: Tensor, key_B11L: Tensor | None = None) -> Tensor:
        """New states, `h_BLD`.

        Args:
            x_BLD: The states.
            key_B11L: What every position may look at (`real_keys`); None: itself and the positions before it.
        """
        q_BLD, k_BLD, v_BLD = self.qkv(x_BLD).chunk(3, dim=-1)
        return self._mixed(q_BLD, k_BLD, v_BLD, key_B11L, causal=key_B11L is None)

    def newest(self, x_BLD: Tensor, newest_B1D: Tensor, length_B: Tensor) -> Tensor:
        """`h_B1D`: what `forward` gives at each row's newest position alone, at a fraction of the cost.

        Args:
            x_BLD: The states.
            newest_B1D: Of these, each row's newest.
            length_B: Real positions per row.
        """
        width = x_BLD.shape[-1]
        weight, bias = self.qkv.weight, self.qkv.bias
        q_B1D = F.linear(newest_B1D, weight[:width], bias[:width])
        k_BLD, v_BLD = F.linear(x_BLD, weight[width:], bias[width:]).chunk(2, dim=-1)
        key_B11L = None if _is_one_full_row(length_B, x_BLD.shape[1]) else real_keys(length_B, x_BLD.shape[1])
        return self._mixed(q_B1D, k_BLD, v_BLD, key_B11L, causal=False)

    def _mixed(self, q_BLD: Tensor, k_BLD: Tensor, v_BLD: Tensor, key_B11L: Tensor | None, causal: bool) -> Tensor:
        q_BHLK, k_BHLK, v_BHLK = (
            part.view(*part.shape[:2], self.num_heads, -1).transpose(1, 2) for part in (q_BLD, k_BLD, v_BLD)
        )
        dropped = self.attention_dropout if self.training else 0.0
        out_BHLK = F.scaled_dot_product_attention(
            q_BHLK, k_BHLK, v_BHLK, attn_mask=key_B11L, dropout_p=dropped, is_causal=causal
        )
        mixed: Tensor = self.mix(out_BHLK.transpose(1, 2).flatten(2))
        return mixed


def _is_one_full_row(length_B: Tensor, width: int) -> bool:
    """Somebody who asks alone: no padding, so no mask to make. Looked at on CPUs only, where a look is free."""
    return len(length_B) == 1 and length_B.device.type == "cpu" and int(length_B) == width


def real_keys(length_B: Tensor, width: int) -> Tensor:
    """`key_B11L`, True at real positions; where nothing is known, at the first, so that no softmax is empty."""
    step_L = torch.arange(width, device=length_B.device)
    return (step_L < length_B.clamp(min=1)[:, None])[:, None, None]
