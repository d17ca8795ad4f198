"""Running and sliding computations over lines that lie one after the other in flat arrays; no loop over events.

In: one number per event, where lines begin, and slices `start_B:end_B` of the flat array. Out: one number per slice.
It does not know what the numbers mean. Slices lie within a line; sliding ones move forward only (both ends ascend).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from horae.data.cleaning.order import stable_order

__all__ = [
    "BoolArray",
    "FloatArray",
    "IndexArray",
    "distinct",
    "extremes",
    "grouped",
    "merged",
    "next_alike",
    "running_max",
    "running_sum",
]

IndexArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CELLS: Final = 1 << 14
"""Of a block of short lines side by side: small enough for the fast cache."""


def running_sum(x_N: FloatArray, begin_S: IndexArray) -> FloatArray:
    """Each segment's own running sum, itself included. No segment's rounding depends on another segment.

    Segments of like length are laid side by side, and summed down the columns.

    Args:
        x_N: Numbers.
        begin_S: Where segments begin, ascending, the first at 0; none is empty.
    """
    length_S = np.diff(begin_S, append=len(x_N))
    out_N = np.empty(len(x_N))
    for segments in _of_like_length(length_S):
        width = int(length_S[segments].max())
        if width > CELLS // 4:
            for begin, end in zip(begin_S[segments], begin_S[segments] + length_S[segments], strict=True):
                np.cumsum(x_N[begin:end], out=out_N[begin:end])
            continue
        step_W = np.arange(width)[:, None]
        for at in range(0, len(segments), CELLS // width):
            some = segments[at : at + CELLS // width]
            index_WS = begin_S[some] + step_W
            inside_WS = step_W < length_S[some]
            x_WS = x_N.take(index_WS, mode="clip")
            np.cumsum(x_WS, axis=0, out=x_WS)
            out_N[index_WS[inside_WS]] = x_WS[inside_WS]
    return out_N


def _of_like_length(length_S: IndexArray) -> Iterator[IndexArray]:
    level_S = np.frexp(length_S - 0.5)[1]
    for level in np.flatnonzero(np.bincount(np.maximum(level_S, 0))):
        yield np.flatnonzero(level_S == level)


def running_max(x_N: IndexArray, line_N: IndexArray) -> IndexArray:
    """Each line's own running maximum of whole numbers from -1 up."""
    lift = int(x_N.max(initial=0)) + 2
    return np.maximum.accumulate(x_N + line_N * lift) - line_N * lift


def grouped(group_N: IndexArray) -> IndexArray:
    """The order in which equal codes stand together, events of one code as they stood."""
    order = stable_order([group_N])
    return np.arange(len(group_N)) if order is None else order


def next_alike(group_N: IndexArray) -> IndexArray:
    """Index of each event's next event of the same code; the number of events where there is none."""
    order = grouped(group_N)
    next_N = np.full(len(group_N), len(group_N), np.int64)
    same = group_N[order[1:]] == group_N[order[:-1]]
    next_N[order[:-1][same]] = order[1:][same]
    return next_N


def distinct(next_N: IndexArray, start_B: IndexArray, end_B: IndexArray) -> IndexArray:
    """How many different codes there are in each of the sliding slices.

    An event is counted where it is its code's last in the slice: by the stretch of slices that end after it, do not
    reach the code's next event, and have not yet left it behind. Stretches are summed as differences.

    Args:
        next_N: Of `next_alike`, for codes that are equal only within one line.
        start_B: Ascending.
        end_B: Ascending.
    """
    size, slices = len(next_N), len(end_B)
    ended_N1 = np.cumsum(np.bincount(end_B, minlength=size + 1))  # slices that end at or before an event
    left_N1 = np.cumsum(np.bincount(start_B, minlength=size + 1))
    first_N = ended_N1[:size]
    stop_N = np.minimum(ended_N1[next_N], left_N1[:size])
    counted = stop_N > first_N
    change = np.bincount(first_N[counted], minlength=slices + 1) - np.bincount(stop_N[counted], minlength=slices + 1)
    return np.cumsum(change)[:slices]


def extremes(
    x_N: FloatArray, slices: list[tuple[IndexArray, IndexArray]], pick: np.ufunc, empty: float
) -> list[FloatArray]:
    """The smallest (`np.minimum`) or largest number of every slice, exactly.

    A slice is covered by two stretches of a power of two in length; the stretches of each length are made from those
    of half the length, once, for all slices.

    Args:
        x_N: Numbers, with `empty` where unknown.
        slices: Pairs (start_B, end_B).
        pick: Which of two.
        empty: What a slice without a known number gives.
    """
    found = [np.full(len(end_B), empty) for _, end_B in slices]
    level_of = [np.frexp((end_B - start_B).astype(np.float64))[1] - 1 for start_B, end_B in slices]
    highest = max((int(level_B.max(initial=-1)) for level_B in level_of), default=-1)
    best_N, length = x_N.copy(), 1
    for level in range(highest + 1):
        if level:
            pick(best_N[:-length], best_N[length:], out=best_N[:-length])
            length *= 2
        for (start_B, end_B), level_B, out_B in zip(slices, level_of, found, strict=True):
            here = np.flatnonzero(level_B == level)
            out_B[here] = pick(best_N[start_B[here]], best_N[end_B[here] - length])
    return found


def merged(x_N: FloatArray, start_B: IndexArray, end_B: IndexArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Number of known (not NaN) values, their mean, and their sum of squared differences from it, in each slice.

    Nothing is subtracted that is larger than the slice's own numbers: for slices whose running sums cancel.

    Source: Chan, Golub & LeVeque 1983, the pairwise update. Differs: pairs are those of a binary tree over places.
    """
    known_N = ~np.isnan(x_N)
    node = (known_N.astype(np.float64), np.where(known_N, x_N, 0.0), np.zeros(len(x_N)))
    total = tuple(np.zeros(len(end_B)) for _ in range(3))
    left_B, right_B = start_B.copy(), end_B.copy()
    while (open_ := np.flatnonzero(left_B < right_B)).size:
        odd = open_[left_B[open_] % 2 == 1]
        _take_in(total, odd, node, left_B[odd])
        left_B[odd] += 1
        odd = open_[(right_B[open_] % 2 == 1) & (left_B[open_] < right_B[open_])]
        right_B[odd] -= 1
        _take_in(total, odd, node, right_B[odd])
        left_B, right_B = left_B // 2, right_B // 2
        even = [np.append(part, 0.0) if len(part) % 2 else part for part in node]
        node = _pooled([part[::2] for part in even], [part[1::2] for part in even])
    return total[0], total[1], total[2]


def _take_in(total: tuple[FloatArray, ...], rows: IndexArray, node: tuple[FloatArray, ...], index: IndexArray) -> None:
    pooled = _pooled([part[rows] for part in total], [part[index] for part in node])
    for part, new in zip(total, pooled, strict=True):
        part[rows] = new


def _pooled(one: list[FloatArray], two: list[FloatArray]) -> tuple[Any, Any, Any]:
    number = one[0] + two[0]
    share = two[0] / np.maximum(number, 1.0)
    apart = np.where((one[0] > 0) & (two[0] > 0), two[1] - one[1], 0.0)
    mean = np.where(one[0] > 0, one[1] + apart * share, two[1])
    return number, mean, one[2] + two[2] + apart * apart * one[0] * share
