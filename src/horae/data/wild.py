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
Array = npt.NDArray[np.integer[Any]]
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
    size = int(group_N.max()) + 1 if len(group_N) else 0
    learn_N = learn_N & ~np.isnan(value_N)
    if rule == "isolation_forest":
        return _by_forest(value_N, group_N, learn_N, size, share, seed)
    with np.errstate(over="ignore", invalid="ignore"):  # a reach beyond all floats is infinite: nothing is far
        facts = _facts(value_N, group_N, learn_N, size, quartiles=rule == "iqr")
        spread_G = np.where(facts["middle"] > 0, NORMAL_MAD * facts["middle"], NORMAL_MEAN * facts["mean"])
        if rule == "mad":
            low_G, high_G = facts["median"] - deviations * spread_G, facts["median"] + deviations * spread_G
        else:
            width_G = facts["third"] - facts["first"]
            width_G = np.where(width_G > 0, width_G, NORMAL_IQR * NORMAL_MEAN * facts["mean"])
            low_G, high_G = facts["first"] - fences * width_G, facts["third"] + fences * width_G
        told_G = (facts["count"] >= LEAST) & (spread_G > 0)
        low_N = np.where(told_G, low_G, -np.inf)[group_N]
        high_N = np.where(told_G, high_G, np.inf)[group_N]
        wild_N = (value_N < low_N) | (value_N > high_N)
    return Bounds(wild_N, np.clip(value_N, low_N, high_N) if wild_N.any() else value_N)


def _facts(value_N: Floats, group_N: Array, learn_N: Mask, size: int, *, quartiles: bool) -> dict[str, Floats]:
    """Per group: count, median, quartiles, and the median and mean distance from the median; NaN where it has none."""
    rows = slice(None) if learn_N.all() else learn_N
    table = pl.DataFrame({"group": group_N[rows], "value": value_N[rows]})
    value = pl.col("value")
    asked = {name: value.quantile(q, "linear") for name, q in (("first", 0.25), ("third", 0.75)) if quartiles}
    told = table.group_by("group").agg(count=pl.len(), median=value.median(), **asked)
    facts = {name: np.full(size, np.nan) for name in ("count", "median", "first", "third", "middle", "mean")}
    _place(facts, told)
    distance = np.abs(table["value"].to_numpy() - facts["median"][table["group"].to_numpy()])
    table = table.with_columns(pl.Series("value", distance))
    _place(facts, table.group_by("group").agg(middle=value.median(), mean=value.mean()))
    return facts


def _place(facts: dict[str, Floats], told: pl.DataFrame) -> None:
    for name in told.columns[1:]:
        facts[name][told["group"].to_numpy()] = told[name].cast(pl.Float64).to_numpy()


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


def _forest() -> Any:
    try:
        from sklearn.ensemble import IsolationForest
    except ImportError as error:
        raise MissingExtraError(
            "An isolation forest needs scikit-learn.", hint="Install it with: pip install 'horae[series]'"
        ) from error
    return IsolationForest
