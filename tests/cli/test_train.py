import json
import signal
import time
from pathlib import Path

import pytest

from horae.recommend.run import load, verify
from tests.cli.conftest import SETTINGS, start

KEYS = {
    *("run", "epochs", "best_epoch", "train_seconds", "cpu_seconds", "positions_per_second", "padding_share"),
    *("peak_memory_mb", "validation"),
}


def test_train_prints_one_document_and_tells_the_rest_on_standard_error(horae, log, tmp_path):
    ended = horae("train", log, "-o", tmp_path / "run", *SETTINGS, "--set", "train.epochs=1", "--json")
    assert ended.json.keys() >= KEYS and ended.json["epochs"] == 1
    assert "understood columns" in ended.err and "Split by time" in ended.err and "epoch   1" in ended.err
    assert not (tmp_path / ".run.training").exists()


def test_a_run_says_where_it_comes_from(run, log):
    card = json.loads((run / "card.json").read_text())
    assert card["recipe"] == "sasrec" and card["data"]["events"] == 480 and card["data"]["source"] == str(log)
    assert card["created"].endswith("+00:00") and card["command"].split()[0] == "horae"
    assert "min_item_events = 1" in (run / "recipe.toml").read_text()
    assert "not judged yet" in (run / "report.html").read_text()


def test_a_run_that_is_there_is_kept_unless_told_otherwise(horae, log, own_run):
    before = verify(own_run)
    assert "exists already" in horae("train", log, "-o", own_run, code=4).err
    assert verify(own_run) == before
    horae("train", log, "-o", own_run, *SETTINGS, "--set", "train.epochs=1", "--overwrite")
    assert verify(own_run) != before


def test_a_folder_that_is_no_run_is_never_replaced(horae, log, tmp_path):
    (tmp_path / "photos").mkdir()
    horae("train", log, "-o", tmp_path / "photos", "--overwrite", code=4)


def test_the_folder_is_checked_before_the_log_is_read(horae):
    assert "Cannot write" in horae("train", "missing.csv", "-o", "/proc/nowhere/run", code=4).err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--recipe", "sasrek"], 2),
        (["--set", "train.epoch=1"], 2),
        (["--set", "model.dim=31", "--set", "model.num_heads=2"], 2),
        (["--set", "data.min_user_events=99"], 3),
        (["--columns", "user_id=nobody"], 3),
        (["--split", "column"], 3),
        (["--test", "2031-01-01"], 3),
        (["--device", "quantum"], 2),
        (["--test", "99999999999999d"], 3),
    ],
)
def test_bad_options_leave_nothing_behind(horae, log, tmp_path, options, code):
    ended = horae("train", log, "-o", tmp_path / "run", *options, code=code)
    assert ended.out == "" and "hint" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_range_in_a_recipe_file_is_refused_before_the_log_is_read(horae, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[model]\nencoder = "gru"\n\n[tune]\n"model.dimm" = [8, 16]\n')
    for command in (
        ("train", "missing.csv", "-o", tmp_path / "run", "--recipe", recipe),
        ("compare", "missing.csv", "--recipes", f"popularity,{recipe}"),
        ("recipes", "show", recipe),
    ):
        assert "'model.dimm'" in horae(*command, code=2).err


def test_refit_judges_first_and_keeps_the_judged_metrics(horae, log, tmp_path):
    options = (*SETTINGS, "--set", "train.epochs=1", "--refit", "--json")
    document = horae("train", log, "-o", tmp_path / "run", *options).json
    assert document["refit"] and document["metrics"]["ndcg@10"]["mean"] is not None
    again = horae("evaluate", tmp_path / "run", "--json")
    assert again.json["metrics"] == document["metrics"] and "trained again" in again.err


def test_events_can_be_left_out(horae, log, tmp_path):
    run = tmp_path / "run"
    horae("train", log, "-o", run, *SETTINGS, "--set", "train.epochs=1", "--no-events")
    assert not (run / "events.parquet").exists()
    assert "no events" in horae("evaluate", run, code=3).err
    assert "no events" in horae("recommend", run, "--user", "007", code=3).err
    assert len(horae("recommend", run, "--history", "i01", "-k", "3", "--json").json["recommendations"]) == 3
    assert (
        len(horae("recommend", run, "--user", "007", "--events", log, "-k", "3", "--json").json["recommendations"]) == 3
    )


def test_a_catalog_needs_its_key_once(horae, log, tmp_path):
    catalog = tmp_path / "items.csv"
    catalog.write_text("item_id,title\ni01,One\ni01,Two\n")
    assert "several rows" in horae("train", log, "-o", tmp_path / "run", "--catalog", catalog, code=3).err


def test_ctrl_c_writes_the_best_so_far_and_resume_goes_on(horae, log, tmp_path):
    run = tmp_path / "run"
    process = start("train", log, "-o", run, *SETTINGS, "--set", "train.epochs=5000", "--set", "train.patience=5000")
    checkpoint = tmp_path / ".run.training" / "search" / "last.safetensors"
    _wait(checkpoint)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "holds the best weights so far" in told and "Traceback" not in told
    assert load(run).card["training"]["interrupted"]
    assert checkpoint.exists()
    assert "exists already" in horae("train", log, "-o", run, code=4).err
    done = int(load(run).card["training"]["epochs"])
    document = horae("train", log, "-o", run, *SETTINGS, "--set", f"train.epochs={done + 1}", "--resume", "--json").json
    assert document["epochs"] == done + 1 and not document["interrupted"]
    assert not checkpoint.exists()


def test_a_killed_training_is_not_thrown_away_unasked(horae, log, tmp_path):
    run = tmp_path / "run"
    process = start("train", log, "-o", run, *SETTINGS, "--set", "train.epochs=5000", "--set", "train.patience=5000")
    _wait(tmp_path / ".run.training" / "search" / "last.safetensors")
    process.kill()
    process.communicate(timeout=60)
    assert not run.exists()
    assert "--resume" in horae("train", log, "-o", run, *SETTINGS, code=4).err
    horae("train", log, "-o", run, *SETTINGS, "--set", "train.epochs=1", "--overwrite")
    verify(run)


def _wait(file: Path) -> None:
    patience = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < patience
        time.sleep(0.05)
        assert time.monotonic() < patience
        time.sleep(0.05)


def test_auto_says_what_it_chose_and_why(horae, log, tmp_path):
    ended = horae("train", log, "-o", tmp_path / "run", "--recipe", "auto", "--json")
    assert "Chosen: markov" in ended.err and "too few" in ended.err
    assert load(tmp_path / "run").card["recipe"] == "markov"
    assert (
        "dropuot"
        in horae("train", log, "-o", tmp_path / "r2", "--recipe", "auto", "--set", "model.dropuot=0.1", code=2).err
    )


def test_an_estimate_writes_nothing_and_is_one_document(horae, log, tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    ended = horae("train", log, *SETTINGS, "--estimate", "--json")
    assert ended.json["fits"] is True and ended.json["networks"][0]["epochs"] == [11, 100]
    assert 0 < ended.json["seconds"][0] < ended.json["seconds"][1]
    page = horae("train", log, "-o", folder / "run", *SETTINGS, "--estimate").out
    assert "Weights" in page and "Free" in page and "Time" in page
    assert list(folder.iterdir()) == []
    assert "-o RUN" in horae("train", log, code=2).err


def test_a_prepared_log_is_estimated_too(horae, log, tmp_path):
    import polars as pl

    pl.read_csv(log).write_parquet(tmp_path / "log.parquet")
    horae("data", "prepare", tmp_path / "log.parquet", "-o", tmp_path / "prepared")
    document = horae("train", tmp_path / "prepared", *SETTINGS, "--estimate", "--json").json
    assert document["seconds"] is not None and document["networks"][0]["timed"] >= 3
