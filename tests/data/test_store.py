import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from horae.data.store import Appended, EventStore, StoredEvent
from horae.errors import StoreError

NOW = datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def event(event_id: str, user_id: str | int = "u1", **more) -> StoredEvent:
    return StoredEvent(event_id, user_id, NOW, **{"item_id": "i1", **more})


@pytest.fixture
def store(tmp_path):
    with EventStore(tmp_path / "events.db") as store:
        yield store


def test_everything_about_an_event_comes_back(store: EventStore) -> None:
    full = event(
        "e1",
        behavior="purchase",
        timestamp=datetime(2024, 4, 30, 23, 59, 59, 999_999, tzinfo=UTC),
        value=9.5,
        request_id="r1",
        context={"device": "mobile", "nested": [1, None, "ü🙂"]},
    )
    bare = StoredEvent("e2", "u2", NOW)
    store.append([full, bare])
    assert list(store.all_events()) == [replace(full, number=1), replace(bare, number=2)]


def test_times_are_kept_to_the_microsecond_in_utc(store: EventStore) -> None:
    east = datetime(1969, 12, 31, 20, 0, 0, 1, tzinfo=timezone(timedelta(hours=-4)))
    store.append([event("e1", timestamp=east), event("e2", timestamp=datetime(2024, 1, 1))])
    first, second = store.all_events()
    assert first.timestamp == datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert second.timestamp == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("user_id", ["007", 7, "7", -3, 2**63 - 1, "", "u\x00\n'\";--", "用户🙂", "x" * 10_000])
def test_ids_keep_their_type_and_spelling(store: EventStore, user_id: str | int) -> None:
    store.append([event("e1", user_id, item_id=user_id)])
    (found,) = store.all_events()
    assert (found.user_id, found.item_id) == (user_id, user_id)
    assert type(found.user_id) is type(user_id)
    assert [one.event_id for one in store.events_of(user_id)] == ["e1"]


def test_text_finds_a_number_and_a_number_text_but_007_is_not_7(store: EventStore) -> None:
    store.append([event("a", 7), event("b", "7"), event("c", "007")])
    assert [one.event_id for one in store.events_of("7")] == ["a", "b"]
    assert [one.event_id for one in store.events_of(7)] == ["a", "b"]
    assert [one.event_id for one in store.events_of("007")] == ["c"]


def test_an_event_sent_twice_is_kept_once_and_the_first_wins(store: EventStore) -> None:
    assert store.append([event("a"), event("b"), event("a", item_id="other")]) == Appended(("a", "b"), ("a",))
    assert store.append([event("b", item_id="other"), event("c")]) == Appended(("c",), ("b",))
    assert [(one.event_id, one.item_id) for one in store.all_events()] == [("a", "i1"), ("b", "i1"), ("c", "i1")]
    assert store.count() == 3


def test_reading_goes_on_after_a_number_and_over_page_ends(store: EventStore) -> None:
    store.append([event(f"e{number}") for number in range(12_000)])
    assert [one.number for one in store.all_events()] == list(range(1, 12_001))
    assert [one.event_id for one in store.all_events(after=11_998)] == ["e11998", "e11999"]
    assert list(store.all_events(after=12_000)) == []


def test_a_failing_append_takes_nothing(store: EventStore) -> None:
    store.append([event("a")])
    with pytest.raises(StoreError):
        store.append([event("b"), replace(event("c"), user_id=None)])
    assert [one.event_id for one in store.all_events()] == ["a"]
    assert store.append([event("b")]).accepted == ("b",)


def test_a_full_disk_is_a_store_error_and_the_store_lives_on(store: EventStore) -> None:
    store.append([event("a")])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full") as caught:
        store.append([event("b", context={"padding": "x" * 100_000})])
    assert "Free some room" in caught.value.hint
    store._db.execute("PRAGMA max_page_count = 100000")
    assert store.append([event("b")]).accepted == ("b",)
    assert [one.event_id for one in store.all_events()] == ["a", "b"]


def test_a_read_only_store_is_a_store_error(store: EventStore) -> None:
    store._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="readonly") as caught:
        store.append([event("a")])
    assert "writable" in caught.value.hint


def test_a_path_that_cannot_be_opened_is_named(tmp_path) -> None:
    with pytest.raises(StoreError, match="nowhere") as caught:
        EventStore(tmp_path / "nowhere" / "events.db")
    assert "folder that exists" in caught.value.hint


def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(tmp_path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        EventStore(text)
    assert text.read_text() == "not a database, " * 100

    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE events (id)")
    other.close()
    with pytest.raises(StoreError, match="another program's database"):
        EventStore(tmp_path / "other.db")


def test_a_store_from_a_newer_version_is_refused(tmp_path) -> None:
    with EventStore(tmp_path / "events.db") as store:
        store._db.execute("PRAGMA user_version = 2")
    with pytest.raises(StoreError, match=r"version 2; this Horae knows up to 1"):
        EventStore(tmp_path / "events.db")


def test_a_closed_store_says_so(tmp_path) -> None:
    store = EventStore(tmp_path / "events.db")
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append([event("a")])


def test_it_syncs_every_commit(store: EventStore) -> None:
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_threads_may_share_it(store: EventStore) -> None:
    def send(thread: int) -> None:
        for number in range(20):
            store.append([event(f"{thread}-{number}"), event(f"shared-{number}")])

    threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count() == 4 * 20 + 20


def test_two_open_stores_see_one_another(tmp_path) -> None:
    with EventStore(tmp_path / "events.db") as one, EventStore(tmp_path / "events.db") as two:
        one.append([event("a")])
        assert two.append([event("a"), event("b")]) == Appended(("b",), ("a",))
        assert one.count() == 2


WRITER = """
import sys
from datetime import UTC, datetime
from horae.data.store import EventStore, StoredEvent
store = EventStore(sys.argv[1])
for number in range(100_000):
    store.append([StoredEvent(f"{number}-{part}", "u1", datetime(2024, 1, 1, tzinfo=UTC)) for part in range(3)])
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path) -> None:
    path = tmp_path / "events.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(40):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
    acknowledged = max(39, *(int(number) for number in rest)) if rest else 39
    with EventStore(path) as store:
        found = [one.event_id for one in store.all_events()]
        assert len(found) % 3 == 0  # an append is whole or not there
        assert len(found) >= 3 * (acknowledged + 1)
        assert found == [f"{number}-{part}" for number in range(len(found) // 3) for part in range(3)]
        assert store.append([event("0-0"), event("after")]) == Appended(("after",), ("0-0",))
