"""Logs and tables that time makes hard, through every verb that reads times: a result, or what to do; never a warning.

Warnings are errors in the tests, so a silent overflow or division by nothing fails here too.
"""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Rows = list[tuple[object, ...]]


def daily(value: Callable[[int], object] = float, days: int = 70, skip: range = range(0)) -> Rows:
    """Three users come a few times on each day, but for those that are skipped."""
    rng = np.random.default_rng(0)
    return [
        (
            f"u{user}",
            f"i{(day + user) % 5}",
            START + day * DAY + (9 + user) * HOUR + int(rng.integers(3_000)) * timedelta(seconds=1),
            value(day),
        )
        for day in range(days)
        if day not in skip
        for user in range(3)
        for _ in range(1 + (day + user) % 2)
    ]


def in_berlin(hours: int = 24 * 60) -> Rows:
    """Every hour over the end of summer time, as a clock on the wall writes it: one of them twice."""
    first, zone = datetime(2024, 10, 1, tzinfo=UTC), ZoneInfo("Europe/Berlin")
    local = [(first + n * HOUR).astimezone(zone).replace(tzinfo=None) for n in range(hours)]
    return [(f"u{n % 3}", f"i{n % 5}", moment, 1.0) for n, moment in enumerate(local)]


def leap_years() -> Rows:
    return [(f"u{n % 3}", f"i{n % 5}", (START + (n - 1_461) * DAY).date(), 1.0) for n in range(1_600)]


def mixed(day: int) -> str:
    moment = START + day * DAY
    return (f"{moment:%Y-%m-%d}", f"{moment:%Y-%m-%dT10:11:12Z}", f"{moment:%Y-%m-%d 10:00:01.123456}")[day % 3]


LOGS: dict[str, Rows] = {
    "one point": [("u1", "i1", START + 10 * HOUR, 3.0)],
    "one point each": [(f"u{n}", f"i{n % 3}", START + n * DAY, 1.0) for n in range(9)],
    "constant": daily(lambda day: 5.0),
    "no variance": daily(lambda day: 0),
    "all missing": daily(lambda day: ""),
    "some impossible": daily(lambda day: (-5, "inf", "nan", "1e300", 3, "", -0.0)[day % 7]),
    "duplicated": [row for row in daily(lambda day: day % 5) for _ in range(2)],
    "one time": [(f"u{n % 4}", f"i{n % 7}", START, n) for n in range(60)],
    "long gap": daily(lambda day: day % 5, 100, range(20, 60)),
    "clock change": in_berlin(),
    "leap years": leap_years(),
    "mixed resolutions": [(f"u{n % 3}", f"i{n % 5}", mixed(n), n % 9) for n in range(60)],
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hard")
    for name, rows in LOGS.items():
        write(folder / f"{name}.csv", "user_id,item_id,timestamp,value", rows)
    return folder


def write(path: Path, header: str, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows([cell.isoformat() if isinstance(cell, datetime) else cell for cell in row] for row in rows)
    return path


def no_nan(frame: pl.DataFrame) -> bool:
    numbers = frame.select(pl.selectors.float())
    return all(not column.is_nan().any() and not column.is_infinite().any() for column in numbers)


@pytest.mark.parametrize("name", LOGS)
def test_features_are_numbers_or_null_whatever_the_log(horae, logs, tmp_path, name):
    horae(
        "features",
        logs / f"{name}.csv",
        "-o",
        tmp_path / "f.parquet",
        "--groups",
        GROUPS,
        "--timezone",
        "Europe/Berlin",
    )
    frame = pl.read_parquet(tmp_path / "f.parquet")
    assert frame.height and no_nan(frame)
    assert frame["hour"].is_between(0, 23).all()


GROUPS = "windows,distinct,decay,recency,gaps,bursts,session,calendar,rhythm,trend"


@pytest.mark.parametrize("name", LOGS)
def test_a_log_is_described_on_a_page_of_80_columns(horae, logs, name):
    ended = horae("data", "describe", logs / f"{name}.csv")
    page = ended.out.split("\n\n", 1)[1]
    assert max(map(len, page.splitlines())) <= 80 and "nan" not in page.lower()
    json.dumps(horae("data", "describe", logs / f"{name}.csv", "--json").json, allow_nan=False)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("one point", (), "No event lies in a whole day"),
        ("one point", ("--keep-last",), "needs 2 whole bins with a known value; the one series has fewer"),
        ("one time", (), "the one series has fewer"),
        ("one point each", ("--horizon", "8"), "longer than the history allows: it needs 10 whole bins"),
        ("all missing", ("--of", "sum"), "no event has one"),
        ("constant", ("--timezone", "Europe/Berln"), "no time zone 'Europe/Berln'"),
        ("constant", ("--user", "u1"), "holds none"),
    ],
)
def test_what_makes_no_forecast_is_refused_with_what_to_do(horae, logs, name, options, said):
    ended = horae("forecast", logs / f"{name}.csv", "--horizon", "7", *options, code=2 if "--user" in options else 3)
    text = " ".join(ended.err.split())
    assert said in text and ended.out == "" and ("hint:" in text or "Usage" in text)
    assert "Did you mean Europe/Berlin?" in text or "Berln" not in said


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("constant", "sum"),
        ("no variance", "sum"),
        ("some impossible", "sum"),
        ("duplicated", "count"),
        ("long gap", "mean"),
        ("long gap", "count"),
        ("clock change", "count"),
        ("leap years", "count"),
        ("mixed resolutions", "last"),
    ],
)
def test_what_makes_a_forecast_makes_numbers(horae, logs, tmp_path, name, of):
    asked = (
        "--of",
        of,
        "--horizon",
        "7",
        "--model",
        "moving-average",
        "--classic-series",
        "0",
        "--timezone",
        "Europe/Berlin",
    )
    ended = horae("forecast", logs / f"{name}.csv", *asked, "-o", tmp_path / "next.parquet", "--json")
    frame = pl.read_parquet(tmp_path / "next.parquet")
    assert frame.height == 7 and frame.null_count().sum_horizontal()[0] == 0 and no_nan(frame)
    assert frame["timestamp"].dt.convert_time_zone("Europe/Berlin").dt.hour().unique().to_list() == [0]
    assert ended.json["metrics"]["mase"] is None or ended.json["metrics"]["mase"] >= 0


