import sys

import pytest

from horae.errors import MissingExtraError
from horae.training.tuning.ranges import Range, Span
from horae.training.tuning.search import ask, importances
from horae.training.tuning.trials import Trial

RANGES = (
    Range("train.learning_rate", Span(1e-4, 1e-2, log=True)),
    Range("model.dim", Span(8, 32, step=8), whole=True),
    Range("model.dropout", choices=(0.1, 0.5)),
)
FIRST = {"train.learning_rate": 1e-3, "model.dim": 16, "model.dropout": 0.3, "train.epochs": 5}


def judged(values) -> float:
    return values["train.learning_rate"] * 10


def search(count: int, trials: list[Trial], seed: int = 0) -> list[Trial]:
    while len(trials) < count:
        values = ask(RANGES, trials, seed, FIRST).values
        trials.append(Trial(len(trials) + 1, values, "complete", judged(values), 1, [judged(values)]))
    return trials


def test_the_first_trial_is_the_recipe_as_far_as_the_ranges_hold_it():
    values = ask(RANGES, [], 0, FIRST).values
    assert values["train.learning_rate"] == 1e-3 and values["model.dim"] == 16
    assert values["model.dropout"] in (0.1, 0.5)


def test_values_stay_within_their_ranges_and_are_of_their_kind():
    for trial in search(12, []):
        assert 1e-4 <= trial.values["train.learning_rate"] <= 1e-2
        assert trial.values["model.dim"] in (8, 16, 24, 32) and isinstance(trial.values["model.dim"], int)
        assert trial.values["model.dropout"] in (0.1, 0.5)


def test_a_search_that_stopped_goes_on_as_one_that_did_not():
    whole = search(10, [])
    begun = search(5, [])
    killed = Trial(6, ask(RANGES, begun, 0, FIRST).values, "stopped")
    gone_on = [*begun, killed]
    again = ask(RANGES, gone_on, 0, FIRST).values
    assert again == killed.values == whole[5].values
    assert [one.values for one in search(10, begun)] == [one.values for one in whole]
    assert [one.values for one in search(4, [], seed=1)] != [one.values for one in whole[:4]]


def test_a_trial_below_the_median_of_complete_ones_is_given_up_and_not_too_early():
    complete = [Trial(n, search(n, [])[-1].values, "complete", 0.5, 5, [0.1, 0.2, 0.3, 0.4, 0.5]) for n in range(1, 6)]
    asked = ask(RANGES, complete, 0, FIRST)
    assert [asked.hopeless(epoch, 0.05) for epoch in (1, 2, 3, 4)] == [False, False, False, True]
    good = ask(RANGES, complete, 0, FIRST)
    assert not any(good.hopeless(epoch, 0.9) for epoch in (1, 2, 3, 4, 5))
    few = ask(RANGES, complete[:3], 0, FIRST)
    assert not any(few.hopeless(epoch, 0.0) for epoch in (1, 2, 3, 4, 5))


def test_what_decides_alone_matters_most():
    shares = importances(RANGES, search(25, []))
    assert next(iter(shares)) == "train.learning_rate"
    assert sum(shares.values()) == pytest.approx(1.0) and shares["train.learning_rate"] > 0.5


def test_few_or_equal_trials_tell_nothing_of_what_mattered():
    assert importances(RANGES, search(5, [])) == {}
    equal = [Trial(n, trial.values, "complete", 0.5) for n, trial in enumerate(search(10, []), start=1)]
    assert importances(RANGES, equal) == {}


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"horae\[tune\]"):
        ask(RANGES, [], 0, FIRST)
