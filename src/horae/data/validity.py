"""When a row of an external table holds, and when it was known: nothing may be seen before either.

In: a frame with a key and some of `valid_from`, `valid_to`, `known_at`. Out: the frame in order, its times in
microseconds, or a refusal that names the rows. A row holds from `valid_from` (included) to `valid_to` (excluded); null
is open. It is seen from `known_at`, if the table has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from horae.data.understanding.times import known_times
from horae.errors import DataError

__all__ = ["EVER", "KNOWN_AT", "NEVER", "ROW", "VALID_FROM", "VALID_TO", "valid_rows"]

VALID_FROM, VALID_TO, KNOWN_AT = "valid_from", "valid_to", "known_at"
EVER: Final = -(1 << 62)
"""Open to the past, in microseconds."""
NEVER: Final = 1 << 62
ROW: Final = "_row"
SHOWN: Final = 5


def valid_rows(frame: pl.DataFrame, keys: Sequence[str], name: str, zone: str = "UTC") -> pl.DataFrame:
    """Check a table's validity, and order it by key, then time.

    Args:
        frame: As read.
        keys: Columns that say whose row it is; rows without one are refused.
        name: Of the table, for errors.
        zone: Of times that name none.

    Returns:
        The frame with `valid_from`, `valid_to` and `known_at` as Int64 microseconds, never null, by keys as text, then
        `valid_from`. Without a column `valid_to` each row holds until the key's next.

    Raises:
        DataError: A column is missing, a time cannot be read, a row ends before it begins, two rows of a key overlap.
    """
    _check_columns(frame, keys, name)
    frame = frame.with_row_index(ROW, offset=1)
    ended = VALID_TO in frame.columns
    times = ((VALID_FROM, EVER), (VALID_TO, NEVER), (KNOWN_AT, EVER))
    frame = frame.with_columns(_micros(frame, column, open_, name, zone) for column, open_ in times)
    frame = frame.with_columns(pl.col(key).cast(pl.String) for key in keys).sort(*keys, VALID_FROM, maintain_order=True)
    following = _of_key(pl.col(VALID_FROM).shift(-1), keys)
    if not ended:
        frame = frame.with_columns(following.fill_null(NEVER).alias(VALID_TO))
    backward = frame.filter(pl.col(VALID_TO) <= pl.col(VALID_FROM)) if ended else frame.clear()
    if backward.height:
        raise DataError(
            f"{name}: {backward.height:,} rows end before they begin, or as they do: {_shown(backward, keys)}.",
            hint="Give valid_to after valid_from, or leave it empty where the row still holds.",
        )
    overlapping = (following < pl.col(VALID_TO)) | (following == pl.col(VALID_FROM))
    both = frame.filter(overlapping | _of_key(overlapping.shift(1, fill_value=False), keys))
    if both.height:
        whose = f" of one {', '.join(keys)}" if keys else ""
        raise DataError(
            f"{name}: {both.height:,} rows{whose} hold at the same time: {_shown(both, keys)}.",
            hint="End one before the next begins; or leave the column valid_to out, and each row holds until the next.",
        )
    return frame


def _of_key(expression: pl.Expr, keys: Sequence[str]) -> pl.Expr:
    return expression.over(list(keys)) if keys else expression


def _check_columns(frame: pl.DataFrame, keys: Sequence[str], name: str) -> None:
    for key in keys:
        if key not in frame.columns:
            found = ", ".join(frame.columns[:8])
            raise DataError(f"{name}: expected a column {key}, found {found}.", hint=f"Name one column {key}.")
        unknown = frame[key].is_null().arg_true()
        if len(unknown):
            raise DataError(f"{name}: row {unknown[0] + 1} has no {key}.", hint="Fill it in, or leave the row out.")
    if VALID_FROM not in frame.columns:
        raise DataError(
            f"{name} has no column {VALID_FROM}: nobody can tell since when its rows were known, so they may tell of "
            "the future.",
            hint=f"Add {VALID_FROM}; leave it empty in rows that have held for ever, such as a year of birth.",
        )


def _micros(frame: pl.DataFrame, column: str, open_: int, name: str, zone: str) -> pl.Expr:
    if column not in frame.columns:
        return pl.lit(open_, dtype=pl.Int64).alias(column)
    hint = "Write it like 2024-05-31 or 2024-05-31T18:00:00+02:00; leave it empty where it is open."
    times = known_times(frame[column], f"{name}: {column}", "rows", hint, zone)
    return pl.lit(times.to_physical().cast(pl.Int64).fill_null(open_)).alias(column)


def _shown(frame: pl.DataFrame, keys: Sequence[str]) -> str:
    rows = []
    for row in frame.head(SHOWN).iter_rows(named=True):
        whose = "".join(f"{key} {row[key]}, " for key in keys)
        rows.append(f"row {row[ROW]} ({whose}{_day(row[VALID_FROM])} to {_day(row[VALID_TO])})")
    return "; ".join(rows) + ("; ..." if frame.height > SHOWN else "")


def _day(micros: int) -> str:
    return "open" if micros in (EVER, NEVER) else str(np.datetime64(micros, "us").astype("datetime64[s]"))
