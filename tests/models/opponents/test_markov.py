import pytest
from tests.logs import chain_log
from tests.models.opponents.asking import ask, log_of, scores_of

from horae.errors import RecipeError
from horae.models.opponents.markov import Markov, MarkovSettings
from horae.models.opponents.popularity import Popularity
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

LOG = {"u1": ["a", "b", "a", "c"], "u2": ["a", "b"]}  # a>b twice, b>a, a>c


def test_transitions_are_smoothed_towards_popularity():
    sequences = log_of(LOG)
    after_a, after_c, empty = scores_of(Markov().fit(sequences), sequences, ["c", "a"], ["c"], [])
    assert after_a == pytest.approx({"a": (0 + 3 / 6) / 4, "b": (2 + 2 / 6) / 4, "c": (1 + 1 / 6) / 4})
    assert after_c == empty == pytest.approx({"a": 3 / 6, "b": 2 / 6, "c": 1 / 6})


def test_more_smoothing_trusts_the_counts_less():
    sequences = log_of(LOG)
    model = Markov(MarkovSettings(smoothing=7)).fit(sequences)
    assert scores_of(model, sequences, ["a"])[0]["b"] == pytest.approx((2 + 7 * 2 / 6) / (3 + 7))


def test_scores_are_chances_that_sum_to_one():
    sequences = log_of(LOG)
    assert all(sum(s.values()) == pytest.approx(1) for s in scores_of(Markov().fit(sequences), sequences, ["a"], ["b"]))


def test_a_pair_counts_where_its_later_event_is_a_target():
    sequences = log_of({"u1": ["a", "b", "c"]}, targets=[True, False, True])
    after_a, after_b = scores_of(Markov().fit(sequences), sequences, ["a"], ["b"])
    assert after_a == pytest.approx({"a": 1 / 2, "b": 0, "c": 1 / 2})  # popularity: nothing counted follows a
    assert after_b["c"] == pytest.approx((1 + 1 / 2) / 2)


def test_one_users_last_event_is_not_followed_by_anothers_first():
    sequences = log_of({"u1": ["a"], "u2": ["b"]})
    assert scores_of(Markov().fit(sequences), sequences, ["a"]) == [{"a": 0.5, "b": 0.5}]


def test_it_beats_popularity_where_only_order_tells():
    log = chain_log(users=100, items=12)
    sequences = Sequences.from_events(log, Vocabulary.of(log.frame["item_id"]))
    batch = ask(sequences, *[[f"i{n:03}"] for n in range(12)])
    expected = [(n + 1) % 12 + 1 for n in range(12)]
    assert Markov().fit(sequences).score(batch).argmax(1).tolist() == expected
    assert Popularity().fit(sequences).score(batch).argmax(1).tolist() != expected


@pytest.mark.parametrize("smoothing", [0.0, -1.0, float("nan"), float("inf")])
def test_smoothing_is_above_zero_and_finite(smoothing):
    with pytest.raises(RecipeError, match="smoothing"):
        MarkovSettings(smoothing=smoothing)
