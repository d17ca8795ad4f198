"""What people were shown and did not take, laid beside what they took next.

In: `Events`, and impressions, which are read like a log of their own. Out: the events with a column `shown`. An
impression is no event here: it is in no history, no target and no count. It stands beside the first target of its user
at or after it, so that it belongs to the part of a split in which that target lies. This module knows no losses.
Public as `horae.join_impressions`; `horae data convert --impressions`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import polars as pl

from horae.errors import DataError
from horae.schema import CANONICAL, ITEM, SHOWN, TARGET, TIMESTAMP, USER, Events, Step

__all__ = ["MOST_SHOWN", "WITHIN_SECONDS", "join_impressions"]

WITHIN_SECONDS: Final = 1800.0
"""As long as a session may pause."""
MOST_SHOWN: Final = 20
"""Beside one event; the newest."""
ROW: Final = "__row"
AT: Final = "__at"


def join_impressions(events: Events, impressions: Events, *, within_seconds: float = WITHIN_SECONDS) -> Events:
    """Say of each target what its user was shown before it and did not take.

    Args:
        events: What people did.
        impressions: What they were shown: `user_id`, `item_id`, `timestamp`, as `read_events` reads them. The item that
            was taken may be among them; it is left out.
        within_seconds: An impression that no target follows within this time says nothing.

    Raises:
        DataError: No items or no times, on either side; a time that is not more than 0; no impression that is followed.
    """
    if not 0 < within_seconds < float("inf"):
        raise DataError(f"within_seconds = {within_seconds}: expected more than 0.", hint="1800 is half an hour.")
    for name, log in (("log", events), ("table of impressions", impressions)):
        if not log.has_items or log.times == "none":
            what = "items" if not log.has_items else "times"
            raise DataError(f"The {name} has no {what}.", hint="Impressions need user_id, item_id and timestamp.")
    frame = events.frame.with_row_index(ROW)
    beside = _beside(frame, impressions.frame, within_seconds)
    followed = beside.height
    beside = beside.filter(pl.col(ITEM) != pl.col("taken")).unique([ROW, ITEM], keep="last", maintain_order=True)
    if beside.is_empty():
        raise DataError(
            f"None of {len(impressions):,} impressions is followed by another target of its user in time.",
            hint="Compare the ids and the zones of both, or allow more time with within_seconds.",
        )
    newest = beside.reverse().group_by(ROW, maintain_order=True).agg(pl.col(ITEM).head(MOST_SHOWN))
    lists = frame.select(ROW).join(newest, on=ROW, how="left", maintain_order="left")[ITEM]
    texts = [None if one is None else json.dumps(one, ensure_ascii=False) for one in lists.to_list()]
    message = (
        f"{beside.height:,} of {len(impressions):,} impressions stand beside {newest.height:,} targets; "
        f"{len(impressions) - followed:,} are followed by none within {within_seconds:g} seconds."
    )
    report = replace(events.report, steps=[*events.report.steps, Step("impressions", "understood", 0, message)])
    joined = frame.drop(ROW).with_columns(pl.Series(SHOWN, texts, dtype=pl.String))
    return Events(joined.select(*_in_order(joined.columns)), report)


def _beside(frame: pl.DataFrame, impressions: pl.DataFrame, within_seconds: float) -> pl.DataFrame:
    """Impressions in the order of time, each with the row and the item of the target that came next."""
    text = [pl.col(name).cast(pl.String) for name in (USER, ITEM)]
    at = pl.col(TIMESTAMP).cast(pl.Int64).alias(AT)
    targets = frame.filter(pl.col(TARGET) & pl.col(TIMESTAMP).is_not_null()).select(ROW, at, *text)
    targets = targets.unique([USER, AT], keep="first", maintain_order=True).rename({ITEM: "taken"}).sort(AT)
    shown = impressions.drop_nulls(TIMESTAMP).select(at, *text).sort(AT, maintain_order=True)
    found = shown.join_asof(
        targets,
        on=AT,
        by=USER,
        strategy="forward",
        tolerance=round(within_seconds * 1_000_000),
        check_sortedness=False,
    )
    return found.drop_nulls(ROW)


def _in_order(columns: list[str]) -> list[str]:
    """`shown` beside the other columns that are Horae's own."""
    return [*(name for name in CANONICAL if name in columns), *(name for name in columns if name not in CANONICAL)]
