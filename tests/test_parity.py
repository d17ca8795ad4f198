"""One path: the same user at the same time gets the same list from evaluate, the command line and HTTP."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import horae
from horae.cli import app as command_line
from horae.data.store import EventStore
from horae.evaluation.cut import requests_of
from horae.evaluation.judge import background_of as background
from horae.evaluation.judge import judge
from horae.serve.app import create_app
from horae.training.progress import Quiet
from horae.training.train import Options
from tests.logs import chain_log

K = 7
FEATURES = 'model.features=["count_7d", "decayed_count_1d", "session_position", "repeat_share_n5"]'
SMALL = ["model.dim=16", "model.max_len=8", "model.num_layers=1", "train.epochs=3", "train.batch_tokens=256"]


@pytest.fixture(scope="module")
def split():
    return horae.split_by_time(chain_log(users=60, items=12, length=10, noise=0.3))


@pytest.fixture(scope="module", params=["sasrec", "sasrec features", "lstm-attention", "markov", "session-knn"])
def run(request, split, tmp_path_factory):
    recipe, _, more = request.param.partition(" ")
    overrides = SMALL if recipe == "sasrec" else [s for s in SMALL if "layers" not in s]
    overrides = overrides if recipe in ("sasrec", "lstm-attention") else []
    overrides = [*overrides, FEATURES] if more else overrides
    trained = horae.train(split, recipe, overrides=overrides, options=Options(progress=Quiet()))
    return trained.save(tmp_path_factory.mktemp("parity") / "run")


def evaluated(run, split):
    """(user, time, list) of some requests, exactly as evaluation saw them."""
    recommender = horae.load(run)
    cut = requests_of(recommender.split)
    judged = judge(recommender, cut, (K,), background(recommender.items, recommender.split))
    times = split.events.frame["timestamp"].gather(cut.row_B)
    for number in range(0, len(cut), max(1, len(cut) // 5)):
        items = recommender.items.ids(judged.items_BK[number][judged.items_BK[number] > 0].astype(np.int64))
        yield cut.users[int(cut.user_B[number])], times[number], items.to_list()


def by_command_line(run, user, time):
    asked = ["recommend", str(run), "--user", user, "-k", str(K), "--at", time.isoformat(), "--json"]
    done = CliRunner().invoke(command_line, asked)
    assert done.exit_code == 0, done.output
    return [row["item_id"] for row in json.loads(done.stdout)["recommendations"]]


def by_http(service, body):
    async def ask():
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.post("/v1/recommendations", json=body)

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    return [row["item_id"] for row in answer.json()["recommendations"]]


def test_evaluate_command_line_and_http_give_the_same_list(run, split, tmp_path):
    store = EventStore(tmp_path / "events.db")
    service = create_app(horae.load(run), store)
    compared = 0
    for user, time, items in evaluated(run, split):
        assert by_command_line(run, user, time) == items
        assert by_http(service, {"user_id": user, "k": K, "at": time.isoformat()}) == items
        compared += 1
    store.close()
    assert compared >= 5


def test_a_behavior_that_training_never_met_is_answered_and_told_by_python_command_line_and_http(run, tmp_path):
    event = {"item_id": "i003", "behavior": "wish", "timestamp": "2024-05-01T00:00:00+00:00"}
    history = [horae.HistoryEvent("i003", "wish", datetime(2024, 5, 1, tzinfo=UTC))]
    recommender = horae.load(run)
    told = recommender.recommend(histories=[history, history], k=K)
    assert any("2 events of a behavior that the run does not know (e.g. 'wish'" in note for note in told.notes)
    known = recommender.recommend(histories=[[horae.HistoryEvent("i003", "view")]], k=K)
    assert not known.notes and len(told) == 2 * K
    wanted = told.frame.filter(request_id="0")["item_id"].to_list()
    store = EventStore(tmp_path / "events.db")
    service = create_app(recommender, store)
    assert by_http(service, {"history": [event], "k": K}) == wanted
    store.close()
    asked = ["recommend", str(run), "--history", json.dumps([event]), "-k", str(K), "--json"]
    done = CliRunner().invoke(command_line, asked)
    assert [row["item_id"] for row in json.loads(done.stdout)["recommendations"]] == wanted
    assert "'wish'" in done.stderr and not told.frame["score"].is_nan().any()
    wild = [horae.HistoryEvent("i003", "view", value=value) for value in (1e300, float("inf"), float("nan"))]
    plain = [horae.HistoryEvent("i003", "view")] * 3
    assert recommender.recommend(histories=[wild], k=K).frame.equals(
        recommender.recommend(histories=[plain], k=K).frame
    )


def test_events_told_over_http_give_the_list_of_a_log_that_held_them(run, split, tmp_path):
    frame = split.events.frame
    user = frame["user_id"][0]
    line = frame.filter(pl.col("user_id") == user)
    asked_at = line["timestamp"][-1] + timedelta(days=1)
    whole = horae.load(run).recommend(users=[user], k=K, at=asked_at)
    shorter = horae.load(run).with_events(horae.Events(frame.filter(pl.col("event_order") != line["event_order"][-1])))
    store = EventStore(tmp_path / "events.db")
    service = create_app(shorter, store)
    last = {"event_id": "e1", "user_id": user, "item_id": line["item_id"][-1], "behavior": "view"}

    async def tell():
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.post(
                "/v1/events", json={"events": [{**last, "timestamp": line["timestamp"][-1].isoformat()}]}
            )

    assert asyncio.run(tell()).status_code == 200
    items = by_http(service, {"user_id": user, "k": K, "at": asked_at.isoformat()})
    assert items == whole.frame["item_id"].to_list()
    store.close()
