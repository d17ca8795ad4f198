"""What happened in trailing windows: how many events, their values' sum, mean and deviation, and their rate.

In: lines and moments. Out: float32 columns. Sums come from running sums in float64, taken on each line alone and of
values less the line's first one; where a difference of them would lose digits, the window is summed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from horae.features.book import LineBlock
from horae.features.group import Column, Feature, Wishes, blank
from horae.features.moments import Moments
from horae.features.scans import FloatArray, IndexArray, distinct, extremes, merged, next_alike, running_sum
from horae.features.spans import DAY, Window
from horae.schema import ITEM, USER, VALUE

__all__ = ["Distinct", "Extremes", "Sums", "Windows"]

UNCLEAR: Final = "a window of time where times are unknown or contradict the order"
COVERED: Final = 0.1
"""A rate over time is said once the key has been known for this share of the window."""
EPSILON: Final = 2.0**-52
LOST: Final = 1e-6
"""Relative error above which a difference of running sums is not trusted: float32 has 6e-8."""


class Sums:
    """Running sums of a column on each line, from which any slice's number, mean and deviation follow.

    Args:
        x_N: Numbers, NaN where unknown.
        lines: Where they stand.
    """

    def __init__(self, x_N: FloatArray, lines: LineBlock) -> None:
        self._x_N = x_N
        begin_K = lines.offset_K1[:-1]
        known_N = ~np.isnan(x_N)
        self._known_N1 = np.concatenate([[0], np.cumsum(known_N)])
        first_K = np.searchsorted(self._known_N1, self._known_N1[begin_K] + 1) - 1
        first_K = np.minimum(first_K, len(x_N) - 1)  # not used where it is another line's
        self._centre_K = np.where(np.isnan(x_N[first_K]), 0.0, x_N[first_K])
        apart_N = np.where(known_N, x_N - self._centre_K[lines.line_N], 0.0)
        self._sum_N = running_sum(apart_N, begin_K)
        self._square_N = running_sum(apart_N * apart_N, begin_K)
        self._whole = bool((apart_N == np.rint(apart_N)).all()) and self._square_N.max(initial=0) * len(x_N) < 2**53

    def over(self, at: Moments, start_B: IndexArray) -> tuple[IndexArray, FloatArray, FloatArray]:
        """Number of known values in `[start_B:end_B]`, their sum, and their variance around their mean (0 if none)."""
        number_B = self._known_N1[at.end_B] - self._known_N1[start_B]
        square_end_B, sum_end_B = self._until(self._square_N, at.end_B, at), self._until(self._sum_N, at.end_B, at)
        sum_start_B = self._until(self._sum_N, start_B, at)
        square_B = square_end_B - self._until(self._square_N, start_B, at)
        apart_B = sum_end_B - sum_start_B
        sum_B = np.where(number_B > 0, apart_B + number_B * self._centre_K[at.line_B], 0.0)
        squares_B = square_B - apart_B * apart_B / np.maximum(number_B, 1)
        if not self._whole:
            size_B = np.abs(sum_start_B) + np.abs(sum_end_B)
            doubt = _doubtful(number_B, sum_B, squares_B, apart_B, square_B, square_end_B, size_B)
            if doubt.size:
                known_B, mean_B, squares_B[doubt] = merged(self._x_N, start_B[doubt], at.end_B[doubt])
                sum_B[doubt] = mean_B * known_B
        return number_B, sum_B, np.maximum(squares_B, 0.0) / np.maximum(number_B, 1)

    def _until(self, running_N: FloatArray, end_B: IndexArray, at: Moments) -> FloatArray:
        return np.where(end_B > at.begin_B, running_N[np.maximum(end_B - 1, 0)], 0.0)


def _doubtful(
    number_B: IndexArray,
    sum_B: FloatArray,
    squares_B: FloatArray,
    apart_B: FloatArray,
    square_B: FloatArray,
    square_end_B: FloatArray,
    size_B: FloatArray,
) -> IndexArray:
    """Slices whose differences of running sums may have lost more digits than float32 can do without.

    Only additions between a slice's ends count: what was rounded before them is in both running sums. Errors of n
    additions are taken to grow as the root of n.
    """
    root_B = np.sqrt(number_B) * (2 * EPSILON)
    sum_error_B = root_B * (size_B + np.sqrt(number_B * np.abs(square_B)))
    squares_error_B = root_B * square_end_B + np.abs(apart_B) * (2 / np.maximum(number_B, 1)) * sum_error_B
    doubt_B = (number_B > 1) & (squares_error_B > LOST * squares_B)
    doubt_B |= sum_error_B > LOST * np.abs(sum_B)
    return np.flatnonzero(doubt_B & (square_end_B > 0) & (number_B > 0))


@dataclass(frozen=True)
class Windows:
    """Counts, sums, means, deviations, rates."""

    windows: tuple[Window, ...]
    has_values: bool

    needs: ClassVar[str] = ""
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("count_{window}", "events", UNCLEAR, "Events in the window."),
        Feature(
            "rate_{window}",
            "events per day",
            f"fewer than {COVERED:g} of the window passed since the key's first event (n windows: fewer than two "
            f"events, or all at the moment); {UNCLEAR}",
            "Events per day over the part of the window in which the key was known: where the window reaches back to "
            "the key's first event, that event opens the time and is not counted.",
        ),
        Feature("sum_{window}", "of the value", UNCLEAR, "Sum of the known values; 0 where there are none."),
        Feature("mean_{window}", "of the value", f"no known value in the window; {UNCLEAR}", "Their mean."),
        Feature(
            "deviation_{window}",
            "of the value",
            f"fewer than two known values in the window; {UNCLEAR}",
            "Their standard deviation (divided by their number).",
        ),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Windows:
        """For every log; values where it has some."""
        return cls(wishes.windows, wishes.book.has_values)

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        columns: dict[str, Column] = {}
        sums = lines.once(VALUE, lambda: Sums(lines.value_N, lines)) if self.has_values else None
        for window in self.windows:
            start_B, unsaid_B, name = at.starts(window), at.unsaid(window), window.name
            columns[f"count_{name}"] = blank((at.end_B - start_B).astype(np.float32), unsaid_B)
            columns[f"rate_{name}"] = blank(_rate(at, window, start_B), unsaid_B)
            if sums is not None:
                number_B, sum_B, variance_B = sums.over(at, start_B)
                columns[f"sum_{name}"] = blank(sum_B, unsaid_B)
                with np.errstate(invalid="ignore"):
                    columns[f"mean_{name}"] = blank(sum_B / number_B, unsaid_B)
                deviation_B = np.where(number_B > 1, np.sqrt(variance_B), np.nan)
                columns[f"deviation_{name}"] = blank(deviation_B, unsaid_B)
        return columns


@dataclass(frozen=True)
class Extremes:
    """Smallest, largest and last value."""

    windows: tuple[Window, ...]

    needs: ClassVar[str] = "a column of values: value"
    features: ClassVar[tuple[Feature, ...]] = tuple(
        Feature(f"{name}_{{window}}", "of the value", f"no known value in the window; {UNCLEAR}", says)
        for name, says in (
            ("minimum", "Smallest value in the window."),
            ("maximum", "Largest value in the window."),
            ("last", "Last known value in the window."),
        )
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Extremes | None:
        """For logs with values."""
        return cls(wishes.windows) if wishes.book.has_values else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        value_N = lines.value_N
        known_N = ~np.isnan(value_N)
        slices = [(at.starts(window), at.end_B) for window in self.windows]
        smallest = extremes(np.where(known_N, value_N, np.inf), slices, np.minimum, np.inf)
        largest = extremes(np.where(known_N, value_N, -np.inf), slices, np.maximum, -np.inf)
        last_N = np.maximum.accumulate(np.where(known_N, np.arange(len(lines)), -1))
        last_B = last_N[at.last_B]
        columns: dict[str, Column] = {}
        for window, low_B, high_B, (start_B, end_B) in zip(self.windows, smallest, largest, slices, strict=True):
            unsaid_B, name = at.unsaid(window), window.name
            columns[f"minimum_{name}"] = blank(np.where(np.isinf(low_B), np.nan, low_B), unsaid_B)
            columns[f"maximum_{name}"] = blank(np.where(np.isinf(high_B), np.nan, high_B), unsaid_B)
            there_B = (end_B > start_B) & (last_B >= start_B)
            columns[f"last_{name}"] = blank(np.where(there_B, value_N[last_B], np.nan), unsaid_B)
        return columns


@dataclass(frozen=True)
class Distinct:
    """How many different items, or users, there were; and how often an item came again."""

    windows: tuple[Window, ...]
    of_what: dict[str, str]

    needs: ClassVar[str] = "items, or another key than the user"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("distinct_items_{window}", "items", UNCLEAR, "Different items in the window (not by item)."),
        Feature("distinct_users_{window}", "users", UNCLEAR, "Different users in the window (not by user)."),
        Feature(
            "repeat_share_{window}",
            "share",
            f"no event in the window; {UNCLEAR}",
            "Share of the window's events on an item that it held already (not by item).",
        ),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Distinct | None:
        """Items of users, users of items, both of anything else."""
        book = wishes.book
        there = {"items": ITEM} if book.events.has_items else {}
        there |= {"users": USER}
        of_what = {name: column for name, column in there.items() if column != book.by}
        return cls(wishes.windows, of_what) if of_what else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        columns: dict[str, Column] = {}
        for name, column in self.of_what.items():
            code_N = lines.codes(column).astype(np.int64)
            next_N = next_alike(code_N + lines.line_N * (int(code_N.max(initial=0)) + 1))
            for window in self.windows:
                number_B = distinct(next_N, at.starts(window), at.end_B)
                columns[f"distinct_{name}_{window.name}"] = blank(number_B.astype(np.float32), at.unsaid(window))
                if name == "items":
                    with np.errstate(invalid="ignore"):
                        share_B = 1 - number_B / (at.end_B - at.starts(window))
                    columns[f"repeat_share_{window.name}"] = blank(share_B, at.unsaid(window))
        return columns


def _rate(at: Moments, window: Window, start_B: IndexArray) -> FloatArray:
    """Events per day; NaN where not enough of the window is covered."""
    number_B = (at.end_B - start_B).astype(np.float64)
    if window.micros is None:  # the oldest event opens the time
        opened_B = at.seconds_since(start_B, number_B > 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(opened_B > 0, (number_B - 1) / opened_B * (DAY / 1e6), np.nan)
    seconds, known_B = window.micros / 1e6, at.since_first_B
    number_B -= known_B <= seconds  # the window holds the key's first event, which opens the time
    with np.errstate(divide="ignore", invalid="ignore"):
        rate_B = number_B / np.minimum(known_B, seconds) * (DAY / 1e6)
    return np.where(known_B >= COVERED * seconds, rate_B, np.nan)
