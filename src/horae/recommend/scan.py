"""States in, the exact best items of a large catalog out, without a score per item: an int8 scan with a proven bound.

Items stand in blocks, longest vectors first, each block with its own step from float to int8. A product of codes is off
from the true score by at most

    |h . e - t step (g . c)|  <=  |h - t g| |step c| + |h| |e - step c|          (Cauchy-Schwarz, twice)

so each block's best code product bounds its items from both sides. Whatever could be among the k best by that bound is
scored again in double precision; the rest provably is not. Blocks whose vectors are too short to reach the k-th best
are not read at all. Where the bound leaves too much open (all scores equal), every item is scored.

The score of an item is the double-precision dot product, rounded to float32: the same whatever else was asked with it.
This module does not know models, requests or ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from horae.errors import HoraeError
from horae.recommend.pairs import best_of
from horae.recommend.rank import MINUS_INFINITY, Hidden, Scores, top
from horae.schema import IndexArray

__all__ = ["Scan", "must_be_finite"]

BLOCK = 64
FIRST_ROWS = 32_768
"""Read first, to learn how good the k-th best is at least."""
CODES_AT_ONCE = 1 << 20
REQUESTS_AT_ONCE = 64
OPEN_AT_MOST = 1 << 21
"""Candidates of all requests at once; beyond it the bound is of no use."""
HIDDEN_CODE = -(1 << 30)
SAFETY = 1e-5
"""Relative; float32 arithmetic on the bound itself errs by less."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """Some requests' states as codes, and the unit and bound of each block for each of them."""

    h_BD: Tensor
    code_BD: Tensor
    scale_B: Tensor
    rest_B: Tensor
    norm_B: Tensor


