import json

import polars as pl
import pytest

COLUMNS = ["user_id", "item_id", "score", "rank", "request_id", "source"]


def test_a_user_gets_k_items_as_json_and_as_csv(horae, run):
    document = horae("recommend", run, "--user", "007", "-k", "4", "--json").json
    assert document["run"] == str(run) and document["notes"] == []
    rows = document["recommendations"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert set(rows[0]) == set(COLUMNS) and rows[0]["user_id"] == "007" and rows[0]["source"] == "sasrec"
    lines = horae("recommend", run, "--user", "007", "-k", "4").out.splitlines()
    assert lines[0] == ",".join(COLUMNS) and len(lines) == 5


def test_context_is_taken_as_typed_and_what_the_run_does_not_use_is_said(horae, run):
    said = ("--context", "device=mobile", "--context", "place=a=b")
    document = horae("recommend", run, "--user", "007", *said, "--json").json
    assert document["notes"] == ["`context` was not used: neither this run's model nor its rules look at it."]
    history = '[{"item_id": "i1", "context": {"device": "mobile"}}]'
    assert (
        horae("recommend", run, "--history", history, *said, "-k", "2", "--json").json["notes"][-1].startswith("`con")
    )
    assert "expected items or events" in horae("recommend", run, "--history", '[{"context": "x"}]', code=3).err
    for wrong in (["device"], ["=x"], ["a=1", "--context", "a=2"]):
        assert "NAME=VALUE" in horae("recommend", run, "--user", "007", "--context", *wrong, code=2).err


def test_an_unknown_user_is_an_error_with_near_names_unless_the_fallback_may_answer(horae, run):
    ended = horae("recommend", run, "--user", "0077", code=3)
    assert ended.out == "" and "007" in ended.err.splitlines()[1]
    document = horae("recommend", run, "--user", "0077", "--fallback", "--json").json
    assert document["recommendations"][0]["source"] == "fallback" and "never seen" in document["notes"][0]


def test_many_users_come_from_a_file_or_a_pipe_and_unknown_ones_are_counted(horae, run, tmp_path):
    file = tmp_path / "users.txt"
    file.write_text("user_id\n007\n012\nnobody\n")
    document = horae("recommend", run, "--users", file, "-k", "2", "--json").json
    assert [row["user_id"] for row in document["recommendations"]] == ["007", "007", "012", "012", "nobody", "nobody"]
    assert [row["request_id"] for row in document["recommendations"]] == ["0", "0", "1", "1", "2", "2"]
    assert any("1 user" in note for note in document["notes"])
    assert len(horae("recommend", run, "--users", "-", "-k", "2", input="007\n012\n").out.splitlines()) == 5
    file.write_text("")
    horae("recommend", run, "--users", file, code=3)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_everybody_goes_into_a_file_block_by_block(horae, run, tmp_path, ending, monkeypatch):
    monkeypatch.setattr("horae.cli.asking.ROWS_IN_BLOCK", 30)  # ten users
    file = tmp_path / f"lists.{ending}"
    horae("recommend", run, "--all-users", "-k", "3", "-o", file)
    read = {"csv": lambda f: pl.read_csv(f, infer_schema=False), "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}
    frame = read[ending](file)
    assert frame.columns == COLUMNS and frame.height == 180 and frame["user_id"].n_unique() == 60
    assert frame["request_id"].cast(pl.Int64).is_sorted()
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]
    document = horae("recommend", run, "--all-users", "-k", "3", "--json").json
    assert len(document["recommendations"]) == 180


def test_blocks_give_the_lists_of_one_call(horae, run, monkeypatch):
    whole = horae("recommend", run, "--all-users", "-k", "3", "--json").json["recommendations"]
    monkeypatch.setattr("horae.cli.asking.ROWS_IN_BLOCK", 1)
    pieces = horae("recommend", run, "--all-users", "-k", "3", "--json").json["recommendations"]
    assert [(row["user_id"], row["item_id"]) for row in pieces] == [(row["user_id"], row["item_id"]) for row in whole]


def test_histories_are_typed_or_json(horae, run):
    typed = horae("recommend", run, "--history", "i01,i02", "--json").json["recommendations"]
    as_json = horae("recommend", run, "--history", '["i01", "i02"]', "--json").json["recommendations"]
    events = json.dumps(
        [{"item_id": "i01", "timestamp": "2020-09-13T12:00:00Z"}, {"item_id": "i02", "behavior": "event"}]
    )
    as_events = horae("recommend", run, "--history", events, "--json").json["recommendations"]
    assert typed == as_json
    assert [row["item_id"] for row in typed] == [row["item_id"] for row in as_events]


@pytest.mark.parametrize(
    "history",
    [
        *("[1, {}]", '[{"item": "i01"}]', "[i01]", "[null]", '[{"item_id": null}]', '[{"item_id": [1]}]'),
        *('[{"item_id": "i01", "value": "x"}]', '[{"item_id": "i01", "behavior": 7}]'),
    ],
)
def test_a_bad_history_is_explained(horae, run, history):
    assert "item_id" in horae("recommend", run, "--history", history, code=3).err


def test_constraints_hold(horae, run, tmp_path):
    only = tmp_path / "stock.txt"
    only.write_text("i03\ni04\ni05\n")
    options = ("--user", "007", "--only", only, "--exclude", "i04", "--seen", "include", "--json")
    items = [row["item_id"] for row in horae("recommend", run, *options).json["recommendations"]]
    assert sorted(items) == ["i03", "i05"]
    horae("recommend", run, "--user", "007", "--only", "zzz", code=3)


def test_a_time_cuts_the_history(horae, run):
    early = horae("recommend", run, "--user", "007", "--at", "1970-02-01", "--json").json
    assert early["recommendations"][0]["source"] == "fallback"
    seconds = horae("recommend", run, "--user", "007", "--at", "1600300000", "--json").json
    named = horae("recommend", run, "--user", "007", "--at", "2020-09-16T23:46:40Z", "--json").json
    assert seconds == named
    horae("recommend", run, "--user", "007", "--at", "yesterday", code=2)


def test_exactly_one_way_of_asking(horae, run):
    horae("recommend", run, code=2)
    horae("recommend", run, "--user", "007", "--all-users", code=2)
    horae("recommend", run, "--all-users", "--fallback", code=2)
    horae("recommend", run, "--user", "007", "-o", "-", "--json", code=2)


def test_a_damaged_run_is_refused_by_name(horae, own_run):
    (own_run / "weights.safetensors").write_bytes(b"x")
    assert "weights.safetensors" in horae("recommend", own_run, "--user", "007", code=4).err
    verified = horae("runs", "verify", own_run, "--json", code=1).json
    assert verified["whole"] is False and "weights.safetensors" in verified["problem"]
    horae("runs", "verify", own_run.parent / "nothing", code=4)


def test_runs_are_listed_and_shown(horae, run):
    assert [entry["run"] for entry in horae("runs", "list", run.parent, "--json").json["runs"]] == [str(run)]
    assert str(run) in horae("runs", "list", run.parent).out
    assert horae("runs", "show", run, "--json").json["card"]["recipe"] == "sasrec"
    assert "480 events" in horae("runs", "show", run).out
    assert "no runs" in horae("runs", "list", run / "nothing").err


def test_a_table_of_users_comes_from_a_pipe(horae, run):
    assert len(horae("recommend", run, "--users", "-", "-k", "2", input="user_id,x\n007,1\n").out.splitlines()) == 3


def test_an_empty_list_of_allowed_items_allows_none(horae, run):
    horae("recommend", run, "--user", "007", "--only", "", code=3)


def test_a_name_of_a_thousand_letters_is_shown_in_part(horae, run):
    assert len(horae("recommend", run, "--user", "y" * 1000, code=3).err) < 500


def test_a_bad_time_in_a_history_names_the_history(horae, run):
    history = '[{"item_id": "i01", "timestamp": "never"}]'
    assert "--history" in horae("recommend", run, "--history", history, code=2).err


def test_a_device_that_holds_no_numbers_is_refused(horae, run):
    assert "'meta'" in horae("recommend", run, "--user", "007", "--device", "meta", code=2).err


def test_a_profile_speaks_for_somebody_new(horae, log, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("user_id,half\n" + "".join(f"{n:03},{'low' if n < 30 else 'high'}\n" for n in range(60)))
    folder = tmp_path / "run"
    horae("train", log, "-o", folder, "--recipe", "popularity", "--profiles", people)
    for asked in (("--profile", "half=low"), ("--user", "new", "--profile", "half=low")):
        document = horae("recommend", folder, *asked, "--json").json
        assert {row["source"] for row in document["recommendations"]} == {"profile"}
    horae("recommend", folder, "--profile", "half", code=2)
    horae("recommend", folder, "--profile", "shoe=43", code=3)
    evaluated = horae(
        "evaluate", folder, "--profiles", people, "--opponents", "none", "--bootstrap", "0", "--json"
    ).json
    assert "half" in evaluated["slices"]
