import json
import tomllib
from dataclasses import replace

import pytest
from tests.logs import chain_log

import horae
from horae.errors import DataError, NotTrainedError, RecipeError, RunError
from horae.evaluation.validation import quality, validation_cut
from horae.models.opponents import make_opponent
from horae.recipe import load_recipe
from horae.sequences.history import Sequences
from horae.training import tune as module
from horae.training.progress import Quiet
from horae.training.train import Options, train
from horae.training.tune import BY_HAND, OUT_OF_TIME, best_of
from horae.training.tuning import report
from horae.training.tuning.trials import Trial

QUIET = Options(progress=Quiet())
SMALL = ["model.dim=8", "model.max_len=8", "model.num_layers=1", "model.num_heads=1", "train.batch_tokens=256"]
RANGES = ["tune.train.learning_rate={low = 0.0003, high = 0.03, log = true}", "tune.model.dropout=[0.1, 0.2, 0.5]"]
LOG = chain_log(users=40, items=8, length=8)


def search(data=LOG, *, epochs: int = 2, overrides=(), **asked):
    asked = {"trials": 3, "minutes": None, "options": QUIET} | asked
    return horae.tune(data, "sasrec", overrides=[*SMALL, *RANGES, f"train.epochs={epochs}", *overrides], **asked)


class At(Quiet):
    """Raises as a certain training of the search begins."""

    def __init__(self, training: int, error: BaseException) -> None:
        self.left, self.error = training, error

    def begin(self, title, epochs) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error


def tried(folder):
    return [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]


def test_the_best_recipe_trains_to_the_quality_that_was_found(tmp_path):
    split = horae.split_by_time(LOG)
    tuned = search(split, folder=tmp_path / "search")
    again = horae.train(split, load_recipe(tmp_path / "search" / "best.toml"), options=QUIET)
    assert again.card["training"]["validation"]["ndcg@10"] == tuned.best.ndcg
    assert again.card["training"]["best_epoch"] == tuned.best.best_epoch
    assert again.recipe.name == "sasrec-tuned" and "tune" not in tomllib.loads(tuned.toml())
    assert {f"train.{key}": again.recipe.train[key] for key in ("learning_rate",)}.items() <= tuned.best.values.items()


def test_the_first_trial_is_the_recipe_and_the_best_is_no_worse():
    tuned = search(overrides=["model.dropout=0.2"])
    assert tuned.trials[0].values == {"train.learning_rate": 0.002, "model.dropout": 0.2}
    assert tuned.best.ndcg == max(trial.ndcg for trial in tuned.trials) >= tuned.trials[0].ndcg
    assert tuned.ended == "done" and len(tuned.trials) == 3


def test_the_test_part_has_no_say():
    split = horae.split_by_time(LOG)
    items = split.events.frame["item_id"].to_numpy().copy()
    test = (split.part == "test").to_numpy()
    items[test] = items[test][::-1]
    edited = replace(split, events=horae.Events(split.events.frame.with_columns(item_id=items)))
    assert [one.curve for one in search(edited, trials=2).trials] == [
        one.curve for one in search(split, trials=2).trials
    ]


def test_everything_is_written_and_read(tmp_path):
    tuned = search(folder=tmp_path / "search")
    files = {"tune.json", "trials.jsonl", "best.toml", "report.html"}
    assert {file.name for file in (tmp_path / "search").iterdir()} == files
    assert [one["ndcg"] for one in tried(tmp_path / "search")] == [trial.ndcg for trial in tuned.trials]
    page = (tmp_path / "search" / "report.html").read_text()
    assert "What mattered" in page and "http" not in page.partition("<script>")[0].replace("http-equiv", "")
    document = json.loads(json.dumps(tuned.as_dict()))
    assert document["best"]["number"] == tuned.best.number and len(document["ranges"]) == 2
    assert "learning_rate" in str(tuned) and f"{tuned.best.ndcg:.4f}" in str(tuned)


def test_a_search_stopped_by_hand_keeps_what_was_found_and_goes_on_as_if_never_stopped(tmp_path):
    whole = search(trials=4)
    stopped = search(trials=4, folder=tmp_path, options=Options(progress=At(3, KeyboardInterrupt())))
    assert stopped.ended == BY_HAND and stopped.trials[-1].state == "stopped"
    assert (tmp_path / "best.toml").exists()
    gone_on = search(trials=4, folder=tmp_path, resume=True)
    finished = [trial for trial in gone_on.trials if trial.state != "stopped"]
    assert [one.values for one in finished] == [one.values for one in whole.trials]
    assert [one.curve for one in finished] == [one.curve for one in whole.trials]
    assert gone_on.ended == "done" and len(gone_on.trials) == 5


