"""Raw frames with canonical columns, as `columns.understand` returns them."""

import polars as pl


def raw(**columns) -> pl.DataFrame:
    """`timestamp` in unix seconds (None: unknown) becomes a time; all other columns stay as given."""
    frame = pl.DataFrame(columns)
    if "timestamp" in columns:
        seconds = pl.Series("timestamp", columns["timestamp"], dtype=pl.Float64)
        frame = frame.with_columns((seconds * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")))
    return frame


def steps_of(events) -> dict:
    """The report's steps by name."""
    return {step.name: step for step in events.report.steps}


DAY = 86_400
BASE = 1_600_000_000 - 1_600_000_000 % DAY
"""A midnight in 2020."""
