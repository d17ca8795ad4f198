"""Rules for wild values: what is learned from some values, and which others are too far from them.

In: values in groups. Out: for each row the bounds beyond which a value is wild. The rules hardly move with what they
look for. It does not know tables, reports or policies; `outliers.py` and the cleaning of logs do.

A group with fewer than `LEAST` known values to learn from, or without variance, has no bounds: nothing there is wild.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import MissingExtraError

__all__ = ["LEAST", "Bounds", "Rule", "bounds_of"]

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Rule = Literal["mad", "iqr", "isolation_forest"]

LEAST: Final = 4
TREES: Final = 100
NORMAL_MAD: Final = 1.4826
NORMAL_MEAN: Final = 1.2533
NORMAL_IQR: Final = 1.349


@dataclass(frozen=True, eq=False)
class Bounds:
    """Where a row's value is wild, and where it goes when it is clipped.

    Attributes:
        wild_N: False where the value is missing.
        near_N: The value itself, or the nearest that is not wild.
    """

    wild_N: Mask
    near_N: Floats


def bounds_of(
    value_N: Floats,
    group_N: Array,
    learn_N: Mask,
    rule: Rule,
    *,
    deviations: float = 20.0,
    fences: float = 3.0,
    share: float = 0.01,
    seed: int = 0,
) -> Bounds:
    """Judge every value by what its group's values to learn from are like.

    Rules:
        mad: further from the median than `deviations` times 1.4826 median absolute deviations. Where more than half of
            the values are equal, 1.2533 times the mean absolute deviation stands in for it.
        iqr: below the first quartile, or above the third, by more than `fences` times the distance between them.
            Where these are equal, the same stand-in, times 1.349.
        isolation_forest: the `share` of the values that a forest of 100 trees isolates soonest, and what lies as far
            out. Needs scikit-learn. A clipped value goes to the nearest one that is not wild.

    Source: mad: Leys et al. 2013 (doi:10.1016/j.jesp.2013.03.013); iqr: Tukey 1977, Exploratory Data Analysis, 2D;
        isolation_forest: Liu, Ting & Zhou 2008 (doi:10.1109/ICDM.2008.17).
    Differs: the stand-ins above; groups of fewer than 4 values, and those without variance, are not judged.

    Raises:
        MissingExtraError: The forest without scikit-learn.
    """
    known_N = ~np.isnan(value_N)
    learn_N = learn_N & known_N
    size = int(group_N.max()) + 1 if len(group_N) else 0
    if rule == "isolation_forest":
        return _by_forest(value_N, group_N, learn_N, size, share, seed)
    with np.errstate(over="ignore", invalid="ignore"):  # a reach beyond all floats is infinite: nothing is far
        median_G = _per_group(group_N, value_N, learn_N, size, pl.col("value").median())
        spread_G = _spread(value_N, group_N, learn_N, median_G, size)
        if rule == "mad":
            middle_G, reach_G = median_G, deviations * spread_G
            low_G, high_G = middle_G - reach_G, middle_G + reach_G
        else:
            first_G, third_G = (
                _per_group(group_N, value_N, learn_N, size, pl.col("value").quantile(q, "linear")) for q in (0.25, 0.75)
            )
            width_G = third_G - first_G
            width_G = np.where(width_G > 0, width_G, _stand_in(value_N, group_N, learn_N, median_G, size) * NORMAL_IQR)
            low_G, high_G = first_G - fences * width_G, third_G + fences * width_G
        told_G = (np.bincount(group_N[learn_N], minlength=size) >= LEAST) & (spread_G > 0)
        low_N = np.where(told_G, low_G, -np.inf)[group_N]
        high_N = np.where(told_G, high_G, np.inf)[group_N]
    wild_N = known_N & ((value_N < low_N) | (value_N > high_N))
    return Bounds(wild_N, np.where(wild_N, np.clip(value_N, low_N, high_N), value_N))


def _spread(value_N: Floats, group_N: Array, learn_N: Mask, median_G: Floats, size: int) -> Floats:
    distance_N = np.abs(value_N - median_G[group_N])
    middle_G = NORMAL_MAD * _per_group(group_N, distance_N, learn_N, size, pl.col("value").median())
    return np.where(middle_G > 0, middle_G, _stand_in(value_N, group_N, learn_N, median_G, size))


def _stand_in(value_N: Floats, group_N: Array, learn_N: Mask, median_G: Floats, size: int) -> Floats:
    distance_N = np.abs(value_N - median_G[group_N])
    return NORMAL_MEAN * _per_group(group_N, distance_N, learn_N, size, pl.col("value").mean())


def _by_forest(value_N: Floats, group_N: Array, learn_N: Mask, size: int, share: float, seed: int) -> Bounds:
    wild_N, near_N = np.zeros(len(value_N), dtype=np.bool_), value_N.copy()
    for group in range(size):
        rows = np.flatnonzero((group_N == group) & ~np.isnan(value_N))
        learn = value_N[rows[learn_N[rows]]]
        if len(learn) < LEAST or learn.min() == learn.max():
            continue
        forest = _forest()(n_estimators=TREES, contamination=share, random_state=seed).fit(learn[:, None])
        wild = forest.predict(value_N[rows][:, None]) < 0
        tame = np.sort(learn[forest.predict(learn[:, None]) > 0])
        wild_N[rows] = wild
        near_N[rows[wild]] = _nearest(tame, value_N[rows[wild]])
    return Bounds(wild_N, near_N)


def _nearest(sorted_K: Floats, value_M: Floats) -> Floats:
    after = np.clip(np.searchsorted(sorted_K, value_M), 1, max(len(sorted_K) - 1, 1))
    low, high = sorted_K[after - 1], sorted_K[np.minimum(after, len(sorted_K) - 1)]
    return np.where(value_M - low <= high - value_M, low, high)


def _per_group(group_N: Array, value_N: Floats, learn_N: Mask, size: int, statistic: pl.Expr) -> Floats:
    """A statistic of the values to learn from of each group; NaN where it has none."""
    table = pl.DataFrame({"group": group_N[learn_N], "value": value_N[learn_N]})
    told = table.group_by("group").agg(statistic.alias("value"))
    result = np.full(size, np.nan)
    result[told["group"].to_numpy()] = told["value"].cast(pl.Float64).to_numpy()
    return result


def _forest() -> Any:
    try:
        from sklearn.ensemble import IsolationForest
    except ImportError as error:
        raise MissingExtraError(
            "An isolation forest needs scikit-learn.", hint="Install it with: pip install 'horae[series]'"
        ) from error
    return IsolationForest
