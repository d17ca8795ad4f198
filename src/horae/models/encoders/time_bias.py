"""How far apart two events are, in places and in time, as numbers to add to attention scores.

In: when each event happened, and when the question after each is asked. Out: one bias per head, row, query and key.
Times are cut into buckets once per batch and shared by all layers; a layer looks its own tables up. Does not know
states, items or what is done with the bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["FASTER", "NEVER", "NUM_BUCKETS", "Gaps", "RelativeBias", "gap_buckets", "steps_of"]

LONGEST_SECONDS = 20 * 365.25 * 86_400
NUM_BUCKETS = 128
"""Steps of the logarithmic scale of time, where nothing else is asked for."""

NEVER = -1e4
"""Bias of a key that comes after its query: SiLU and its slope are exactly 0 there, in half precision too."""

FASTER = 10.0
"""Tables hold biases divided by it: an Adam step is about as long for every number, and biases have further to go."""


def gap_buckets(asked_BL: Tensor, time_BL: Tensor, num_buckets: int) -> Tensor:
    """`bucket_BLL`: the step (`steps_of`) that the time from each key to each question falls on.

    Args:
        asked_BL: Seconds, of the questions; NaN where unknown.
        time_BL: Seconds, of the events asked about; NaN where unknown.
        num_buckets: At least 3.
    """
    return steps_of((asked_BL[:, :, None] - time_BL[:, None, :]).float(), num_buckets)  # a Unix time needs float64


def steps_of(seconds: Tensor, num_buckets: int) -> Tensor:
    """int64, of the same shape: which step of a logarithmic scale each span falls on; overwrites `seconds`.

    Step 0 is under a second (or negative), `num_buckets - 1` is 20 years or more; the others between are equally wide
    on the logarithm. `num_buckets` itself says that the span is unknown (NaN).
    """
    steps = (num_buckets - 2) / math.log(LONGEST_SECONDS)
    step = seconds.clamp_(min=0.5).log_().mul_(steps).add_(1)
    return step.clamp_(0, num_buckets - 1).nan_to_num_(nan=num_buckets).to(torch.int64)


@dataclass(frozen=True)
class Gaps:
    """How far each key stands before each query, in places and in steps of time.

    Shape:
        place_BQL: int64; `never` where the key comes after the query. B is 1 where all rows are alike.
        bucket_BQL: int64, see `gap_buckets`; None where time plays no part.
        Q is L where every position asks, 1 where only the newest does.
    """

    place_BQL: Tensor
    bucket_BQL: Tensor | None
    never: int

    @classmethod
    def between(cls, length: int, max_len: int, bucket_BLL: Tensor | None, device: torch.device) -> Gaps:
        """The gaps of windows of `length` places, `max_len` at most."""
        place_L = torch.arange(length, device=device)
        back_LL = place_L[:, None] - place_L
        return cls(torch.where(back_LL < 0, max_len, back_LL)[None], bucket_BLL, max_len)

    def newest(self, length_B: Tensor) -> Gaps:
        """The same where only each row's newest event asks."""
        newest_B = (length_B - 1).clamp(min=0)
        row_B = torch.arange(len(newest_B), device=newest_B.device)
        bucket_B1L = None if self.bucket_BQL is None else self.bucket_BQL[row_B, newest_B][:, None]
        return Gaps(self.place_BQL[0, newest_B][:, None], bucket_B1L, self.never)

    def seen(self) -> Tensor:
        """`count_BQ1`: keys that are not later than the query."""
        return (self.place_BQL != self.never).sum(-1, keepdim=True)


class RelativeBias(nn.Module):
    """A learned number per head and distance in places, plus one per head and bucket of time; `NEVER` for later keys.

    Args:
        num_heads: Each has tables of its own.
        max_len: Longest distance in places, plus one; 0 for no table of places.
        num_buckets: Of time, without that of unknown times; 0 for no table of times.

    Source: Raffel et al. 2020 (arXiv:1910.10683), section 2.1, for a bias per distance in places; Zhai et al. 2024
        (arXiv:2402.17152), section 3, for places and times together.
    Differs: a bias per head; the width of the time buckets follows from their number; unknown times have a bucket;
        biases learn ten times as fast as other numbers (`FASTER`).
    """

    def __init__(self, num_heads: int, max_len: int, num_buckets: int) -> None:
        super().__init__()
        self.place_HN = _table(num_heads, max_len) if max_len else None
        self.time_HN = _table(num_heads, num_buckets + 1) if num_buckets else None

    def forward(self, gaps: Gaps) -> Tensor:
        """`bias_HBQL`; H and B are 1 where all heads or rows are alike."""
        if self.place_HN is None:
            bias_HBQL = torch.where(gaps.place_BQL == gaps.never, NEVER, 0.0)[None]
        else:
            later_H1 = torch.full_like(self.place_HN[:, :1], NEVER)
            bias_HBQL = _looked_up(torch.cat([FASTER * self.place_HN, later_H1], dim=1), gaps.place_BQL)
        if self.time_HN is None:
            return bias_HBQL
        assert gaps.bucket_BQL is not None
        return _looked_up(FASTER * self.time_HN, gaps.bucket_BQL).add_(bias_HBQL)


def _table(num_heads: int, size: int) -> nn.Parameter:
    return nn.Parameter(nn.init.normal_(torch.empty(num_heads, size), std=0.02 / FASTER))


def _looked_up(table_HN: Tensor, index: Tensor) -> Tensor:
    # On CPUs indexing takes 5 times as long forwards, and an embedding 6 times.
    return table_HN.index_select(1, index.flatten()).view(-1, *index.shape)
