"""The k nearest moments: what the value was when its surroundings looked alike.

In: `Lines`. Out: guesses. Needs scikit-learn (extra `series`). It does not know tables.

A moment's surroundings are the values around it: of the line itself at the moments up to `lags` before and after, and,
where lines share moments, those of all other lines then and at that moment, too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from horae.data.cleaning.order import Array, Mask
from horae.data.filling.lines import Floats, Lines, line_numbers
from horae.errors import MissingExtraError

__all__ = ["Nearest"]

MOST_DONORS: Final = 5_000
"""Moments that are kept to compare with, evenly spread over the training part: cost grows with them."""
CHUNK: Final = 1_000


@dataclass(frozen=True, eq=False)
class Nearest:
    """The mean of the values at the k training moments whose surroundings are nearest, by scaled values.

    Distance is the Euclidean one over what both moments know, scaled up to all of it. After the training part only
    what is strictly before the moment is compared.

    Edges: a leading gap is filled like any other; a line without training values stays missing; a moment of which
        nothing around is known, and a line with one value, take the mean of the line's training values; a constant
        stays constant up to rounding.

    Source: Troyanskaya et al. 2001 (doi:10.1093/bioinformatics/17.6.520), KNNimpute, in the form of scikit-learn's
        KNNImputer (uniform weights).
    Differs: neighbouring moments are part of what is compared; values are scaled by each line's training mean and
        standard deviation; at most 5,000 training moments are kept.
    """

    names: Sequence[Hashable]
    mean_L: Floats
    scale_L: Floats
    around_KF: Floats
    target_KC: Floats
    neighbours: int
    lags: int

    @classmethod
    def fit(cls, lines: Lines, neighbours: int, lags: int) -> Nearest:
        """Keep the training moments.

        Raises:
            MissingExtraError: scikit-learn is not installed.
        """
        _distances()
        usable = lines.known_N & lines.train_N
        mean_L, scale_L = _mean_and_scale(lines, usable)
        value_N = np.where(usable, (lines.value_N - mean_L[lines.line_N]) / scale_L[lines.line_N], np.nan)
        table_TC = _table(lines, value_N, lines.num_lines)
        around_TF = _around(table_TC, lags) if lines.shared else _around_rows(lines, value_N, lags)
        rows = np.flatnonzero(~np.isnan(table_TC).all(1))
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_DONORS)).astype(np.int64))]
        return cls(lines.names, mean_L, scale_L, around_TF[rows], table_TC[rows], neighbours, lags)

    def guess(self, lines: Lines) -> Floats:
        """See `Filler`."""
        number_L = line_numbers(lines, self.names)
        if not lines.shared:
            return self._guess_events(lines)
        mean_L, scale_L = (np.append(one, np.nan)[number_L] for one in (self.mean_L, self.scale_L))
        scaled_N = (lines.value_N - mean_L[lines.line_N]) / scale_L[lines.line_N]
        column_N = number_L[lines.line_N]
        guess_N = np.full(len(scaled_N), np.nan)
        for train in (True, False):
            wanted = ~lines.known_N & (lines.train_N == train) & (column_N >= 0)
            if not wanted.any():
                continue
            seen_N = np.where(lines.train_N, scaled_N, np.nan) if train else scaled_N
            table_TC = _table(lines, seen_N, len(self.names), column_N)
            around_TF = _around(table_TC, self.lags, past=not train)
            rows = np.flatnonzero(wanted)
            guess_N[rows] = self._voted(around_TF, lines.step_N[rows], column_N[rows])
        guess_N = np.where(np.isnan(guess_N), 0.0, guess_N)
        filled_N: Floats = mean_L[lines.line_N] + guess_N * scale_L[lines.line_N]
        return filled_N

    def _guess_events(self, lines: Lines) -> Floats:
        """Lines that share nothing but what values look like: all of them are compared."""
        if not len(self.mean_L):
            return np.full(len(lines.value_N), np.nan)
        mean, scale = self.mean_L[0], self.scale_L[0]
        scaled_N = (lines.value_N - mean) / scale
        around_NF = _around_rows(lines, np.where(lines.train_N, scaled_N, np.nan), self.lags)
        past_NF = _around_rows(lines, scaled_N, self.lags, past=True)
        around_NF = np.where(lines.train_N[:, None], around_NF, past_NF)
        rows = np.flatnonzero(~lines.known_N)
        guess_N = np.full(len(scaled_N), np.nan)
        voted = self._voted(around_NF, rows, np.zeros(len(rows), np.int64))
        guess_N[rows] = mean + np.where(np.isnan(voted), 0.0, voted) * scale
        return guess_N

    def _voted(self, around_TF: Floats, row_M: Array, column_M: Array) -> Floats:
        """The mean of the k nearest donors that know the column; NaN where none can be compared."""
        guess_M = np.full(len(row_M), np.nan)
        asked, place_M = np.unique(row_M, return_inverse=True)
        if not len(self.target_KC):
            return guess_M
        for start in range(0, len(asked), CHUNK):
            chunk = asked[start : start + CHUNK]
            distance_CK = _distances()(around_TF[chunk], self.around_KF)
            distance_CK = np.where(np.isnan(distance_CK), np.inf, distance_CK)
            mine = np.flatnonzero((place_M >= start) & (place_M < start + CHUNK))
            for column in np.unique(column_M[mine]):
                here = mine[column_M[mine] == column]
                target_K = self.target_KC[:, column]
                guess_M[here] = _mean_of_nearest(distance_CK[place_M[here] - start], target_K, self.neighbours)
        return guess_M


def _mean_of_nearest(distance_MK: Floats, target_K: Floats, neighbours: int) -> Floats:
    donors = np.flatnonzero(~np.isnan(target_K))
    if not len(donors):
        return np.full(len(distance_MK), np.nan)
    distance_MD = distance_MK[:, donors]
    few = min(neighbours, len(donors))
    nearest = np.argsort(distance_MD, axis=1, kind="stable")[:, :few]
    near = np.isfinite(np.take_along_axis(distance_MD, nearest, 1))
    total = np.where(near, target_K[donors][nearest], 0.0).sum(1)
    mean_M: Floats = np.divide(total, near.sum(1), out=np.full(len(total), np.nan), where=near.any(1))
    return mean_M


def _mean_and_scale(lines: Lines, usable: Mask) -> tuple[Floats, Floats]:
    """Per line where lines share moments, else of all values: what events' lines share is how values look."""
    group_N = lines.line_N if lines.shared else np.zeros_like(lines.line_N)
    size = lines.num_lines
    count_L = np.bincount(group_N[usable], minlength=size)
    some = np.maximum(count_L, 1)
    mean_L = np.bincount(group_N[usable], lines.value_N[usable], size) / some
    rest_N = lines.value_N - mean_L[group_N] if size else lines.value_N
    scale_L = np.sqrt(np.bincount(group_N[usable], rest_N[usable] ** 2, size) / some)
    mean_L = np.where(count_L > 0, mean_L, np.nan)
    scale_L = np.where(scale_L > 0, scale_L, 1.0)
    if lines.shared or not size:
        return mean_L, scale_L
    return np.full(size, mean_L[0]), np.full(size, scale_L[0])


