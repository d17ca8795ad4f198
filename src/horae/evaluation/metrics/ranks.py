"""Ranks of targets in; what the ranking metrics share out. Knows neither users, ids nor models.

A request has one target or several (a basket). Every metric of this folder maps `Ranks` to one value per request;
averaging over requests, users and resamples is the protocol's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["BoolArray", "FloatArray", "IndexArray", "Ranks"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where each request's targets stood.

    Attributes:
        rank_T: Rank of each target from 1 among the items allowed; 0 where it could not be ranked at all (an item
            outside the item table, or one that the request's constraints leave out): a miss at every k.
        offset_B1: Request b's targets are `rank_T[offset_B1[b]:offset_B1[b + 1]]`; every request has at least one.
        candidates_B: How many items were allowed for each request.
    """

    rank_T: IndexArray
    offset_B1: IndexArray
    candidates_B: IndexArray

    def __len__(self) -> int:
        return len(self.offset_B1) - 1

    @cached_property
    def size_B(self) -> IndexArray:
        """Targets of each request, those that could not be ranked included."""
        return np.diff(self.offset_B1)

    @cached_property
    def request_of_T(self) -> IndexArray:
        """The request that each target belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.size_B)

    def top(self, k: int) -> BoolArray:
        """Which targets stood among the first k."""
        return (self.rank_T > 0) & (self.rank_T <= k)

    def hits(self, k: int) -> FloatArray:
        """How many of each request's targets stood among the first k."""
        return self.sums(self.top(k).astype(np.float64))

    def sums(self, value_T: FloatArray) -> FloatArray:
        """Sum over each request's targets."""
        return np.bincount(self.request_of_T, weights=value_T, minlength=len(self)).astype(np.float64, copy=False)

    @cached_property
    def place_T(self) -> IndexArray:
        """Each target's place, from 1, among its own request's ranked targets, best first; 0 if not ranked."""
        ranked = np.flatnonzero(self.rank_T > 0)
        order = ranked[np.lexsort((self.rank_T[ranked], self.request_of_T[ranked]))]
        request = self.request_of_T[order]
        count_B = np.bincount(request, minlength=len(self))
        first_B = np.cumsum(count_B) - count_B
        place = np.zeros_like(self.rank_T)
        place[order] = np.arange(len(order)) - first_B[request] + 1
        return place

    def only(self, mask_T: BoolArray) -> tuple[Ranks, IndexArray]:
        """The same lists judged by some of the targets only, and the requests that have such a target left."""
        size_B = np.bincount(self.request_of_T[mask_T], minlength=len(self))
        left = np.flatnonzero(size_B > 0)
        offsets = np.concatenate([[0], np.cumsum(size_B[left])]).astype(np.int64)
        return Ranks(self.rank_T[mask_T], offsets, self.candidates_B[left]), left
