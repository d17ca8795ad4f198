"""The service from a program's side: ask for a list, tell what was done, and see it in the very next list.

The app is asked in process, so no port is opened. Needs: pip install 'horae[serve]' httpx
Run: python examples/serve_and_feedback.py
"""

import asyncio
import contextlib
import tempfile
from pathlib import Path

import httpx

import horae
from horae.data.simulate import ShopSettings
from horae.data.store import EventStore
from horae.serve import create_app


async def conversation(client: httpx.AsyncClient) -> None:
    question = {"user_id": "u00001", "k": 3}
    before = (await client.post("/v1/recommendations", json=question)).json()
    print("before: ", [one["item_id"] for one in before["recommendations"]])

    clicked = before["recommendations"][-1]["item_id"]
    event = {"event_id": "click-1", "user_id": "u00001", "item_id": clicked, "behavior": "view"}
    event["request_id"] = before["request_id"]  # the list that led to it
    for word in ("told:   ", "again:  "):
        print(word, (await client.post("/v1/events", json={"events": [event]})).json())

    after = (await client.post("/v1/recommendations", json=question)).json()
    print("after:  ", [one["item_id"] for one in after["recommendations"]])

    refused = (await client.post("/v1/recommendations", json={"k": 3})).json()
    print("refused:", refused["detail"])


async def main() -> None:
    shop = horae.simulate(ShopSettings(users=150, items=60, events=5_000, days=60), seed=3)
    recommender = horae.train(horae.read_events(shop.frame), "gru", overrides=["train.epochs=5", "model.dim=32"])
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(EventStore(Path(folder) / "events.db")) as store:
        app = create_app(recommender, store, run="example")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            await conversation(client)


if __name__ == "__main__":
    asyncio.run(main())
