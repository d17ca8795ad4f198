"""Scores in, the best items and the ranks of given targets out: pure functions of tensors.

Equal scores are ordered by item index, the lower first, everywhere: so a list, and a target's rank in it, never
depend on the batch, the block size or the library's sort.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from horae.schema import IndexArray

__all__ = ["Answer", "Targets", "ranks_of", "top"]

MINUS_INFINITY = float("-inf")


@dataclass(frozen=True, eq=False)
class Targets:
    """What really came after each request, ragged.

    Attributes:
        item: Item indices, one request after the other; 0 = an item outside the run's item table.
        offsets: int64 [B + 1]; request b's targets are `item[offsets[b]:offsets[b + 1]]`.
    """

    item: IndexArray
    offsets: IndexArray

    def take(self, requests: IndexArray) -> Targets:
        """The targets of some requests, in their order."""
        counts = np.diff(self.offsets)[requests]
        end = np.cumsum(counts)
        index = np.repeat(self.offsets[requests] - (end - counts), counts) + np.arange(int(counts.sum()))
        return Targets(self.item[index], np.concatenate([[0], end]))


@dataclass(frozen=True, eq=False)
class Answer:
    """A block of requests, answered.

    Attributes:
        rows: Which requests these are.
        items_BK: int64, best first; 0 where fewer than K items are allowed.
        scores_BK: Their scores; minus infinity where the item is 0.
        candidates_B: How many items were allowed.
        fallback_B: Was nothing known of the history, so that the fallback answered?
        target_ranks: Rank, from 1, of each target of these requests among the allowed; 0 = not allowed or unknown.
        target_scores: Its score; NaN where the rank is 0.
        target_offsets: As in `Targets`.
    """

    rows: IndexArray
    items_BK: IndexArray
    scores_BK: npt.NDArray[np.float32]
    candidates_B: IndexArray
    fallback_B: npt.NDArray[np.bool_]
    target_ranks: IndexArray
    target_scores: npt.NDArray[np.float32]
    target_offsets: IndexArray


def top(scores_BI: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best item indices and their scores, best first; 0 and minus infinity where fewer are allowed.

    `torch.topk` leaves open which of several equal scores it takes; where the last place is tied, those rows are
    ranked again by a key in which the item index decides.
    """
    width = min(k, scores_BI.shape[1])
    best_BK, item_BK = scores_BI.topk(min(width + 1, scores_BI.shape[1]))
    if best_BK.shape[1] > width:
        last_B = best_BK[:, width - 1]
        tied = torch.nonzero((last_B == best_BK[:, width]) & (last_B > MINUS_INFINITY)).flatten()
        best_BK, item_BK = best_BK[:, :width], item_BK[:, :width]
        if len(tied):
            item_BK[tied] = _ordered_key(scores_BI[tied]).topk(width).indices
            best_BK[tied] = scores_BI[tied].gather(1, item_BK[tied])
    by_index = item_BK.argsort(dim=1)
    item_BK, best_BK = item_BK.gather(1, by_index), best_BK.gather(1, by_index)
    by_score = best_BK.argsort(dim=1, descending=True, stable=True)
    item_BK, best_BK = item_BK.gather(1, by_score), best_BK.gather(1, by_score)
    return item_BK.masked_fill(best_BK == MINUS_INFINITY, 0), best_BK


def ranks_of(
    scores_BI: npt.NDArray[np.float32], request_P: IndexArray, item_P: IndexArray
) -> tuple[IndexArray, npt.NDArray[np.float32]]:
    """Rank (from 1) and score of each (request, item) pair by counting what stands before it; no sorting.

    A pair whose item is 0 or not allowed has rank 0 and score NaN. One pair at a time: counting in a row of scores is
    bound by memory, and an array of all pairs by all items would have to be written first.
    """
    score_P = scores_BI[request_P, item_P]
    ranked_P = (item_P > 0) & (score_P > MINUS_INFINITY)
    rank_P = np.zeros(len(item_P), dtype=np.int64)
    for pair in np.flatnonzero(ranked_P):
        line_I, own, item = scores_BI[request_P[pair]], score_P[pair], item_P[pair]
        rank_P[pair] = 1 + np.count_nonzero(line_I > own) + np.count_nonzero(line_I[:item] == own)
    return rank_P, np.where(ranked_P, score_P, np.float32("nan"))


def _ordered_key(scores_BI: Tensor) -> Tensor:
    """int64 keys in the order of the float32 scores, a lower item index greater among equals."""
    bits = (scores_BI + 0.0).view(torch.int32)  # + 0.0 makes one zero of two
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(torch.int64)
    width = scores_BI.shape[1]
    return ordered * (1 << 31) - torch.arange(width, device=scores_BI.device)
