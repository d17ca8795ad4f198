from datetime import UTC, datetime

from horae.schema import HistoryEvent

from .conftest import Client, Echo, event, items

PATH = "/v1/recommendations"


def test_a_user_gets_a_ranked_list_with_where_it_comes_from(client: Client) -> None:
    client.post("/v1/events", {"events": [event("e1")]})
    reply = client.post(PATH, {"user_id": "u1", "k": 2}).json()
    assert set(reply) == {"request_id", "recommendations", "meta"}
    assert reply["recommendations"] == [
        {"item_id": "i7", "score": 1.0, "rank": 1, "source": "echo"},
        {"item_id": "i0", "score": 0.5, "rank": 2, "source": "echo"},
    ]
    seconds = reply["meta"].pop("seconds")
    assert 0 <= seconds < 1
    assert reply["meta"] == {"run": "runs/first", "recipe": "echo", "source": "echo", "notes": []}


def test_each_list_has_its_own_name(client: Client) -> None:
    names = {client.post(PATH, {"user_id": "u1"}).json()["request_id"] for _ in range(3)}
    assert len(names) == 3


def test_a_stranger_gets_the_fallback_and_is_told_so(client: Client) -> None:
    reply = client.post(PATH, {"user_id": "nobody", "k": 3}).json()
    assert [one["source"] for one in reply["recommendations"]] == ["fallback"] * 3
    assert reply["meta"]["source"] == "fallback"
    assert reply["meta"]["notes"] == ["1 users were never seen"]


def test_a_history_may_hold_objects_or_bare_ids(client: Client, echo: Echo) -> None:
    history = ["i7", 9, {"item_id": "i8", "behavior": "cart", "timestamp": "2024-04-30T10:00:00+02:00", "value": 2}]
    assert items(client.post(PATH, {"history": history, "k": 3})) == ["i8", "9", "i7"]
    assert echo.asked[-1]["histories"] == [
        [
            HistoryEvent("i7"),
            HistoryEvent(9),
            HistoryEvent("i8", "cart", datetime(2024, 4, 30, 8, tzinfo=UTC), 2.0),
        ]
    ]


def test_an_empty_history_is_a_stranger(client: Client) -> None:
    assert client.post(PATH, {"history": []}).json()["meta"]["source"] == "fallback"


def test_constraints_reach_the_recommender_as_they_are(client: Client, echo: Echo) -> None:
    body = {"user_id": 7, "k": 5, "at": "2024-04-01T00:00:00", "exclude": ["i1", 2], "only": ["i3"]}
    assert client.post(PATH, body).status_code == 200
    assert echo.asked[-1] == {
        "users": [7],
        "histories": None,
        "k": 5,
        "at": datetime(2024, 4, 1, tzinfo=UTC),
        "exclude": ["i1", 2],
        "only": ["i3"],
    }


def test_context_reaches_the_recommender_of_the_question_and_of_events(client: Client, echo: Echo) -> None:
    body = {"history": [{"item_id": "i1", "context": {"price": 2}}], "context": {"device": "mobile"}}
    assert client.post(PATH, body).status_code == 200
    assert echo.asked[-1]["context"] == {"device": "mobile"}
    assert echo.asked[-1]["histories"][0][0].context == {"price": 2}
    assert client.post(PATH, body | {"context": "mobile"}).status_code == 422


def test_filter_strategy_and_context_reach_the_recommender_where_they_are_given(client: Client, echo: Echo) -> None:
    more = {"filter": "price < 20", "strategy": "interest", "context": {"device": "mobile"}}
    assert client.post(PATH, {"history": ["i1"], **more}).status_code == 200
    assert {name: echo.asked[-1][name] for name in more} == more
    assert client.post(PATH, {"history": ["i1"], "strategy": "taste"}).status_code == 422
