"""`POST /v1/items`: one call, and the next list may hold the item; a restart knows it again."""

import threading

import polars as pl
import pytest
from tests.recommend.test_adding import CATALOG, HASHED, LOG, QUIET, SMALL

import horae
from horae.data.store import EventStore
from horae.errors import DataError
from horae.serve import create_app
from horae.serve.item_rows import tables_of

from .conftest import NOW, Client

NEW = {"item_id": "n1", "title": "shoe kind shoeshoe new", "price": 3}
ASK = {"history": ["i000", "i004"], "k": 12}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = horae.train(
        LOG, "text-sasrec", overrides=[*SMALL, *HASHED, "recommend.new_items=0.1"], catalog=CATALOG, options=QUIET
    )
    return made.save(tmp_path_factory.mktemp("runs") / "run")


def served(run, store) -> Client:
    return Client(create_app(horae.load(run), store, clock=lambda: NOW, run="run"))


def listed(client):
    return {one["item_id"]: one["source"] for one in client.post("/v1/recommendations", ASK).json()["recommendations"]}


def test_one_call_makes_an_item_recommendable_and_a_restart_keeps_it(run, tmp_path):
    with EventStore(tmp_path / "events.db") as store:
        client = served(run, store)
        assert "n1" not in listed(client)
        reply = client.post("/v1/items", {"items": [NEW]})
        assert reply.status_code == 200, reply.text
        assert reply.json() == {"added": 1, "changed": 0, "kept": 0, "notes": []}
        assert "n1" in listed(client)
        client.post("/v1/events", {"events": [{"event_id": "e1", "user_id": "new", "item_id": "n1"}]})
        mine = client.post("/v1/recommendations", {"user_id": "new", "k": 3}).json()
        assert {one["source"] for one in mine["recommendations"]} != {"fallback"}
        again = served(run, store)
        assert listed(again) == listed(client)
        assert (
            again.post("/v1/recommendations", {"user_id": "new", "k": 3}).json()["recommendations"]
            == (mine["recommendations"])
        )
        assert again.post("/v1/items", {"items": [NEW]}).json()["kept"] == 1


@pytest.mark.parametrize(
    ("items", "status", "words"),
    [
        ([], 422, "items"),
        ([{"title": "x"}], 422, "item_id"),
        ([NEW, {"item_id": "n2", "title": ""}], 422, "Nothing is known of 1 item: 'n2'"),
        ([NEW, {"item_id": "n2", "title": 7}], 422, "several kinds"),
        ([NEW, {"item_id": "n2", "title": "cup", "price": "dear"}], 422, "price"),
        ([NEW, NEW], 422, "several rows"),
        ([{**NEW, "vectors": {"sound": [1.0]}}], 422, "sound"),
    ],
)
def test_one_bad_item_changes_nothing(run, tmp_path, items, status, words):
    with EventStore(tmp_path / "events.db") as store:
        client = served(run, store)
        before = listed(client)
        reply = client.post("/v1/items", {"items": items})
        assert reply.status_code == status and words in reply.text
        assert listed(client) == before and store.all_items() == []


def test_lists_and_new_items_may_come_from_many_threads(run, tmp_path):
    with EventStore(tmp_path / "events.db") as store:
        client, wrong = served(run, store), []

        def ask() -> None:
            for _ in range(5):
                if len(listed(client)) != 10 + 2:  # twelve of at least twelve unless some were seen
                    wrong.append(1)

        def add(number: int) -> None:
            if client.post("/v1/items", {"items": [{**NEW, "item_id": f"t{number}"}]}).status_code != 200:
                wrong.append(2)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        client.post("/v1/items", {"items": [{**NEW, "item_id": f"s{n}"} for n in range(3)]})
        threads += [threading.Thread(target=add, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong and len(store.all_items()) == 5


def test_rows_become_columns():
    catalog, vectors = tables_of([{"item_id": 1, "title": "a"}, {"item_id": 2, "price": 3, "vectors": {"s": [1, 2]}}])
    assert catalog.to_dicts() == [
        {"item_id": 1, "title": "a", "price": None},
        {"item_id": 2, "title": None, "price": 3},
    ]
    assert vectors.to_dicts() == [{"item_id": 2, "s": [1.0, 2.0]}]
    mixed, none = tables_of([{"item_id": 1}, {"item_id": "b"}])
    assert mixed["item_id"].to_list() == ["1", "b"] and none is None
    with pytest.raises(DataError, match="several kinds"):
        tables_of([{"item_id": "a", "x": 1}, {"item_id": "b", "x": "y"}])
    assert isinstance(catalog, pl.DataFrame)
