"""Causal attention over the states of a recurrent network.

In: states, oldest first. Out: states of the same shape, each enriched by a weighted mean of itself and of those before
it. Knows neither gates nor items.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["AdditiveAttention", "AttentionKind", "DotAttention", "state_attention"]

AttentionKind = Literal["none", "dot", "additive"]


def state_attention(kind: AttentionKind, dim: int) -> nn.Module:
    """The module for a recipe's `attention`; `none` changes nothing."""
    if kind == "none":
        return nn.Identity()
    return DotAttention(dim) if kind == "dot" else AdditiveAttention(dim)


class DotAttention(nn.Module):
    """`tanh(W [c_t; h_t])` with `c_t = sum_j<=t a_tj h_j` and `a_t = softmax_j<=t(h_t . h_j)`.

    Source: Luong, Pham & Manning 2015 (arXiv:1508.04025), eq. 5 to 8, score `dot`.
    Differs: a state attends to the states before it and to itself, not to those of a second network.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.combine = nn.Linear(2 * dim, dim, bias=False)
        nn.init.xavier_uniform_(self.combine.weight)

    def forward(self, h_BLD: Tensor) -> Tensor:
        """Enriched states, `h_BLD`."""
        return _combined(self.combine, h_BLD, h_BLD @ h_BLD.transpose(1, 2))


class AdditiveAttention(nn.Module):
    """`tanh(W [c_t; h_t])` with `c_t = sum_j<=t a_tj h_j` and `a_t = softmax_j<=t(v . tanh(Q h_t + K h_j))`.

    Holds B x L x L x D numbers at once: for long windows `dot` is the cheaper kind.

    Source: Bahdanau, Cho & Bengio 2015 (arXiv:1409.0473), appendix A.1.2, for the weights; Luong et al. 2015
        (arXiv:1508.04025), eq. 5, for the combination.
    Differs: a state attends to the states before it and to itself, not to those of a second network.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.vote = nn.Linear(dim, 1, bias=False)
        self.combine = nn.Linear(2 * dim, dim, bias=False)
        for layer in (self.query, self.key, self.vote, self.combine):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, h_BLD: Tensor) -> Tensor:
        """Enriched states, `h_BLD`."""
        agreement_BLLD = torch.tanh(self.query(h_BLD)[:, :, None] + self.key(h_BLD)[:, None])
        return _combined(self.combine, h_BLD, self.vote(agreement_BLLD).squeeze(-1))


def _combined(combine: nn.Linear, h_BLD: Tensor, score_BLL: Tensor) -> Tensor:
    length = h_BLD.shape[1]
    later_LL = torch.ones(length, length, dtype=torch.bool, device=h_BLD.device).triu(1)
    weight_BLL = torch.softmax(score_BLL.masked_fill(later_LL, -torch.inf), dim=-1)
    context_BLD = weight_BLL @ h_BLD
    return torch.tanh(combine(torch.cat([context_BLD, h_BLD], dim=-1)))
