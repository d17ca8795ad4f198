import dataclasses
import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import torch
from tests.logs import events_of

import horae
from horae.data.split import split_by_time
from horae.errors import DataError, NotTrainedError
from horae.evaluation.report import report_page
from horae.evaluation.table import as_text
from horae.forecasting.events import forecast, forecast_run
from horae.recipe import Recipe
from horae.recommend.foretell import foretell
from horae.schema import Events, HistoryEvent, Requests
from horae.training.progress import Quiet
from horae.training.train import Options, train

DAY = 86_400.0
COLUMNS = [
    "user_id",
    "at",
    "next_time_low",
    "next_time",
    "next_time_high",
    "return_probability",
    "behavior",
    "behavior_probability",
    "value_low",
    "value",
    "value_high",
]
SMALL = ["model.dim=8", "model.num_layers=1", "model.max_len=8", "train.epochs=2", "train.relearn=false"]


def log(users=40, events=14, seed=0):
    """Every other user comes about daily, the others every fifth day; every third event is a purchase."""
    rng, rows = np.random.default_rng(seed), []
    for user in range(users):
        time, step = rng.random() * DAY, DAY if user % 2 else 5 * DAY
        for number in range(events if user % 2 == 0 else 4 * events):
            kind = ("view", "view", "buy")[number % 3]
            rows.append((f"u{user:02}", f"i{rng.integers(6)}", time, kind, 3.0 + user % 7 if kind == "buy" else None))
            time += step * math.exp(rng.normal(0, 0.5))
    return events_of(rows, behaviors=("view", "buy"))


def trained(events, *more):
    return train(events, "which-what-when", overrides=[*SMALL, *more], options=Options(progress=Quiet()))


@pytest.fixture(scope="module")
def split():
    return split_by_time(log())


@pytest.fixture(scope="module")
def recommender(split):
    return trained(split)


def test_everything_is_told_in_peoples_units(recommender):
    told = horae.forecast(recommender)
    frame = told.frame
    assert frame.columns == COLUMNS and len(told) == 40 and told.notes == ()
    assert frame.null_count().sum_horizontal().item() == 0
    assert frame["at"].n_unique() == 1 and frame["at"][0] == recommender.events.frame["timestamp"].max()
    assert (frame["at"] <= frame["next_time_low"]).all()
    for low, middle, high in (COLUMNS[2:5], COLUMNS[8:11]):
        assert (frame[low] <= frame[middle]).all() and (frame[middle] <= frame[high]).all()
    assert frame["return_probability"].is_between(0, 1).all() and set(frame["behavior"]) <= {"view", "buy"}
    chances = told.behaviors.group_by("request").agg(
        pl.col("probability").sum(), pl.col("probability").max().alias("most")
    )
    assert np.allclose(chances["probability"], 1.0)
    assert chances.sort("request")["most"].to_list() == pytest.approx(frame["behavior_probability"].to_list())


def test_a_longer_time_to_return_in_is_never_less_likely(recommender):
    day, week = (forecast(recommender, within=within).frame["return_probability"] for within in ("1d", timedelta(7)))
    assert (day <= week).all() and (day < week).any()


def test_who_has_been_silent_for_long_returns_later(recommender):
    last = recommender.events.frame["timestamp"].max()
    soon, late = (forecast(recommender, ["u01"], at=last + timedelta(days=days)).frame for days in (1, 30))
    assert late["next_time"][0] >= last + timedelta(days=30)
    assert late["return_probability"][0] < soon["return_probability"][0]
    assert late["behavior_probability"].equals(
        soon["behavior_probability"]
    )  # what comes does not hang on when it is asked


