"""What is done to the values of a log: the wild ones found, the missing ones filled, each step told.

In: a frame with canonical columns and `SOURCE_ROW`, sorted by user, then place, behaviors numbered. Out: the frame, and
a `Step`; None where nothing was found. By default no value is changed. It does not know files, or other steps.

`fit_until` parts what may be learned from: medians, quartiles, means and lines between values come from events before
it alone. Without it a fill looks at earlier events only, and outliers are judged by the whole log, which is told.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from horae.data.boundaries import parts_by_time
from horae.data.cleaning.faults import Done, show, without
from horae.data.cleaning.order import Mask
from horae.data.impute import ImputeSettings, fill_events
from horae.data.settings import DataSettings, parse_time
from horae.data.wild import bounds_of
from horae.schema import BEHAVIOR, USER, VALUE, Step

__all__ = ["missing", "outliers"]


def outliers(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Values far from what is usual for their behavior, by a rule that the outliers themselves hardly move."""
    if VALUE not in frame.columns or frame[VALUE].null_count() == frame.height:
        return frame, None
    found = bounds_of(
        frame[VALUE].fill_null(float("nan")).to_numpy(),
        frame[BEHAVIOR].to_physical().to_numpy(),
        _learned_from(frame, settings.fit_until),
        settings.outlier_method,
        deviations=settings.outlier_deviations,
        fences=settings.outlier_fences,
        share=settings.outlier_share,
    )
    if not found.wild_N.any():
        return frame, None
    far = pl.Series(found.wild_N)
    name, shown, count = "outliers", show(frame, far, largest=VALUE), int(far.sum())
    message = f"values lie {_rule(settings)}"
    if settings.outliers == "keep":
        hint = '[data] outliers = "clip", "null" or "drop" changes that.'
        return frame, Step(name, "warning", count, f"{message}; kept.", shown, hint)
    hint = "" if settings.fit_until else "Judged by the whole log; [data] fit_until judges by what came before a time."
    if settings.outliers == "drop":
        return without(frame, far, name, "dropped", f"{message}; the events were dropped.", hint)
    clip = settings.outliers == "clip"
    mended = found.near_N if clip else np.where(found.wild_N, np.nan, found.near_N)
    done = "moved to that distance" if clip else "now unknown"
    if clip and settings.outlier_method == "isolation_forest":
        done = "moved to the nearest value that is not"
    frame = frame.with_columns(pl.Series(VALUE, mended, nan_to_null=True))
    return frame, Step(name, "changed", count, f"{message}; {done}.", shown, hint)


def missing(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Unknown values, guessed from the known ones of the same user and behavior, where the caller asks for it."""
    if settings.missing == "keep" or VALUE not in frame.columns or not frame[VALUE].null_count():
        return frame, None
    if frame[VALUE].null_count() == frame.height:
        return frame, Step("missing", "warning", 0, "off: the log has no values.", hint='Set [data] missing = "keep".')
    filled = fill_events(frame, ImputeSettings(settings.missing), settings.fit_until, (USER, BEHAVIOR))
    fresh, left = frame[VALUE].is_null() & filled.is_not_null(), filled.null_count()
    frame = frame.with_columns(filled)
    if not fresh.any():
        message = f"{left:,} missing values stay missing: nothing known tells of them."
        return frame, Step("missing", "warning", 0, message)
    method = settings.missing.replace("_", " ")
    message = f"missing values were filled by {method}; {left:,} stay missing, as nothing known tells of them."
    return frame, Step("missing", "changed", int(fresh.sum()), message, show(frame, fresh))


def _learned_from(frame: pl.DataFrame, until: str | None) -> Mask:
    if until is None:
        return np.ones(frame.height, dtype=np.bool_)
    edge = parse_time(until, "[data] fit_until")
    train: Mask = parts_by_time(frame, [round(edge.timestamp() * 1e6)]) == 0
    return train


def _rule(settings: DataSettings) -> str:
    return {
        "mad": f"over {settings.outlier_deviations:g} robust deviations from their behavior's median",
        "iqr": f"over {settings.outlier_fences:g} interquartile ranges beyond their behavior's quartiles",
        "isolation_forest": f"among the {settings.outlier_share:.1%} of their behavior that a forest isolates soonest",
    }[settings.outlier_method]
