"""The tables that travel between the rooms: their columns, types, units and order.

In: nothing. Out: `Events`, `Requests`, `Recommendations` and the `DataReport` that every cleaning step writes into.
This module does not know files, models or clocks.

An event's *place* is `(timestamp, event_order)` in its user's line; where any of a user's times is unknown,
`event_order` alone. `Events.frame` is sorted by user, then place, so an event's row number in it orders places too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import DataError

__all__ = [
    "BEHAVIOR",
    "EVENT_ORDER",
    "ITEM",
    "NOT_TARGETS",
    "SHOWN",
    "TARGET",
    "TARGET_WEIGHT",
    "TIMESTAMP",
    "USER",
    "VALUE",
    "DataReport",
    "Events",
    "Forecasts",
    "HistoryEvent",
    "Id",
    "Recommendations",
    "Requests",
    "Step",
]

USER: Final = "user_id"
ITEM: Final = "item_id"
BEHAVIOR: Final = "behavior"
TIMESTAMP: Final = "timestamp"
VALUE: Final = "value"
EVENT_ORDER: Final = "event_order"
TARGET: Final = "target"
TARGET_WEIGHT: Final = "target_weight"
SHOWN: Final = "shown"
CANONICAL: Final = (USER, ITEM, BEHAVIOR, TIMESTAMP, VALUE, EVENT_ORDER, TARGET, TARGET_WEIGHT, SHOWN)

TIME_TYPE: Final = pl.Datetime("us", "UTC")
NOT_TARGETS: Final = ("cancel", "return", "remove", "dislike", "unfollow", "impression")
"""Behaviors that are history, but that nobody wants recommended, unless a recipe says so."""
REFUSALS: Final = (*NOT_TARGETS, "skip", "hide")
"""Behaviors that say that somebody does not want the item, or does not want it any more."""

Id = str | int
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """One thing that was understood about the data, or done to it.

    Attributes:
        name: The step's name in the recipe, such as `exact_duplicates`.
        kind: `understood` (no row touched), `changed`, `set_aside` (unreadable), `dropped` (readable, unwanted)
            or `warning`.
        rows: How many rows it touched.
        message: One sentence in plain words.
        examples: Up to five rows or values, as text, with their row number in the source where known.
        hint: What the user may do about it; empty where nothing needs doing.
    """

    name: str
    kind: Literal["understood", "changed", "set_aside", "dropped", "warning"]
    rows: int
    message: str
    examples: tuple[str, ...] = ()
    hint: str = ""


@dataclass
class DataReport:
    """Everything that was understood, changed, set aside or dropped on the way from a raw log to Events."""

    source: str = "memory"
    rows_read: int = 0
    rows_kept: int = 0
    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Append a step; order is the order in which things happened."""
        self.steps.append(step)

    def read_as(self, column: str) -> str | None:
        """What a column of the raw log was taken for, such as `value`; None where it was left as it is."""
        said = "; ".join(step.message for step in self.steps if (step.name, step.kind) == ("columns", "understood"))
        return next((role for role in CANONICAL if f"{role} is {column} (" in said), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types only."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> DataReport:
        """The inverse of `as_dict`."""
        steps = [Step(**{**step, "examples": tuple(step.get("examples", ()))}) for step in document.get("steps", [])]
        return cls(document["source"], document["rows_read"], document["rows_kept"], steps)

    def __str__(self) -> str:
        head = f"{self.source}: {self.rows_read:,} rows read, {self.rows_kept:,} kept"
        lines = [head]
        for step in self.steps:
            count = f" ({step.rows:,} rows)" if step.rows else ""
            lines.append(f"  {step.kind.replace('_', ' '):<10} {step.name}: {step.message}{count}")
            lines.extend(f"             e.g. {example}" for example in step.examples[:3])
            if step.hint:
                lines.append(f"             {step.hint}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Events:
    """A cleaned log: what every room above `data/` reads.

    Attributes:
        frame: Sorted by `user_id`, then place. Columns: `user_id` and, unless the log has no items, `item_id` (the
            caller's dtype, never null); `behavior` Enum (one constant `event` where the log names none); `timestamp`
            Datetime("us", "UTC"), null where unknown; `value` Float64, null where unknown; `event_order` Int64, unique
            within a user's line; `target` Boolean: may this event be what a recommendation is judged by; and
            `target_weight` Float64 from 0 to 1, only where `[data] weak_labels` or `skips` made it: what it counts in
            training; and `shown` text, only where `join_impressions` made it: a JSON list of the items that its user
            was shown before it and did not take, newest first. Further columns are context.
        report: What was done to get here.
    """

    frame: pl.DataFrame
    report: DataReport = field(default_factory=DataReport)

    @property
    def has_items(self) -> bool:
        """False for a log of behaviors and values only; item verbs then say what is off."""
        return ITEM in self.frame.columns

    @property
    def times(self) -> Literal["all", "some", "none"]:
        """How many events have a known time; what needs time asks here first."""
        unknown = self.frame[TIMESTAMP].null_count()
        if unknown == 0:
            return "all"
        return "none" if unknown == self.frame.height else "some"

    @property
    def behaviors(self) -> list[str]:
        """The log's behaviors, most frequent first."""
        counts = self.frame[BEHAVIOR].value_counts(sort=True, name="n")
        return [str(name) for name in counts[BEHAVIOR].to_list()]

    @property
    def context(self) -> list[str]:
        """Columns that are neither canonical nor the order."""
        return [name for name in self.frame.columns if name not in CANONICAL]

    def __len__(self) -> int:
        return self.frame.height

    def filter(self, mask: pl.Series) -> Events:
        """The same events, fewer of them, with the same report."""
        return replace(self, frame=self.frame.filter(mask))

    def __str__(self) -> str:
        users = self.frame[USER].n_unique()
        items = f", {self.frame[ITEM].n_unique():,} items" if self.has_items else ", no items"
        span = ""
        if self.times != "none":
            first, last = self.frame[TIMESTAMP].min(), self.frame[TIMESTAMP].max()
            assert isinstance(first, datetime) and isinstance(last, datetime)
            span = f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        return f"Events: {len(self):,} events of {users:,} users{items}{span}\n{self.report}"


@dataclass(frozen=True)
class HistoryEvent:
    """One event of a history that a caller brings along, oldest first; `context` holds further columns of the log."""

    item_id: Id
    behavior: str | None = None
    timestamp: datetime | None = None
    value: float | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Requests:
    """Who asks, at what place, for how many, under which constraints. Exactly one of `users` and `histories`.

    Attributes:
        users: One known (or unknown) id per request.
        histories: One history per request, oldest event first.
        rows: For requests cut from a log: the row of `Events.frame` at whose place each request stands; its history
            is everything of its user before that row. Only with `users`.
        at: One time per request: its history is strictly before it. None: after everything known.
        k: How many recommendations.
        exclude: Items that may not be recommended.
        only: If given, the only items that may.
        seen: May items of the history be recommended? None: as the run's data say.
        filter: A condition on the catalog's columns that every item has to meet, such as `price < 20`.
        rules: Rules in place of the run's; None: the run's.
        strategy: A strategy in place of the run's; None: the run's.
        request_ids: Names for the answers; numbered from 0 where absent.
        context: What is known of each request when it asks, by column of the log, such as `{"device": "phone"}`. Not
            with `rows`: there the row itself says it.
        profile: What is known of each one who asks, by column of the run's profiles, such as `{"age": 31}`: it speaks
            for those of whom there is no event.
        known_by: Where the histories come from, if not from what people did: `questionnaire`; the list's `source`.

    Raises:
        DataError: Neither users nor histories, or both; k below 1; not one time or one context per request.
    """

    users: pl.Series | None = None
    histories: Sequence[Sequence[HistoryEvent]] | None = None
    rows: IndexArray | None = None
    at: Sequence[datetime] | None = None
    k: int = 10
    exclude: tuple[Id, ...] = ()
    only: tuple[Id, ...] | None = None
    seen: bool | None = None
    filter: str | None = None
    rules: tuple[str, ...] | None = None
    strategy: str | None = None
    request_ids: Sequence[str] | None = None
    context: Sequence[Mapping[str, Any]] | None = None
    profile: Sequence[Mapping[str, Any] | None] | None = None
    known_by: str | None = None

    def __post_init__(self) -> None:
        if (self.users is None) == (self.histories is None):
            raise DataError(
                "Expected either users or histories.", hint='Give users=["u1"] or histories=[["i7", "i9"]].'
            )
        if self.k < 1:
            raise DataError(f"k = {self.k}: expected at least 1.", hint="Ask for k=10.")
        if self.at is not None and len(self.at) != len(self):
            raise DataError(
                f"Expected one time for each of {len(self):,} requests, got {len(self.at):,}.",
                hint="Repeat it where it is the same for all: at=[time] * len(users).",
            )
        if self.context is not None and len(self.context) != len(self):
            raise DataError(
                f"Expected one context for each of {len(self):,} requests, got {len(self.context):,}.",
                hint="Repeat it where it is the same for all: context=[context] * len(users).",
            )
        if self.profile is not None and len(self.profile) != len(self):
            raise DataError(
                f"Expected one profile for each of {len(self):,} requests, got {len(self.profile):,}.",
                hint="Give None for those of whom nothing is known.",
            )
        assert self.rows is None or (self.users is not None and self.at is None and self.context is None)

    def __len__(self) -> int:
        if self.users is not None:
            return len(self.users)
        assert self.histories is not None
        return len(self.histories)


@dataclass(frozen=True, eq=False)
class Recommendations:
    """Ranked lists, best first.

    Attributes:
        frame: `user_id` (absent for requests by history), `item_id` (the caller's ids), `score`, `rank` from 1,
            `request_id`, `source` (the recipe's name where people's histories made the list; `questionnaire` where
            their answers did; `profile` or `fallback` where nothing of what they did is known). With rules, diversity,
            freshness or a floor also `rules`: a list of what moved each item, empty where its score put it there. With
            a floor also `probability`.
        notes: Plain sentences about what could not be honoured (an unknown item in a history, a time that is off).
    """

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.frame.height

    def lists(self) -> Iterator[tuple[str, list[Id]]]:
        """Each request's id with its items, best first, in the order of the requests."""
        for (request_id,), part in self.frame.group_by("request_id", maintain_order=True):
            yield str(request_id), part[ITEM].to_list()

    def __str__(self) -> str:
        return str(self.frame)


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What is said of each user's next event, one row per request.

    Attributes:
        frame: `user_id` (null for histories that callers bring along), `at` (UTC: the moment of the question),
            `next_time_low`, `next_time`, `next_time_high` (UTC: four of five returns lie between the outer two),
            `return_probability` (of an event within `within_seconds` after `at`), `behavior` (the most probable),
            `behavior_probability`, `value_low`, `value`, `value_high` (four of five values lie between the outer two).
            Null where the run was not asked to learn it, where the log could not teach it, or where nothing is known
            of the user.
        behaviors: Every behavior's chance: `request` (row of `frame`, from 0), `behavior`, `probability`.
        within_seconds: What `return_probability` speaks of.
        notes: Plain sentences about what could not be told, and why.
    """

    frame: pl.DataFrame
    behaviors: pl.DataFrame
    within_seconds: float
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.frame.height

    def __str__(self) -> str:
        return str(self.frame)