def test_events_at_or_after_the_asked_time_change_nothing(recommender):
    at = datetime.fromtimestamp(25 * DAY, UTC)
    rng, frame = np.random.default_rng(1), recommender.events.frame
    later = (frame["timestamp"] >= at).to_numpy()
    edited = frame.with_columns(
        item_id=pl.Series(np.where(later, "i0", frame["item_id"].to_numpy())),
        value=pl.Series(np.where(later, rng.random(len(frame)) * 99, frame["value"].to_numpy())),
        timestamp=pl.when(pl.Series(later))
        .then(pl.col("timestamp") + pl.duration(hours=7))
        .otherwise(pl.col("timestamp")),
        behavior=pl.when(pl.Series(later)).then(pl.lit("buy", frame["behavior"].dtype)).otherwise(pl.col("behavior")),
    )
    other = recommender.with_events(Events(edited))
    assert later.sum() > 300
    assert forecast(other, at=at).frame.equals(forecast(recommender, at=at).frame)


def test_people_never_seen_are_told_by_their_history(recommender):
    line = recommender.events.frame.filter(pl.col("user_id") == "u03")
    brought = [HistoryEvent(*row) for row in line.select("item_id", "behavior", "timestamp", "value").iter_rows()]
    at = line["timestamp"].max() + timedelta(hours=3)
    seen, unseen = forecast(recommender, ["u03"], at=at).frame, forecast(recommender, histories=[brought], at=at).frame
    assert unseen.drop("user_id").equals(seen.drop("user_id")) and unseen["user_id"].to_list() == [None]
    at_once = forecast(recommender, histories=[brought]).frame
    assert at_once["at"][0] == line["timestamp"].max()  # nobody said when: right after


def test_what_cannot_be_told_is_null_and_said(recommender):
    told = forecast(recommender, ["u01", "nobody"])
    assert told.frame["next_time"].null_count() == 1 == told.frame["value"].null_count()
    assert told.frame.row(1)[2:] == (None,) * 9 and "'nobody'" in told.notes[0]
    assert told.behaviors["request"].unique().to_list() == [0]
    timeless = forecast(recommender, histories=[["i1", "i2"], []])
    assert (
        timeless.frame["return_probability"].to_list() == [None, None] and timeless.frame["at"].to_list() == [None] * 2
    )
    assert timeless.frame["behavior"].null_count() == 1 and len(timeless.notes) == 2


def test_an_appended_event_is_known_at_once(split):
    recommender = trained(split, "train.epochs=1")
    before = forecast(recommender, ["u02"]).frame
    now = recommender.events.frame["timestamp"].max() + timedelta(days=1)
    recommender.append("u02", "i1", "view", now)
    after = forecast(recommender, ["u02"]).frame
    assert after["at"][0] == now and after["next_time"][0] != before["next_time"][0]


def test_an_appended_event_on_an_unknown_item_ends_the_silence_and_changes_no_list(split):
    recommender = trained(split, "train.epochs=1")
    now = recommender.events.frame["timestamp"].max() + timedelta(days=10)
    silent, lists = forecast(recommender, ["u02"], at=now).frame, recommender.recommend(users=["u02"], k=3).frame
    recommender.append("u02", "never seen", "view", now - timedelta(hours=1), 5.0)
    there = forecast(recommender, ["u02"], at=now).frame
    assert there["return_probability"][0] != silent["return_probability"][0]
    assert there["next_time"][0] != silent["next_time"][0]
    assert recommender.recommend(users=["u02"], k=3).frame.equals(lists)
    asked = forecast(recommender, ["u02"]).frame
    assert asked["at"][0] == now - timedelta(hours=1)


def test_a_run_read_back_says_the_same(recommender, tmp_path):
    recommender.save(tmp_path / "run")
    again = forecast_run(tmp_path / "run", ["u01", "u02"], within="12h")
    assert again.frame.equals(forecast(recommender, ["u01", "u02"], within="12h").frame)
    assert again.within_seconds == 43_200


def test_a_run_that_tells_items_only_says_so(split):
    plain = train(split, "popularity", options=Options(progress=Quiet()))
    with pytest.raises(NotTrainedError, match="items only") as error:
        forecast(plain)
    assert "which-what-when" in error.value.hint


@pytest.mark.parametrize("within", ["soon", "0d", timedelta(0)])
def test_a_duration_that_is_none_is_refused(recommender, within):
    with pytest.raises(DataError, match="within"):
        forecast(recommender, within=within)


