"""The service from a program's side: ask for a list, tell what was done, and see it in the very next list.

The app is asked in process, so no port is opened. Needs: pip install 'horae[serve]' httpx
Run: python examples/serve_and_feedback.py
"""

import contextlib
import tempfile
from pathlib import Path

from fastapi.testclient import TestClient

import horae
from horae.data.simulate import ShopSettings
from horae.data.store import EventStore
from horae.serve import create_app


def main() -> None:
    shop = horae.simulate(ShopSettings(users=150, items=60, events=5_000, days=60), seed=3)
    recommender = horae.train(horae.read_events(shop.frame), "gru", overrides=["train.epochs=5", "model.dim=32"])

    with tempfile.TemporaryDirectory() as folder, contextlib.closing(EventStore(Path(folder) / "events.db")) as store:
        client = TestClient(create_app(recommender, store, run="example"), base_url="http://localhost")

        question = {"user_id": "u00001", "k": 3}
        before = client.post("/v1/recommendations", json=question).json()
        print("before:", [one["item_id"] for one in before["recommendations"]])

        clicked = before["recommendations"][-1]["item_id"]
        event = {"event_id": "click-1", "user_id": "u00001", "item_id": clicked, "behavior": "view"}
        event["request_id"] = before["request_id"]  # the list that led to it
        print("told:  ", client.post("/v1/events", json={"events": [event]}).json())
        print("again: ", client.post("/v1/events", json={"events": [event]}).json())

        after = client.post("/v1/recommendations", json=question).json()
        print("after: ", [one["item_id"] for one in after["recommendations"]])

        refused = client.post("/v1/recommendations", json={"k": 3}).json()
        print("refused:", refused["detail"])


if __name__ == "__main__":
    main()
