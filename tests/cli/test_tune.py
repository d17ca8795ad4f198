import json
import signal
import time
from pathlib import Path

import pytest

from tests.cli.conftest import SETTINGS, start

RANGES = ("--set", "tune.train.learning_rate={low = 0.0003, high = 0.01, log = true}")
SHORT = (*SETTINGS, *RANGES, "--set", "train.epochs=1")
ENDLESS = (*SETTINGS, *RANGES, "--set", "train.epochs=400", "--set", "train.patience=400")


def tried(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]


def test_tune_writes_a_recipe_that_train_takes(horae, log, tmp_path):
    folder = tmp_path / "search"
    ended = horae("tune", log, "-o", folder, *SHORT, "--trials", "2", "--json")
    document = ended.json
    assert document["ended"] == "done" and len(document["trials"]) == 2 and document["folder"] == str(folder)
    assert "trial 2 of 2" in ended.err and "Split by time" in ended.err and "epoch " not in ended.err
    trained = horae("train", log, "-o", tmp_path / "run", "--recipe", folder / "best.toml", "--json").json
    assert trained["validation"]["ndcg@10"] == document["best"]["ndcg"]
    assert "tune" not in (tmp_path / "run" / "recipe.toml").read_text().replace("sasrec-tuned", "").replace(
        "tuned:", ""
    )


def test_tune_tells_what_it_found_and_what_to_type_next(horae, log, tmp_path):
    folder = tmp_path / "search"
    told = horae("tune", log, "-o", folder, *SHORT, "--trials", "1", "--split", "leave-one-out").out
    assert f"--recipe {folder / 'best.toml'} --split leave-one-out --seed 0" in told
    assert "report.html" in told and "train.learning_rate" in told


def test_tune_takes_a_catalog_and_says_so_again(horae, log, tmp_path):
    items = tmp_path / "items.csv"
    items.write_text("item_id,title\n" + "".join(f"i{n:02},thing {'abcdefghijklmno'[n] * 3}\n" for n in range(15)))
    asked = ("--recipe", "text-sasrec", "--set", "content.text=hashed", "--catalog", items)
    told = horae("tune", log, "-o", tmp_path / "search", *SHORT, "--trials", "1", *asked).out
    assert f"--catalog {items}" in told and "text-sasrec" in (tmp_path / "search" / "best.toml").read_text()
    gone = horae("tune", log, "-o", tmp_path / "other", *SHORT, *asked[:-2], code=3)
    assert "--catalog items.csv" in " ".join(gone.err.split()) and not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--recipe", "item-knn"], 2),
        (["--recipe", "auto", "--set", "model.dimm=8"], 2),
        (["--set", "tune.model.dropout=[0.1, 2.0]"], 2),
        (["--set", "tune.model.dimm=[8, 16]"], 2),
        (["--trials", "0"], 2),
        (["--minutes", "0"], 2),
        (["--columns", "user_id=nobody"], 3),
    ],
)
def test_bad_options_leave_nothing_behind(horae, log, tmp_path, options, code):
    assert horae("tune", log, "-o", tmp_path / "search", *options, code=code).out == ""
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_what_was_found_and_resume_goes_on(horae, log, tmp_path):
    folder = tmp_path / "search"
    process = start("tune", log, "-o", folder, *ENDLESS, "--trials", "2")
    _wait_for_epochs(folder)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "holds what was found" in told and "Traceback" not in told
    assert (folder / "best.toml").exists() and tried(folder)[-1]["state"] == "stopped"
    assert "already" in horae("tune", log, "-o", folder, *ENDLESS, code=4).err
    assert "another recipe" in horae("tune", log, "-o", folder, *SHORT, "--resume", code=4).err
    gone_on = horae(
        "tune", log, "-o", folder, *ENDLESS, "--trials", "1", "--minutes", "0.02", "--resume", "--json"
    ).json
    assert gone_on["trials"][1]["values"] == gone_on["trials"][0]["values"]


def test_a_killed_search_goes_on_with_the_trial_that_was_running(horae, log, tmp_path):
    folder = tmp_path / "search"
    process = start("tune", log, "-o", folder, *ENDLESS, "--trials", "2")
    _wait_for_epochs(folder)
    process.kill()
    process.communicate(timeout=60)
    assert tried(folder)[0]["state"] == "running" and tried(folder)[0]["ndcg"] > 0
    gone_on = horae(
        "tune", log, "-o", folder, *ENDLESS, "--trials", "1", "--minutes", "0.02", "--resume", "--json"
    ).json
    killed, again = gone_on["trials"]
    assert (killed["state"], killed["why"]) == ("stopped", "killed") and again["values"] == killed["values"]
    assert (folder / "best.toml").exists()


def _wait_for_epochs(folder: Path) -> None:
    patience = time.monotonic() + 60
    while not (folder / "trials.jsonl").exists() or not any(len(one["curve"]) > 2 for one in tried(folder)):
        assert time.monotonic() < patience
        time.sleep(0.05)
