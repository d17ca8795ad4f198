"""Chosen pairs (request, item) in, their exact scores, their order and their ranks in a large catalog out.

The score of a pair is the double-precision dot product of state and item vector, rounded to float32: the same whatever
else is asked with it. This module does not know how the pairs were chosen, nor models.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from horae.recommend.rank import MINUS_INFINITY, Hidden, Scores
from horae.schema import IndexArray

__all__ = ["best_of", "exact_scores", "ranks_in"]

PAIRS_AT_ONCE = 32_768
SCORES_AT_ONCE = 1 << 20
TARGETS_AT_ONCE = 64


def exact_scores(e_ID: Tensor, h_BD: Tensor, request_P: Tensor, item_P: Tensor) -> Tensor:
    """float32 score of each pair: the double-precision dot product, rounded."""
    pieces = []
    for start in range(0, max(1, len(item_P)), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        pieces.append(torch.linalg.vecdot(e_ID[item_P[part]].double(), h_BD[request_P[part]].double()).float())
    return torch.cat(pieces)


def best_of(e_ID: Tensor, h_BD: Tensor, request_P: Tensor, item_P: Tensor, k: int) -> tuple[IndexArray, Scores]:
    """The k best of each request's own candidates; 0 and minus infinity where there are fewer."""
    score = exact_scores(e_ID, h_BD, request_P, item_P).cpu().numpy()
    request, item = request_P.cpu().numpy(), item_P.cpu().numpy()
    order = np.lexsort((item, -score, request))
    place = np.arange(len(order)) - np.searchsorted(request[order], request[order])
    order, place = order[place < k], place[place < k]
    item_BK = np.zeros((len(h_BD), k), dtype=np.int64)
    best_BK = np.full((len(h_BD), k), MINUS_INFINITY, dtype=np.float32)
    item_BK[request[order], place] = item[order]
    best_BK[request[order], place] = score[order]
    return item_BK, best_BK


def ranks_in(
    e_ID: Tensor, h_BD: Tensor, request_P: IndexArray, item_P: IndexArray, hidden: Hidden
) -> tuple[IndexArray, Scores]:
    """As `horae.recommend.rank.ranks_of`, over items in blocks: what float32 cannot tell is scored again, exactly."""
    shown = np.flatnonzero(hidden.shows(request_P, item_P, len(e_ID) - 1))
    rank, score = np.zeros(len(item_P), dtype=np.int64), np.full(len(item_P), np.nan, dtype=np.float32)
    for start in range(0, len(shown), TARGETS_AT_ONCE):
        pairs = shown[start : start + TARGETS_AT_ONCE]
        first, last = int(request_P[pairs].min()), int(request_P[pairs].max()) + 1
        request_N = torch.from_numpy(request_P[pairs] - first).to(e_ID.device)
        item_N = torch.from_numpy(item_P[pairs]).to(e_ID.device)
        own_N = exact_scores(e_ID, h_BD[first:last], request_N, item_N)
        before_N = _before(e_ID, h_BD[first:last], request_N, item_N, own_N, hidden.part(first, last))
        rank[pairs], score[pairs] = 1 + before_N.cpu().numpy(), own_N.cpu().numpy()
    return rank, score


def _before(e_ID: Tensor, h_BD: Tensor, request_N: Tensor, item_N: Tensor, own_N: Tensor, hidden: Hidden) -> Tensor:
    """How many items stand before each pair's item."""
    before_N = torch.zeros_like(item_N)
    unsure_B = 4 * (e_ID.shape[1] + 2) * torch.finfo(torch.float32).eps * h_BD.norm(dim=1)  # float32 sums err by less
    by_item = hidden.item_P.argsort()
    hidden_request_P, hidden_item_P = hidden.request_P[by_item], hidden.item_P[by_item]
    step = max(1, SCORES_AT_ONCE // len(h_BD))
    for start in range(1, len(e_ID), step):
        e_RD = e_ID[start : start + step]
        score_BR = h_BD @ e_RD.T
        first, end = torch.searchsorted(
            hidden_item_P, torch.tensor([start, start + len(e_RD)], device=e_ID.device)
        ).tolist()
        score_BR[hidden_request_P[first:end], hidden_item_P[first:end] - start] = MINUS_INFINITY
        if hidden.allowed_I is not None:
            score_BR.masked_fill_(~hidden.allowed_I[start : start + step], MINUS_INFINITY)
        score_NR = score_BR[request_N]
        unsure_N = unsure_B[request_N] * e_RD.norm(dim=1).max()
        ahead_NR = score_NR > (own_N + unsure_N)[:, None]
        before_N += ahead_NR.sum(1)
        pair_P, place_P = torch.nonzero((score_NR >= (own_N - unsure_N)[:, None]) & ~ahead_NR, as_tuple=True)
        score_P = exact_scores(e_ID, h_BD, request_N[pair_P], place_P + start)
        wins_P = (score_P > own_N[pair_P]) | ((score_P == own_N[pair_P]) & (place_P + start < item_N[pair_P]))
        before_N += torch.bincount(pair_P[wins_P], minlength=len(item_N))
    return before_N
