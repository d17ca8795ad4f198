"""Wild values of series and events: found by a robust rule, then clipped, forgotten or dropped, and told.

In: a matrix (times x series), a frame of `series_id, timestamp, value`, or Events. Out: the same kind of table, and a
`Step` with counts and examples, as the cleaning of logs reports. The rules are in `wild.py`. Where a training part is
named, bounds are learned from it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from horae.data.cleaning.faults import MAX_EXAMPLES, short
from horae.data.filling.lines import Floats, Lines
from horae.data.filling.tables import SERIES, Until, event_lines, matrix_lines, series_frame, series_lines
from horae.data.wild import Bounds, Rule, bounds_of
from horae.errors import DataError
from horae.schema import BEHAVIOR, TIMESTAMP, USER, VALUE, DataReport, Events, Step

__all__ = ["Handled", "OutlierSettings", "handle_outliers"]

Action = Literal["keep", "clip", "null", "drop"]
WORDS = {"keep": "kept", "clip": "moved to the nearest value that is not", "null": "now missing", "drop": "dropped"}


@dataclass(frozen=True)
class OutlierSettings:
    """What is wild, and what happens to it.

    Attributes:
        method: `mad`, `iqr` or `isolation_forest` (extra `series`); see `wild.bounds_of`.
        action: `keep` (and tell), `clip`, `null` or `drop`; a matrix cannot drop.
        by: Judge each series by itself (events: each behavior), or the table as a `whole`.
        deviations: `mad`: so many robust deviations are too far.
        fences: `iqr`: so many interquartile ranges beyond the quartiles are too far.
        share: `isolation_forest`: the share of the training values that is taken for wild.
        seed: `isolation_forest`.

    Raises:
        DataError: An impossible value, or one without effect beside the method.
    """

    method: Rule = "mad"
    action: Action = "null"
    by: Literal["key", "whole"] = "key"
    deviations: float = 20.0
    fences: float = 3.0
    share: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("method", get_args(Rule)), ("action", get_args(Action)), ("by", ("key", "whole"))):
            if getattr(self, name) not in known:
                raise DataError(
                    f"{name} = {getattr(self, name)!r} is not possible.", hint=f"One of {', '.join(known)}."
                )
        mine = {"mad": ("deviations",), "iqr": ("fences",), "isolation_forest": ("share", "seed")}
        for method, names in mine.items():
            for name in names:
                if method != self.method and getattr(self, name) != getattr(OutlierSettings, name):
                    raise DataError(f"{name} has no effect with {self.method!r}.", hint="Remove it.")
        if self.deviations <= 0 or self.fences <= 0 or not 0 < self.share <= 0.5:
            raise DataError("deviations and fences: more than 0; share: above 0 up to 0.5.", hint="See the defaults.")


@dataclass(frozen=True, eq=False)
class Handled:
    """A table without wild values, and what was done.

    Attributes:
        data: Of the kind that came in; Events have the step in their report, too.
        step: Count, words, up to five examples.
        wild: Which values were wild, in the shape of the matrix, or one per row.
    """

    data: Any
    step: Step
    wild: np.ndarray[Any, np.dtype[np.bool_]]


def handle_outliers(
    data: Events | pl.DataFrame | Floats, settings: OutlierSettings | None = None, *, until: Until | None = None
) -> Handled:
    """Find wild values, and do with them as the settings say.

    Args:
        data: A matrix, a frame of `series_id, timestamp, value`, or Events.
        settings: The rule and the action.
        until: Learn bounds from what is before it (a time, or a row number of a matrix); None: from everything.

    Raises:
        DataError: Not such a table; `drop` for a matrix.
        MissingExtraError: `isolation_forest` without scikit-learn.
    """
    settings = settings or OutlierSettings()
    if isinstance(data, np.ndarray):
        return _of_matrix(data, settings, until)
    if isinstance(data, Events):
        return _of_events(data, settings, until)
    frame = series_frame(data).select(SERIES, TIMESTAMP, VALUE)
    table = series_lines(frame, until)
    found = _found(table.lines, table.lines.line_N, settings)
    wild, near = _back(table, found)
    step = _step(settings, wild, _of_series(frame.filter(pl.Series(wild))))
    return Handled(_done(frame, wild, near, settings.action), step, wild)


def _of_matrix(value_TS: Floats, settings: OutlierSettings, until: Until | None) -> Handled:
    if settings.action == "drop":
        raise DataError("A matrix cannot lose single values.", hint='Use action="null".')
    table = matrix_lines(value_TS, until)
    wild, near = _back(table, _found(table.lines, table.lines.line_N, settings))
    shown = [f"row {at // value_TS.shape[1]}, series {at % value_TS.shape[1]}" for at in np.flatnonzero(wild)]
    examples = [
        f"{name}: {value_TS.ravel()[at]:g}"
        for name, at in zip(shown[:MAX_EXAMPLES], np.flatnonzero(wild), strict=False)
    ]
    changed = value_TS.ravel().astype(np.float64)
    changed = {"keep": changed, "clip": near, "null": np.where(wild, np.nan, changed)}[settings.action]
    return Handled(changed.reshape(value_TS.shape), _step(settings, wild, examples), wild.reshape(value_TS.shape))


def _of_events(events: Events, settings: OutlierSettings, until: Until | None) -> Handled:
    frame = events.frame
    table = event_lines(frame, (BEHAVIOR,) if not frame[TIMESTAMP].null_count() else (USER, BEHAVIOR), until)
    lines = table.lines
    if until is None:
        lines = replace(lines, train_N=np.ones_like(lines.train_N))
    group_N = lines.line_N if lines.wide_N is None else lines.wide_N
    wild, near = _back(table, _found(lines, group_N, settings))
    far = frame.filter(pl.Series(wild)).head(MAX_EXAMPLES).iter_rows(named=True)
    step = _step(settings, wild, [f"user {short(row[USER])}, {row[BEHAVIOR]}: {row[VALUE]:g}" for row in far])
    report = DataReport.from_dict(events.report.as_dict())
    report.add(step)
    return Handled(replace(events, frame=_done(frame, wild, near, settings.action), report=report), step, wild)


def _found(lines: Lines, group_N: np.ndarray[Any, np.dtype[np.int64]], settings: OutlierSettings) -> Bounds:
    group_N = np.zeros_like(group_N) if settings.by == "whole" else group_N
    return bounds_of(
        lines.value_N,
        group_N,
        lines.train_N,
        settings.method,
        deviations=settings.deviations,
        fences=settings.fences,
        share=settings.share,
        seed=settings.seed,
    )


def _back(table: Any, found: Bounds) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], Floats]:
    wild = np.empty_like(found.wild_N)
    wild[table.order_N] = found.wild_N
    return wild, table.back(found.near_N)


def _done(frame: pl.DataFrame, wild: np.ndarray[Any, np.dtype[np.bool_]], near: Floats, action: Action) -> pl.DataFrame:
    if action == "keep":
        return frame
    if action == "drop":
        return frame.filter(pl.Series(~wild))
    values = near if action == "clip" else np.where(wild, np.nan, near)
    return frame.with_columns(pl.Series(VALUE, values, nan_to_null=True))


def _of_series(far: pl.DataFrame) -> Sequence[str]:
    rows = far.head(MAX_EXAMPLES).iter_rows(named=True)
    return [f"{short(row[SERIES])}, {row[TIMESTAMP]:%Y-%m-%d %H:%M:%S}: {row[VALUE]:g}" for row in rows]


def _step(settings: OutlierSettings, wild: np.ndarray[Any, np.dtype[np.bool_]], examples: Sequence[str]) -> Step:
    rule = {
        "mad": f"over {settings.deviations:g} robust deviations from the median",
        "iqr": f"over {settings.fences:g} interquartile ranges beyond the quartiles",
        "isolation_forest": f"among the {settings.share:.1%} that an isolation forest isolates soonest",
    }[settings.method]
    kinds: dict[str, Literal["warning", "changed", "dropped"]] = {"keep": "warning", "drop": "dropped"}
    message = f"values lie {rule}; {WORDS[settings.action]}."
    return Step("outliers", kinds.get(settings.action, "changed"), int(wild.sum()), message, tuple(examples))