def test_an_evaluation_judges_it_beside_simple_methods(recommender):
    evaluation = horae.evaluate(recommender, recommender.split, opponents={}, bootstrap=50)
    document = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))["forecast"]
    assert document["events"] > 100 and document["users"] > 20
    assert set(document["behavior"]["metrics"]) == {
        "log_loss", "accuracy", "precision", "recall", "f1", "auc", "calibration_error",
    }  # fmt: skip
    assert set(document["time"]["metrics"]) == {"mae_seconds", "coverage", "width_seconds"}
    assert set(document["value"]["metrics"]) == {"mae", "mse", "rmse", "mase", "coverage", "width"}
    assert set(document["time"]["opponents"]) == {"poisson", "log_normal", "user_frequency", "last_again", "everybody"}
    assert document["time"]["metrics"]["coverage"]["mean"] > 0.6
    assert document["time"]["against"]["user_frequency"]["mae_seconds"]["difference"] is not None
    returns = document["return"]
    assert returns["events"] == 40 and 0 <= returns["share"] <= 1
    assert set(returns["metrics"]) == {"log_loss", "brier", "accuracy", "auc", "calibration_error"}
    assert {"user_frequency", "poisson", "everybody"} <= set(returns["opponents"])
    assert sum(row["users"] for row in returns["reliability"]) == 40 and "1d" in returns["by_horizon"]
    text = str(evaluation)
    assert "next behavior" in text and "next time" in text and "back in" in text and "next value" in text
    assert max(map(len, text.splitlines())) <= 80 and evaluation.passed


def test_the_report_shows_what_is_foretold_and_leaves_lists_out_where_they_say_nothing(recommender):
    document = horae.evaluate(recommender, recommender.split, opponents={}, bootstrap=0).as_dict()
    headings = [
        "When does the next event come?",
        "Who comes back?",
        "Of which behavior is it?",
        "Of which value is it?",
    ]
    html = report_page(recommender.card, document).html()
    assert all(heading in html for heading in headings) and "New users and new items" in html
    assert f"{document['forecast']['behavior']['metrics']['f1']['mean']:.3f}" in html
    assert f"{document['forecast']['time']['metrics']['mae_seconds']['mean'] / DAY:.3f}" in html
    assert not any(
        heading in report_page(recommender.card, {**document, "forecast": None}).html() for heading in headings
    )
    alone = {**document, "items": 1}  # as of a log without items
    text, html = as_text(alone), report_page(recommender.card, alone).html()
    assert "New users and new items" not in html and "lists say nothing" in html and "Who comes back?" in html
    assert "ndcg@10" not in text and "lists say nothing" in text
    part = {name: one for name, one in document["forecast"].items() if name != "value"}
    html = report_page(recommender.card, {**alone, "forecast": {**part, "return": None}}).html()
    assert "Of which value is it?" not in html and "Who comes back?" not in html


def test_chances_to_return_are_set_right_on_validation_and_never_on_the_test():
    whole = log(users=160)
    cut = split_by_time(whole)
    learned = trained(cut, "train.epochs=1")
    found = learned.card["forecast"]["returns"]
    assert found["seconds"] and min(found["slopes"]) > 0
    shuffled = whole.frame.with_columns(
        timestamp=pl.when(cut.part == "test").then(pl.col("timestamp").max()).otherwise(pl.col("timestamp"))
    )
    moved = trained(dataclasses.replace(cut, events=Events(shuffled)), "train.epochs=1")
    assert moved.card["forecast"]["returns"] == found
    document = horae.evaluate(learned, learned.split, opponents={}, bootstrap=0).forecast["return"]
    one = document["by_horizon"]["1d"]
    assert one["within_seconds"] == DAY and "uncalibrated" in one["opponents"]
    assert one["metrics"]["log_loss"] != one["opponents"]["uncalibrated"]["log_loss"]


def test_a_run_that_tells_items_only_has_no_such_section(split):
    plain = train(split, "popularity", options=Options(progress=Quiet()))
    assert horae.evaluate(plain, plain.split, opponents={}, bootstrap=0).as_dict()["forecast"] is None


# --- other logs ---


