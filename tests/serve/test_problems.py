import json

import httpx
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

import horae.errors
from horae.errors import DataError, HoraeError, MissingExtraError, StoreError, UnknownIdError
from horae.serve import create_app
from horae.serve.problems import STATUS

from .conftest import NOW, Client, Echo, event

PATH = "/v1/recommendations"


def is_problem(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["title"] and document["detail"] and document["type"].startswith("urn:horae:problem:")
    return document


@pytest.mark.parametrize("name", horae.errors.__all__)
def test_each_error_of_the_tree_is_a_problem_with_its_hint(client: Client, echo: Echo, name: str) -> None:
    kind: type[HoraeError] = getattr(horae.errors, name)

    def refuse() -> None:
        raise kind("Expected this, got that.", hint="Do so.")

    echo.refuse = refuse
    document = is_problem(client.post(PATH, {"user_id": "u1"}), STATUS[kind][0])
    assert document["title"] == STATUS[kind][1]
    assert document["detail"] == "Expected this, got that."
    assert document["hint"] == "Do so."


def test_the_status_says_whose_business_it_is() -> None:
    assert STATUS[DataError][0] == 422
    assert STATUS[UnknownIdError][0] == 404
    assert STATUS[StoreError][0] == STATUS[MissingExtraError][0] == 503


def test_what_nobody_foresaw_is_a_problem_without_its_insides(echo: Echo, store) -> None:
    def refuse() -> None:
        raise ZeroDivisionError("secret path /home/me")

    echo.refuse = refuse
    client = Client(create_app(echo, store, clock=lambda: NOW), raise_errors=False)
    response = client.post(PATH, {"user_id": "u1"})
    is_problem(response, 500)
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "", "expected either user_id or history"),
        ({"user_id": "u1", "history": []}, "", "expected either user_id or history"),
        ({"user_id": True}, "/user_id", "valid"),
        ({"user_id": 1.5}, "/user_id", "valid"),
        ({"user_id": ""}, "/user_id", "at least 1 character"),
        ({"user_id": 2**63}, "/user_id", "less than or equal"),
        ({"user_id": "u1", "k": 0}, "/k", "greater than or equal to 1"),
        ({"user_id": "u1", "k": "10"}, "/k", "valid integer"),
        ({"user_id": "u1", "k": True}, "/k", "valid integer"),
        ({"user_id": "u1", "at": "soon"}, "/at", "datetime"),
        ({"user_id": "u1", "at": "0001-01-01T00:00:00+05:00"}, "/at", "outside the years"),
        ({"user_id": "u1", "exclude": "i1"}, "/exclude", "valid list"),
        ({"user_id": "u1", "only": [None]}, "/only/0", "valid"),
        ({"user_id": "u1", "userid": "u2"}, "/userid", "not permitted"),
        ({"user_id": "u1", "fliter": "price < 20"}, "/fliter", "not permitted"),
        ({"history": [{"behavior": "view"}]}, "/history/0", "Field required"),
        ({"history": [{"item_id": "i1", "value": "1"}]}, "/history/0", "valid number"),
        ([], "", "valid dictionary"),
        ("text", "", "valid dictionary"),
        ({"user_id": "\ud800"}, "/user_id", "unicode"),
    ],
)  # fmt: skip
def test_a_body_of_wrong_types_says_where_and_what(client: Client, body: object, pointer: str, detail: str) -> None:
    content = json.dumps(body).encode()
    response = client.post(PATH, content=content, headers={"content-type": "application/json"})
    faults = is_problem(response, 422)["errors"]
    assert any(fault["pointer"].startswith(pointer) and detail in fault["detail"] for fault in faults), faults


JSON = st.recursive(
    st.sampled_from([None, True, False, "u1", "2024-01-01"]) | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["user_id", "history", "k", "at", "exclude", "only", "context", "events", "other"]
EVENT = st.dictionaries(
    st.sampled_from(["event_id", "user_id", "item_id", "behavior", "timestamp", "value", "request_id", "context"]), JSON
)


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(FIELDS), JSON | st.lists(EVENT | JSON, max_size=2), max_size=4) | JSON)
@example(body={"user_id": 10**400})
@example(body={"events": [event("e1", value=10**400)]})
@example(body={"events": [event("e1", value=float("nan"))]})
@example(body={"events": [event("e1", user_id="\udfff")]})
@example(body={"events": [event("e1", context={"\ud800": "\ud800", "n": float("nan")})]})
@example(body={"events": [event("e1", timestamp=1e300)]})
@example(body={"events": [event("e1", timestamp=10**400)]})
@example(body={"events": [event("e1", timestamp="9999-12-31T23:59:59-12:00")]})
@example(body={"user_id": "u1", "at": float("inf")})
def test_no_body_breaks_the_service(client: Client, body: object) -> None:
    content = json.dumps(body).encode()
    for path in (PATH, "/v1/events"):
        response = client.post(path, content=content, headers={"content-type": "application/json"})
        if response.status_code != 200:
            is_problem(response, response.status_code)
            assert response.status_code in (400, 422)


NO_JSON = [b"", b"{", b"\xff\xfe", b"{'user_id': 1}", b"[" * 100_000, b'{"user_id": ' + b"9" * 5000 + b"}"]


@pytest.mark.parametrize("content", NO_JSON, ids=range(len(NO_JSON)))
def test_a_body_that_is_not_json_is_a_problem(client: Client, content: bytes) -> None:
    response = client.post(PATH, content=content, headers={"content-type": "application/json"})
    is_problem(response, response.status_code)
    assert response.status_code in (400, 422)


def test_unknown_routes_and_methods_are_problems(client: Client) -> None:
    assert "/docs" in is_problem(client.get("/v1/nothing"), 404)["hint"]
    response = client.get(PATH)
    is_problem(response, 405)
    assert response.headers["allow"] == "POST"
