"""What an event is worth as a target, from how it went: how long somebody stayed, how much was watched, was it skipped.

In: a cleaned frame, targets marked, with the columns that `[data] weak_labels` and `skips` name. Out: the frame with
`target_weight`, from 0 to 1, and a `Step`. An event of weight 0 is no target any more: it is history. Only the event's
own row is looked at, so nothing later reaches it. This module knows no model.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from horae.data.cleaning.faults import Done
from horae.data.settings import DataSettings
from horae.errors import DataError
from horae.schema import TARGET, TARGET_WEIGHT, Step

__all__ = ["weigh"]

FLAGS: Final = {
    "true": True,
    "yes": True,
    "1": True,
    "1.0": True,
    "false": False,
    "no": False,
    "0": False,
    "0.0": False,
}


def weigh(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """`weight = min_c min(1, max(0, x_c) / full_c)` over the columns c; 0 where skipped; what is unknown says nothing.

    Source: after Yi, Hong, Zhong, Liu & Rajan, RecSys 2014 (Beyond clicks: dwell time for personalization), section 4.
    Differs: a share of a declared length instead of a normalised logarithm, so that a weight can be read.

    Raises:
        DataError: No such column, or one that is neither numbers nor flags.
    """
    if not settings.weak_labels and settings.skips is None:
        return frame, None
    said = [(_numbers(frame, name) / full).clip(0.0, 1.0) for name, full in settings.weak_labels.items()]
    if settings.skips is not None:
        said.append(1.0 - _flags(frame, settings.skips).cast(pl.Float64))
    one = pl.select(pl.min_horizontal(said).fill_null(1.0).alias(TARGET_WEIGHT)).to_series()
    nothing = frame[TARGET] & (one == 0.0)
    frame = frame.with_columns(one, (pl.col(TARGET) & ~nothing).alias(TARGET))
    partly = int((frame[TARGET] & (one < 1.0)).sum())
    names = ", ".join([*settings.weak_labels, *([settings.skips] if settings.skips else [])])
    message = f"events are history and no targets, by {names}; {partly:,} others count in part."
    return frame, Step("weak_labels", "changed", int(nothing.sum()), message)


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        raise DataError(
            f"[data] weak_labels or skips name {name!r}, which the log does not have.",
            hint=f"Its columns: {', '.join(frame.columns)}.",
        )
    return frame[name]


def _numbers(frame: pl.DataFrame, name: str) -> pl.Series:
    column = _column(frame, name)
    known = column.cast(pl.String).str.strip_chars()
    numbers = known.cast(pl.Float64, strict=False).fill_nan(None)
    wrong = known.filter(numbers.is_null() & known.is_not_null() & ~known.str.to_lowercase().is_in(["", "nan", "null"]))
    if len(wrong):
        raise DataError(
            f"[data] weak_labels: the column {name!r} holds {wrong[0]!r}; expected numbers.",
            hint="Name a column of seconds or shares; a flag goes to [data] skips.",
        )
    return numbers


def _flags(frame: pl.DataFrame, name: str) -> pl.Series:
    known = _column(frame, name).cast(pl.String).str.strip_chars().str.to_lowercase()
    flags = known.replace_strict(FLAGS, default=None, return_dtype=pl.Boolean)
    wrong = known.filter(flags.is_null() & known.is_not_null() & (known != ""))
    if len(wrong):
        raise DataError(
            f"[data] skips: the column {name!r} holds {wrong[0]!r}; expected true or false.",
            hint="Name a column of flags; seconds or shares go to [data] weak_labels.",
        )
    return flags
