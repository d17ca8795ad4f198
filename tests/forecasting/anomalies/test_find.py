import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs import chain_log, events_of

import horae
from horae.data.split import split_by_time, split_leave_one_out
from horae.errors import DataError
from horae.evaluation.metrics.pointwise_auc import pointwise_auc
from horae.forecasting.anomalies.cases import learned_parts
from horae.forecasting.anomalies.find import find_anomalies
from horae.schema import Events
from horae.training.progress import Quiet
from horae.training.train import Options, train

DAY = 86_400.0
SMALL = ["model.dim=16", "model.num_layers=1", "model.max_len=16", "train.epochs=4", "train.relearn=false"]
OF_ONE = ["user_id", "item_id", "behavior", "timestamp", "value"]


def group_log(users=120, sessions=14, seed=0):
    """Each user stays with a fifth of 60 items, walks it in order, comes about daily, pays about its price."""
    rng, rows = np.random.default_rng(seed), []
    for user in range(users):
        group, time, item = user % 5, 1.6e9 + rng.random() * DAY, int(rng.integers(12))
        for _ in range(sessions):
            for _ in range(int(rng.integers(1, 5))):
                price = (10 + 5 * group + item) * np.exp(rng.normal(0, 0.05))
                rows.append((f"u{user:03}", f"i{12 * group + item:02}", time, "buy", float(price)))
                item = int(rng.integers(12)) if rng.random() < 0.2 else (item + 1) % 12
                time += 40 * np.exp(rng.normal(0, 0.7))
            time += DAY * np.exp(rng.normal(0, 0.4))
    return horae.read_events(events_of(rows, behaviors=("buy",)).frame.select(OF_ONE))


def trained(data, recipe, *more):
    return train(data, recipe, overrides=list(more), options=Options(progress=Quiet()))


@pytest.fixture(scope="module")
def split():
    return split_by_time(group_log(), 0.3, 0.2)


@pytest.fixture(scope="module")
def recommender(split):
    return trained(split, "sasrec", *SMALL)


@pytest.fixture(scope="module")
def foretelling(split):
    return trained(split, "which-what-when", *SMALL)


@pytest.fixture(scope="module")
def counting(split):
    return trained(split, "markov")


# --- what was planted is found ---


