import pytest
from tests.models.opponents.asking import log_of, scores_of

from horae.models.opponents.popularity import Popularity, PopularitySettings

LOG = {"u1": ["a", "b", "a", "c", "a"], "u2": ["b", "c"], "u3": ["b"]}


def test_target_events_are_counted_whatever_the_history():
    sequences = log_of(LOG)
    first, second = scores_of(Popularity().fit(sequences), sequences, ["a"], [])
    assert first == second == {"a": 3.0, "b": 3.0, "c": 2.0}


def test_with_users_one_persons_repeats_count_once():
    sequences = log_of(LOG)
    model = Popularity(PopularitySettings(count="users")).fit(sequences)
    assert scores_of(model, sequences, ["a"]) == [{"a": 1.0, "b": 3.0, "c": 2.0}]


@pytest.mark.parametrize("count", ["events", "users"])
def test_events_that_are_no_targets_do_not_count(count):
    sequences = log_of({"u1": ["a", "b"], "u2": ["b"]}, targets=[True, False, True])
    model = Popularity(PopularitySettings(count=count)).fit(sequences)
    assert scores_of(model, sequences, []) == [{"a": 1.0, "b": 1.0}]
