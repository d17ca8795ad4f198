"""What the log's further columns said last and on the whole: device, place, channel, price, promotion.

In: lines and moments. Out: for each numeric column its last value and running mean, for each other one its last value
and the share of its commonest; all of events past, in their order. The event at the moment is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import polars as pl

from horae.features.book import LineBlock
from horae.features.group import Column, Feature, Wishes, blank
from horae.features.moments import Moments
from horae.features.scans import IndexArray, grouped, running_max
from horae.features.session import SESSION_ID
from horae.features.windows import Sums
from horae.schema import BEHAVIOR

__all__ = ["Context", "is_numeric"]

NOT_CONTEXT: Final = (SESSION_ID,)
NEVER: Final = "no past event with a known value"


@dataclass(frozen=True)
class Context:
    """Last value and running mean, or share of the commonest, of the log's other columns."""

    numeric: tuple[str, ...]
    named: tuple[str, ...]

    needs: ClassVar[str] = "columns of context, such as device or price"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("{column}_last", "the column's own", NEVER, "The column's last known value; text stays text."),
        Feature("{column}_known", "events", "never", "Past events in which the column is known."),
        Feature("{column}_mean", "the column's own", NEVER, "Mean of its past values (numbers only)."),
        Feature(
            "{column}_mode_share",
            "share",
            NEVER,
            "Share of the past events with a known value that have the commonest one (text and the like).",
        ),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Context | None:
        """For logs with further columns that hold numbers, Booleans or text; the behavior is one of them."""
        book = wishes.book
        schema = book.events.frame.schema
        columns = [name for name in book.events.context if name not in (*NOT_CONTEXT, book.by)]
        if len(book.events.behaviors) > 1 and book.by != BEHAVIOR:
            columns = [BEHAVIOR, *columns]
        numeric = tuple(name for name in columns if is_numeric(book.events.frame[name]))
        text = (pl.String, pl.Categorical, pl.Enum, pl.Boolean)
        named = tuple(name for name in columns if isinstance(schema[name], text) and name not in numeric)
        return cls(numeric, named) if numeric or named else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        columns: dict[str, Column] = {}
        for name in self.numeric:
            x_N = lines.numbers(name)
            known_B, sum_B, _ = Sums(x_N, lines).over(at, at.begin_B)
            last_B = _last(~np.isnan(x_N), at)
            columns[f"{name}_last"] = blank(np.where(last_B >= 0, x_N[last_B], np.nan), None)
            columns[f"{name}_known"] = known_B.astype(np.float32)
            with np.errstate(invalid="ignore"):
                columns[f"{name}_mean"] = blank(sum_B / known_B, None)
        for name in self.named:
            columns |= self._named(name, lines, at)
        return columns

    def _named(self, name: str, lines: LineBlock, at: Moments) -> dict[str, Column]:
        code_N = lines.codes(name).astype(np.int64)
        known_N1 = np.concatenate([[0], np.cumsum(code_N >= 0)])
        known_B = known_N1[at.end_B] - known_N1[at.begin_B]
        last_B = _last(code_N >= 0, at)
        text = lines.column(name).cast(pl.String).gather(np.maximum(last_B, 0))
        commonest_N = running_max(_occurrence(code_N, lines), lines.line_N)
        with np.errstate(divide="ignore", invalid="ignore"):
            share_B = np.where(known_B > 0, commonest_N[at.last_B] / known_B, np.nan)
        return {
            f"{name}_last": text.zip_with(pl.Series(last_B >= 0), pl.Series([None], dtype=pl.String)),
            f"{name}_known": known_B.astype(np.float32),
            f"{name}_mode_share": blank(share_B, None),
        }


def is_numeric(column: pl.Series) -> bool:
    """Numbers, or text that is nothing but numbers (a CSV's columns are all text)."""
    if column.dtype != pl.String:
        return column.dtype.is_numeric()
    return column.cast(pl.Float64, strict=False).null_count() == column.null_count() < len(column)


def _last(known_N: np.ndarray, at: Moments) -> IndexArray:
    """Index of each moment's last past event with a known value; -1 where there is none."""
    latest_N = np.maximum.accumulate(np.where(known_N, np.arange(len(known_N)), -1))
    last_B = np.where(at.past_B > 0, latest_N[at.last_B], -1)
    return np.where(last_B >= at.begin_B, last_B, -1)


def _occurrence(code_N: IndexArray, lines: LineBlock) -> IndexArray:
    """How often an event's value has come on its line so far, itself counted; 0 where unknown."""
    group_N = code_N + lines.line_N * (int(code_N.max(initial=0)) + 2)
    order = grouped(group_N)
    first = np.ones(len(order), np.bool_)
    first[1:] = group_N[order[1:]] != group_N[order[:-1]]
    begin = np.flatnonzero(first)[np.cumsum(first) - 1]
    rank_N = np.empty(len(order), np.int64)
    rank_N[order] = np.arange(len(order)) - begin + 1
    return np.where(code_N >= 0, rank_N, 0)
