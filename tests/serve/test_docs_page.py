import json
import re

from .conftest import Client

ROUTES = ["/v1/recommendations", "/v1/events", "/v1/items", "/health/live", "/health/ready"]


def test_the_page_names_every_route_and_field_and_loads_nothing(client: Client) -> None:
    response = client.get("/docs")
    page = response.text
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert not re.search(r"<script|<link|<img|src=|https?://(?!127\.0\.0\.1)", page)
    for name in (*ROUTES, "user_id", "history[].item_id", "recommendations[].score", "events[].event_id", "meta.notes"):
        assert f"<code>{name}</code>" in page


def test_the_commands_on_the_page_work(client: Client) -> None:
    page = client.get("/docs").text.replace("&#x27;", "'").replace("&quot;", '"')
    commands = re.findall(r"curl http://127.0.0.1:8000(/v1/\S+) -H '[^']*' -d '([^']*)'", page)
    assert {path for path, _ in commands} == set(ROUTES[:3])
    for path, body in commands:
        if path != "/v1/items":  # what stands in for a recommender here takes none
            assert client.post(path, json.loads(body)).status_code == 200


def test_the_openapi_document_tells_of_problems(client: Client) -> None:
    document = client.get("/openapi.json").json()
    assert sorted(document["paths"]) == sorted(ROUTES)
    for path in ROUTES[:3]:
        responses = document["paths"][path]["post"]["responses"]
        assert set(responses) == {"200", "default"}
        assert list(responses["default"]["content"]) == ["application/problem+json"]
    event = document["components"]["schemas"]["EventBody"]
    assert event["required"] == ["event_id", "user_id"]


def test_every_reference_of_the_openapi_document_leads_somewhere(client: Client) -> None:
    document = client.get("/openapi.json").json()
    for reference in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)):
        assert reference in document["components"]["schemas"]
