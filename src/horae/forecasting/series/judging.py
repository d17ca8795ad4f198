"""Rolling origins: methods forecast from times in the past, knowing nothing later, and are measured by what came.

In: a table, methods, origins. Out: `Judged`: errors by step, and means. The validation part chooses, the test part
judges; the test part comes after it. It does not know files or pages.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from horae.errors import DataError
from horae.evaluation.intervals import Interval, Resamples, interval_of
from horae.forecasting.series.every import Floats
from horae.forecasting.series.measures import MEASURES, measured, scale_of
from horae.forecasting.series.methods import Method, said_by
from horae.forecasting.series.settings import Refit
from horae.forecasting.series.table import SeriesTable

__all__ = ["Judged", "Plan", "ahead_of", "judge", "plan_of", "summary"]

FEW: Final = 8
"""With fewer series, a series at an origin is what is resampled, not a series."""
FEWEST: Final = 6
"""With fewer of these, resampling would tell of a certainty that is not there: no interval is given."""
Measures = dict[str, Floats]


@dataclass(frozen=True)
class Plan:
    """Where forecasts stand in the past: columns before which everything is known, ascending."""

    validation: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Judged:
    """What methods said at origins, and how far off it was.

    Attributes:
        origins: Columns.
        true_OSH: What came; NaN where it is not known.
        said: By method, `said_OSHQ`.
        errors: By method, each measure as `[origins, series, horizon]`.
        seconds: By method, for fitting and asking.
    """

    origins: tuple[int, ...]
    true_OSH: Floats
    said: Mapping[str, Floats]
    errors: Mapping[str, Measures]
    seconds: Mapping[str, float]


def plan_of(num_bins: int, horizon: int, season: int, origins: int, validation_origins: int) -> Plan:
    """As many origins as asked for, a horizon apart; fewer where the history is short.

    Raises:
        DataError: The history is no longer than the horizon.
    """
    if num_bins < horizon + 2:
        shorter = f"Ask for --horizon {num_bins // 3} or less, t" if num_bins >= 3 else "T"
        raise DataError(
            f"The horizon of {horizon:,} bins is longer than the history allows: it needs {horizon + 2:,} whole bins, "
            f"and there are {num_bins:,}.",
            hint=f"{shorter}ake narrower bins (--every), or give a longer log.",
        )
    room = (num_bins - max(season + 2, horizon, 4)) // horizon
    wanted = origins + validation_origins
    if room < 2:
        return Plan((), (num_bins - horizon,))
    held = validation_origins if room >= wanted else min(validation_origins, max(1, room // 3))
    tested = min(origins, room - held)
    columns = [num_bins - horizon * back for back in range(held + tested, 0, -1)]
    return Plan(tuple(columns[:held]), tuple(columns[held:]))


def judge(
    table: SeriesTable,
    methods: Sequence[Method],
    origins: Sequence[int],
    horizon: int,
    levels: tuple[float, float, float],
    *,
    fit: Refit,
) -> Judged:
    """Let methods forecast from each origin.

    Args:
        table: All that is known today; of it a method sees what lies before the origin.
        methods: They are fitted here.
        origins: Columns, ascending, each with `horizon` columns behind it.
        horizon: Bins ahead.
        levels: Of the bounds and the point.
        fit: At the first origin (`once`), at `each`, or `never`: as they come.
    """
    true_OSH = np.stack([table.value_ST[:, origin : origin + horizon] for origin in origins])
    said: dict[str, list[Floats]] = {method.name: [] for method in methods}
    seconds = dict.fromkeys(said, 0.0)
    for number, origin in enumerate(origins):
        known = table.until(origin)
        for method in methods:
            started = time.perf_counter()
            if fit == "each" or (fit == "once" and number == 0):
                method.fit(known)
            said_SHQ = said_by(method, known, horizon)
            said_SHQ[_unborn(known)] = np.nan
            said[method.name].append(said_SHQ)
            seconds[method.name] += time.perf_counter() - started
    scales = [
        scale_of(table.value_ST[:, :origin], table.season, true_SH)
        for origin, true_SH in zip(origins, true_OSH, strict=True)
    ]
    scale_OS1 = np.stack(scales)[..., None]
    stacked = {name: np.stack(parts) for name, parts in said.items()}
    errors = {name: measured(true_OSH, one, scale_OS1, levels) for name, one in stacked.items()}
    return Judged(tuple(origins), true_OSH, stacked, errors, seconds)


def summary(errors: Measures) -> dict[str, Any]:
    """Means over origins, series and steps, and by step; None where nothing was measured."""
    whole = {name: _mean(errors[name]) for name in MEASURES}
    series = int((~np.isnan(errors["mae"])).any(axis=(0, 2)).sum())
    by_step = {name: [_mean(errors[name][..., step]) for step in range(errors[name].shape[2])] for name in MEASURES}
    roots = [_root(one) for one in by_step["mse"]]
    order = ("mae", "mse", "rmse", "mase", "coverage", "width", "pinball")
    return {
        **{name: _root(whole["mse"]) if name == "rmse" else whole[name] for name in order},
        "series": series,
        "by_horizon": {name: roots if name == "rmse" else by_step[name] for name in order},
    }


def ahead_of(own: Measures, other: Measures, samples: int, seed: int) -> dict[str, Interval]:
    """The mean of own minus other, paired, with 95% intervals: below zero, own is ahead.

    Paired by series; with fewer than eight series, by series and origin; with fewer than six such pairs, no interval.
    """
    found = {}
    for name in ("mase", "pinball"):
        difference = own[name] - other[name]
        there = ~np.isnan(difference)
        by = (2,) if difference.shape[1] < FEW else (0, 2)
        total_U = np.where(there, difference, 0.0).sum(axis=by).ravel()
        count_U = there.sum(axis=by).ravel().astype(np.float64)
        total_U, count_U = total_U[count_U > 0], count_U[count_U > 0]
        mean = float(total_U.sum() / count_U.sum()) if len(count_U) else float("nan")
        resamples = Resamples(len(count_U), samples if len(count_U) >= FEWEST else 0, seed)
        drawn_R2 = resamples.means(np.stack([total_U, count_U], axis=1))
        found[name] = interval_of(mean, drawn_R2[:, 0] / drawn_R2[:, 1])
    return found


def _unborn(known: SeriesTable) -> Floats:
    """Series with fewer than two known values so far: nobody is asked about them."""
    few: Floats = (~np.isnan(known.value_ST)).sum(axis=1) < 2
    return few


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _root(mean_square: float | None) -> float | None:
    return None if mean_square is None else float(np.sqrt(mean_square))
