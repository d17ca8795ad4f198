import json

import polars as pl
import pytest
from tests.logs import chain_log

import horae
from horae.errors import RunError
from horae.training.tuning.trials import Trial, TrialLog, data_fingerprint

MADE_OF = {"recipe": {"model": {"dim": 8}}, "seed": 0, "data": "abc", "ranges": []}
TRIALS = [Trial(1, {"model.dim": 8}, "complete", 0.25, 2, [0.1, 0.25], 1.5), Trial(2, {"model.dim": 16})]


def test_what_is_written_is_read_and_the_killed_trial_is_stopped(tmp_path):
    log = TrialLog(tmp_path / "search")
    assert log.begin(MADE_OF, False) == []
    log.write(TRIALS)
    first, second = TrialLog(tmp_path / "search").begin(MADE_OF, True)
    assert first == TRIALS[0]
    assert (second.state, second.why, second.values) == ("stopped", "killed", {"model.dim": 16})


def test_nothing_is_left_behind_before_the_search_begins(tmp_path):
    TrialLog(tmp_path / "search").check(False)
    assert list(tmp_path.iterdir()) == []


def test_a_search_is_never_replaced_unasked(tmp_path):
    TrialLog(tmp_path).begin(MADE_OF, False)
    with pytest.raises(RunError, match="already"):
        TrialLog(tmp_path).begin(MADE_OF, False)


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "best.toml").write_text("mine")
    for resume in (False, True):
        with pytest.raises(RunError, match="of no search"):
            TrialLog(tmp_path).check(resume)
    assert (tmp_path / "best.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("part", "called"), [("recipe", "recipe"), ("seed", "seed"), ("data", "log or split"), ("ranges", "set of ranges")]
)
def test_another_search_is_refused_and_named(tmp_path, part, called):
    TrialLog(tmp_path).begin(MADE_OF, False)
    with pytest.raises(RunError, match=f"another {called}"):
        TrialLog(tmp_path).begin({**MADE_OF, part: "else"}, True)


def test_a_damaged_line_is_named(tmp_path):
    log = TrialLog(tmp_path)
    log.begin(MADE_OF, False)
    log.write(TRIALS)
    with (tmp_path / "trials.jsonl").open("a") as file:
        file.write('{"number": 3')
    with pytest.raises(RunError, match="line 3"):
        log.begin(MADE_OF, True)
    (tmp_path / "tune.json").write_text("[]")
    with pytest.raises(RunError, match="damaged"):
        log.begin(MADE_OF, True)


def test_lines_are_json_with_the_fields_of_a_trial(tmp_path):
    log = TrialLog(tmp_path)
    log.begin(MADE_OF, False)
    log.write(TRIALS)
    lines = [json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
    assert lines[0]["ndcg"] == 0.25 and lines[0]["curve"] == [0.1, 0.25] and lines[1]["state"] == "running"


def test_a_trial_keeps_its_best_epoch():
    trial = Trial(1, {})
    for ndcg in (0.1, 0.3, 0.2):
        trial.after_epoch(ndcg)
    assert (trial.ndcg, trial.best_epoch, trial.curve) == (0.3, 2, [0.1, 0.3, 0.2])


def test_the_fingerprint_sees_events_and_split_and_nothing_else():
    events = chain_log(users=20, items=5, length=6)
    same = data_fingerprint(chain_log(users=20, items=5, length=6))
    assert data_fingerprint(events) == same
    assert data_fingerprint(horae.Events(events.frame.with_columns(extra=pl.lit(1)))) == same
    edited = events.frame.with_columns(
        item_id=pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("other")).otherwise("item_id")
    )
    assert data_fingerprint(horae.Events(edited)) != same
    by_time, by_user = horae.split_by_time(events), horae.split_leave_one_out(events)
    assert len({same, data_fingerprint(by_time), data_fingerprint(by_user)}) == 3
