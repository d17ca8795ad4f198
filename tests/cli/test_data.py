import json

import polars as pl
import pytest


def test_describe_prints_a_page_and_one_document(horae, log, tmp_path):
    page = tmp_path / "page.html"
    ended = horae("data", "describe", log, "--html", page, "--json")
    assert ended.json["events"] == 480 and ended.json["users"] == 60
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "480 events of 60 users, 15 items" in horae("data", "describe", log).out


def test_describe_reads_standard_input(horae, log):
    assert horae("data", "describe", "-", "--json", input=log.read_text()).json["events"] == 480


def test_describe_as_a_check_exits_with_1_on_warnings(horae, log):
    warned = bool(horae("data", "describe", log, "--json").json["warnings"])
    horae("data", "describe", log, "--check", code=1 if warned else 0)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_convert_keeps_ids_in_every_format(horae, log, tmp_path, ending):
    file = tmp_path / f"events.{ending}"
    document = horae("data", "convert", log, "-o", file, "--json").json
    assert document["events"] == 480
    again = horae("data", "convert", file, "-o", "-").out.splitlines()
    assert len(again) == 481 and again[1].startswith("000,i")


def test_convert_refuses_formats_that_it_cannot_write(horae, log, tmp_path):
    assert ".parquet" in horae("data", "convert", log, "-o", tmp_path / "events.xls", code=2).err
    horae("data", "convert", log, "-o", "-", "--json", code=2)


def test_convert_leaves_the_old_file_where_the_log_is_bad(horae, tmp_path):
    bad, file = tmp_path / "bad.csv", tmp_path / "out.csv"
    bad.write_text("a,b\n")
    file.write_text("precious")
    horae("data", "convert", bad, "-o", file, code=3)
    assert file.read_text() == "precious"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bad.csv", "out.csv"]


def test_columns_and_data_keys_reach_the_cleaning(horae, tmp_path):
    file = tmp_path / "odd.csv"
    lines = [*(f"a,x{n % 3},{1_600_000_000 + n}" for n in range(9)), "b,y,1600000000"]
    file.write_text("\n".join(["who,what,when", *lines]) + "\n")
    mapping = ("--columns", "user_id=who,item_id=what", "--columns", "timestamp=when")
    document = horae("data", "describe", file, *mapping, "--set", "data.min_user_events=2", "--json").json
    assert document["users"] == 1 and document["events"] == 9


def test_split_writes_parts_and_facts(horae, log, tmp_path):
    document = horae("data", "split", log, "-o", tmp_path / "parts", "--test", "1d", "--json").json
    assert document["kind"] == "time"
    heights = {part: pl.read_parquet(file).height for part, file in document["files"].items()}
    assert heights == {part: document["facts"]["events"][part] for part in heights}
    assert json.loads((tmp_path / "parts" / "split.json").read_text())["boundary"] == document["boundary"]


def test_split_options_without_effect_are_refused(horae, log, tmp_path):
    for options in (
        ["--ties", "log"],
        ["--split", "leave-one-out", "--test", "0.2"],
        ["--split", "magic"],
        ["--split", "leave-one-out", "--ties", "random"],
    ):
        horae("data", "split", log, "-o", tmp_path / "parts", *options, code=2)
    assert not (tmp_path / "parts").exists()


def test_simulate_writes_a_shop_that_can_be_described(horae, tmp_path):
    size = ("--users", "50", "--items", "20", "--events", "600", "--days", "20")
    document = horae("data", "simulate", "-o", tmp_path / "shop", *size, "--dirt", "0.01", "--json").json
    assert set(document["files"]) == {"events", "catalog", "profiles", "truth"}
    assert horae("data", "describe", document["files"]["events"], "--max-bad", "0.1", "--json").json["users"] <= 50
    horae("data", "simulate", "-o", tmp_path / "other", "--set", "tast_half_life_days=3", code=2)


def test_fetch_lists_sets_and_takes_them_from_a_local_folder(horae, tmp_path, monkeypatch):
    assert "ml-100k" in horae("data", "fetch", "--list", "--json").json["sets"]
    horae("data", "fetch", code=2)
    file = tmp_path / "ml-100k" / "raw" / "u.data"
    file.parent.mkdir(parents=True)
    file.write_text("196\t242\t3\t881250949\n")
    monkeypatch.setenv("HORAE_DATA", str(tmp_path))
    found = horae("data", "fetch", "ml-100k", "--json").json
    assert found["file"] == str(file) and "GroupLens" in found["licence"]


@pytest.mark.parametrize("verb", [("describe",), ("convert", "-o", "-"), ("split", "-o", "parts")])
def test_a_setting_without_effect_is_refused(horae, log, verb):
    assert "model.dim has no effect" in horae("data", verb[0], log, *verb[1:], "--set", "model.dim=8", code=2).err


