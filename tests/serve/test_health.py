from horae.data.store import EventStore

from .conftest import Client, event
from .test_problems import is_problem


def test_ready_says_what_is_served(client: Client) -> None:
    client.post("/v1/events", {"events": [event("e1")]})
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "run": "runs/first", "recipe": "echo", "events": 1}


def test_a_service_without_its_store_lives_but_is_not_ready(client: Client, store: EventStore) -> None:
    store.close()
    assert client.get("/health/live").json() == {"status": "alive"}
    is_problem(client.get("/health/ready"), 503)