def test_a_search_stopped_before_anything_was_found_stops(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        search(folder=tmp_path, options=Options(progress=At(1, KeyboardInterrupt())))
    assert [one["state"] for one in tried(tmp_path)] == ["stopped"]
    assert search(folder=tmp_path, resume=True).ended == "done"


def test_a_trial_that_was_killed_is_marked_and_repeated(tmp_path):
    search(trials=2, folder=tmp_path)
    lines = tried(tmp_path)
    lines[1] |= {"state": "running", "ndcg": None, "curve": [], "best_epoch": 0}
    (tmp_path / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tuned = search(trials=2, folder=tmp_path, resume=True)
    assert [trial.state for trial in tuned.trials] == ["complete", "stopped", "complete"]
    assert tuned.trials[1].why == "killed" and tuned.trials[2].values == tuned.trials[1].values


def test_more_trials_may_be_asked_for_later(tmp_path):
    search(trials=2, folder=tmp_path)
    assert len(search(trials=3, folder=tmp_path, resume=True).trials) == 3
    assert len(search(trials=2, folder=tmp_path, resume=True).trials) == 3


def test_another_search_does_not_go_on_there(tmp_path):
    search(trials=1, folder=tmp_path)
    with pytest.raises(RunError, match="already"):
        search(trials=1, folder=tmp_path)
    for other, what in (({"seed": 1}, "seed"), ({"epochs": 3}, "recipe"), ({"data": chain_log(users=41)}, "log")):
        with pytest.raises(RunError, match=f"another {what}"):
            search(trials=1, folder=tmp_path, resume=True, **other)


def test_time_ends_the_search_between_epochs_and_keeps_what_was_found(monkeypatch, tmp_path):
    clock = iter(range(10_000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    tuned = search(epochs=50, minutes=20 / 60, folder=tmp_path)
    assert tuned.ended == OUT_OF_TIME and tuned.best.state == "stopped" and 0 < len(tuned.best.curve) < 50


def test_trials_that_fall_behind_are_given_up():
    tuned = search(epochs=8, trials=12, overrides=["tune.train.learning_rate={low = 0.00001, high = 0.05, log = true}"])
    pruned = [trial for trial in tuned.trials if trial.state == "pruned"]
    assert pruned and all(len(trial.curve) < 8 for trial in pruned)
    assert tuned.importances and tuned.best.state == "complete"


def test_a_trial_that_cannot_be_trained_does_not_end_the_search(monkeypatch):
    calls = iter([True, False, True])

    def sometimes(*given, **asked):
        if not next(calls):
            raise NotTrainedError("The loss exploded.")
        return train(*given, **asked)

    monkeypatch.setattr(module, "train", sometimes)
    tuned = search()
    assert [trial.state for trial in tuned.trials] == ["complete", "failed", "complete"]
    assert tuned.trials[1].why == "The loss exploded." and tuned.trials[1].ndcg is None


def test_a_search_that_gets_nowhere_says_why(monkeypatch):
    def never(*given, **asked):
        raise NotTrainedError("The loss exploded.")

    monkeypatch.setattr(module, "train", never)
    with pytest.raises(NotTrainedError, match="exploded"):
        search(trials=20)


def test_a_key_without_effect_is_told_before_long(tmp_path):
    with pytest.raises(RecipeError, match="num_negatives"):
        search(trials=20, folder=tmp_path, overrides=["tune.train.num_negatives=[16, 32]"])


def test_without_validation_requests_nothing_can_be_chosen():
    split = horae.split_by_time(LOG)
    newcomers = (split.part == "validation").to_numpy()
    users = LOG.frame["user_id"].to_numpy().copy()
    users[newcomers] = [f"z{n:04}" for n in range(newcomers.sum())]
    frame = LOG.frame.with_columns(user_id=users)
    order = frame.with_row_index().sort("user_id", "timestamp", "event_order")["index"]
    edited = replace(split, events=horae.Events(frame[order]), part=split.part[order])
    with pytest.raises(DataError, match="nothing to choose"):
        search(edited)


def test_an_opponents_own_settings_are_searched_on_the_fit_part_alone():
    split = horae.split_by_time(LOG)
    over = ["tune.model.half_life_events=[1.0, 5.0, 50.0]"]
    tuned = horae.tune(split, "item-knn", overrides=over, trials=4, minutes=None, options=QUIET)
    assert all(trial.state == "complete" and 0 < trial.ndcg <= 1 for trial in tuned.trials)
    one = train(split, tuned.recipe, options=QUIET)
    known = Sequences.from_events(split.fit, one.items, one.sequences.behaviors)
    fitted = replace(one, model=make_opponent("item_knn", tuned.recipe.model).fit(known))
    assert quality(fitted, validation_cut(split, limit=10_000, seed=0))["ndcg@10"] == tuned.best.ndcg


@pytest.mark.parametrize("asked", [{"trials": 0}, {"minutes": 0}, {"minutes": float("nan")}])
def test_impossible_budgets_are_refused(asked):
    with pytest.raises(RecipeError, match=next(iter(asked))):
        search(**asked)


def test_pruned_and_failed_trials_are_never_the_best():
    trials = [
        Trial(1, {}, "complete", 0.2),
        Trial(2, {}, "pruned", 0.3),
        Trial(3, {}, "failed"),
        Trial(4, {}, "stopped", 0.25),
    ]
    assert best_of(trials).number == 4
    assert best_of(trials[1:3]) is None


def test_a_first_trial_that_was_stopped_is_compared_by_the_one_that_tried_the_same_again():
    again, better = (Trial(2, {"a": 1}, "complete", 0.10), Trial(3, {"a": 2}, "complete", 0.15))
    stopped = Trial(1, {"a": 1}, "stopped")
    assert "Trial 3 reached" in report._headline([stopped, again, better], better)
    assert "+50.0% against 0.1000" in report._headline([stopped, again, better], better)
    assert "Nothing beat the first trial" in report._headline([stopped, again], again)
    assert report._headline([stopped, better], better) == "Trial 3 reached a validation NDCG@10 of 0.1500."


def test_a_recipe_that_is_wrong_leaves_no_folder_behind(tmp_path):
    with pytest.raises(RecipeError, match="num_negatives has no effect"):
        search(overrides=["train.num_negatives=5"], folder=tmp_path / "search")
    assert not (tmp_path / "search").exists()