class Scan:
    """The catalog of one version of the item vectors, laid out for scanning.

    Args:
        e_ID: float32 item vectors, row 0 padding. They are referred to, not copied; the codes take D bytes per item.

    Raises:
        HoraeError: A vector holds a number that is not finite.
    """

    def __init__(self, e_ID: Tensor) -> None:
        must_be_finite(e_ID[1:], "An item vector")
        self.e_ID = e_ID
        self.num_items = len(e_ID) - 1
        norm_I = e_ID[1:].norm(dim=1)
        order_I = norm_I.argsort(descending=True, stable=True) + 1
        short = -self.num_items % BLOCK
        self.item_R = torch.cat([order_I, order_I[-1:].expand(short)])  # a repeated item bounds its block, no more
        self.row_I = torch.zeros(self.num_items + 1, dtype=torch.int64, device=e_ID.device)
        self.row_I[order_I] = torch.arange(self.num_items, device=e_ID.device)
        self.longest_C = norm_I[self.item_R[::BLOCK] - 1] * (1 + SAFETY)
        width = e_ID.shape[1] + -e_ID.shape[1] % 16
        self.code_RD = torch.zeros((len(self.item_R), width), dtype=torch.int8, device=e_ID.device)
        self.step_C, self.code_norm_C, self.rest_C = (torch.empty_like(self.longest_C) for _ in range(3))
        self._encode()

    def _encode(self) -> None:
        for start in range(0, len(self.item_R), FIRST_ROWS):
            rows, blocks = slice(start, start + FIRST_ROWS), slice(start // BLOCK, (start + FIRST_ROWS) // BLOCK)
            e_CRD = self.e_ID[self.item_R[rows]].view(-1, BLOCK, self.e_ID.shape[1])
            step_C = (e_CRD.abs().amax((1, 2)) / 127).clamp_min(torch.finfo(torch.float32).tiny)
            code_CRD = (e_CRD / step_C[:, None, None]).round().clamp(-127, 127)
            rounded_CRD = code_CRD * step_C[:, None, None]
            self.code_RD[rows, : e_CRD.shape[2]] = code_CRD.flatten(0, 1).to(torch.int8)
            self.step_C[blocks] = step_C
            self.code_norm_C[blocks] = rounded_CRD.norm(dim=2).amax(1)
            self.rest_C[blocks] = (e_CRD - rounded_CRD).norm(dim=2).amax(1)

    def top(self, h_BD: Tensor, k: int, hidden: Hidden) -> tuple[IndexArray, Scores]:
        """As `horae.recommend.rank.top`, of all items but the hidden.

        Raises:
            HoraeError: A state holds a number that is not finite.
        """
        must_be_finite(h_BD, "The state of a history")
        width = min(k, self.num_items + 1)
        if len(h_BD) <= REQUESTS_AT_ONCE:
            return self._top(h_BD, width, hidden)
        starts = range(0, len(h_BD), REQUESTS_AT_ONCE)
        stops = [min(start + REQUESTS_AT_ONCE, len(h_BD)) for start in starts]
        parts = [self._top(h_BD[a:b], width, hidden.part(a, b)) for a, b in zip(starts, stops, strict=True)]
        return np.concatenate([items for items, _ in parts]), np.concatenate([best for _, best in parts])

    def _top(self, h_BD: Tensor, k: int, hidden: Hidden) -> tuple[IndexArray, Scores]:
        found = self._candidates(_coded(h_BD, self.code_RD.shape[1]), k, hidden)
        if found is not None:
            return best_of(self.e_ID, h_BD, *found, k)
        rows = [self._every_item(h_BD[row], hidden.part(row, row + 1), k) for row in range(len(h_BD))]
        return np.concatenate([items for items, _ in rows]), np.concatenate([best for _, best in rows])

    def _candidates(self, asked: _Asked, k: int, hidden: Hidden) -> tuple[Tensor, Tensor] | None:
        """Pairs (request, item) that the bound cannot rule out; None where these are too many."""
        size = len(asked.h_BD)
        least_BK = torch.full((size, k), MINUS_INFINITY, device=asked.h_BD.device)
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        num_open = 0
        for rows in self._pieces(size, least_BK, asked):
            code_BR = _products(asked.code_BD, self.code_RD[rows])
            self._hide(code_BR, rows, hidden)
            blocks = slice(rows.start // BLOCK, rows.stop // BLOCK)
            unit_BC = asked.scale_B[:, None] * self.step_C[blocks]
            error_BC = asked.rest_B[:, None] * self.code_norm_C[blocks] + asked.norm_B[:, None] * self.rest_C[blocks]
            error_BC += SAFETY * asked.norm_B[:, None] * self.longest_C[blocks]
            code_BCR = code_BR.view(size, -1, BLOCK)
            best_BC = code_BCR.amax(2)
            shown_BC = best_BC > HIDDEN_CODE  # a block with nothing to show promises nothing
            middle_BC = best_BC * unit_BC
            least_BC = (middle_BC - error_BC).masked_fill_(~shown_BC, MINUS_INFINITY)
            least_BK.copy_(torch.cat([least_BK, least_BC], dim=1).topk(k, sorted=True).values)
            request_N, block_N = torch.nonzero(shown_BC & (middle_BC + error_BC >= least_BK[:, -1:]), as_tuple=True)
            code_NR = code_BCR[request_N, block_N]
            most_NR = code_NR * unit_BC[request_N, block_N, None] + error_BC[request_N, block_N, None]
            open_NR = (most_NR >= least_BK[request_N, -1:]) & (code_NR > HIDDEN_CODE)
            which_P, place_P = torch.nonzero(open_NR, as_tuple=True)
            row_P = rows.start + block_N[which_P] * BLOCK + place_P
            found.append((request_N[which_P], row_P, most_NR[which_P, place_P]))
            num_open += len(which_P)
            if num_open > OPEN_AT_MOST:
                return None
        request_P, row_P, most_P = (torch.cat(column) for column in zip(*found, strict=True))
        left_P = (most_P >= least_BK[request_P, -1]) & (row_P < self.num_items)
        return request_P[left_P], self.item_R[row_P[left_P]]

    def _pieces(self, size: int, least_BK: Tensor, asked: _Asked) -> Iterator[slice]:
        """Rows to read next; ends where the vectors left are too short for every request."""
        start, stop = 0, FIRST_ROWS
        while start < len(self.item_R):
            reach_B = least_BK[:, -1] / asked.norm_B.clamp_min(torch.finfo(torch.float32).tiny)
            blocks = int(torch.searchsorted(-self.longest_C, -reach_B.min(), right=True))
            stop = min(stop, blocks * BLOCK)
            if start >= stop:
                return
            yield slice(start, stop)
            start, stop = stop, stop + max(FIRST_ROWS // 2, CODES_AT_ONCE // size // BLOCK * BLOCK)

    def _hide(self, code_BR: Tensor, rows: slice, hidden: Hidden) -> None:
        if len(hidden.item_P):
            row_P = self.row_I[hidden.item_P] - rows.start
            here_P = (row_P >= 0) & (row_P < rows.stop - rows.start)
            code_BR[hidden.request_P[here_P], row_P[here_P]] = HIDDEN_CODE
        if hidden.allowed_I is not None:
            code_BR.masked_fill_(~hidden.allowed_I[self.item_R[rows]], HIDDEN_CODE)

    def _every_item(self, h_D: Tensor, hidden: Hidden, k: int) -> tuple[IndexArray, Scores]:
        pieces = (self.e_ID[start : start + FIRST_ROWS] for start in range(0, len(self.e_ID), FIRST_ROWS))
        score_I = torch.cat([(e_ID.double() @ h_D.double()).float() for e_ID in pieces])
        return top(hidden.mask(score_I[None]), k)


def must_be_finite(vectors: Tensor, what: str) -> None:
    """Refuse what cannot be ranked.

    Raises:
        HoraeError: Not all numbers are finite.
    """
    if not bool(torch.isfinite(vectors.sum())) and not bool(torch.isfinite(vectors).all()):
        raise HoraeError(
            f"{what} holds a number that is not finite, so nothing can be ranked.",
            hint="Train again with a smaller learning_rate, or load a run that was saved whole.",
        )


def _coded(h_BD: Tensor, width: int) -> _Asked:
    h_BD = h_BD.float()
    scale_B = (h_BD.abs().amax(1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
    rounded_BD = (h_BD / scale_B[:, None]).round().clamp(-127, 127)
    code_BD = torch.zeros((len(h_BD), width), dtype=torch.int8, device=h_BD.device)
    code_BD[:, : h_BD.shape[1]] = rounded_BD.to(torch.int8)
    rest_B = (h_BD - rounded_BD * scale_B[:, None]).norm(dim=1)
    return _Asked(h_BD, code_BD, scale_B, rest_B * (1 + SAFETY), h_BD.norm(dim=1) * (1 + SAFETY))


def _products(code_BD: Tensor, code_RD: Tensor) -> Tensor:
    """int32 dot products of codes; exact on every device."""
    if code_BD.device.type == "cpu" and _multiplies_int8_exactly():
        if len(code_BD) == 1:  # one column is faster than one row
            return torch._int_mm(code_RD, code_BD.T).view(1, -1)
        return torch._int_mm(code_BD, code_RD.T)
    return (code_BD.float() @ code_RD.float().T).to(torch.int32)  # whole numbers below 2**24: exact


@cache
def _multiplies_int8_exactly() -> bool:
    """Processors without int8 instructions of their own may add pairs of products in 16 bits, which overflow."""
    code_RD = torch.full((BLOCK, BLOCK), 127, dtype=torch.int8)
    code_RD[1::2] = -127
    true_RR = (code_RD.int() @ code_RD.int().T).tolist()
    alone_R1 = torch._int_mm(code_RD, code_RD[:1].T)
    return bool(torch._int_mm(code_RD, code_RD.T).tolist() == true_RR and alone_R1.flatten().tolist() == true_RR[0])
