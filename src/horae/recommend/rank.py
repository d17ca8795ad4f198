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

from horae.errors import HoraeError
from horae.schema import IndexArray

__all__ = ["Answer", "Hidden", "Targets", "in_order", "ranks_of", "top"]

Scores = npt.NDArray[np.float32]
MINUS_INFINITY = float("-inf")
SMALL = 1 << 17
COLUMNS = 64
"""Neighbouring columns of which only the maximum is looked at first: reading is cheaper than selecting."""


@dataclass(frozen=True, eq=False)
class Targets:
    """What really came after each request, ragged.

    Attributes:
        item: Item indices, one request after the other; 0 = an item outside the run's item table.
        offsets: int64 [B + 1]; request b's targets are `item[offsets[b]:offsets[b + 1]]`.
    """

    item: IndexArray
    offsets: IndexArray

    @classmethod
    def none(cls, num_requests: int) -> Targets:
        """No targets for so many requests."""
        return cls(np.empty(0, dtype=np.int64), np.zeros(num_requests + 1, dtype=np.int64))

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
        candidates_B: How many items were allowed; empty where nobody asked about targets.
        fallback_B: Was nothing known of the history, so that the fallback answered?
        target_ranks: Rank, from 1, of each target of these requests among the allowed; 0 = not allowed or unknown.
        target_scores: Its score; NaN where the rank is 0.
        target_offsets: As in `Targets`.
        why: For each request and item, the rules that moved it; None where there are none.
        content_BK: Which items are there by their content, in a place kept for new ones; None where none is.
    """

    rows: IndexArray
    items_BK: IndexArray
    scores_BK: Scores
    candidates_B: IndexArray
    fallback_B: npt.NDArray[np.bool_]
    target_ranks: IndexArray
    target_scores: Scores
    target_offsets: IndexArray
    why: list[list[list[str]]] | None = None
    content_BK: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Hidden:
    """What may not be answered.

    Attributes:
        request_P: Requests of the pairs (request, item) that are hidden, ascending; a pair may be there twice.
        item_P: Their items.
        allowed_I: True for the only items that may be answered, for all requests; None for all. Never item 0.
    """

    request_P: Tensor
    item_P: Tensor
    allowed_I: Tensor | None = None

    def part(self, start: int, stop: int) -> Hidden:
        """What is hidden from requests `start` to `stop`, which are numbered from 0 anew."""
        first, end = torch.searchsorted(self.request_P, torch.tensor([start, stop], device=self.item_P.device)).tolist()
        return Hidden(self.request_P[first:end] - start, self.item_P[first:end], self.allowed_I)

    def mask(self, scores_BI: Tensor) -> Tensor:
        """Scores of all items, in place minus infinity where hidden."""
        scores_BI[:, 0] = MINUS_INFINITY
        if len(self.item_P):
            scores_BI[self.request_P, self.item_P] = MINUS_INFINITY
        if self.allowed_I is not None:
            scores_BI.masked_fill_(~self.allowed_I, MINUS_INFINITY)
        return scores_BI

    def candidates(self, num_requests: int, num_items: int) -> IndexArray:
        """How many items each request may be answered with."""
        allowed = num_items if self.allowed_I is None else int(self.allowed_I.sum())
        key_P = torch.unique(self.request_P * (num_items + 1) + self.item_P)
        if self.allowed_I is not None:
            key_P = key_P[self.allowed_I[key_P % (num_items + 1)]]
        hidden_B = torch.bincount(key_P // (num_items + 1), minlength=num_requests)
        return (allowed - hidden_B).cpu().numpy()

    def shows(self, request_P: IndexArray, item_P: IndexArray, num_items: int) -> npt.NDArray[np.bool_]:
        """Which of these pairs may be answered."""
        hidden = (self.request_P * (num_items + 1) + self.item_P).cpu().numpy()
        shown_P = (item_P > 0) & ~np.isin(request_P * (num_items + 1) + item_P, hidden)
        return shown_P if self.allowed_I is None else shown_P & self.allowed_I.cpu().numpy()[item_P]


def top(scores_BI: Tensor, k: int) -> tuple[IndexArray, Scores]:
    """The k best item indices and their scores, best first; 0 and minus infinity where fewer are allowed.

    `torch.topk` leaves open which of several equal scores it takes; where the last place is tied, those rows are
    ranked again by a key in which the item index decides.

    Raises:
        HoraeError: A score is not a number.
    """
    width = min(k, scores_BI.shape[1])
    best_BK, item_BK = _topk(scores_BI, min(width + 1, scores_BI.shape[1]))
    if best_BK.shape[1] > width:
        last_B = best_BK[:, width - 1]
        tied = torch.nonzero((last_B == best_BK[:, width]) & (last_B > MINUS_INFINITY)).flatten()
        best_BK, item_BK = best_BK[:, :width], item_BK[:, :width]
        if len(tied):
            item_BK[tied] = _ordered_key(scores_BI[tied]).topk(width).indices
            best_BK[tied] = scores_BI[tied].gather(1, item_BK[tied])
    return in_order(item_BK.cpu().numpy(), best_BK.cpu().numpy())


def in_order(item_BK: IndexArray, best_BK: Scores) -> tuple[IndexArray, Scores]:
    """Each row best first, the lower index among equals; item 0 where the score is minus infinity.

    Raises:
        HoraeError: A score is not a number.
    """
    if np.isnan(best_BK).any():
        raise HoraeError(
            "A score is not a number, so nothing can be ranked.",
            hint="Train again with a smaller learning_rate, or load a run that was saved whole.",
        )
    order = np.lexsort((item_BK, -best_BK), axis=1)
    rows = np.arange(len(order))[:, None]
    item_BK, best_BK = item_BK[rows, order], best_BK[rows, order]
    return np.where(best_BK == MINUS_INFINITY, 0, item_BK), best_BK


def ranks_of(scores_BI: Scores, request_P: IndexArray, item_P: IndexArray) -> tuple[IndexArray, Scores]:
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


def _topk(scores_BI: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """As `torch.topk`, unsorted: the k best stand in the k blocks of columns that have the best maxima."""
    blocks = scores_BI.shape[1] // COLUMNS
    if blocks < 4 * k or scores_BI.numel() < SMALL:
        return scores_BI.topk(k, sorted=True)
    even = blocks * COLUMNS
    score_BCN = scores_BI[:, :even].reshape(-1, blocks, COLUMNS)
    block_BK = score_BCN.amax(2).topk(k, sorted=False).indices
    rows = torch.arange(len(scores_BI), device=scores_BI.device)[:, None]
    chosen = torch.cat([score_BCN[rows, block_BK].flatten(1), scores_BI[:, even:]], dim=1)
    best_BK, place_BK = chosen.topk(k, sorted=True)
    inside = block_BK.gather(1, (place_BK // COLUMNS).clamp_max(k - 1)) * COLUMNS + place_BK % COLUMNS
    return best_BK, torch.where(place_BK < k * COLUMNS, inside, place_BK - k * COLUMNS + even)


def _ordered_key(scores_BI: Tensor) -> Tensor:
    """int64 keys in the order of the float32 scores, a lower item index greater among equals."""
    bits = (scores_BI + 0.0).view(torch.int32)  # + 0.0 makes one zero of two
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(torch.int64)
    width = scores_BI.shape[1]
    return ordered * (1 << 31) - torch.arange(width, device=scores_BI.device)