def test_a_place_that_cannot_be_written_is_said_before_the_log_is_read(horae, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # as on a read-only disk, also for root
    ended = horae("data", "convert", "missing.csv", "-o", tmp_path / "out.csv", code=4)
    assert "read-only" in ended.err and list(tmp_path.iterdir()) == []


def test_text_in_the_column_of_values_is_context(horae, tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("user_id,item_id,timestamp,value\nu1,i1,1600000000,good\nu2,i2,1600000100,bad\n")
    assert "value_in_log" in horae("data", "describe", file).out


def test_merge_joins_people_and_says_what_it_did(horae, log, tmp_path):
    (tmp_path / "who.csv").write_text("platform,user_id,person_id\nshop,000,ada\napp,001,ada\n")
    logs, out = (f"shop={log}", f"app={log}"), tmp_path / "merged.parquet"
    ended = horae("data", "merge", *logs, "--identity", tmp_path / "who.csv", "-o", out, "--json")
    assert ended.json["events"] == 960 and ended.json["users"] == 119
    assert pl.read_parquet(out).filter(pl.col("user_id") == "ada")["platform"].unique().sort().to_list() == [
        "app",
        "shop",
    ]
    assert "of 1 people, 1 of them on more than one platform" in ended.err
    core = horae("data", "merge", *logs, "-o", "-", "--set", "data.min_user_events=9", code=3)
    assert "no event is left" in core.err


@pytest.mark.parametrize("logs", [("events.csv",), ("a b=x.csv",), ("a=",), ("a=x.csv", "a=y.csv")])
def test_merge_wants_a_name_for_each_log(horae, tmp_path, logs):
    horae("data", "merge", *logs, "-o", tmp_path / "out.csv", code=2)


def test_convert_lays_impressions_beside_what_was_taken_next(horae, tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\nu,a,1600000100\nu,b,1600000200\n")
    (tmp_path / "shown.csv").write_text("user_id,item_id,timestamp\nu,x,1600000090\nu,y,1600000150\nu,z,1600000160\n")
    given = ("--impressions", tmp_path / "shown.csv", "-o", tmp_path / "joined.parquet")
    assert "3 of 3 impressions" in horae("data", "convert", tmp_path / "log.csv", *given).err
    assert pl.read_parquet(tmp_path / "joined.parquet")["shown"].to_list() == ['["x"]', '["z", "y"]']
    horae("data", "convert", tmp_path / "log.csv", *given, "--within", "45")
    assert pl.read_parquet(tmp_path / "joined.parquet")["shown"].to_list() == ['["x"]', '["z"]']
    horae("data", "convert", tmp_path / "log.csv", "--within", "45", "-o", "-", code=2)
    horae("data", "convert", tmp_path / "log.csv", *given, "--within", "0", code=3)


def test_convert_tells_what_texts_say_of_the_value(horae, tmp_path):
    rows = [
        f"u{n % 7},i{n % 5},{1_600_000_000 + n},{5 if n % 3 else 1},{'fine' if n % 3 else 'broken'} {n % 4}"
        for n in range(90)
    ]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,timestamp,rating,review", *rows]) + "\n")
    out = tmp_path / "told.parquet"
    assert (
        "known of 26 events" in horae("data", "convert", tmp_path / "log.csv", "--sentiment", "review", "-o", out).err
    )
    assert pl.read_parquet(out)["text_sentiment"].drop_nulls().len() == 26
    horae("data", "convert", tmp_path / "log.csv", "--sentiment", "gone", "-o", out, code=3)


def test_convert_tells_what_texts_say_as_numbers(horae, tmp_path):
    rows = [f"u{n % 7},i{n % 5},{1_600_000_000 + n},{'fine sound' if n % 3 else 'broken bow'}" for n in range(90)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,timestamp,review", *rows]) + "\n")
    out, told = tmp_path / "told.parquet", ("--text-vectors", "review")
    ended = horae("data", "convert", tmp_path / "log.csv", *told, "-o", out)
    assert "known of 90 events, in 1 number by hashed" in ended.err
    assert """--set 'model.context=["text_0"]'""" in ended.err
    assert pl.read_parquet(out)["text_0"].round(3).n_unique() == 2
    horae("data", "convert", tmp_path / "log.csv", *told, "--fit-until", "2031-01-01", "-o", out, code=3)
    for alone in (("--encoder", "hashed"), ("--width", "4"), ("--fit-until", "7d")):
        horae("data", "convert", tmp_path / "log.csv", *alone, "-o", "-", code=2)
