"""What is wrong with a log, one small step each: a frame and settings in, a frame and what was done out.

In: a frame with canonical columns and `SOURCE_ROW`. Out: the frame, with rows dropped, set aside or changed, and a
`Step` with the count and up to five examples in words; None where nothing was found. `exact_duplicates`
relies on the sort. It does not know files, or other steps.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import numpy as np
import polars as pl

from horae.data.cleaning.order import changes, micros, unit_of
from horae.data.settings import DataSettings
from horae.data.understanding.values import LARGEST_VALUE, possible
from horae.schema import BEHAVIOR, ITEM, TIMESTAMP, USER, VALUE, Step

__all__ = [
    "MAX_EXAMPLES",
    "ORDER_COLUMN",
    "SOURCE_ROW",
    "Done",
    "exact_duplicates",
    "future_times",
    "impossible_times",
    "impossible_values",
    "null_ids",
    "short",
    "show",
    "twin_ids",
    "without",
]

SOURCE_ROW: Final = "__source_row"
"""The row's number in the source; becomes `event_order` unless the log has an order of its own."""
ORDER_COLUMN: Final = "position"
"""What `columns` calls the log's own order."""

Done = tuple[pl.DataFrame, Step | None]
MAX_EXAMPLES: Final = 5


def null_ids(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Events of nobody, or with nothing: no model can use them, whatever the settings."""
    ids = [name for name in (USER, ITEM) if name in frame.columns]
    wrong = {name: _is_empty(frame[name]) for name in ids}
    counts = {name: int(mask.sum()) for name, mask in wrong.items()}
    if not sum(counts.values()):
        return frame, None
    either = wrong[USER] | wrong[ITEM] if ITEM in wrong else wrong[USER]
    named = " and ".join(f"{count:,} without {name}" for name, count in counts.items() if count)
    share = int(either.sum()) / frame.height
    return without(frame, either, "null_ids", "dropped", f"events, {named}: {share:.1%} of the log.")


def impossible_values(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """NaN, infinity and numbers that nobody measured are how systems write an unknown value."""
    if VALUE not in frame.columns:
        return frame, None
    known = possible(frame[VALUE]).fill_null(True)
    if known.all():
        return frame, None
    message = f"values NaN, infinite or larger than {LARGEST_VALUE:g} became unknown."
    step = Step("impossible_values", "changed", int((~known).sum()), message, show(frame, ~known))
    return frame.with_columns(pl.when(known).then(VALUE).alias(VALUE)), step


def impossible_times(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Times that no log can hold: before 1971, after 2099, or as the settings move these; years 1 and 9999 always."""
    first = settings.first_time if settings.earliest is None else datetime(2, 1, 1, tzinfo=UTC)
    last = settings.last_time if settings.latest is None else datetime(9999, 1, 1, tzinfo=UTC)
    if _between(frame[TIMESTAMP], first, last):
        return frame, None
    wrong = (pl.col(TIMESTAMP) < first) | (pl.col(TIMESTAMP) >= last)
    return without(
        frame,
        wrong,
        "impossible_times",
        "set_aside",
        f"times before {first.year} or from {last.year} on cannot be meant.",
        hint='If such times are meant, move the bounds with [data] earliest = "..." or latest = "...".',
    )


def future_times(frame: pl.DataFrame, now: datetime | None) -> Done:
    """Events later than the caller's present; without one, nothing is known about it."""
    if now is None:
        return frame, None
    return without(
        frame,
        pl.col(TIMESTAMP) > now.astimezone(UTC),
        "future_times",
        "set_aside",
        f"events are later than now ({now.astimezone(UTC):%Y-%m-%d %H:%M} UTC).",
        hint="Local times read as UTC can look like the future: give --timezone.",
    )


def exact_duplicates(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Rows equal in every column, written twice by some pipeline; the first stays.

    Rows of unknown time are compared only where the log has an order of its own: otherwise two visits look like one.
    """
    suspects = _suspects(frame)
    if suspects.height < 2:
        return frame, None
    columns = [name for name in frame.columns if name != SOURCE_ROW]
    first = suspects.sort(SOURCE_ROW).unique(columns, keep="first", maintain_order=True)[SOURCE_ROW]
    extra = suspects[SOURCE_ROW].filter(~suspects[SOURCE_ROW].is_in(first.implode()))
    if extra.is_empty():
        return frame, None
    again = frame[SOURCE_ROW].is_in(extra.implode())
    if settings.duplicates == "keep":
        message = "rows equal another in every column; kept, as [data] duplicates says."
        return frame, Step("exact_duplicates", "warning", len(extra), message, show(frame, again))
    hint = 'If each is an event of its own, set [data] duplicates = "keep".'
    if unit_of(micros(frame[TIMESTAMP]))[0] == "day":
        hint = f"Times are whole days, so they may be two events of one day. {hint}"
    message = "rows equal another in every column; the first of each was kept."
    return without(frame, again, "exact_duplicates", "dropped", message, hint)


def twin_ids(frame: pl.DataFrame, settings: DataSettings) -> Done:
    """Ids that look the same and are not: accents written in two ways, spaces at the ends. Nothing is changed."""
    twins: list[str] = []
    for name in (USER, ITEM):
        if name in frame.columns and frame.schema[name] == pl.String:
            twins += [f"{name} {short(ascii(one))} and {short(ascii(two))}" for one, two in _twins(frame[name])]
    if not twins:
        return frame, None
    message = f"{len(twins):,} pairs of ids look alike and differ in spaces or in how accents are written; kept apart."
    return frame, Step("twin_ids", "warning", 0, message, tuple(twins[:MAX_EXAMPLES]), "Make them equal in the source.")


def without(
    frame: pl.DataFrame,
    wrong: pl.Expr | pl.Series,
    name: str,
    kind: Literal["dropped", "set_aside"],
    message: str,
    hint: str = "",
) -> Done:
    """Take rows out and say so; where the answer is unknown (a null time), the row stays."""
    mask = (wrong if isinstance(wrong, pl.Series) else frame.select(wrong.alias("wrong")).to_series()).fill_null(False)
    count = int(mask.sum())
    if not count:
        return frame, None
    return frame.filter(~mask), Step(name, kind, count, message, show(frame, mask), hint)


def show(frame: pl.DataFrame, mask: pl.Series, largest: str | None = None) -> tuple[str, ...]:
    """Some of the rows in words: the first, or those with the largest value in a column."""
    rows = frame.filter(mask)
    rows = rows.top_k(MAX_EXAMPLES, by=pl.col(largest).abs()) if largest else rows.head(MAX_EXAMPLES)
    return tuple(_in_words(row) for row in rows.iter_rows(named=True))


def short(value: object, width: int = 40) -> str:
    """An id for a line of text: never empty, never ten thousand characters."""
    text = "(none)" if value is None or value == "" else str(value)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _between(times: pl.Series, first: datetime, last: datetime) -> bool:
    """Whether every known time lies from the first to before the last: two looks; a comparison writes a column."""
    low, high = times.min(), times.max()
    return not isinstance(low, datetime) or not isinstance(high, datetime) or (first <= low and high < last)


def _suspects(frame: pl.DataFrame) -> pl.DataFrame:
    """The few rows that could equal another in every column: same user and time, then same hash of the row."""
    known = frame[TIMESTAMP].is_not_null().to_numpy()
    maybe = np.ones(frame.height, dtype=np.bool_) if ORDER_COLUMN in frame.columns else known
    if known.all():
        new = changes(frame[USER]) | changes(frame[TIMESTAMP])
        maybe = ~new | ~np.append(new[1:], True)
    rows = frame if maybe.all() else frame.filter(pl.Series(maybe))
    hashes = np.zeros(rows.height, np.uint64)
    for name in rows.columns:
        if name != SOURCE_ROW:
            hashes *= np.uint64(0x9E3779B97F4A7C15)
            hashes ^= rows[name].hash().to_numpy()
    ordered = np.sort(hashes)
    shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return rows.filter(pl.Series(np.isin(hashes, shared))) if len(shared) else rows.clear()


def _twins(ids: pl.Series) -> list[tuple[str, str]]:
    odd = (ids.str.len_bytes() != ids.str.len_chars()) | ids.str.starts_with(" ") | ids.str.ends_with(" ")
    if not odd.any():
        return []
    plain = pl.col("id").str.normalize("NFC").str.strip_chars().alias("plain")
    names = pl.DataFrame({"id": ids.unique()}).with_columns(plain).sort("id")
    alike = names.group_by("plain", maintain_order=True).agg("id").filter(pl.col("id").list.len() > 1)
    return [(group[0], group[1]) for group in alike["id"].to_list()]


def _is_empty(ids: pl.Series) -> pl.Series:
    empty = ids.is_null()
    if ids.dtype != pl.String:
        return empty
    blank = ids.str.len_bytes() == 0
    spaced = ids.str.starts_with(" ") | ids.str.starts_with("\t")
    return empty | (blank if not spaced.any() else ids.str.strip_chars() == "").fill_null(True)


def _in_words(row: dict[str, object]) -> str:
    """One event for a person: `row 17: user 5, item 9, view, 2024-05-31 18:00:00, value 3`."""
    said = [f"user {short(row[USER])}"]
    if ITEM in row:
        said.append(f"item {short(row[ITEM])}")
    if row.get(BEHAVIOR) is not None:
        said.append(short(row[BEHAVIOR]))
    moment = row.get(TIMESTAMP)
    said.append(f"{moment:%Y-%m-%d %H:%M:%S}" if isinstance(moment, datetime) else "time unknown")
    if row.get(VALUE) is not None:
        said.append(f"value {row[VALUE]:g}")
    number = row[SOURCE_ROW]
    assert isinstance(number, int)
    return f"row {number + 1}: {', '.join(said)}"
