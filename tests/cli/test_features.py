from pathlib import Path

import polars as pl
import pytest

from tests.cli.conftest import Horae


def test_features_of_every_event_as_parquet(horae: Horae, log: Path, tmp_path: Path):
    ended = horae("features", log, "-o", tmp_path / "f.parquet", "--windows", "1d,n5", "--json")
    frame = pl.read_parquet(tmp_path / "f.parquet")
    assert ended.json["rows"] == frame.height == 480
    assert list(ended.json["columns"]) == frame.columns
    assert frame.filter(user_id="000")["count_n5"].to_list() == [0, 1, 2, 3, 4, 5, 5, 5]
    assert "480 events" in ended.err


def test_features_of_items_on_a_grid_as_csv_on_standard_output(horae: Horae, log: Path):
    ended = horae("features", log, "--by", "item", "--at", "1d", "--groups", "recency", "-o", "-")
    header, *rows = ended.out.splitlines()
    assert header == "item_id,timestamp,recency_seconds,age_seconds"
    assert len(rows) > 15 and rows[0].startswith("i00,2020-09-14T00:00:00")


def test_tables_and_relations_come_from_files(horae: Horae, log: Path, tmp_path: Path):
    (tmp_path / "plans.csv").write_text("user_id,plan,valid_from\n000,free,\n000,paid,2020-09-16\n")
    (tmp_path / "friends.csv").write_text("user_id,other_id,valid_from\n000,001,\n")
    more = ("--table", tmp_path / "plans.csv", "--relations", tmp_path / "friends.csv", "--groups", "tables,circle")
    horae("features", log, "-o", tmp_path / "f.csv", *more)
    mine = pl.read_csv(tmp_path / "f.csv", schema_overrides={"user_id": pl.String}).filter(user_id="000")
    assert mine["plan"].to_list() == ["free"] * 3 + ["paid"] * 5
    assert mine["circle_size"].to_list() == [1] * 8
    assert mine["circle_count_28d"].to_list() == list(range(8))


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--by", "shop"], 3, "Group by one of: user, item, all"),
        (["--windows", "7x"], 2, "not a length of time"),
        (["--windows", "1d,-7d"], 2, "look into the future"),
        (["--at", "1999-01-01"], 3, "first event is at 2020-09-13"),
        (["--at", "soon"], 2, "not a date or time"),
        (["--groups", "weather"], 2, "Choose of: windows"),
        (["--by", "item", "--groups", "session"], 3, "lines of users"),
        (["--table", "nowhere.csv"], 3, "no file nowhere.csv"),
    ],
)
def test_a_newcomer_is_told_what_to_do(horae: Horae, log: Path, tmp_path: Path, options, code: int, said: str):
    ended = horae("features", log, "-o", tmp_path / "f.parquet", *options, code=code)
    assert said in " ".join(ended.err.split()) and "hint:" in ended.err
    assert not ended.out and not list(tmp_path.iterdir())


def test_overlapping_rows_of_a_table_are_named(horae: Horae, log: Path, tmp_path: Path):
    table = tmp_path / "plans.csv"
    table.write_text("user_id,plan,valid_from,valid_to\n000,free,,2020-10-01\n000,paid,2020-09-20,\n")
    ended = horae("features", log, "-o", tmp_path / "f.parquet", "--table", table, code=3)
    assert "row 1 (user_id 000, open to 2020-10-01" in " ".join(ended.err.split())


def test_an_ending_that_is_not_written_is_refused_before_the_log_is_read(horae: Horae, tmp_path: Path):
    assert ".parquet" in horae("features", "nowhere.csv", "-o", tmp_path / "f.xlsx", code=2).err
    assert "both" in horae("features", "nowhere.csv", "-o", "-", "--json", code=2).err


def test_requests_come_from_a_file(horae: Horae, log: Path, tmp_path: Path):
    (tmp_path / "requests.csv").write_text("user_id,timestamp\n001,2020-09-15\nnobody,2020-09-15\n")
    horae("features", log, "--at", tmp_path / "requests.csv", "-o", tmp_path / "f.csv", "--windows", "all")
    frame = pl.read_csv(tmp_path / "f.csv", schema_overrides={"user_id": pl.String}).sort("user_id")
    assert frame.select("user_id", "count_all").rows() == [("001", 2.0), ("nobody", 0.0)]
