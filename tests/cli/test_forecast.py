import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from horae.cli.next_events import as_words
from horae.schema import Forecasts


@pytest.fixture(scope="module")
def behaviours(tmp_path_factory) -> Path:
    """What the plain task has: user, behaviour kind, timestamp, value. Ten weeks."""
    rng = np.random.default_rng(0)
    lines = ["user,behaviour,timestamp,value"]
    for day in range(70):
        for user in range(6):
            for _ in range(rng.binomial(3, 0.9 if day % 7 == 5 else 0.4)):
                seconds = 1_704_067_200 + day * 86_400 + int(rng.integers(80_000))
                lines.append(f"u{user},{('view', 'buy')[user % 2]},{seconds},{10 * (user + 1)}")
    file = tmp_path_factory.mktemp("behaviours") / "behaviours.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("series") / "series.csv"
    rows = [f"shop,2024-{1 + day // 28:02}-{1 + day % 28:02},{day % 7}" for day in range(28 * 4)]
    file.write_text("series_id,date,value\n" + "\n".join(rows) + "\n")
    return file


NAIVE = ("--model", "seasonal-naive", "--horizon", "7", "--classic-series", "0")


def test_the_plain_task_is_one_command(horae, behaviours, tmp_path):
    out, page = tmp_path / "next.csv", tmp_path / "next.html"
    ended = horae(
        "forecast",
        behaviours,
        "--by",
        "user",
        "--of",
        "sum",
        *NAIVE[:4],
        "--classic-series",
        "1",
        "-o",
        out,
        "--plot",
        page,
        "--json",
    )
    document = ended.json
    assert document["model"] == "seasonal-naive" and document["file"] == str(out) and "forecast" not in document
    for one in (document["metrics"], document["opponents"]["moving-average"], document["opponents"]["ets"]):
        assert {"mae", "mse", "rmse", "mase"} <= set(one) and len(one["by_horizon"]["mase"]) == 7
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["key", "timestamp", "value", "low", "high"] and len(rows) == 6 * 7
    assert rows[0]["timestamp"] == "2024-03-10T00:00:00Z"
    assert "plotly" in page.read_text().lower()
    assert "validation part" in ended.err


def test_a_network_is_trained_from_the_command_line(horae, behaviours):
    ended = horae(
        "forecast",
        behaviours,
        "--by",
        "user",
        "--model",
        "lstm",
        "--horizon",
        "3",
        "--origins",
        "1",
        "--classic-series",
        "0",
    )
    assert "lstm was asked for." in ended.out and "seasonal-naive" in ended.out and "the model" in ended.out


def test_parquet_json_lines_and_standard_output(horae, series, tmp_path):
    for name in ("next.parquet", "next.jsonl"):
        horae("forecast", series, *NAIVE, "-o", tmp_path / name)
    frame = pl.read_parquet(tmp_path / "next.parquet")
    assert frame.schema["timestamp"] == pl.Datetime("us", "UTC") and frame.height == 7
    first = json.loads((tmp_path / "next.jsonl").read_text().splitlines()[0])
    assert first["key"] == "shop" and first["low"] <= first["value"] <= first["high"]
    ended = horae("forecast", series, *NAIVE, "-o", "-")
    assert ended.out.startswith("key,timestamp,value,low,high\n") and "seasonal-naive was asked for" in ended.err


def test_without_a_file_the_document_holds_the_next_values(horae, series):
    document = horae("forecast", series, *NAIVE, "--json").json
    assert len(document["forecast"]) == 7 and document["every"] == "1d" and document["season"] == 7


def test_bins_of_a_zone_are_written_with_their_offset(horae, series, tmp_path):
    horae("forecast", series, *NAIVE, "--timezone", "Europe/Berlin", "-o", tmp_path / "next.csv")
    assert "2024-04-29T00:00:00+02:00" in (tmp_path / "next.csv").read_text()


def test_columns_are_named_as_a_log_or_as_series(horae, series, tmp_path):
    renamed = tmp_path / "named.csv"
    renamed.write_text(series.read_text().replace("series_id,date,value", "where,when,what"))
    mapping = "series_id=where,date=when,value=what"
    assert horae("forecast", renamed, *NAIVE, "--columns", mapping, "--json").json["series"] == 1


def test_only_some_behaviours_and_as_of_a_time(horae, behaviours):
    asked = ("--behaviors", "buy", "--at", "2024-03-01", "--json")
    document = horae("forecast", behaviours, *NAIVE, *asked).json
    assert document["end"].startswith("2024-03-01") and document["series"] == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--every", "7h"], 3, "a day cannot be divided"),
        (["--model", "prophet"], 2, "no method"),
        (["--horizon", "400"], 3, "longer than the history"),
        (["--by", "colour"], 3, "no column 'colour'"),
        (["--behaviors", "sell"], 3, "No event is a 'sell'"),
        (["--timezone", "Mars/North"], 3, "no time zone"),
        (["--user", "u1"], 2, "on a run only"),
        (["-o", "next.xlsx"], 2, "expected a name ending"),
        (["-o", "-", "--json"], 2, "both would use standard output"),
        (["--max-series", "0"], 2, "max-series"),
    ],
)
def test_bad_questions_are_refused_in_words(horae, behaviours, options, code, said):
    ended = horae("forecast", behaviours, *options, code=code)
    assert ended.out == "" and said in " ".join(ended.err.split())


