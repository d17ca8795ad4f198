"""The methods that count: carry forward, mean, median, lines between known values, seasons.

In: `Lines`. Out: guesses for the missing rows, NaN where there is nothing to guess by. Each class says what it does at
the edges: before the first known value (a leading gap), with no known value at all, with a single one, with a constant.
What a row may look at is decided in `lines`. None of them knows tables, nor draws random numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import polars as pl

from horae.data.cleaning.order import Array, Mask
from horae.data.filling.lines import Floats, Lines, line_numbers, neighbours

__all__ = ["Between", "CarryForward", "MeanSoFar", "Middle", "Seasonal"]

Statistic = Literal["mean", "median"]
ROUNDS: Final = 5


class CarryForward:
    """The last known value before, in the row's line.

    Edges: a leading gap stays missing, and so does a line without values; one value fills all that follows it; a
        constant stays constant. Nothing is learned, and nothing later is looked at, in the training part either.
    """

    def guess(self, lines: Lines) -> Floats:
        """See `Filler`."""
        near = neighbours(lines)
        return _placed(lines, near.row_M, _taken(lines.value_N, near.before_M))


@dataclass(frozen=True, eq=False)
class Middle:
    """The mean or the median of the line's known values in the training part.

    Edges: a leading gap is filled like any other; a line without known training values takes the middle of its wider
        group (of all its behavior's values, for events) and stays missing where there is none; one value is its own
        middle; a constant stays constant to the last bit.
    """

    names: Sequence[Hashable]
    middle_L: Floats
    wide: dict[Hashable, float]

    @classmethod
    def fit(cls, lines: Lines, statistic: Statistic) -> Middle:
        """From the training part alone."""
        usable = lines.known_N & lines.train_N
        middle_L = _per_group(lines.line_N, lines.value_N, usable, lines.num_lines, statistic)
        if lines.wide_N is None:
            return cls(lines.names, middle_L, {})
        middle_W = _per_group(lines.wide_N, lines.value_N, usable, len(lines.wide_names), statistic)
        return cls(lines.names, middle_L, dict(zip(lines.wide_names, middle_W.tolist(), strict=True)))

    def guess(self, lines: Lines) -> Floats:
        """See `Filler`."""
        number_L = line_numbers(lines, self.names)
        guess_N = _taken(self.middle_L, number_L)[lines.line_N]
        if lines.wide_N is None:
            return guess_N
        wide_W = np.array([self.wide.get(name, np.nan) for name in lines.wide_names])
        return np.where(np.isnan(guess_N), wide_W[lines.wide_N], guess_N)


class MeanSoFar:
    """The mean of what was known in the line before the row: what `mean` is where no training part was named.

    Edges: a leading gap and a line without values stay missing; one value fills all that follows it; a constant stays
        constant, up to rounding.
    """

    def guess(self, lines: Lines) -> Floats:
        """See `Filler`."""
        known = lines.known_N
        columns = {"line": lines.line_N, "value": np.where(known, lines.value_N, 0.0), "known": known.astype(np.int64)}
        total = pl.DataFrame(columns).select(pl.col("value", "known").cum_sum().over("line"))
        last = lines.tie_N - 1
        inside = last >= lines.start_N
        count = np.where(inside, total["known"].to_numpy()[last], 0) if len(known) else last
        mean = np.where(inside, total["value"].to_numpy()[last], 0.0) / np.maximum(count, 1) if len(known) else last
        return np.where(count > 0, mean, np.nan)


@dataclass(frozen=True)
class Between:
    """A straight line between the known values around the gap.

    By `step`: as if values were equally far apart; by `second`: by the clock, and by steps where a time of the line is
    unknown.

    Edges: a leading gap takes the first known value of the training part, a gap at the end the last one; one value
        fills the line; a line without values stays missing; a constant stays constant to the last bit. After the
        training part there is no later value to go to: the last one before is carried forward, and a leading gap
        there stays missing.
    """

    axis: Literal["step", "second"]

    def guess(self, lines: Lines) -> Floats:
        """See `Filler`."""
        return between(lines, self._axis(lines))

    def _axis(self, lines: Lines) -> Floats:
        steps = lines.step_N.astype(np.float64)
        if self.axis == "step":
            return steps
        unknown_L = np.bincount(lines.line_N, np.isnan(lines.second_N), lines.num_lines) > 0
        return np.where(unknown_L[lines.line_N], steps, lines.second_N)


@dataclass(frozen=True, eq=False)
class Seasonal:
    """What the same phase of the season usually adds, on a level that runs straight between the known values around.

        season_p = mean over training rows of phase p of (value - mean of the values within half a period)
        guess    = season_p + between(value - season)

    Phases that were never seen add nothing. Rows nearer than half a period to their line's ends are left out of the
    season where the line is two periods long or longer: their surroundings are lopsided. Phases are counted by the
    clock, so that a table that begins elsewhere has them right; by rows where times are no multiples of one step, such
    as months, and in a matrix.

    Edges: as `Between` for the level (a leading gap, no value, after the training part); one value fills the line; a
        constant stays constant up to rounding.

    Source: Moritz and Bartz-Beielstein 2017 (The R Journal 9:1, imputeTS), the function na_seadec, as idea.
    Differs: the season is that of a moving mean, not of a loess fit (STL), so that gaps need no filling before.
    """

    period: int
    step_seconds: float | None
    names: Sequence[Hashable]
    season_LP: Floats

    @classmethod
    def fit(cls, lines: Lines, period: int, step_seconds: float | None) -> Seasonal:
        """From the training part alone, in rounds: a gap filled by one round does not tilt the mean of the next."""
        step_seconds = _grid(lines) if step_seconds is None else step_seconds
        usable = lines.known_N & lines.train_N & (_steps(lines, step_seconds) >= 0)
        seen = replace(lines, value_N=np.where(usable, lines.value_N, np.nan))
        model = cls(period, step_seconds, lines.names, np.zeros((lines.num_lines, period)))
        for _ in range(ROUNDS):
            guess_N = np.where(usable, seen.value_N, model.guess(seen))
            model = replace(model, season_LP=_season(seen, guess_N, period, step_seconds))
        return model

    def season(self, lines: Lines) -> Floats:
        """What each row's phase adds; 0 for lines that were not fitted."""
        number_N = line_numbers(lines, self.names)[lines.line_N]
        step_N = _steps(lines, self.step_seconds)
        told = (number_N >= 0) & (step_N >= 0)
        return np.where(told, self.season_LP[np.where(told, number_N, 0), step_N % self.period], 0.0)

    def guess(self, lines: Lines) -> Floats:
        """See `Filler`."""
        season_N = self.season(lines)
        level_N = between(lines.with_values(lines.value_N - season_N), lines.step_N.astype(np.float64))
        return season_N + level_N


def _season(lines: Lines, filled_N: Floats, period: int, step_seconds: float | None) -> Floats:
    """Per line and phase, what known values are above the mean around them; the phases that were seen add up to 0."""
    step_N = _steps(lines, step_seconds)
    rows = np.flatnonzero(lines.train_N & (step_N >= 0) & ~np.isnan(filled_N))
    line_M, step_M = lines.line_N[rows], step_N[rows]
    level_M, whole_M = _moving_mean(line_M, step_M, filled_N[rows], period, lines.num_lines)
    told_M = whole_M & lines.known_N[rows]
    cell_M = (line_M * period + step_M % period)[told_M]
    size = lines.num_lines * period
    sums, counts = (np.bincount(cell_M, w, size) for w in ((filled_N[rows] - level_M)[told_M], None))
    season_LP = np.divide(sums, counts, out=np.zeros(size), where=counts > 0).reshape(lines.num_lines, period)
    seen_LP = counts.reshape(season_LP.shape) > 0
    mean_L = season_LP.sum(1) / np.maximum(seen_LP.sum(1), 1)
    return np.where(seen_LP, season_LP - mean_L[:, None], 0.0)


def between(lines: Lines, axis_N: Floats) -> Floats:
    """Straight lines over gaps, by an axis that does not decrease along a line; one-sided at the ends."""
    near = neighbours(lines)
    left, right = _taken(lines.value_N, near.before_M), _taken(lines.value_N, near.after_M)
    here, start, stop = axis_N[near.row_M], _taken(axis_N, near.before_M), _taken(axis_N, near.after_M)
    span = stop - start
    share = np.divide(here - start, span, out=np.full(len(span), 0.5), where=span > 0)
    inside = np.where(left == right, left, left * (1 - share) + right * share)
    return _placed(lines, near.row_M, np.where(near.before_M < 0, right, np.where(near.after_M < 0, left, inside)))


def _grid(lines: Lines) -> float | None:
    """The step that all times of the training part are multiples of; None: there is none, so rows are counted."""
    second_K = np.unique(lines.second_N[lines.train_N & np.isfinite(lines.second_N)])
    gap_K = np.diff(second_K)
    if not len(gap_K) or not lines.shared:
        return None
    step = float(gap_K.min())
    return step if np.allclose(gap_K / step, np.round(gap_K / step), rtol=0, atol=1e-6) else None


def _steps(lines: Lines, step_seconds: float | None) -> Array:
    """Where each row stands on the grid of seasons; -1: its time is unknown."""
    if step_seconds is None:
        return lines.step_N
    unknown = np.isnan(lines.second_N)
    return np.where(unknown, -1, np.floor(np.where(unknown, 0, lines.second_N) / step_seconds)).astype(np.int64)


def _moving_mean(line_M: Array, step_M: Array, value_M: Floats, period: int, num_lines: int) -> tuple[Floats, Mask]:
    """The mean of what is known within half a period of each row; and the rows that may tell of the season.

    With an even period the two ends weigh half each, so that every phase weighs the same.
    """
    if not len(line_M):
        return value_M, np.zeros(0, dtype=np.bool_)
    low_L, high_L = np.full(num_lines, np.iinfo(np.int64).max), np.full(num_lines, np.iinfo(np.int64).min)
    np.minimum.at(low_L, line_M, step_M)
    np.maximum.at(high_L, line_M, step_M)
    low_M, high_M = low_L[line_M], high_L[line_M]
    width = int((high_M - low_M).max()) + 2 * period + 2
    place_M = line_M * width + (step_M - low_M) + period
    order = np.argsort(place_M, kind="stable")  # rows of one step need no order among each other
    place = place_M[order]
    base_M = value_M - _first_of(line_M, value_M, num_lines)  # so that a constant is exact
    sums = np.concatenate([[0.0], np.cumsum(base_M[order])])
    half, total, count = period // 2, np.zeros(len(line_M)), np.zeros(len(line_M))
    for shift in (0, 1) if period % 2 == 0 else (0,):
        first, last = place_M - half + shift, place_M + half - (period % 2 == 0) + shift
        start, stop = np.searchsorted(place, first), np.searchsorted(place, last, side="right")
        total += sums[stop] - sums[start]
        count += stop - start
    whole = (step_M - low_M >= half) & (high_M - step_M >= half)
    short = high_M - low_M + 1 < 2 * period
    return total / count + (value_M - base_M), whole | short


def _first_of(line_M: Array, value_M: Floats, num_lines: int) -> Floats:
    first_L = np.zeros(num_lines)
    first_L[line_M[::-1]] = value_M[::-1]
    return first_L[line_M]


def _per_group(group_N: Array, value_N: Floats, usable: Mask, size: int, statistic: Statistic) -> Floats:
    """A statistic of each group's usable values; NaN where it has none."""
    table = pl.DataFrame({"group": group_N[usable], "value": value_N[usable]})
    first = pl.col("value").first()
    middle = pl.col("value").median() if statistic == "median" else first + (pl.col("value") - first).mean()
    told = table.group_by("group").agg(middle.alias("value"))
    result = np.full(size, np.nan)
    result[told["group"].to_numpy()] = told["value"].to_numpy()
    return result


def _taken(value_N: Floats, row_M: Array) -> Floats:
    """The values of some rows; NaN for the row -1."""
    if not len(value_N):
        return np.full(len(row_M), np.nan)
    return np.where(row_M >= 0, value_N[row_M], np.nan)


def _placed(lines: Lines, row_M: Array, guess_M: Floats) -> Floats:
    guess_N = np.full(len(lines.value_N), np.nan)
    guess_N[row_M] = guess_M
    return guess_N
