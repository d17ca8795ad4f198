"""The service over the real recommender: the same lists as in process, and histories that live on."""

import json
import threading
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from horae.data.clean import read_events
from horae.data.simulate import ShopSettings, simulate
from horae.data.store import EventStore
from horae.models.opponents import make_opponent
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.schema import HistoryEvent
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.serve import create_app

from .conftest import Client, event, items

PATH = "/v1/recommendations"
NOW = datetime(2024, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def log():
    return read_events(simulate(ShopSettings(users=80, items=60, events=4_000, days=30)).frame)


@pytest.fixture
def recommender(log) -> Recommender:
    sequences = Sequences.from_events(log, Vocabulary.of(log.frame["item_id"]))
    markov, popularity = (make_opponent(name).fit(sequences) for name in ("markov", "popularity"))
    return Recommender(markov, popularity, sequences, Recipe("markov"), include_seen=True)


@pytest.fixture
def client(recommender: Recommender, store: EventStore) -> Client:
    return Client(create_app(recommender, store, clock=lambda: NOW))


def listed(recommender: Recommender, **request) -> list[tuple[str, float]]:
    return recommender.recommend(**request).frame.select("item_id", "score").rows()


def served(client: Client, body: dict) -> list[tuple[str, float]]:
    return [(one["item_id"], one["score"]) for one in client.post(PATH, body).json()["recommendations"]]


def test_http_gives_the_list_that_python_gives(client: Client, recommender: Recommender) -> None:
    at = datetime(2024, 1, 20, tzinfo=UTC)
    for user in ("u00000", "u00007", "u00079"):
        assert served(client, {"user_id": user}) == listed(recommender, users=[user])
        assert served(client, {"user_id": user, "at": at.isoformat()}) == listed(recommender, users=[user], at=at)
    only, exclude = ["i00001", "i00002", "i00003"], ["i00002"]
    body = {"history": ["i00007", {"item_id": "i00009", "behavior": "cart"}], "only": only, "exclude": exclude}
    history = [HistoryEvent("i00007"), HistoryEvent("i00009", "cart")]
    assert served(client, body) == listed(recommender, histories=[history], only=only, exclude=exclude)


def test_a_new_user_is_a_stranger_until_the_first_event(client: Client, recommender: Recommender) -> None:
    before = client.post(PATH, {"user_id": "new"}).json()
    assert before["meta"]["source"] == "fallback"
    assert before["meta"]["notes"]
    client.post("/v1/events", {"events": [event("e1", "new", "i00007"), event("e2", "new", "i00009")]})
    after = client.post(PATH, {"user_id": "new"}).json()
    assert after["meta"]["source"] == "markov"
    assert items(client.post(PATH, {"user_id": "new"})) == [
        item for item, _ in listed(recommender, histories=[["i00007", "i00009"]])
    ]


def test_a_known_users_new_event_changes_the_list_once(client: Client, log) -> None:
    item_id = log.frame["item_id"][0]
    before = served(client, {"user_id": "u00003"})
    for _ in range(2):
        client.post("/v1/events", {"events": [event("e1", "u00003", item_id)]})
        after = served(client, {"user_id": "u00003"})
        assert after != before
    restarted = served(client, {"user_id": "u00003"})
    assert restarted == after


def test_a_restart_gives_the_same_lists(client: Client, recommender: Recommender, log, store: EventStore) -> None:
    events = [
        event(f"e{n}", f"u{n % 5:05d}", f"i{n % 60:05d}", timestamp=f"2024-01-{n % 28 + 1:02d}") for n in range(60)
    ]
    client.post("/v1/events", {"events": events})
    fresh = Client(create_app(recommender.with_events(log), store, clock=lambda: NOW))
    for user in ("u00000", "u00001", "u00004", "u00050"):
        assert served(fresh, {"user_id": user}) == served(client, {"user_id": user})


def test_an_unknown_item_alone_in_only_is_a_problem(client: Client) -> None:
    response = client.post(PATH, {"user_id": "u00001", "only": ["nothing"]})
    assert response.status_code == 404
    assert response.json()["title"] == "Unknown id"


def test_many_threads_ask_and_tell_at_once(client: Client, store: EventStore) -> None:
    wrong: list[str] = []

    def visitor(name: str) -> None:
        for number in range(8):
            client.post("/v1/events", {"events": [event(f"{name}-{number}", name, f"i{number:05d}")]})
            if client.post(PATH, {"user_id": name}).json()["meta"]["source"] != "markov":
                wrong.append(name)

    threads = [threading.Thread(target=visitor, args=(f"v{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.count() == 32


def test_a_real_server_answers_on_this_machine(recommender: Recommender, tmp_path: Path) -> None:
    with EventStore(tmp_path / "served.db") as store:
        config = uvicorn.Config(create_app(recommender, store), host="127.0.0.1", port=0, log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            body = json.dumps({"user_id": "u00001", "k": 2}).encode()
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", body, headers)
            with urllib.request.urlopen(request, timeout=10) as response:
                assert len(json.load(response)["recommendations"]) == 2
        finally:
            server.should_exit = True
            thread.join()
