from math import log

import pytest
from tests.models.opponents.asking import loaded, log_of, scores_of

from horae.errors import RecipeError
from horae.models.opponents.session_knn import SessionKNN, SessionKNNSettings

HOUR = 3600.0
# sessions {a, b}, then {c, d}, then {a, c}, the newest
LOG = {"u1": [("a", 0.0), ("b", 60.0), ("c", HOUR), ("d", HOUR + 60)], "u2": [("a", 2 * HOUR), ("c", 2 * HOUR + 60)]}
TWO, ONE = log(1 + 3 / 2), log(1 + 3 / 1)  # idf of items in two and in one of three sessions
SHARE = {"a": 2 / 6, "b": 1 / 6, "c": 2 / 6, "d": 1 / 6}


def fitted(lines=LOG, **keys):
    sequences = log_of(lines)
    return SessionKNN(SessionKNNSettings(**{"half_life_events": 1.0, **keys})).fit(sequences), sequences


def test_sessions_are_weighed_by_the_current_items_that_they_hold():
    model, sequences = fitted()
    (scores,) = scores_of(model, sequences, [("a", 0.0), ("c", 60.0)])  # a weighs 1/2, c 1: sessions 0.5, 1, 1.5
    assert scores == pytest.approx({"a": 2 * TWO, "b": 0.5 * ONE, "c": 2.5 * TWO, "d": ONE}, rel=1e-6)


def test_what_came_before_the_last_gap_is_not_the_current_session():
    model, sequences = fitted()
    cut, alone = scores_of(model, sequences, [("a", 0.0), ("c", HOUR)], [("c", HOUR)])
    assert cut == alone
    assert cut == pytest.approx({"a": TWO, "b": 1 / 6 - 1, "c": 2 * TWO, "d": ONE}, rel=1e-6)


def test_a_longer_gap_on_demand():
    model, sequences = fitted(session_minutes=90.0)
    joined, whole = scores_of(model, sequences, [("a", 0.0), ("c", HOUR)], ["a", "c"])
    assert joined == whole


def test_among_equally_similar_sessions_the_newest_is_asked():
    model, sequences = fitted(neighbors=1)
    (scores,) = scores_of(model, sequences, [("c", 0.0)])
    assert scores == pytest.approx({**{i: s - 1 for i, s in SHARE.items()}, "a": TWO, "c": TWO}, rel=1e-6)


def test_of_each_item_only_its_newest_sessions_can_be_neighbours():
    model, sequences = fitted(recent_sessions=1)
    (scores,) = scores_of(model, sequences, [("a", 0.0)])
    assert scores == pytest.approx({**{i: s - 1 for i, s in SHARE.items()}, "a": TWO, "c": TWO}, rel=1e-6)


def test_whole_lines_are_sessions_where_asked_or_where_no_times_are():
    asked, sequences = fitted(sessions="users")
    untimed, _ = fitted({user: [item for item, _ in line] for user, line in LOG.items()})
    history = [("a", 0.0), ("b", HOUR)]
    assert scores_of(asked, sequences, history) == scores_of(untimed, sequences, history)
    every, half = log(1 + 2 / 2), log(1 + 2 / 1)
    expected = {"a": 1.5 * every + 0.5 * every, "b": 1.5 * half, "c": 2.0 * every, "d": 1.5 * half}
    assert scores_of(asked, sequences, history)[0] == pytest.approx(expected, rel=1e-6)


def test_lines_stay_whole_where_gaps_would_leave_most_events_alone():
    daily = {user: [(item, 24 * HOUR * n) for n, (item, _) in enumerate(line)] for user, line in LOG.items()}
    whole, sequences = fitted(daily)
    cut, _ = fitted(daily, sessions="gaps")
    assert scores_of(whole, sequences, ["a"])[0]["b"] > 0 > scores_of(cut, sequences, ["a"])[0]["b"]
    again = loaded(whole, sequences.num_items)
    history = [("a", 0.0), ("c", 24 * HOUR)]
    assert scores_of(again, sequences, history) == scores_of(whole, sequences, history)


def test_events_before_the_newest_max_len_do_not_count():
    model, sequences = fitted(max_len=1)
    assert scores_of(model, sequences, ["a", "b", "c"]) == scores_of(model, sequences, ["c"])


def test_without_a_half_life_all_current_items_weigh_the_same():
    model, sequences = fitted(half_life_events=0.0)
    (scores,) = scores_of(model, sequences, ["a", "c"])
    assert scores == pytest.approx({"a": 3 * TWO, "b": ONE, "c": 3 * TWO, "d": ONE}, rel=1e-6)


@pytest.mark.parametrize("key", ["session_minutes", "neighbors", "recent_sessions", "max_len"])
def test_impossible_settings_are_refused(key):
    with pytest.raises(RecipeError, match=key):
        SessionKNNSettings(**{key: 0})
