"""What stands behind the routes: one recommender, one store, and the order in which they are asked.

In: what `wire` has checked. Out: recommendations, and what became of each event. It does not know HTTP.

An event is on disk first, then part of its user's history, and only then acknowledged; so the very next request sees
it, and a service that was killed knows it again after the start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from horae.data.store import EventStore, StoredEvent
from horae.errors import DataError
from horae.recipe import Recipe
from horae.schema import HistoryEvent, Id, Recommendations
from horae.serve.item_rows import tables_of

__all__ = ["Clock", "Engine", "Intake", "NewItems", "Recommending", "Rejection", "utc_now"]

Clock = Callable[[], datetime]
AHEAD: Final = timedelta(minutes=5)
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """The clock that services use; tests bring their own."""
    return datetime.now(UTC)


class Recommending(Protocol):
    """What the service asks of a recommender; `horae.recommend.recommender.Recommender` is one."""

    @property
    def recipe(self) -> Recipe:
        """Its name says where recommendations come from."""

    def recommend(
        self,
        *,
        users: Sequence[Id] | None = None,
        histories: Sequence[Sequence[Id | HistoryEvent]] | None = None,
        k: int = 10,
        at: datetime | None = None,
        exclude: Iterable[Id] = (),
        only: Iterable[Id] | None = None,
        filter: str | None = None,
        strategy: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Recommendations:
        """Rank items for each user or history."""

    def append(
        self,
        user_id: Id,
        item_id: Id,
        behavior: str | None = None,
        timestamp: datetime | None = None,
        value: float | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Make an event part of its user's history."""

    def add_items(self, catalog: Any = None, vectors: Any = None, *, change: bool = False) -> NewItems:
        """Take new items in, all or none."""


class NewItems(Protocol):
    """What became of new items; `horae.recommend.adding.Added` is one."""

    @property
    def added(self) -> Sequence[Id]:
        """Ids that are new."""

    @property
    def changed(self) -> Sequence[Id]:
        """Ids that were there and have other attributes now."""

    @property
    def kept(self) -> Sequence[Id]:
        """Ids that were there and stay as they were."""

    @property
    def notes(self) -> Sequence[str]:
        """What was not used."""


@dataclass(frozen=True)
class Rejection:
    """An event that was not taken: where it stood in the request, its id if it had one, and why."""

    index: int
    event_id: str | None
    reason: str


@dataclass(frozen=True)
class Intake:
    """What became of the events of one request."""

    accepted: int = 0
    duplicates: int = 0
    rejections: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class Engine:
    """One recommender and one store, for many threads.

    Attributes:
        recommender: Asked by one thread at a time.
        store: Where events go first.
        clock: The only one in the service.
        run: The run's name, for those who ask where a list comes from.
    """

    recommender: Recommending
    store: EventStore
    clock: Clock = utc_now
    run: str = ""
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _taking: threading.Lock = field(default_factory=threading.Lock)

    def replay(self) -> int:
        """Take in what the store has, items first, in order of arrival; how many events that were."""
        count = 0
        with self._taking:
            for rows, change in self.store.all_items():
                self._add(rows, change)
            for event in self.store.all_events():
                self._make_known(event)
                count += 1
        return count

    def recommend(self, **request: Any) -> Recommendations:
        """The recommender's answer to one request; see `Recommending.recommend`."""
        with self._asking:
            return self.recommender.recommend(**request)

    def take(self, events: Sequence[tuple[int, StoredEvent]], refused: Iterable[Rejection] = ()) -> Intake:
        """Store events, then make the new ones known. The store's order is the order in which they become known.

        Args:
            events: Each with its index in the request.
            refused: Rejections that were decided before.

        Raises:
            StoreError: Nothing was stored.
        """
        possible = [event for _, event in events if not self._impossible(event)]
        rejections = [
            Rejection(index, event.event_id, reason) for index, event in events if (reason := self._impossible(event))
        ]
        notes: list[str] = []
        with self._taking:
            appended = self.store.append(possible) if possible else None
            fresh = set(appended.accepted) if appended else set()
            for event in possible:
                if event.event_id in fresh:
                    fresh.remove(event.event_id)  # the first of its id is the one that was stored
                    notes += self._make_known(event)
        return Intake(
            accepted=len(appended.accepted) if appended else 0,
            duplicates=len(appended.duplicates) if appended else 0,
            rejections=tuple(sorted([*refused, *rejections], key=lambda rejection: rejection.index)),
            notes=tuple(dict.fromkeys(notes)),
        )

    def add_items(self, rows: Sequence[Mapping[str, Any]], change: bool = False) -> NewItems:
        """Take new items in, for the very next request and for the next start.

        Args:
            rows: Of each item its `item_id`, its attributes, and under `vectors` what was made elsewhere.
            change: Items that are there already take what is given here.

        Raises:
            HoraeError: One of them cannot be; nothing was changed.
            StoreError: They are known now, but not kept for the next start.
        """
        with self._taking:
            told = self._add(rows, change)
            if told.added or told.changed:
                self.store.keep_items(rows, change)
        return told

    def _add(self, rows: Sequence[Mapping[str, Any]], change: bool) -> NewItems:
        catalog, vectors = tables_of(rows)
        with self._asking:
            return self.recommender.add_items(catalog, vectors, change=change)

    def _impossible(self, event: StoredEvent) -> str:
        """Why this event cannot have happened; empty if it can."""
        if event.timestamp is None:
            return ""
        if event.timestamp > event.received_at + AHEAD:
            now = f"{event.received_at:%Y-%m-%dT%H:%M:%SZ}"
            return f"timestamp: {event.timestamp:%Y-%m-%dT%H:%M:%SZ} is over 5 minutes ahead of this machine's {now}"
        return "timestamp: before 1970" if event.timestamp < EARLIEST else ""

    def _make_known(self, event: StoredEvent) -> list[str]:
        """Append to the history; notes say what keeps a stored event out of it."""
        if event.item_id is None:
            return ["Events without an item are stored, but are no part of a history of items."]
        try:
            with self._asking:
                self.recommender.append(
                    event.user_id, event.item_id, event.behavior, event.timestamp, event.value, event.context
                )
        except DataError as error:
            return [f"Event {event.event_id!r} is stored, but this run cannot use it: {error.message}"]
        return []