def planted(split, seed=1):
    """The test part with robots, bursts, far values and stolen accounts; a kind for each event, '' where clean."""
    rng, test = np.random.default_rng(seed), split.test.frame
    rows = [(*row, "") for row in test.select(OF_ONE).iter_rows()]
    ends = {user: time for user, time in test.group_by("user_id").agg(pl.col("timestamp").max()).iter_rows()}
    users = sorted(user for user in ends if user)
    begin = test["timestamp"].min() + timedelta(days=1)
    for number in range(4):
        for step in range(25):
            at = begin + timedelta(seconds=3 * step, days=number / 4)
            rows.append((f"robot{number}", f"i{rng.integers(60):02}", "buy", at, 20.0, "robot"))
    for number, user in enumerate(users[:12]):
        group = int(user[1:]) % 5
        for step in range(8):
            own, other = (f"i{12 * g + rng.integers(12):02}" for g in (group, (group + 2) % 5))
            kind, item, gap = ("burst", own, 0.2 * step) if number < 6 else ("takeover", other, 60.0 * step)
            price = 10 + 5 * (int(item[1:]) // 12) + int(item[1:]) % 12
            rows.append((user, item, "buy", ends[user] + timedelta(hours=20, seconds=gap), float(price), kind))
    far = [n for n, row in enumerate(rows) if row[5] == "" and row[0] not in users[:12]]
    for n in rng.choice(far, 20, replace=False):
        rows[n] = (*rows[n][:4], rows[n][4] * 8, "value")
    frame = pl.DataFrame(rows, schema=[*OF_ONE, "kind"], orient="row")
    return horae.read_events(frame.with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC"))))


@pytest.mark.parametrize("name", ["recommender", "foretelling"])
def test_planted_cases_are_found_at_the_rate_asked_for(name, split, request):
    log = planted(split)
    found = find_anomalies(request.getfixturevalue(name), log, false_alarms=0.01)
    kind, score = log.frame["kind"].fill_null("").to_numpy(), found.frame["score"].to_numpy()
    odd, hit = (
        found.frame["odd"].to_numpy(),
        log.frame["user_id"].is_in(log.frame.filter(kind != "")["user_id"].implode()),
    )
    clean = (kind == "") & ~hit.to_numpy()
    assert clean.sum() > 300 and odd[clean].mean() < 0.03
    least = {"robot": (0.95, 0.7), "burst": (0.75, 0.4), "value": (0.95, 0.9), "takeover": (0.85, 0.3)}
    for one, (auc, recall) in least.items():
        mine = kind == one
        both, came = np.concatenate([score[clean], score[mine]]), np.arange(clean.sum() + mine.sum()) >= clean.sum()
        assert pointwise_auc(both, came) >= auc, one
        assert odd[mine].mean() >= recall, one
    robots = found.users.filter(pl.col("user_id").str.starts_with("robot"))
    assert robots["odd"].all() and (robots["odd_events"] > 15).all()
    assert found.users["user_id"].head(4).str.starts_with("robot").sum() >= 3  # the oddest stand first


def test_clean_events_are_flagged_at_about_the_rate_asked_for(recommender):
    for rate in (0.02, 0.1, 0.3):
        found = find_anomalies(recommender, false_alarms=rate)
        assert 0.4 * rate < found.share < 1.8 * rate
        assert (found.frame["odd"] == (found.frame["score"] > found.threshold)).all()
        assert (found.frame["odd"] == (found.frame["p_value"] <= rate)).all()


def test_what_is_odd_is_said_in_words(recommender, split):
    user = split.test.frame["user_id"][-1]
    last = split.test.frame["timestamp"].max()
    rows = [(user, "i05", "buy", last + timedelta(days=1, seconds=2 * n), 5e4 if n == 0 else 14.0) for n in range(12)]
    log = horae.read_events(pl.DataFrame(rows, schema=OF_ONE, orient="row"))
    found = find_anomalies(recommender, log, false_alarms=0.05)
    assert "value 50,000, usual" in found.frame["why"][0]
    told = " ".join(found.frame["why"].drop_nulls())
    assert "5 events within 8 seconds" in told and "8 gaps in a row of 2 seconds, give or take 0%" in told
    new = horae.read_events(pl.DataFrame([(user, "i99", "buy", last, 14.0)], schema=OF_ONE, orient="row"))
    assert "item i99 was never seen before" in find_anomalies(recommender, new, false_alarms=0.1).frame["why"][0]
    text = found.text("user") + "\n" + str(found)
    assert max(map(len, text.splitlines())) <= 80 and f"user {user}" in text


def test_who_is_always_awake_is_odd(recommender, split):
    begin, items = split.test.frame["timestamp"].min(), split.test.frame["item_id"]
    gaps = np.cumsum(2400 * np.exp(np.random.default_rng(0).normal(0, 0.4, 60)))
    rows = [("owl", items[n], "buy", begin + timedelta(seconds=float(gap)), 15.0) for n, gap in enumerate(gaps)]
    found = find_anomalies(recommender, pl.DataFrame(rows, schema=OF_ONE, orient="row"), false_alarms=0.05)
    assert (found.frame["awake_surprise"].tail(20) > 5).sum() > 8 and found.frame["awake_surprise"].head(12).max() == 0
    assert found.frame["why"].drop_nulls().str.contains("of the last 24 hours").any()


# --- as of ---


def alike(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Row for row the same, but for a hundredth: a product's last bit depends on what else stood in its batch, and a
    bit may decide between two events as odd as each other. Whoever looked at a later event would move many rows."""
    moved = np.zeros(one.height, dtype=bool)
    for name in one.columns:
        mine, its = one[name], other[name]
        if mine.dtype.is_float():
            moved |= ~np.isclose(mine.to_numpy(), its.to_numpy(), rtol=1e-4, atol=1e-6, equal_nan=True)
        elif name not in ("odd", "why"):  # words of the numbers
            assert mine.equals(its)
    return moved.mean() <= 0.01


@given(cut=st.integers(1, 29), seed=st.integers(0, 10))
@settings(max_examples=3, deadline=None)
@pytest.mark.parametrize("name", ["recommender", "foretelling", "counting"])
def test_later_events_never_change_a_surprise(name, request, split, cut, seed):
    recommender = request.getfixturevalue(name)
    test = split.test.frame.select(OF_ONE)
    at = test["timestamp"].sort()[test.height * cut // 30]
    rng, later = np.random.default_rng(seed), pl.col("timestamp") >= at
    edited = test.with_columns(
        item_id=pl.when(later)
        .then(pl.Series([f"i{n:02}" for n in rng.integers(70, size=test.height)]))
        .otherwise("item_id"),
        value=pl.when(later).then(pl.Series(rng.random(test.height) * 1e3)).otherwise("value"),
        timestamp=pl.when(later).then(pl.col("timestamp") + pl.duration(minutes=7)).otherwise("timestamp"),
        behavior=pl.when(later).then(pl.lit("other")).otherwise(pl.col("behavior").cast(pl.String)),
    )
    edited = edited.filter(~later | pl.Series(rng.random(test.height) < 0.8))
    tables = []
    for frame in (test, edited):
        found = find_anomalies(recommender, horae.read_events(frame), false_alarms=0.1, since=None)
        table = found.frame.filter(pl.col("timestamp") < at).with_columns(pl.col("behavior").cast(pl.String))
        tables.append(table.sort("user_id", "timestamp"))
    if name != "counting":  # half of the log calibrates it
        assert len(tables[0]) == test.filter(~later).height and alike(*tables)


def test_a_new_log_with_the_runs_own_test_part_says_the_same(recommender, split):
    own = find_anomalies(recommender, false_alarms=0.05)
    again = find_anomalies(recommender, split.test, false_alarms=0.05)
    assert again.frame["score"].to_numpy() == pytest.approx(own.frame["score"].to_numpy(), nan_ok=True)
    assert any("in the run's own" in note for note in again.notes)


def test_since_judges_the_newest_and_learns_what_is_usual_from_the_others(recommender, split):
    at = split.test.frame["timestamp"].sort()[-100]
    found = find_anomalies(recommender, since=at, false_alarms=0.05)
    fresh = (split.part != "train").sum()
    assert found.frame["timestamp"].min() >= at
    assert found.calibration["events"] == fresh - len(found) and found.calibration["last"] < at.isoformat()


# --- models and logs of every kind ---


def test_what_a_model_learned_from_does_not_calibrate(recommender, counting, split):
    assert learned_parts(recommender) == {"train"} and learned_parts(counting) == {"train", "validation"}
    found = find_anomalies(counting, false_alarms=0.05)
    assert found.calibration["events"] + len(found) == (split.part == "test").sum()
    assert any("first half" in note for note in found.notes)
    refitted = trained(split, "popularity")
    refitted.card["refit"] = True
    with pytest.raises(DataError, match="learned from all"):
        find_anomalies(refitted)


def test_a_log_without_times_or_values_is_judged_by_items():
    whole = chain_log(users=120, length=8, noise=0.05)
    events = Events(whole.frame.with_columns(timestamp=pl.lit(None, pl.Datetime("us", "UTC"))))
    found = find_anomalies(trained(split_leave_one_out(events), "markov"), false_alarms=0.05)
    assert found.signals == ("item", "habit") and found.calibration["first"] is None
    assert [note for note in found.notes if "time" in note.lower()] and [n for n in found.notes if "value" in n]
    with pytest.raises(DataError, match="has none"):
        find_anomalies(trained(split_leave_one_out(events), "markov"), since=datetime(2024, 1, 1, tzinfo=UTC))


def test_a_log_without_items_is_judged_by_times_and_values(split):
    events = Events(group_log(60).frame.drop("item_id"))
    run = trained(split_by_time(events, 0.2, 0.2), "which-what-when", *SMALL, "train.epochs=1")
    found = find_anomalies(run, false_alarms=0.05)
    assert found.signals[:2] == ("time", "value") and "items are not judged" in found.notes[0]


def test_a_new_log_without_items_says_what_is_off(recommender, split):
    found = find_anomalies(recommender, Events(split.test.frame.drop("item_id")), false_alarms=0.05)
    assert "item" not in found.signals and "item_id" not in found.frame.columns
    assert any("no items" in note for note in found.notes)


def test_a_run_without_its_events_takes_half_of_a_new_log(recommender, split, tmp_path):
    recommender.save(tmp_path / "run", events=False)
    bare = horae.load(tmp_path / "run")
    with pytest.raises(DataError, match="does not know"):
        find_anomalies(bare)
    found = find_anomalies(bare, split.test, false_alarms=0.05)
    assert 0 < len(found) < len(split.test) and any("first half" in note for note in found.notes)


def test_the_document_is_plain_json(recommender):
    document = json.loads(json.dumps(find_anomalies(recommender).as_dict(), allow_nan=False))
    assert document["odd_events"] == pytest.approx(document["share"] * document["events"])
    assert document["calibration"]["events"] > 100


# --- bad input ---


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_rate_that_is_none_is_refused(recommender, rate):
    with pytest.raises(DataError, match="between 0 and 1"):
        find_anomalies(recommender, false_alarms=rate)


def test_a_rate_too_low_for_the_calibration_events_flags_only_what_lies_well_beyond_them_and_says_so(recommender):
    usual, low = (find_anomalies(recommender, false_alarms=rate) for rate in (0.05, 1e-6))
    assert not any("vouch" in note for note in usual.notes)
    assert any("3,000,000 would vouch for it" in note for note in low.notes)
    assert low.threshold > usual.threshold and low.share <= usual.share
    assert (low.frame["odd"] == (low.frame["score"] > low.threshold)).all()
    json.dumps(low.as_dict(), allow_nan=False)


def test_fewer_than_twenty_calibration_events_say_nothing(counting, split, tmp_path):
    counting.save(tmp_path / "run", events=False)
    with pytest.raises(DataError, match="expected 20 or more") as error:
        find_anomalies(horae.load(tmp_path / "run"), Events(split.test.frame.head(30)))
    assert "longer log" in error.value.hint


def test_an_empty_log_is_refused(recommender, split):
    with pytest.raises(DataError, match="no events to judge"):
        find_anomalies(recommender, Events(split.test.frame.clear()))


def test_one_event_of_a_stranger_on_an_unknown_item_of_an_unseen_behavior(recommender, split):
    last = split.test.frame["timestamp"].max()
    one = pl.DataFrame([("new", "i77", "wish", last, float("nan"))], schema=OF_ONE, orient="row")
    found = find_anomalies(recommender, one, false_alarms=0.05)
    assert len(found) == 1 == found.users.height and found.frame["behavior"].to_list() == ["wish"]
    assert found.frame["value_surprise"].to_list() == [None] == found.frame["time_surprise"].to_list()
    assert found.frame["item_surprise"][0] > 3 and found.frame["score"][0] is not None


def test_constant_values_call_only_another_value_odd(split):
    flat = split.events.frame.with_columns(value=pl.lit(5.0))
    run = trained(split_by_time(Events(flat), 0.3, 0.2), "sasrec", *SMALL, "train.epochs=1")
    found = find_anomalies(run, false_alarms=0.05)
    assert found.frame["value_surprise"].max() == 0
    other = run.split.test.frame.with_columns(value=pl.when(pl.int_range(pl.len()) == 7).then(6.0).otherwise(5.0))
    surprise = find_anomalies(run, Events(other), false_alarms=0.05).frame["value_surprise"]
    assert surprise.arg_max() == 7 and surprise[7] > 5 and (surprise > 0).sum() == 1


def test_ids_of_numbers_find_their_text(split):
    numbers = split.events.frame.with_columns(
        pl.col("user_id").str.slice(1).cast(pl.Int64), pl.col("item_id").str.slice(1).cast(pl.Int64)
    )
    run = trained(split_by_time(Events(numbers), 0.3, 0.2), "sasrec", *SMALL, "train.epochs=1")
    own = find_anomalies(run, false_alarms=0.05).frame
    text = run.split.test.frame.with_columns(pl.col("user_id", "item_id").cast(pl.String))
    told = find_anomalies(run, text.select(OF_ONE), false_alarms=0.05).frame
    assert told["user_id"].dtype == pl.String and own["user_id"].dtype == pl.Int64
    same = told.with_columns(pl.col("user_id").cast(pl.Int64)).sort("user_id", "timestamp")["score"]
    assert same.to_numpy() == pytest.approx(own.sort("user_id", "timestamp")["score"].to_numpy(), nan_ok=True)
