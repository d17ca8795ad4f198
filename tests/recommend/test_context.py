"""A run that is told context: one path for the log, for callers and for events that come; notes and refusals."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of

import horae
from horae.errors import DataError
from horae.evaluation.audit import audit
from horae.evaluation.cut import requests_of
from horae.evaluation.validation import validation_cut
from horae.schema import Events, HistoryEvent, Requests
from horae.training.progress import Quiet
from horae.training.train import Options

START = 1_600_000_000
HOUR = 3_600


def device_log(users=60, length=6):
    """The device of an event decides its item, save for noise."""
    rng = np.random.default_rng(0)
    device = rng.choice(["phone", "laptop"], users * length)
    jump = rng.random(users * length) < 0.1
    item = np.where(jump, rng.integers(0, 8, len(device)), rng.integers(0, 4, len(device)) + 4 * (device == "phone"))
    places = [(f"u{user:03}", START + HOUR * (step * users + user)) for user in range(users) for step in range(length)]
    rows = [(user, f"i{one}", time) for one, (user, time) in zip(item, places, strict=True)]
    price = pl.Series(rng.random(len(rows)).round(2))
    return Events(events_of(rows).frame.with_columns(device=pl.Series(device), price=price))


SMALL = ["model.dim=16", "model.max_len=8", "model.num_layers=1", "model.dropout=0.0", "train.relearn=false"]
QUICK = ["train.epochs=15", "train.batch_tokens=64", "train.learning_rate=0.01"]
TOLD = ['model.context=["device", "price"]', 'model.request_context=["device"]']


@pytest.fixture(scope="module")
def run():
    split = horae.split_by_time(device_log())
    return horae.train(split, "sasrec", overrides=[*SMALL, *QUICK, *TOLD], options=Options(progress=Quiet()))


def lists(recommendations):
    return recommendations.frame.select("item_id", "score").rows()


def last_rows(run):
    frame = run.events.frame.with_row_index("row")
    return frame.group_by("user_id", maintain_order=True).last().head(12)


def test_the_log_a_caller_and_a_brought_history_ask_the_same_thing(run):
    asked = last_rows(run)
    rows = asked["row"].to_numpy().astype(np.int64)
    cut = lists(run.recommend(Requests(users=asked["user_id"], rows=rows, k=3)))
    context = [{"device": device} for device in asked["device"]]
    called = run.recommend(Requests(users=asked["user_id"], at=asked["timestamp"].to_list(), k=3, context=context))
    before = [run.events.frame.filter(pl.col("user_id") == user)[:-1] for user in asked["user_id"]]
    columns = ("item_id", "behavior", "timestamp", "value")
    brought = [
        [HistoryEvent(*(one[name] for name in columns), one) for one in frame.to_dicts()]  # a row says it all
        for frame in before
    ]
    carried = run.recommend(Requests(histories=brought, at=asked["timestamp"].to_list(), k=3, context=context))
    assert not called.notes and not carried.notes
    for other in (lists(called), lists(carried)):
        assert [item for item, _ in other] == [item for item, _ in cut]
        np.testing.assert_allclose([score for _, score in other], [score for _, score in cut], rtol=1e-4)


def test_the_device_at_the_question_decides_and_its_absence_is_at_home(run):
    for device, items in (("phone", "4567"), ("laptop", "0123")):
        told = run.recommend(users=["u001"], k=4, seen=True, context={"device": device})
        assert len({item[1] for item, _ in lists(told)} & set(items)) >= 3
    assert len(run.recommend(users=["u001"], k=4)) == 4


def test_saved_and_loaded_it_answers_the_same_and_takes_events_in_context(run, tmp_path):
    loaded = horae.load(run.save(tmp_path / "run"))
    assert loaded.sequences.context.as_dict() == run.sequences.context.as_dict() and loaded.told == ("device",)
    asked = {"users": ["u001", "u002"], "k": 4, "context": {"device": "phone"}}
    assert lists(loaded.recommend(**asked)) == lists(run.recommend(**asked))
    before = loaded.score(Requests(users=pl.Series(["u001"])), [["i1"]])["score"][0]
    later = datetime.fromtimestamp(START, UTC) + timedelta(days=90)
    loaded.append("u001", "i1", timestamp=later, context={"device": "laptop", "price": "0.5", "colour": ["red"]})
    event = loaded.sequences.of_users(loaded.sequences.users.indices(["u001"])).flat.feature_NF[-1]
    code = run.sequences.context.as_dict()["device"].index("laptop") + 1
    assert (
        event.tolist() == [code, 0.5]
        and loaded.score(Requests(users=pl.Series(["u001"])), [["i1"]])["score"][0] != before
    )


def test_the_audit_finds_no_leak_and_finds_one_where_the_price_of_the_answer_is_told(run):
    split = run.split
    assert audit(run, split, requests_of(split), requests=12).passed
    trap = [*SMALL, *QUICK, 'model.request_context=["device", "price"]']
    leaking = horae.train(split, "sasrec", overrides=trap, options=Options(progress=Quiet()))
    assert audit(leaking, split, requests_of(split), requests=12).passed  # the recipe says that the price is known
    leaking.recipe = run.recipe
    assert not audit(leaking, split, requests_of(split), requests=12).passed


@pytest.mark.parametrize(
    ("context", "told"),
    [
        (None, []),
        ({}, []),
        ({"device": None}, []),
        ({"device": "phone"}, []),
        ({"device": "tv"}, ["device = 'tv' is not known to this run: answered as if nothing were said of it."]),
        ({"device": "phone", "price": 3}, ["Of `context`, price was not used; this run is told device."]),
    ],
)
def test_what_was_not_used_is_noted(run, context, told):
    assert list(run.recommend(users=["u001"], context=context).notes) == told
    if context == {"device": "tv"}:
        assert lists(run.recommend(users=["u001"], context=context)) == lists(run.recommend(users=["u001"]))


def test_a_run_that_is_told_nothing_says_so():
    options = Options(progress=Quiet())
    plain = horae.train(device_log(), "popularity", options=options)
    unused = ("`context` was not used: neither this run's model nor its rules look at it.",)
    assert plain.recommend(users=["u001"], context={"device": "phone"}).notes == unused


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ("phone", "expected names and values"),
        ({"device": ["phone"]}, "device is a list or an object; expected one value"),
        ({"device": {"a": 1}}, "device is a list or an object"),
    ],
)
def test_context_of_a_wrong_kind_is_refused(run, context, told):
    with pytest.raises(DataError, match=told):
        run.recommend(users=["u001"], context=context)


def test_text_where_numbers_are_told_is_refused(run):
    columns, told = run.sequences.context, ["price"]
    from horae.recommend.context import asked_in

    def asked(value):
        return asked_in(Requests(users=pl.Series(["u"]), context=[{"price": value}]), columns, told)

    assert asked("2.5")[0, 1] == 2.5 and asked(2)[0, 1] == 2 and np.isnan(asked(None)[0, 1])
    for value in ("cheap", True):
        with pytest.raises(DataError, match="expected a number"):
            asked(value)
    with pytest.raises(DataError, match="one context for each of 2 requests, got 1"):
        Requests(users=pl.Series(["a", "b"]), context=[{}])


def test_what_validates_asks_in_context_too(run):
    cut = validation_cut(run.split, limit=100, seed=0)
    asked = run.histories(cut.requests)
    assert not np.isnan(asked.request_feature_BF[:, 0]).any()