def test_the_day_of_25_hours_holds_25_of_them_and_the_day_asked_about_is_the_zones(horae, logs):
    counts = ("--by", "all", "--model", "last-value", "--horizon", "1", "--classic-series", "0", "--json")
    asked = (*counts, "--timezone", "Europe/Berlin", "--at", "2024-10-28")
    document = horae("forecast", logs / "clock change.csv", *asked).json
    (row,) = document["forecast"]
    assert row["timestamp"] == "2024-10-28T00:00:00+01:00" and row["value"] == 25
    assert horae("forecast", logs / "clock change.csv", *asked[:-1], "2024-10-27").json["forecast"][0]["value"] == 24


def test_a_series_on_29_february_is_asked_about_as_any_other_day(horae, tmp_path):
    rows = [(f"{START - 60 * DAY + n * DAY:%Y-%m-%d}", n % 7) for n in range(118)]  # up to 27 February
    file = write(tmp_path / "series.csv", "date,value", rows)
    asked = ("--model", "seasonal-naive", "--horizon", "3", "--classic-series", "0", "--json")
    told = horae("forecast", file, *asked).json["forecast"]
    assert [row["timestamp"][:10] for row in told] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert [row["value"] for row in told] == [float(n % 7) for n in (118, 119, 120)]


def test_series_of_mixed_resolutions_end_with_those_that_are_kept(horae, tmp_path):
    half_days = [("fine", START + n * DAY / 2, n) for n in range(80)]
    weeks = [("coarse", START + 7 * n * DAY, n) for n in range(20)]
    file = write(tmp_path / "series.csv", "series_id,date,value", half_days + weeks)
    ended = horae("forecast", file, "--horizon", "4", "--model", "drift", "--classic-series", "0", "--json").json
    assert ended["series"] == 1 and any("'coarse'" in note for note in ended["notes"])
    assert ended["metrics"]["mae"] == pytest.approx(0, abs=1e-9)  # a straight line: nothing is unknown at its end
    assert ended["forecast"][0]["timestamp"].startswith("2024-02-10")