def test_a_log_without_items_still_says_when_and_how_much():
    whole = log()
    events = Events(whole.frame.drop("item_id").with_columns(value=pl.col("value").fill_null(1.0)))
    recommender = trained(events)
    assert recommender.items.all.to_list() == ["event"]
    assert {"log_likelihood"} == set(recommender.log[0]["validation"])
    told = forecast(recommender).frame
    assert told["next_time"].null_count() == 0 == told["value"].null_count()
    assert recommender.events.report.steps[-1].name == "stand_in_item"


def test_a_log_without_items_is_refused_where_nothing_else_is_asked():
    with pytest.raises(DataError, match="no items") as error:
        train(Events(log().frame.drop("item_id")), "sasrec", options=Options(progress=Quiet()))
    assert "which-what-when" in error.value.hint


def test_without_times_or_values_the_rest_is_told_and_the_lack_is_said():
    frame = log().frame.with_columns(timestamp=pl.lit(None, pl.Datetime("us", "UTC")), value=pl.lit(None, pl.Float64))
    told = forecast(trained(Events(frame)))
    assert told.frame["behavior"].null_count() == 0
    assert all(told.frame[name].null_count() == 40 for name in COLUMNS[1:6] + COLUMNS[8:])
    assert len(told.notes) == 2 and all("nothing was learned" in note for note in told.notes)


def test_a_log_of_whole_days_full_of_ties_is_sound():
    frame = log().frame.with_columns(pl.col("timestamp").dt.truncate("1d")).sort("user_id", "timestamp", "event_order")
    recommender = trained(split_by_time(Events(frame)))
    told = forecast(recommender, at=frame["timestamp"].max()).frame
    assert told["next_time_high"].null_count() == 0 and told["return_probability"].is_finite().all()
    judged = horae.evaluate(recommender, recommender.split, opponents={}, bootstrap=0).forecast
    assert judged is not None and 0.5 < judged["time"]["metrics"]["coverage"]["mean"] <= 1.0


# --- ensembles ---

MEMBER = {"encoder": "gru", "dim": 8, "max_len": 8, "num_layers": 1, "also": ["behavior", "time", "value"]}


def ensemble(*members):
    return Recipe("both", model={"ensemble": list(members)}, train={})


def member(name, **more):
    return {"recipe": name, "model": {**MEMBER, **more}, "train": {"epochs": 1, "loss": "softmax", "relearn": False}}


def test_an_ensemble_tells_the_mean_of_its_members_is_judged_and_read_back(split, tmp_path):
    short = member("short", max_len=4, also=["time"])
    both = train(split, ensemble(member("long"), short, "item-knn"), options=Options(progress=Quiet()))
    told = forecast(both, ["u01", "u02"])
    assert told.frame.null_count().sum_horizontal().item() == 0 and told.notes == ()
    assert both.card["forecast"]["events"]["time"] > 0
    lines = both.histories(Requests(users=pl.Series("user_id", ["u01"])), whole=True)
    survivals = [
        foretell(dataclasses.replace(both, model=one), lines).gaps.log_survival(torch.tensor([DAY])).exp().item()
        for one in both.model.members[:2]
    ]
    mean = foretell(both, lines).gaps.log_survival(torch.tensor([DAY])).exp().item()
    assert mean == pytest.approx(sum(survivals) / 2) and survivals[0] != pytest.approx(survivals[1], abs=1e-4)
    both.save(tmp_path / "run")
    assert forecast_run(tmp_path / "run", ["u01", "u02"]).frame.equals(told.frame)
    assert horae.evaluate(both, both.split, opponents={}, bootstrap=0).forecast["time"]["metrics"]["mae_seconds"]


def test_an_ensemble_without_such_heads_says_so(split):
    plain = train(split, ensemble("item-knn", "popularity"), options=Options(progress=Quiet()))
    with pytest.raises(NotTrainedError, match="items only"):
        forecast(plain)


def test_an_ensemble_forecasts_a_log_without_items():
    events = Events(log().frame.drop("item_id"))
    both = train(events, ensemble(member("one"), member("two", dim=4)), options=Options(progress=Quiet()))
    assert forecast(both).frame["next_time"].null_count() == 0
