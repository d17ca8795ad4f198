"""A log without items in, the same log with one item for everything out.

Some logs say who did something, when and for how much, but not on what: orders, visits, payments. Their when and how
much can be learned by the same networks once every event has an item, the same one. What is recommended then says
nothing. This module knows no model.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from horae.data.split import Split
from horae.schema import ITEM, Events, Step

__all__ = ["STAND_IN", "with_stand_in"]

STAND_IN = "event"


def with_stand_in(split: Split) -> Split:
    """The same split of the same events, each on the item `event`; the report says so."""
    assert not split.events.has_items
    frame = split.events.frame
    at = frame.columns.index("user_id") + 1
    with_item = frame.clone().insert_column(at, pl.repeat(STAND_IN, frame.height, eager=True).alias(ITEM))
    report = replace(split.events.report, steps=list(split.events.report.steps))
    message = f"the log has no items: every event stands on one, {STAND_IN!r}; only when, what and how much are told."
    report.add(Step("stand_in_item", "changed", frame.height, message))
    return replace(split, events=Events(with_item, report))
