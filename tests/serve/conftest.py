import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from horae.data.store import EventStore
from horae.recipe import Recipe
from horae.schema import HistoryEvent, Id, Recommendations
from horae.serve import create_app

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Client:
    """Plain calls over an ASGI app, as a client on this machine would make them."""

    def __init__(self, app: Any, raise_errors: bool = True) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=raise_errors)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://127.0.0.1:8000") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.request("POST", path, **({"json": body} if body is not None else {}), **options)


class Echo:
    """A recommender without a model: recommends what the history held, newest first, then `i0`, `i1`, ..."""

    def __init__(self) -> None:
        self.recipe = Recipe("echo")
        self.lines: dict[str, list[HistoryEvent]] = {}
        self.asked: list[dict[str, Any]] = []
        self.refuse: Callable[[], None] = lambda: None

    def append(self, user_id, item_id, behavior=None, timestamp=None, value=None, context=None) -> None:
        self.refuse()
        event = HistoryEvent(item_id, behavior, timestamp, value, context or {})
        self.lines.setdefault(str(user_id), []).append(event)

    def recommend(self, *, users=None, histories=None, **constraints) -> Recommendations:
        self.refuse()
        self.asked.append({"users": users, "histories": histories, **constraints})
        history = histories[0] if users is None else self.lines.get(str(users[0]), [])
        seen: list[Id] = [event.item_id for event in reversed(history)]
        items = list(dict.fromkeys([*map(str, seen), *(f"i{number}" for number in range(10))]))
        items = [item for item in items if item not in constraints["exclude"]][: constraints["k"]]
        frame = pl.DataFrame({"item_id": items}).with_columns(
            score=1.0 / pl.int_range(1, pl.len() + 1),
            rank=pl.int_range(1, pl.len() + 1),
            request_id=pl.lit("0"),
            source=pl.lit("echo" if history else "fallback"),
        )
        return Recommendations(frame, () if history else ("1 users were never seen",))


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def store(tmp_path: Path):
    with EventStore(tmp_path / "events.db") as store:
        yield store


@pytest.fixture
def client(echo: Echo, store: EventStore) -> Client:
    return Client(create_app(echo, store, clock=lambda: NOW, run="runs/first"))


def event(event_id: str, user_id: str | int = "u1", item_id: str | int = "i7", **more: Any) -> dict[str, Any]:
    return {"event_id": event_id, "user_id": user_id, "item_id": item_id, **more}


def items(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [one["item_id"] for one in response.json()["recommendations"]]
