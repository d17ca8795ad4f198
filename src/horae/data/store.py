"""The event store: events that arrive one by one, on disk before anybody is told that they were taken.

In: `StoredEvent`s. Out: the same, in order of arrival, whatever happened in between. One SQLite file in WAL mode; each
append is one transaction, synced to disk before it returns. An event that comes twice (same `event_id`) is kept once,
the first. It does not know models, HTTP or the clock.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from horae.errors import StoreError
from horae.schema import Id

__all__ = ["Appended", "EventStore", "StoredEvent"]

VERSION: Final = 1
APPLICATION: Final = 0x484F5241  # "HORA" in the file's header
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
PAGE: Final = 5_000

# Columns of ids have no type, so that SQLite keeps the caller's: 7 stays a number, "007" stays text.
TABLE: Final = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    user_id NOT NULL,
    item_id,
    behavior TEXT,
    timestamp INTEGER,
    value REAL,
    request_id TEXT,
    received_at INTEGER NOT NULL,
    context TEXT NOT NULL
)
"""
ITEMS: Final = """
CREATE TABLE IF NOT EXISTS items (number INTEGER PRIMARY KEY AUTOINCREMENT, rows TEXT NOT NULL, change INTEGER NOT NULL)
"""
COLUMNS: Final = "event_id, user_id, item_id, behavior, timestamp, value, request_id, received_at, context"
INSERT: Final = f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"

HINTS: Final = {
    "SQLITE_FULL": "Free some room on the disk; what was accepted before is safe.",
    "SQLITE_READONLY": "Make the file and its folder writable for this user.",
    "SQLITE_CANTOPEN": "Give a file in a folder that exists and that you may write to.",
    "SQLITE_BUSY": "Another process holds the store; stop it, or try again.",
    "SQLITE_NOTADB": "Give the path of an event store, or of a file that is not there yet.",
    "SQLITE_CORRUPT": "Restore the store from a backup; `sqlite3 FILE .recover` saves what can be read.",
    "SQLITE_IOERR": "Check the disk.",
}


@dataclass(frozen=True)
class StoredEvent:
    """An event as it arrived.

    Attributes:
        event_id: Whoever sends the event names it, so that sending it again is harmless.
        timestamp: When it happened, None where unknown. Kept to the microsecond, in UTC; a naive time is UTC.
        request_id: The list that caused it, if one did.
        received_at: When it came in, by the receiver's clock.
        context: Whatever else is known, as JSON.
        number: Order of arrival, from 1; 0 as long as it is not stored.
    """

    event_id: str
    user_id: Id
    received_at: datetime
    item_id: Id | None = None
    behavior: str | None = None
    timestamp: datetime | None = None
    value: float | None = None
    request_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True)
class Appended:
    """Event ids of one append: new ones, and those that were there already (or came twice in it)."""

    accepted: tuple[str, ...]
    duplicates: tuple[str, ...]


