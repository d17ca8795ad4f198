import json

import polars as pl

from horae.sequences.prepared import open_large


def test_prepare_writes_a_folder_and_one_document(horae, log, tmp_path):
    horae("data", "convert", log, "-o", tmp_path / "events.parquet")
    ended = horae("data", "prepare", tmp_path / "events.parquet", "-o", tmp_path / "out", "--json")
    assert ended.json["events"] == 480 and ended.json["users"] == 60 and ended.json["items"] == 15
    assert len(open_large(tmp_path / "out")) == 480
    assert "--overwrite" in horae("data", "prepare", tmp_path / "events.parquet", "-o", tmp_path / "out", code=4).err


def test_prepare_maps_columns_and_takes_data_keys(horae, tmp_path):
    frame = pl.DataFrame({"who": ["a"] * 9 + ["b"], "what": range(10), "when": [1_600_000_000] * 10})
    frame.write_parquet(tmp_path / "odd.parquet")
    mapping = ("--columns", "user_id=who,item_id=what", "--columns", "timestamp=when")
    out = tmp_path / "out"
    document = horae("data", "prepare", tmp_path / "odd.parquet", "-o", out, *mapping, "--json").json
    assert document["users"] == 2 and document["events"] == 10
    horae(
        "data",
        "prepare",
        tmp_path / "odd.parquet",
        "-o",
        out,
        *mapping,
        "--overwrite",
        "--set",
        "data.outliers=drop",
        code=2,
    )
    horae("data", "prepare", tmp_path / "odd.parquet", "-o", out, *mapping, "--memory-gb", "0.1", "--overwrite", code=3)


def test_train_takes_the_folder_and_the_run_is_judged_on_a_log(horae, log, tmp_path):
    horae("data", "convert", log, "-o", tmp_path / "events.parquet")
    horae("data", "prepare", tmp_path / "events.parquet", "-o", tmp_path / "out")
    small = ("--set", "model.dim=8", "--set", "model.max_len=8", "--set", "train.epochs=1")
    ended = horae("train", tmp_path / "out", "-o", tmp_path / "run", *small)
    assert "horae evaluate" in ended.out and "EVENTS" in ended.out and "--history" in ended.out
    assert "Prepared log" in ended.err and "Split by time" in ended.err
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["data"]["events"] == 480 and card["data"]["prepared"] == str(tmp_path / "out")
    assert card["data"]["first"] < card["data"]["boundary"] < card["data"]["last"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "holds no events" in page and "Training" in page
    assert "no events" in horae("evaluate", tmp_path / "run", code=3).err
    document = horae("evaluate", tmp_path / "run", log, "--opponents", "none", "--json").json
    assert document["split"]["boundary"] == card["data"]["boundary"]


def test_what_a_prepared_log_cannot_do_is_said_before_any_work(horae, log, tmp_path):
    horae("data", "convert", log, "-o", tmp_path / "events.parquet")
    out, run = tmp_path / "out", tmp_path / "run"
    horae("data", "prepare", tmp_path / "events.parquet", "-o", out)
    for options, code, told in (
        (["--refit"], 2, "--refit"),
        (["--columns", "user_id=who"], 2, "horae data prepare"),
        (["--set", "data.min_user_events=3"], 2, "no effect"),
        (["--split", "leave-one-out"], 2, "by time"),
        (["--test", "2031-01-01"], 3, "empty part"),
        (["--recipe", "auto"], 3, "--recipe auto"),
        (["--recipe", "which-what-when"], 3, "also"),
    ):
        assert told in horae("train", out, "-o", run, *options, code=code).err, options
    for command in (["compare", out, "--recipes", "markov"], ["tune", out, "-o", run], ["data", "describe", out]):
        assert "prepared log" in horae(*command, code=3).err
    assert not run.exists()
