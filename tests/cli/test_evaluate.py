import json

import pytest

from horae.errors import StoreError
from horae.evaluation.audit import Audit


def test_evaluate_prints_the_documented_keys_and_replaces_the_report(horae, own_run):
    document = horae("evaluate", own_run, "--opponents", "popularity,markov", "--bootstrap", "50", "--json").json
    assert document.keys() >= {
        *("run", "split", "users", "items", "cold", "metrics", "opponents", "against", "slices", "seconds"),
        "peak_memory_mb",
    }
    assert document["run"] == str(own_run) and set(document["opponents"]) == {"popularity", "markov"}
    assert document["split"].keys() >= {"kind", "boundary", "targets", "ties"}
    assert document["metrics"]["ndcg@10"].keys() == {"mean", "low", "high"}
    assert document["against"]["markov"]["ndcg@10"].keys() == {"difference", "low", "high"}
    card = json.loads((own_run / "card.json").read_text())
    assert card["evaluation"]["metrics"] == document["metrics"]
    assert "not judged yet" not in (own_run / "report.html").read_text()
    assert horae("runs", "verify", own_run).code == 0


def test_evaluate_prints_a_table_of_80_columns(horae, own_run):
    out = horae("evaluate", own_run, "--opponents", "none", "--bootstrap", "0").out
    assert "ndcg@10" in out and "leak audit passed" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_cold_judges_new_people_too_and_the_report_shows_them(horae, own_run):
    ended = horae("evaluate", own_run, "--opponents", "none", "--bootstrap", "20", "--cold", "--json")
    cold = ended.json["cold_protocol"]
    assert cold.keys() >= {"levels", "items", "notes"} and cold["items"]["by"] == "first event"
    assert any("people are new" in note for note in cold["notes"])
    assert "people are new" in (own_run / "report.html").read_text()
    horae("evaluate", own_run, "--cold", "--backtest", code=2)


def test_a_leak_fails_the_command(horae, own_run, monkeypatch):
    monkeypatch.setattr(Audit, "passed", False)
    ended = horae("evaluate", own_run, "--opponents", "none", "--bootstrap", "0", "--json", code=1)
    assert ended.json["passed"] is False and "leak audit failed" in ended.err


def test_a_newer_log_is_judged_after_what_the_run_knows(horae, own_run, log, tmp_path):
    newer = tmp_path / "newer.csv"
    text = log.read_text()
    last = "".join(f"{user:03},i{user % 15:02},{1_600_000_000 + 86_400 * 9 + user}\n" for user in range(60))
    newer.write_text(text + last)
    before = (own_run / "card.json").read_text()
    document = horae("evaluate", own_run, newer, "--opponents", "none", "--bootstrap", "0", "--json").json
    assert document["split"]["boundary"] == json.loads(before)["data"]["boundary"]
    assert (own_run / "card.json").read_text() == before


def test_bad_questions_are_refused(horae, run, tmp_path):
    horae("evaluate", tmp_path / "none", code=4)
    horae("evaluate", run, "--opponents", "everybody", code=2)
    horae("evaluate", run, "--ks", "ten", code=2)
    horae("evaluate", run, "--split", "leave-one-out", code=2)


def test_compare_ranks_recipes_on_one_split(horae, log):
    options = ("--recipes", "popularity,markov", "--json")
    document = horae("compare", log, *options).json
    assert document["order"][0] == "markov"
    assert "markov" in horae("compare", log, "--recipes", "popularity,markov", "--folds", "2").out


def test_compare_takes_auto_and_cleans_as_it_was_told(horae, log):
    options = ("--recipes", "auto,popularity")
    ended = horae("compare", log, *options, "--set", "data.min_item_events=1", "--json")
    name = next(name for name in ended.json["order"] if name != "popularity")
    assert name == f"auto ({ended.json['chosen']['recipe']})" and ended.err.count("Chosen:") == 1
    assert "no event is left" in horae("compare", log, *options, "--set", "data.min_item_events=99999", code=3).err


def test_compare_refuses_contradictions(horae, log):
    horae("compare", log, "--recipes", "popularity,nothing", code=2)
    horae("compare", log, "--recipes", "popularity", "--folds", "2", "--split", "time", code=2)
    horae("compare", log, "--recipes", ",", code=2)


def test_a_result_that_cannot_be_kept_is_shown_all_the_same(horae, own_run, monkeypatch):
    def refuse(*_):
        raise StoreError("The disk is full.")

    monkeypatch.setattr("horae.cli.evaluate.keep", refuse)
    ended = horae("evaluate", own_run, "--opponents", "none", "--bootstrap", "0", "--json", code=4)
    assert ended.json["metrics"] and "disk is full" in ended.err


@pytest.mark.parametrize("ks", ["x", "0", ""])
def test_lengths_of_lists_are_checked_first(horae, ks):
    horae("evaluate", "missing", "--ks", ks, code=2)