class EventStore:
    """Events on disk. Safe to share between threads; a second process may read, and write in turn.

    Args:
        path: The file; made where missing. Two more appear beside it while it is open (`-wal`, `-shm`).

    Raises:
        StoreError: It cannot be opened or made, is something else, or was written by a newer version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        with self._translated():
            self._db = sqlite3.connect(self.path, timeout=5.0, isolation_level=None, check_same_thread=False)
        try:
            with self._translated():
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
            self._set_up()
        except StoreError:
            self._db.close()
            raise

    def append(self, events: Sequence[StoredEvent]) -> Appended:
        """Take events, all in one transaction; they survive a crash from the moment this returns.

        Raises:
            StoreError: The disk refused; none of them was taken.
        """
        accepted: list[str] = []
        duplicates: list[str] = []
        with self._transaction():
            for event in events:
                taken = self._db.execute(INSERT, _row(event)).rowcount == 1
                (accepted if taken else duplicates).append(event.event_id)
        return Appended(tuple(accepted), tuple(duplicates))

    def keep_items(self, rows: Sequence[Mapping[str, Any]], change: bool) -> None:
        """Keep new items, as they came, for the next start.

        Raises:
            StoreError: The disk refused; nothing was kept.
        """
        with self._transaction():
            self._db.execute(ITEMS)
            self._db.execute("INSERT INTO items (rows, change) VALUES (?, ?)", (json.dumps(list(rows)), int(change)))

    def all_items(self) -> list[tuple[list[dict[str, Any]], bool]]:
        """What `keep_items` was given, call by call, in order of arrival."""
        with self._transaction():
            self._db.execute(ITEMS)
            kept = self._db.execute("SELECT rows, change FROM items ORDER BY number").fetchall()
        return [(json.loads(rows), bool(change)) for rows, change in kept]

    def all_events(self, after: int = 0) -> Iterator[StoredEvent]:
        """Every event with a `number` above `after`, in order of arrival; those that arrive meanwhile too."""
        while page := self._read("number > ? ORDER BY number LIMIT ?", after, PAGE):
            yield from page
            after = page[-1].number

    def events_of(self, user_id: Id) -> list[StoredEvent]:
        """One user's events in order of arrival; text finds a number and a number text."""
        text = str(user_id)
        number = int(text) if text.removeprefix("-").isdecimal() and len(text) <= 20 else 0
        same = str(number) == text and abs(number) < 2**63
        return self._read("user_id IN (?, ?) ORDER BY number", text, number if same else text)

    def count(self) -> int:
        """How many events there are."""
        with self._lock, self._translated():
            (count,) = self._db.execute("SELECT count(*) FROM events").fetchone()
        return int(count)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, self._translated():
            self._db.close()

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, where: str, *values: Id) -> list[StoredEvent]:
        with self._lock, self._translated():
            rows = self._db.execute(f"SELECT {COLUMNS}, number FROM events WHERE {where}", values).fetchall()
        return [_event(row) for row in rows]

    def _set_up(self) -> None:
        """Make the table in a new file; refuse a file that is not ours, or that is from the future."""
        with self._transaction():
            version, application = (self._pragma(name) for name in ("user_version", "application_id"))
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables == 0:
                self._db.execute(TABLE)
                self._db.execute("CREATE INDEX events_of_user ON events (user_id, number)")
                self._db.execute(f"PRAGMA user_version = {VERSION}")
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
            elif application != APPLICATION:
                raise StoreError(f"{self.path} is another program's database.", hint=HINTS["SQLITE_NOTADB"])
            elif version > VERSION:
                raise StoreError(
                    f"{self.path} is an event store of version {version}; this Horae knows up to {VERSION}.",
                    hint="Update Horae.",
                )

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, one writer at a time, on disk at the end."""
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:  # whatever went wrong; a full disk may have rolled back already
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            known = (hint for start, hint in HINTS.items() if name.startswith(start))
            hint = next(known, "Check the file and the disk.")
            raise StoreError(f"The event store {self.path} refused: {error}.", hint=hint) from error


def _row(event: StoredEvent) -> tuple[object, ...]:
    return (
        event.event_id,
        event.user_id,
        event.item_id,
        event.behavior,
        None if event.timestamp is None else _micros(event.timestamp),
        event.value,
        event.request_id,
        _micros(event.received_at),
        json.dumps(dict(event.context)),
    )


def _event(row: Sequence[Any]) -> StoredEvent:
    event_id, user_id, item_id, behavior, timestamp, value, request_id, received_at, context, number = row
    return StoredEvent(
        event_id=event_id,
        user_id=user_id,
        item_id=item_id,
        behavior=behavior,
        timestamp=None if timestamp is None else EPOCH + timestamp * MICROSECOND,
        value=value,
        request_id=request_id,
        received_at=EPOCH + received_at * MICROSECOND,
        context=json.loads(context),
        number=number,
    )


def _micros(time: datetime) -> int:
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND
