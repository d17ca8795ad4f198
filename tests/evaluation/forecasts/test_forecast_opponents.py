import math

import numpy as np
import pytest
from scipy import stats
from tests.logs import events_of

from horae.data.split import split_by_time
from horae.evaluation.forecasts.asked import asked_of
from horae.evaluation.forecasts.opponents import (
    Lines,
    behaviors_by_counting,
    gaps_by_counting,
    naive_value_error,
    values_by_counting,
)

DAY = 86_400.0


def split_of(rows, boundary="1970-01-21"):
    return split_by_time(events_of(rows, behaviors=("view", "buy")), test=boundary, validation=0)


def log(users=40, days=24, seed=0):
    """Some come daily and view, some come every fourth day and buy for 10 and more."""
    rng, rows = np.random.default_rng(seed), []
    for user in range(users):
        step, kind, value = (1, "view", 2.0) if user % 2 else (4, "buy", 10.0)
        for day in range(0, days, step):
            rows.append((f"u{user:02}", "a", day * DAY + rng.integers(3_600), kind, value + rng.integers(3)))
    return rows


def test_a_row_knows_what_its_user_had_before_it_and_nothing_of_others():
    lines = Lines.of(
        split_of([("u", "a", 0, "view", 1.0), ("u", "a", 5, "view"), ("u", "a", 9, "buy", 4.0), ("v", "a", 3)], 0.4)
    )
    n, total, last = lines.before(lines.value_E, np.array([0, 1, 2, 3]))
    assert n.tolist() == [0, 1, 1, 0] and total.tolist() == [0, 1, 1, 0]
    np.testing.assert_array_equal(last, [np.nan, 1, 1, np.nan])
    np.testing.assert_array_equal(lines.gap_E, [np.nan, 5, 4, np.nan])


def test_the_own_frequency_is_learned_where_users_differ():
    split = split_of(log())
    lines, asked = Lines.of(split), asked_of(split)
    told = behaviors_by_counting(lines, asked, 2)
    own, everybody = told["user_frequency"], told["everybody"]
    came = asked.behavior_N - 1
    assert all(chance.sum(1) == pytest.approx(1.0) for chance in told.values())
    assert own[np.arange(len(came)), came].min() > 0.8 > everybody[:, 0].max() > 0.7  # four views to a buy
    assert np.array_equal(told["last_again"].argmax(1), came)


def test_gaps_by_hand():
    # u came on day 0, 10 and 20, v on days 0, 1, ..., 19; everybody's mean is (20 + 19) / 21 days.
    rows = [("u", "a", day * DAY) for day in (0, 10, 20, 30)] + [("v", "a", day * DAY) for day in range(20)]
    split = split_of(rows, "1970-01-25")
    asked = asked_of(split)
    told = gaps_by_counting(Lines.of(split), asked)
    assert asked.users.to_list() == ["u"] and asked.silent_N[0] == 4 * DAY and asked.left_N[0] == 6 * DAY
    strength = next(
        s
        for s in (0.5, 1, 2, 4, 8, 16, 32, 64)
        if told["user_frequency"][0, 1] == pytest.approx(max(4.0, (20 + s * 39 / 21) / (2 + s)) * DAY)
    )
    mean = (20 + strength * 39 / 21) / (2 + strength)
    assert told["last_again"][0, 1] == 10 * DAY  # the log ends then
    assert told["everybody"][0, 1] == 4 * DAY  # a day, but it has been silent for four
    within = 1 - math.exp(-6 / mean)
    by_hand = [4 - mean * math.log(1 - q * within) for q in (0.1, 0.5, 0.9)]
    assert (told["poisson"][0] / DAY).tolist() == pytest.approx(by_hand)
    assert np.isnan(told["user_frequency"][0, [0, 2]]).all()


def test_log_normal_gaps_have_honest_intervals_where_gaps_are_log_normal():
    rng, rows = np.random.default_rng(0), []
    for user in range(200):
        time, own = 0.0, rng.normal(0, 0.5)
        while time < 40:
            rows.append((f"u{user:03}", "a", time * DAY))
            time += math.exp(own + rng.normal(0, 1.0))
    split = split_of(rows, "1970-01-31")
    asked = asked_of(split)
    low, _, high = gaps_by_counting(Lines.of(split), asked)["log_normal"].T
    inside = (low <= asked.gap_N) & (asked.gap_N <= high)
    assert len(asked) > 1_000 and inside.mean() == pytest.approx(0.8, abs=0.04)
    assert stats.binomtest(int(inside.sum()), len(inside), 0.5).pvalue < 1e-6


def test_values_by_hand():
    rows = [
        ("u", "a", 0, "buy", 4.0),
        ("u", "a", 1, "buy", 6.0),
        ("v", "a", 2, "buy", 20.0),
        ("u", "a", 9, "view"),
        ("u", "a", 10, "buy", 9.0),
    ]
    split = split_of(rows, "1970-01-01T00:00:08")
    asked, lines = asked_of(split), Lines.of(split)
    told = values_by_counting(lines, asked)
    assert told["last_again"].tolist() == [6, 6] and told["everybody"].tolist() == [6, 6]
    possible = [(10 + s * 10) / (2 + s) for s in (0.5, 1, 2, 4, 8, 16, 32, 64)]
    assert any(told["user_frequency"][0] == pytest.approx(one) for one in possible)
    assert naive_value_error(lines) == pytest.approx(2.0)


def test_without_times_or_values_nobody_says_anything():
    split = split_of(log())
    lines = Lines.of(split)
    empty = Lines(lines.user_E, lines.known_E, lines.behavior_E, lines.gap_E * np.nan, lines.value_E * np.nan)
    assert gaps_by_counting(empty, asked_of(split)) == {} == values_by_counting(empty, asked_of(split))
    assert math.isnan(naive_value_error(empty))