def told(users):
    """What a run might say of some users; nothing is known of the last one."""
    some, day = len(users) - 1, datetime(2024, 1, 2, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "user_id": users,
            "at": [datetime(2024, 1, 1, tzinfo=UTC)] * len(users),
            **{name: [day] * some + [None] for name in ("next_time_low", "next_time", "next_time_high")},
            "return_probability": [0.25] * some + [None],
            "behavior": ["view"] * some + [None],
            "behavior_probability": [0.75] * some + [None],
            **{name: [3.5] * some + [None] for name in ("value_low", "value", "value_high")},
        }
    )
    requests = [request for request in range(some) for _ in "ab"]
    chances = {"request": requests, "behavior": ["view", "buy"] * some, "probability": [0.75, 0.25] * some}
    return Forecasts(frame, pl.DataFrame(chances), 259_200.0, ("a note",))


def test_a_run_is_answered_by_the_room_of_event_forecasts(horae, tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    (run / "card.json").write_text("{}")
    asked = {}

    def forecast_run(path, users=None, at=None, within="7d", *, device="cpu"):
        asked.update(path=path, users=list(users), at=at, within=within)
        return told(["u1", "u2"])

    monkeypatch.setattr("horae.forecasting.events.forecast_run", forecast_run)
    document = horae("forecast", run, "--user", "u1", "--at", "2024-01-01", "--within", "3d", "--json").json
    first, second = document["forecasts"]
    assert first["next_time"] == "2024-01-02T00:00:00+00:00" and first["behaviors"] == {"view": 0.75, "buy": 0.25}
    assert second["behaviors"] is None and second["next_time"] is None
    assert document["within_seconds"] == 259_200 and document["notes"] == ["a note"]
    assert asked == {"path": run, "users": ["u1"], "at": datetime(2024, 1, 1, tzinfo=UTC), "within": "3d"}
    ended = horae("forecast", run, "--user", "u1", "-o", tmp_path / "next.csv")
    assert (tmp_path / "next.csv").read_text().startswith("user_id,at,next_time_low") and "2 rows" in ended.err
    piped = horae("forecast", run, "--user", "u1")  # no terminal: CSV
    assert piped.out.startswith("user_id,at,") and piped.err == "note: a note\n"
    assert "no effect on a run" in horae("forecast", run, "--by", "user", code=2).err
    assert "no effect on a run" in horae("forecast", run, "--plot", "p.html", code=2).err


def test_at_a_terminal_one_user_is_told_in_full_and_many_in_a_table_that_fits():
    one = told(["u1", "u2"])
    text = as_words(Forecasts(one.frame.head(1), one.behaviors, one.within_seconds))
    assert "User u1, asked at 2024-01-01 00:00 UTC" in text and "back within 3 d  25%" in text
    assert "view 75%, buy 25%" in text and "3.5 (3.5 to 3.5)" in text
    unknown = as_words(Forecasts(one.frame.tail(1), one.behaviors.clear(), one.within_seconds))
    assert [line.split()[-1] for line in unknown.splitlines()[1:]] == ["-"] * 4
    long = told([f"a very long name of the user {n}" for n in range(30)])
    lines = as_words(long).splitlines()
    assert len(lines) == 22 and "10 more users" in lines[-1] and max(map(len, lines)) <= 80
    bare = Forecasts(long.frame.with_columns(value=pl.lit(None, pl.Float64)), long.behaviors, 7_200.0)
    assert "value" not in as_words(bare) and "in 2 h" in as_words(bare)


def test_a_log_of_user_behaviour_time_and_value_is_trained_on_judged_and_asked(horae, behaviours, tmp_path):
    run, small = tmp_path / "run", ("model.dim=8", "model.num_layers=1", "train.epochs=1")
    how = [part for setting in small for part in ("--set", setting)]
    trained = horae("train", behaviours, "-o", run, "--recipe", "which-what-when", *how)
    assert f"horae forecast {run} --user u0" in trained.out and "horae recommend" not in trained.out
    document = horae("forecast", run, "--json").json
    assert len(document["forecasts"]) == 6 and all(row["next_time"] for row in document["forecasts"])
    judged = horae("evaluate", run, "--opponents", "none", "--bootstrap", "20")
    assert "lists say nothing" in judged.out and "next time" in judged.out and "ndcg" not in judged.out
    assert max(map(len, judged.out.splitlines())) <= 80
    head, *rows = behaviours.read_text().splitlines()
    later = tmp_path / "later.csv"  # newer events, of a behavior that training did not know, too
    later.write_text("\n".join([head, *rows, "u0,odd,1711000000,5", "u1,view,1711000000,"]) + "\n")
    assert "next value" in horae("evaluate", run, later, "--opponents", "none", "--bootstrap", "20").out


@pytest.mark.parametrize(
    ("plan", "options", "said"),
    [
        ("valid_from,valid_to\n2024-01-01,2024-01-05\n2024-01-03,2024-01-06", (), "hold at the same time: row 1"),
        ("start,end\n2024-01-01,2024-01-05", (), "no column valid_from"),
        ("valid_from,off\n2024-01-01,3", ("--model", "drift"), "have no effect"),
    ],
)
def test_a_plan_that_cannot_be_trusted_is_refused_with_its_rows(horae, behaviours, tmp_path, plan, options, said):
    (tmp_path / "plan.csv").write_text(plan + "\n")
    ended = horae("forecast", behaviours, "--promotions", tmp_path / "plan.csv", *options, code=2 if options else 3)
    assert ended.out == "" and said in " ".join(ended.err.split())
