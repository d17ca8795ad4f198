import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from horae.data.store import EventStore
from horae.errors import DataError
from horae.serve import create_app

from .conftest import NOW, Client, Echo, event, items

PATH = "/v1/events"


def send(client: Client, *events: object) -> dict:
    response = client.post(PATH, {"events": list(events)})
    assert response.status_code == 200, response.text
    return response.json()


def counts(reply: dict) -> tuple[int, int, int]:
    return reply["accepted"], reply["duplicates"], reply["rejected"]


def test_the_very_next_request_sees_an_event(client: Client) -> None:
    assert items(client.post("/v1/recommendations", {"user_id": "u1", "k": 1})) == ["i0"]
    send(client, event("e1", item_id="i7"), event("e2", item_id="i8"), event("e3", "u2", "i9"))
    assert items(client.post("/v1/recommendations", {"user_id": "u1", "k": 2})) == ["i8", "i7"]


def test_an_event_is_on_disk_before_the_answer(client: Client, store: EventStore) -> None:
    body = event("e1", 7, 9, behavior="purchase", timestamp="2024-05-01T11:00:00.000001Z", value=2.5, request_id="r1")
    send(client, body | {"context": {"device": "mobile"}})
    with sqlite3.connect(store.path) as other:
        row = other.execute("SELECT user_id, item_id, behavior, value, request_id, context FROM events").fetchone()
    other.close()
    assert row == (7, 9, "purchase", 2.5, "r1", '{"device": "mobile"}')
    (stored,) = store.all_events()
    assert stored.timestamp == datetime(2024, 5, 1, 11, 0, 0, 1, tzinfo=UTC)
    assert stored.received_at == NOW


def test_sending_again_changes_nothing(client: Client, echo: Echo, store: EventStore) -> None:
    assert counts(send(client, event("e1"), event("e2"))) == (2, 0, 0)
    assert counts(send(client, event("e1"), event("e2"))) == (0, 2, 0)
    assert counts(send(client, event("e3"), event("e3", item_id="i9"), event("e1"))) == (1, 2, 0)
    assert [one.item_id for one in echo.lines["u1"]] == ["i7", "i7", "i7"]
    assert store.count() == 3


def test_an_event_without_a_time_happened_when_it_came(client: Client, echo: Echo) -> None:
    send(client, event("e1"), event("e2", timestamp="2024-05-01T11:00:00"))
    assert [one.timestamp for one in echo.lines["u1"]] == [NOW, NOW - timedelta(hours=1)]


def test_one_wrong_event_does_not_hold_up_the_others(client: Client, echo: Echo) -> None:
    reply = send(
        client,
        event("good"),
        "text",
        event("bool", user_id=True),
        event("nan", value="1"),
        {"event_id": "short"},
        event("named", colour="red"),
        event("late", timestamp="2024-05-01T12:05:01Z"),
        event("early", timestamp="1969-12-31T23:59:59Z"),
        event("barely", timestamp="2024-05-01T12:05:00Z"),
    )
    assert counts(reply) == (2, 0, 7)
    assert [(one["index"], one["event_id"]) for one in reply["rejections"]] == [
        (1, None), (2, "bool"), (3, "nan"), (4, "short"), (5, "named"), (6, "late"), (7, "early"),
    ]  # fmt: skip
    reasons = [one["reason"] for one in reply["rejections"]]
    assert reasons[1].startswith("user_id")
    assert reasons[3] == "user_id: Field required"
    assert reasons[4] == "colour: Extra inputs are not permitted"
    assert "2024-05-01T12:05:01Z is over 5 minutes ahead of this machine's 2024-05-01T12:00:00Z" in reasons[5]
    assert reasons[6] == "timestamp: before 1970"
    assert len(echo.lines["u1"]) == 2


def test_if_no_event_could_be_taken_the_answer_is_a_problem(client: Client, store: EventStore) -> None:
    response = client.post(PATH, {"events": [event("late", timestamp="2031-01-01"), {}]})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/events/0", "/events/1"]
    assert store.count() == 0


@pytest.mark.parametrize("number", [0, 1001])
def test_a_request_holds_one_to_a_thousand_events(client: Client, number: int) -> None:
    response = client.post(PATH, {"events": [event(f"e{n}") for n in range(number)]})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/events"


def test_a_thousand_events_go_in_one_request(client: Client) -> None:
    assert counts(send(client, *(event(f"e{n}", f"u{n % 7}") for n in range(1000)))) == (1000, 0, 0)


def test_a_restarted_service_knows_what_the_first_was_told(client: Client, store: EventStore) -> None:
    send(client, event("e1", item_id="i7"), event("e2", item_id="i8"))
    again = Client(create_app(Echo(), store, clock=lambda: NOW))
    assert items(again.post("/v1/recommendations", {"user_id": "u1", "k": 2})) == ["i8", "i7"]
    assert counts(send(again, event("e1"))) == (0, 1, 0)


def test_an_event_without_an_item_is_stored_and_said_to_be_no_history(client: Client, echo: Echo) -> None:
    reply = send(client, {"event_id": "e1", "user_id": "u1", "behavior": "login"})
    assert counts(reply) == (1, 0, 0)
    assert reply["notes"] == ["Events without an item are stored, but are no part of a history of items."]
    assert echo.lines == {}


def test_an_event_that_the_run_cannot_use_is_kept_and_said(client: Client, echo: Echo, store: EventStore) -> None:
    def refuse() -> None:
        raise DataError("user_id must be a number.")

    echo.refuse = refuse
    reply = send(client, event("e1"))
    assert counts(reply) == (1, 0, 0)
    assert reply["notes"] == ["Event 'e1' is stored, but this run cannot use it: user_id must be a number."]
    assert store.count() == 1
    create_app(echo, store)  # and the next start goes on past it


def test_a_store_that_refuses_takes_nothing_and_shows_nothing(client: Client, echo: Echo, store: EventStore) -> None:
    store._db.execute("PRAGMA query_only = ON")
    response = client.post(PATH, {"events": [event("e1")]})
    assert response.status_code == 503
    assert response.json()["title"] == "Storage refused"
    assert response.headers["retry-after"] == "10"
    assert echo.lines == {}
