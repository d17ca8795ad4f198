"""`horae evaluate --backtest`: one document or a table, a page in the run, and nothing half-written."""

import json
import re
import signal

import pytest

from horae.errors import StoreError
from horae.evaluation.audit import Audit
from tests.cli.conftest import start

QUICK = ("--folds", "2", "--window", "1d", "--bootstrap", "50")


@pytest.fixture(scope="module")
def markov(horae, log, tmp_path_factory):
    """A run that is fitted in no time."""
    folder = tmp_path_factory.mktemp("runs") / "markov"
    horae("train", log, "-o", folder, "--recipe", "markov")
    return folder


def test_the_document_the_page_and_the_progress(horae, markov):
    ended = horae("evaluate", markov, "--backtest", *QUICK, "--opponents", "item_knn", "--json")
    document = ended.json
    assert document.keys() >= {"run", "source", "backtest", "answer", "folds", "pooled", "lead_time", "decay", "passed"}
    assert document["run"] == str(markov) and document["backtest"]["targets"] == "successive"
    assert set(document["pooled"]["against"]) == {"recent_popularity", "recent_popularity_live", "item_knn"}
    assert re.findall(r"\[\d/2\]", ended.err) == ["[1/2]", "[1/2]", "[2/2]", "[2/2]"]
    assert json.loads((markov / "backtest.json").read_text()) == document
    page = (markov / "backtest.html").read_text()
    assert document["answer"].partition(":")[0] in page and "horae evaluate" in page
    assert horae("runs", "verify", markov).code == 0


def test_the_table_fits_80_columns_and_ends_with_the_answer(horae, markov):
    out = horae("evaluate", markov, "--backtest", *QUICK).out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "minus recent" in out and "minus live" in out and "etrain" in out and "leak audit passed" in out


def test_a_network_is_fitted_anew_in_every_fold(horae, own_run):
    ended = horae("evaluate", own_run, "--backtest", *QUICK, "--json")
    assert [fold["train_events"] for fold in ended.json["folds"]] == [359, 419]
    assert "epoch" not in ended.err  # a line for each fold, not for each epoch


def test_another_log_may_be_given(horae, markov, log, tmp_path):
    newer = tmp_path / "newer.csv"
    newer.write_text(log.read_text() + "".join(f"{user:03},i03,{1_600_000_000 + 86_400 * 9}\n" for user in range(60)))
    options = ("--folds", "1", "--window", "2d", "--bootstrap", "0", "--html", tmp_path / "page.html")
    document = horae("evaluate", markov, newer, "--backtest", *options, "--json").json
    assert document["source"].endswith("newer.csv") and document["folds"][0]["boundary"] > "2020-09-20"
    assert "newer.csv" in (tmp_path / "page.html").read_text()


def test_sliding_windows_and_next_days(horae, markov):
    how = ("--training", "sliding", "--train-days", "3", "--targets", "next-1d", "--bootstrap", "0")
    document = horae("evaluate", markov, "--backtest", "--folds", "2", "--window", "1d", *how, "--json").json
    assert (
        document["backtest"] | {"training": "sliding", "train_days": 3.0, "targets": "next-1d"} == document["backtest"]
    )
    assert [fold["train_events"] for fold in document["folds"]] == [180, 180]


def test_targets_of_some_days_without_a_backtest(horae, markov):
    options = ("--opponents", "none", "--bootstrap", "0", "--json")
    document = horae("evaluate", markov, "--targets", "next-30s", *options).json
    assert document["split"]["targets"] == "next-30s" and document["requests"] == document["users"]
    assert "30 days beyond the boundary" in horae("evaluate", markov, "--targets", "next-30d", *options, code=3).err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--folds", "2"), 2, "no effect without --backtest"),
        (("--train-days", "9"), 2, "no effect without --backtest"),
        (("--backtest", "--window", "7moons"), 2, "7d, 12h, 2w"),
        (("--backtest", "--window", "7"), 2, "Give a unit"),
        (("--backtest", "--training", "sliding"), 2, "--train-days"),
        (("--backtest", "--train-days", "9"), 2, "--training"),
        (("--backtest", "--tolerated-loss", "5"), 2, "share"),
        (("--backtest", "--targets", "next-9d"), 2, "--window"),
        (("--targets", "everything"), 2, "next-7d"),
        (("--backtest", "--split", "time"), 2, "makes its own splits"),
        (("--backtest", "--opponents", "everybody"), 2, "expected none, or some of"),
        (("--backtest", "--folds", "9", "--window", "1d"), 3, "at most 6 folds"),
        (("--backtest", "--window", "40d"), 3, "shorter windows"),
    ],
)
def test_bad_questions_are_refused_with_what_to_do(horae, markov, options, code, said):
    err = " ".join(horae("evaluate", markov, *options, code=code).err.replace("│", " ").split())
    assert said in err


def test_a_log_without_times_is_refused(horae, tmp_path):
    order_only = tmp_path / "order.csv"
    rows = [f"u{user},i{(user + n) % 5}" for user in range(20) for n in range(5)]
    order_only.write_text("user_id,item_id\n" + "\n".join(rows) + "\n")
    horae("train", order_only, "-o", tmp_path / "run", "--recipe", "markov", "--columns", "position=#row")
    assert "has no times" in horae("evaluate", tmp_path / "run", "--backtest", code=3).err


def test_a_run_without_events_asks_for_a_log(horae, log, tmp_path):
    horae("train", log, "-o", tmp_path / "run", "--recipe", "markov", "--no-events")
    assert "horae evaluate RUN EVENTS" in horae("evaluate", tmp_path / "run", "--backtest", code=3).err
    assert horae("evaluate", tmp_path / "run", log, "--backtest", *QUICK, "--json").json["folds"]


def test_a_leak_fails_the_command(horae, markov, monkeypatch):
    monkeypatch.setattr(Audit, "passed", False)
    ended = horae("evaluate", markov, "--backtest", *QUICK, "--json", code=1)
    assert ended.json["passed"] is False and "leak audit failed" in ended.err


def test_a_result_that_cannot_be_kept_is_shown_all_the_same(horae, markov, monkeypatch):
    def refuse(*_):
        raise StoreError("The disk is full.")

    monkeypatch.setattr("horae.cli.evaluate.keep_backtest", refuse)
    ended = horae("evaluate", markov, "--backtest", *QUICK, "--json", code=4)
    assert ended.json["folds"] and "disk is full" in ended.err


def test_ctrl_c_leaves_the_run_as_it_was(own_run):
    before = sorted(entry.name for entry in own_run.iterdir())
    process = start("evaluate", own_run, "--backtest", "--folds", "4", "--window", "1d")
    assert process.stderr is not None
    told = next((line for line in process.stderr if "[1/4]" in line), "")
    assert told, "it ended before it began"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == "" and "nothing was written" in err
    assert sorted(entry.name for entry in own_run.iterdir()) == before
    assert [entry.name for entry in own_run.parent.iterdir()] == [own_run.name]


def test_a_training_that_was_stopped_stops_the_backtest(horae, own_run, monkeypatch):
    from horae.training import train as training

    def stopped(*arguments, **how):
        made = whole(*arguments, **how)
        made.card["training"]["interrupted"] = True
        return made

    whole = training.train
    monkeypatch.setattr(training, "train", stopped)
    ended = horae("evaluate", own_run, "--backtest", *QUICK, code=130)
    assert "nothing was written" in ended.err and not (own_run / "backtest.json").exists()
