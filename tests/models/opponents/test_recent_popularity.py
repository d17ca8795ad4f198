import numpy as np
import pytest
import torch
from tests.models.opponents.asking import ask, loaded, log_of, random_log, scores_of

from horae.errors import DataError, RecipeError
from horae.models.opponents.recent_popularity import (
    CANDIDATES,
    LiveRecentPopularity,
    RecentPopularity,
    RecentPopularitySettings,
    variants,
)

DAY = 86_400.0
LOG = {"u1": [("a", 0.0), ("a", DAY), ("b", 9.5 * DAY)], "u2": [("a", 2 * DAY), ("c", 10 * DAY)]}


def close(scores, expected):
    assert scores == pytest.approx(expected, rel=1e-5)


def test_only_the_window_counts_and_ties_go_to_what_was_popular_before():
    sequences = log_of(LOG)
    model = RecentPopularity(RecentPopularitySettings(window_days=1)).fit(sequences)
    close(scores_of(model, sequences, [])[0], {"a": 0 + 3 / 5, "b": 1 + 1 / 5, "c": 1 + 1 / 5})


def test_an_event_one_half_life_old_weighs_half():
    sequences = log_of(LOG)
    model = RecentPopularity(RecentPopularitySettings(window_days=9, half_life_days=8)).fit(sequences)
    # ages 8 (a), 0.5 (b), 0 (c); those of 9 and 10 days are outside
    close(scores_of(model, sequences, [])[0], {"a": 0.5 + 3 / 5, "b": 2 ** (-1 / 16) + 1 / 5, "c": 1 + 1 / 5})


def test_events_that_are_no_targets_neither_count_nor_end_the_window():
    sequences = log_of({"u1": [("a", 0.0), ("b", 100 * DAY)]}, targets=[True, False])
    model = RecentPopularity(RecentPopularitySettings(window_days=1)).fit(sequences)
    close(scores_of(model, sequences, [])[0], {"a": 2.0, "b": 0.0})


def test_a_log_without_times_is_refused_and_told_why():
    with pytest.raises(DataError, match="an order within each user only") as caught:
        RecentPopularity().fit(log_of({"u1": ["a", "b"]}))
    assert "popularity" in caught.value.hint


def test_the_frozen_window_does_not_follow_the_request():
    sequences = log_of(LOG)
    model = RecentPopularity(RecentPopularitySettings(window_days=1)).fit(sequences)
    early, late = scores_of(model, sequences, [("a", 0.0)], [("a", 0.0)], at=[2 * DAY, 400 * DAY])
    assert early == late


def test_live_counts_what_is_strictly_before_the_request():
    sequences = log_of(LOG)
    model = RecentPopularity(RecentPopularitySettings(window_days=1.5)).fit(sequences).live(sequences)
    at_event, after = scores_of(model, sequences, [("a", -1.0)], [("a", -1.0)], at=[2 * DAY, 2 * DAY + 1])
    close(at_event, {"a": 1 + 1.0, "b": 0.0, "c": 0.0})
    close(after, {"a": 2 + 1.0, "b": 0.0, "c": 0.0})


@pytest.mark.parametrize("half_life", [None, 2.0])
def test_live_equals_counting_afresh_for_each_request(half_life):
    sequences = random_log(users=40)
    settings = RecentPopularitySettings(window_days=3, half_life_days=half_life)
    live = RecentPopularity(settings).fit(sequences).live(sequences)
    flat = sequences.flat
    times = np.random.default_rng(1).choice(np.append(flat.time_N, [2e5, 5e5, 5e5, 3e6]), 30)
    scores = live.score(ask(sequences, *[[("i00", -1.0)]] * 30, at=times))[:, 1:]
    for row, time in enumerate(times):
        age = time - flat.time_N
        inside = (age > 0) & (age <= 3 * DAY)
        weight = np.where(inside, 1.0 if half_life is None else 0.5 ** (age / (half_life * DAY)), 0.0)
        share = np.bincount(flat.item_N[age > 0], minlength=16) / max(1, (age > 0).sum())
        expected = np.bincount(flat.item_N, weight, minlength=16) + share
        assert np.allclose(scores[row].numpy(), expected[1:], rtol=1e-5, atol=1e-6)


def test_changing_the_future_never_changes_a_live_score():
    past = {"u1": [("a", 0.0), ("b", DAY)]}
    one = log_of({**past, "u2": [("c", 5 * DAY)]}, items=["a", "b", "c"])
    other = log_of({**past, "u2": [("a", 3 * DAY), ("c", 4 * DAY)]}, items=["a", "b", "c"])
    known = log_of(past, items=["c"])
    frozen = RecentPopularity().fit(known)
    first = scores_of(frozen.live(one), known, [("a", 0.0)], [("a", 0.0)], at=[3 * DAY, np.nan])
    second = scores_of(frozen.live(other), known, [("a", 0.0)], [("a", 0.0)], at=[3 * DAY, np.nan])
    assert first == second


def test_live_without_a_time_or_a_history_is_frozen():
    sequences = log_of(LOG)
    model = RecentPopularity().fit(log_of({"u1": LOG["u1"]}, items=["c"]))
    untimed = scores_of(model.live(sequences), sequences, ["a"], [])
    assert untimed == scores_of(model, sequences, ["a"], [])


def test_live_survives_its_arrays_to_the_last_bit():
    sequences = random_log()
    model = LiveRecentPopularity(RecentPopularitySettings(5.0, 2.0)).fit(sequences)
    batch = ask(sequences, [("i01", 0.0)], ["i02"], at=[3e5, np.nan])
    assert torch.equal(model.score(batch), loaded(model, sequences.num_items).score(batch))


def test_an_open_table_has_every_candidate_and_a_named_key_closes_it():
    assert len(variants({})) == len(CANDIDATES)
    assert {"window_days": 7.0} in variants({})
    assert all(RecentPopularitySettings(**table) in CANDIDATES for table in variants({}))
    assert variants({"half_life_days": 2.0}) == [{"half_life_days": 2.0}]


@pytest.mark.parametrize("keys", [{"window_days": 0.0}, {"window_days": float("inf")}, {"half_life_days": -1.0}])
def test_impossible_windows_are_refused(keys):
    with pytest.raises(RecipeError, match="above 0"):
        RecentPopularitySettings(**keys)
