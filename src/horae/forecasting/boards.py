"""Between lines and windows: scales, companions, and the cutting of windows.

In: `Lines`, and which of their values may be seen. Out: windows of scaled values in which nothing else is. It does not
know networks.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from horae.data.cleaning.order import Array, Mask
from horae.data.filling.lines import Floats, Lines, line_numbers
from horae.data.filling.methods import Seasonal
from horae.forecasting.denoising import Windows

__all__ = ["Board", "Cut", "Scales"]

LEAST_IN_COMMON = 8
LEAST_CORRELATION = 0.2
MOST_WINDOWS = 1_024
MOST_COMPARED = 2_000
"""Among more series than these no companions are looked for: correlations would take more memory than the rest."""


@dataclass(frozen=True, eq=False)
class Scales:
    """What is learned by counting: each line's mean and spread, the usual gap, and who tells of whom.

    Attributes:
        names: Of the groups that have a scale: series, or wider groups of events.
        mean_G: NaN where nothing was known.
        spread_G: Standard deviation, 0 where constant.
        gap_seconds: Median time between neighbouring rows.
        season: What phases add, taken off before scaling; None: nothing.
        weight_GG: Correlation with each companion, 0 with all others; None: there are no companions.
    """

    names: Sequence[Hashable]
    mean_G: Floats
    spread_G: Floats
    gap_seconds: float
    season: Seasonal | None
    weight_GG: Floats | None

    @classmethod
    def fit(cls, lines: Lines, seen_N: Mask, companions: int, period: int | None = None) -> Scales:
        """From the values that may be seen, of lines of the training part."""
        season, whole = None, lines
        if period is not None:
            season = Seasonal.fit(lines.with_values(np.where(seen_N, lines.value_N, np.nan)), period, None)
            lines = lines.with_values(lines.value_N - season.season(lines))
        group_N, names = _groups(lines)
        size = len(names)
        count_G = np.bincount(group_N[seen_N], minlength=size)
        some_G = np.maximum(count_G, 1)
        first_G = np.zeros(size)
        rows = np.flatnonzero(seen_N)[::-1]
        first_G[group_N[rows]] = lines.value_N[rows]
        rest_N = lines.value_N - first_G[group_N]  # so that the mean of a constant is exact
        mean_G = first_G + np.bincount(group_N[seen_N], rest_N[seen_N], size) / some_G
        rest_N = lines.value_N - mean_G[group_N]
        spread_G = np.sqrt(np.bincount(group_N[seen_N], rest_N[seen_N] ** 2, size) / some_G)
        mean_G = np.where(count_G > 0, mean_G, np.nan)
        gaps = np.diff(lines.second_N)[np.diff(lines.line_N) == 0]
        gaps = gaps[np.isfinite(gaps) & (gaps > 0)]
        scales = cls(names, mean_G, spread_G, float(np.median(gaps)) if len(gaps) else 1.0, season, None)
        if not (lines.shared and companions and 1 < size <= MOST_COMPARED):
            return scales
        board = Board.of(whole, scales, seen_N)
        steps = len(board.value_N) // size
        value_GT, seen_GT = board.value_N.reshape(size, steps), board.seen_N.reshape(size, steps)
        return replace(scales, weight_GG=_companions(value_GT, seen_GT, companions))


@dataclass(frozen=True, eq=False)
class Cut:
    """Windows, and where in them the places stand that were asked for."""

    row_BL: Array
    window_M: Array
    place_M: Array

    def __len__(self) -> int:
        return len(self.row_BL)


@dataclass(frozen=True, eq=False)
class Board:
    """Lines with a place for every moment: where lines share moments, those too that a line has no row for.

    Attributes:
        value_N: Scaled, 0 where not seen.
        seen_N: Which values are seen.
        gap_N: Time since the place before, in usual gaps; 1 where unknown or where a line begins.
        line_N: Lines.
        tie_N: As in `Lines`.
        place_N: For each row of the lines, its place here.
        others_N: What companions let expect.
        others_seen_N: Whether they do.
        mean_N: What scaled values are scaled back with, the season in it.
        spread_N: The same.
    """

    value_N: Floats
    seen_N: Mask
    gap_N: Floats
    line_N: Array
    tie_N: Array
    place_N: Array
    others_N: Floats
    others_seen_N: Mask
    mean_N: Floats
    spread_N: Floats

    @classmethod
    def of(cls, lines: Lines, scales: Scales, seen_N: Mask) -> Board:
        """Lay lines out; values that are not seen do not come along."""
        season_N = np.zeros(len(lines.value_N)) if scales.season is None else scales.season.season(lines)
        lines = lines.with_values(lines.value_N - season_N)
        group_N, names = _groups(lines)
        number_G = line_numbers(lines, scales.names) if lines.shared else _found(names, scales.names)
        mean_G = np.append(scales.mean_G, np.nan)[number_G]
        spread_G = np.append(scales.spread_G, np.nan)[number_G]
        line_N, tie_N, second_N, place_N = lines.line_N, lines.tie_N, lines.second_N, np.arange(len(lines.value_N))
        if lines.shared:
            steps = int(lines.step_N.max()) + 1 if len(lines.step_N) else 0
            place_N = lines.line_N * steps + lines.step_N
            second_T = np.full(steps, np.nan)
            second_T[lines.step_N] = lines.second_N
            line_N, second_N = np.repeat(np.arange(lines.num_lines), steps), np.tile(second_T, lines.num_lines)
            group_N, tie_N = line_N, np.arange(len(line_N))
        mean_N, spread_N = mean_G[group_N], spread_G[group_N]
        value_N, laid_N = np.zeros(len(line_N)), np.zeros(len(line_N), dtype=np.bool_)
        laid_N[place_N] = seen_N & ~np.isnan(mean_N[place_N])
        rows = np.flatnonzero(laid_N[place_N])
        at = place_N[rows]
        scale = np.where(spread_N[at] > 0, spread_N[at], 1.0)
        value_N[at] = (lines.value_N[rows] - mean_N[at]) / scale
        mean_N[place_N] += season_N
        others_N, others_seen_N = _others(value_N, laid_N, number_G, scales.weight_GG if lines.shared else None)
        return cls(
            value_N,
            laid_N,
            _gaps(second_N, line_N, scales.gap_seconds),
            line_N,
            tie_N,
            place_N,
            others_N,
            others_seen_N,
            mean_N,
            spread_N,
        )

    def unscaled(self, places: Array, scaled: Floats) -> Floats:
        """People's numbers; a line that was constant is its constant."""
        return self.mean_N[places] + scaled * self.spread_N[places]

    def windows(self, row_BL: Array, *, past: bool = False) -> Windows:
        """Windows of some places, -1 being padding; `past`: of the last place of each nothing is seen."""
        real_BL = row_BL >= 0
        length_B = real_BL.sum(1)
        shown_BL = real_BL.copy()
        if past:
            shown_BL[np.arange(len(row_BL)), length_B - 1] = False
        at = np.maximum(row_BL, 0)
        seen_BL, others_seen_BL = self.seen_N[at] & shown_BL, self.others_seen_N[at] & shown_BL
        gap_BL = np.where(real_BL, self.gap_N[at], 1.0)
        gap_BL[:, 0] = 1.0
        return Windows(
            _floats(np.where(seen_BL, self.value_N[at], 0.0)),
            torch.from_numpy(seen_BL),
            _floats(gap_BL),
            _floats(np.where(others_seen_BL, self.others_N[at], 0.0)),
            torch.from_numpy(others_seen_BL),
            torch.from_numpy(length_B),
        )

    def around(self, places: Array, window: int) -> Cut:
        """Overlapping windows, half a window apart, such that each place is in the one where it is most central."""
        start_N, size_N = self._spans()
        start, size = start_N[places], size_N[places]
        half = max(window // 2, 1)
        slot = np.maximum(places - start - half // 2, 0) // half
        first = start + np.minimum(slot * half, np.maximum(size - window, 0))
        chosen, window_M = np.unique(first, return_inverse=True)
        length = np.minimum(size_N[chosen], window) if len(chosen) else chosen
        row_BL = chosen[:, None] + np.arange(window)
        row_BL = np.where(np.arange(window) < length[:, None], row_BL, -1)
        return Cut(row_BL, window_M, places - first)

    def ending(self, places: Array, window: int) -> Cut:
        """One window per place: what stands before its moment, then the place itself."""
        start_N, _ = self._spans()
        tie = self.tie_N[places]
        length = np.minimum(tie - start_N[places], window - 1)
        row_BL = (tie - length)[:, None] + np.arange(window)
        row_BL = np.where(np.arange(window) < length[:, None], row_BL, -1)
        row_BL[np.arange(len(places)), length] = places
        return Cut(row_BL, np.arange(len(places)), length)

    def random(self, window: int, least: int, rng: np.random.Generator) -> Array:
        """Windows to learn from, each around a seen value: about two for every stretch of the window's length."""
        seen = np.flatnonzero(self.seen_N)
        number = max(least, min(2 * len(seen) // window, MOST_WINDOWS))
        places = seen[rng.integers(len(seen), size=number)]
        start_N, size_N = self._spans()
        start, size = start_N[places], size_N[places]
        first = start + np.clip(places - start - rng.integers(window, size=number), 0, np.maximum(size - window, 0))
        row_BL = first[:, None] + np.arange(window)
        return np.where(np.arange(window) < np.minimum(size, window)[:, None], row_BL, -1)

    def _spans(self) -> tuple[Array, Array]:
        """Where each place's line begins, and how long it is."""
        size_L = np.bincount(self.line_N)
        start_L = np.cumsum(size_L) - size_L
        return start_L[self.line_N], size_L[self.line_N]


def _groups(lines: Lines) -> tuple[Array, Sequence[Hashable]]:
    """What shares a scale: a series; of events, a wider group, or all of them."""
    if lines.shared:
        return lines.line_N, lines.names
    if lines.wide_N is None:
        return np.zeros_like(lines.line_N), ["all"]
    return lines.wide_N, lines.wide_names


def _found(names: Sequence[Hashable], known: Sequence[Hashable]) -> Array:
    place = {name: number for number, name in enumerate(known)}
    return np.array([place.get(name, -1) for name in names], dtype=np.int64)


def _gaps(second_N: Floats, line_N: Array, usual: float) -> Floats:
    gap_N = np.ones(len(second_N))
    gap_N[1:] = np.diff(second_N) / usual
    gap_N[1:][line_N[1:] != line_N[:-1]] = 1.0
    return np.where(np.isfinite(gap_N) & (gap_N >= 0), gap_N, 1.0)


def _companions(value_GT: Floats, seen_GT: Mask, companions: int) -> Floats:
    """Correlations over common moments, kept for the strongest few of each series."""
    seen = seen_GT.astype(np.float64)
    common = np.maximum(seen @ seen.T, 1.0)
    cross = value_GT @ value_GT.T / common
    mean = (value_GT @ seen.T) / common
    power = (value_GT**2 @ seen.T) / common
    spread = np.sqrt(np.maximum(power - mean**2, 0.0))
    scale = spread * spread.T
    covariance = cross - mean * mean.T
    weight = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 1e-12)
    weight = np.where((common >= LEAST_IN_COMMON) & (np.abs(weight) >= LEAST_CORRELATION), weight, 0.0)
    np.fill_diagonal(weight, 0.0)
    if companions < len(weight):
        cut = -np.partition(-np.abs(weight), companions - 1, axis=1)[:, companions - 1 : companions]
        weight = np.where(np.abs(weight) >= cut, weight, 0.0)
    return weight


def _others(value_N: Floats, seen_N: Mask, number_L: Array, weight_GG: Floats | None) -> tuple[Floats, Mask]:
    """`sum_j r_j x_j / sum_j |r_j|` over the companions seen at the same moment."""
    if weight_GG is None or not len(value_N):
        return np.zeros(len(value_N)), np.zeros(len(value_N), dtype=np.bool_)
    padded = np.pad(weight_GG, (0, 1))  # a series that was never seen has no companions
    weight_LL = padded[np.ix_(number_L, number_L)]
    value_LT = value_N.reshape(len(number_L), -1)
    total = np.abs(weight_LL) @ seen_N.reshape(value_LT.shape).astype(np.float64)
    others = np.divide(weight_LL @ value_LT, total, out=np.zeros_like(total), where=total > 0)
    return others.ravel(), (total > 0).ravel()


def _floats(array: Floats) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32))
