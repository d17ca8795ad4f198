"""What was found: tables for programs, text for people. It computes nothing that judges."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from horae.schema import ITEM, TIMESTAMP, USER

__all__ = ["WIDTH", "Anomalies"]

WIDTH: Final = 80
SHOWN: Final = 10


@dataclass(frozen=True, eq=False)
class Anomalies:
    """How surprising events are, and which are too surprising.

    Attributes:
        frame: One row per judged event, in the log's order: `user_id, item_id, behavior, timestamp, value`; for each
            signal of `signals` its surprise, `-log p` in nats (`item_surprise`, ...; null where it cannot be told);
            `score` (all of them together), `p_value` (share of calibration events with as high a score), `odd` (is
            `score` above `threshold`?) and `why`, in words, where it is.
        users: One row per judged user, the oddest first: `user_id`, `events`, `odd_events`, the mean of each surprise,
            `score` (how far their events' mean surprise lies above the usual one for so many events), `p_value` (share
            of calibration users as far above), `odd`, `why`.
        signals: Names of what could be judged, of `item, habit, time, value, burst, regular, awake`.
        false_alarms: The rate that was asked for, of events and of users.
        threshold: An event whose score is above it is odd.
        calibration: What says what is usual: `events`, `users`, and of which time (`first`, `last`; None if unknown).
        notes: Plain sentences about what could not be judged, and why.
    """

    frame: pl.DataFrame
    users: pl.DataFrame
    signals: tuple[str, ...]
    false_alarms: float
    threshold: float
    calibration: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.frame.height

    @property
    def odd(self) -> pl.DataFrame:
        """The odd events, the oddest first."""
        return self.frame.filter(pl.col("odd")).sort("score", descending=True, maintain_order=True)

    @property
    def odd_users(self) -> pl.DataFrame:
        """The odd users, the oddest first."""
        return self.users.filter(pl.col("odd"))

    @property
    def share(self) -> float:
        """Of the judged events that are odd; near `false_alarms` where nothing is wrong."""
        return int(self.frame["odd"].sum()) / max(len(self), 1)

    def as_dict(self) -> dict[str, Any]:
        """What `horae anomalies --json` prints, without its rows; plain JSON types only."""
        return {
            "events": len(self),
            "users": self.users.height,
            "signals": list(self.signals),
            "false_alarms": self.false_alarms,
            "threshold": self.threshold,
            "odd_events": int(self.frame["odd"].sum()),
            "odd_users": int(self.users["odd"].sum()),
            "share": self.share,
            "calibration": dict(self.calibration),
            "notes": list(self.notes),
        }

    def text(self, by: str = "event", most: int = SHOWN) -> str:
        """For people, 80 columns wide: what was judged, and the oddest events or users.

        Args:
            by: `event` or `user`.
            most: How many to show.
        """
        odd, users = int(self.frame["odd"].sum()), int(self.users["odd"].sum())
        facts = self.calibration
        lines = [
            f"{_many(len(self), 'event')} of {_many(self.users.height, 'user')} judged by {', '.join(self.signals)}, "
            f"beside {_many(facts['events'], 'calibration event')} of {_many(facts['users'], 'user')}.",
            f"Odd events: {odd:,} ({self.share:.2%}; of ordinary ones {self.false_alarms:.2%} would be). "
            f"Odd users: {users:,}.",
        ]
        lines = [piece for line in lines for piece in textwrap.wrap(line, WIDTH)]
        table = self.odd if by == "event" else self.odd_users
        for row in table.head(most).iter_rows(named=True):
            lines += ["", *(_event(row) if by == "event" else _user(row))]
        if table.height > most:
            lines += ["", f"... and {table.height - most:,} more."]
        notes = [
            piece for note in self.notes for piece in textwrap.wrap(f"note: {note}", WIDTH, subsequent_indent="  ")
        ]
        return "\n".join([*lines, *([""] if notes else []), *notes])

    def __str__(self) -> str:
        return self.text()


def _event(row: Mapping[str, Any]) -> list[str]:
    when = row[TIMESTAMP]
    place = f"{when:%Y-%m-%d %H:%M:%S}" if isinstance(when, datetime) else "at an unknown time"
    what = f", item {row[ITEM]}" if ITEM in row else ""
    head = f"p {row['p_value']:.5f}  user {row[USER]}{what}, {place}"
    return [*_lines(head, ""), *_lines(row["why"], "    ")]


def _user(row: Mapping[str, Any]) -> list[str]:
    head = f"p {row['p_value']:.5f}  user {row[USER]}, {row['odd_events']:,} of {row['events']:,} events odd"
    return [*_lines(head, ""), *_lines(row["why"], "    ")]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _lines(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