def _table(lines: Lines, value_N: Floats, columns: int, column_N: Array | None = None) -> Floats:
    """Moments x lines where these are shared, else one column of all rows."""
    if not lines.shared:
        return value_N[:, None]
    steps = int(lines.step_N.max()) + 1 if len(lines.step_N) else 0
    table_TC = np.full((steps, columns), np.nan)
    column_N = lines.line_N if column_N is None else column_N
    told = column_N >= 0
    table_TC[lines.step_N[told], column_N[told]] = value_N[told]
    return table_TC


def _around(table_TC: Floats, lags: int, *, past: bool = False) -> Floats:
    """Each moment with those before and after it; `past` knows only what is before."""
    steps = len(table_TC)
    parts = []
    for shift in range(-lags, lags + 1):
        part = np.full(table_TC.shape, np.nan)
        low, high = max(0, -shift), min(steps, steps - shift)
        if high > low and not (past and shift >= 0):
            part[low:high] = table_TC[low + shift : high + shift]
        parts.append(part)
    return np.concatenate(parts, 1)


def _around_rows(lines: Lines, value_N: Floats, lags: int, *, past: bool = False) -> Floats:
    """Each row's neighbours in its line, itself not; what is before is before its moment."""
    size = len(value_N)
    rows = np.arange(size)
    parts = []
    for shift in range(1, lags + 1):
        before, after = lines.tie_N - shift, rows + shift
        inside = before >= lines.start_N
        parts.append(np.where(inside, value_N[np.maximum(before, 0)], np.nan))
        same = (after < size) & (lines.line_N[np.minimum(after, size - 1)] == lines.line_N) & (not past)
        parts.append(np.where(same, value_N[np.minimum(after, size - 1)], np.nan))
    return np.stack(parts, 1) if size else np.zeros((0, 2 * lags))


def _distances() -> Callable[..., Any]:
    try:
        from sklearn.metrics.pairwise import nan_euclidean_distances
    except ImportError as error:
        raise MissingExtraError(
            "Nearest neighbours need scikit-learn.", hint="Install it with: pip install 'horae[series]'"
        ) from error
    return nan_euclidean_distances  # type: ignore[no-any-return]