def test_past_times_at_which_nothing_is_known_are_told_in_words(horae, tmp_path):
    rows = [("ended", START + n * DAY, n % 7) for n in range(60)] + [("short", START + n * DAY, 1) for n in (118, 119)]
    file = write(tmp_path / "series.csv", "series_id,date,value", rows)
    ended = horae(
        "forecast", file, "--horizon", "14", "--model", "last-value", "--classic-series", "0", "--max-series", "1"
    )
    assert "No value is known at the past times that judge" in ended.out and "MASE" not in ended.out


def test_an_hour_that_comes_twice_asks_for_its_offset(horae, tmp_path):
    rows = [(moment.isoformat(), n) for n, (_, _, moment, _) in enumerate(in_berlin(24 * 40))]
    file = write(tmp_path / "series.csv", "date,value", rows)
    ended = horae("forecast", file, "--horizon", "3", "--timezone", "Europe/Berlin", code=3)
    assert "2024-10-27 02:00" in ended.err and "with their offset" in " ".join(ended.err.split())


def test_a_table_that_is_known_later_is_not_seen_before(horae, logs, tmp_path):
    table = tmp_path / "plans.csv"
    table.write_text("user_id,plan,valid_from,known_at\nu1,paid,2024-01-05,2024-02-01\n")
    horae("features", logs / "constant.csv", "--table", table, "--groups", "tables", "-o", tmp_path / "f.csv")
    frame = pl.read_csv(tmp_path / "f.csv").filter(user_id="u1")
    seen = frame.filter(pl.col("plan").is_not_null())["timestamp"]
    assert seen.min() >= "2024-02-01" and frame.filter(pl.col("timestamp") >= "2024-02-01").height == len(seen)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("user_id,plan,valid_from,valid_to\nu1,a,2024-03-01,2024-02-01\n", "row 1 (user_id u1"),
        ("user_id,plan,valid_from,valid_to\nu1,a,2024-02-30,\n", "'2024-02-30' in row 1"),
        ("user_id,plan\nu1,a\n", "no column valid_from"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused_with_its_rows(horae, logs, tmp_path, table, said):
    (tmp_path / "plans.csv").write_text(table)
    ended = horae(
        "features", logs / "constant.csv", "--table", tmp_path / "plans.csv", "-o", tmp_path / "f.csv", code=3
    )
    assert said in " ".join(ended.err.split()) and "hint:" in ended.err and not (tmp_path / "f.csv").exists()


@pytest.fixture(scope="module")
def counted(horae, logs, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "counted"
    horae("train", logs / "constant.csv", "-o", run, "--recipe", "markov")
    return run


@pytest.mark.parametrize("name", [name for name in LOGS if name not in ("one point", "one point each", "one time")])
def test_anomalies_and_backtests_stand_hard_logs(horae, logs, counted, name):
    log = logs / f"{name}.csv"
    found = horae("anomalies", counted, log, "--json").json
    json.dumps(found, allow_nan=False)
    assert found["events"] and (found["share"] < 0.05 or name != "constant")  # others are odd beside that run's log
    tested = horae(
        "evaluate", counted, log, "--backtest", "--folds", "2", "--window", "7d", "--bootstrap", "10", "--json"
    )
    json.dumps(tested.json, allow_nan=False)
    assert tested.json["passed"]


@pytest.mark.parametrize("name", ["one point", "one point each", "one time"])
def test_anomalies_and_backtests_refuse_what_says_nothing(horae, logs, counted, name):
    ended = horae("anomalies", counted, logs / f"{name}.csv", code=3)
    assert "calibration events say too little" in " ".join(ended.err.split()) and "hint:" in ended.err
    ended = horae("evaluate", counted, logs / f"{name}.csv", "--backtest", code=3)
    assert "need a log of more than 35 days" in " ".join(ended.err.split()) and "hint:" in ended.err
