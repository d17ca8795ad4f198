"""The bootstrap covers what it should, is paired and is the same each time."""

import numpy as np
import pytest

from horae.evaluation.intervals import FloatArray, Interval, Resamples, user_means

RNG = np.random.default_rng(0)


def intervals(values: FloatArray, samples: int = 1000, seed: int = 0) -> list[Interval]:
    return Resamples(len(values), samples, seed).intervals(values)


def test_users_count_alike_however_many_requests_they_have() -> None:
    values = np.array([[1.0], [0.0], [0.0], [0.0]])
    means = user_means(values, np.array([0, 1, 1, 1]), 2)
    assert means.tolist() == [[1.0], [0.0]]
    assert intervals(means)[0].mean == 0.5


def test_missing_values_are_left_out_of_a_mean() -> None:
    means = user_means(np.array([[np.nan], [1.0], [np.nan]]), np.array([0, 0, 1]), 2)
    assert means[0, 0] == 1.0 and np.isnan(means[1, 0])
    assert intervals(means)[0].mean == 1.0


def test_every_resample_draws_as_many_users_as_there_are() -> None:
    rows = Resamples(7, 50, seed=1).counts_RG
    assert rows.shape == (50, 7)
    assert (rows.sum(axis=1) == 7).all()


def test_the_blocks_of_resamples_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RNG.random((20, 2))
    whole = Resamples(20, 30, seed=3).means(values)
    monkeypatch.setattr("horae.evaluation.intervals.CELLS_AT_ONCE", 100)
    assert np.allclose(whole, Resamples(20, 30, seed=3).means(values))


def test_groups_of_users_give_the_intervals_that_users_give(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RNG.exponential(size=(4000, 2))
    values[RNG.random(4000) < 0.5, 1] = np.nan
    single = intervals(values, samples=2000)
    monkeypatch.setattr("horae.evaluation.intervals.GROUPS", 500)
    grouped = Resamples(4000, 2000)
    assert grouped.counts_RG.shape == (2000, 500)
    assert np.bincount(grouped.group_U).tolist() == [8] * 500
    for one, many in zip(single, grouped.intervals(values), strict=True):
        assert many.mean == one.mean
        assert many.low == pytest.approx(one.low, abs=0.006) and many.high == pytest.approx(one.high, abs=0.006)


def test_same_seed_same_interval() -> None:
    values = RNG.random((50, 3))
    assert intervals(values, seed=5) == intervals(values, seed=5)
    assert intervals(values, seed=5) != intervals(values, seed=6)


def test_the_interval_has_the_width_that_theory_gives() -> None:
    values = RNG.normal(size=(2000, 1))
    interval = intervals(values, samples=2000)[0]
    assert interval.low is not None and interval.high is not None
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.1)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    held = 0
    for trial in range(200):
        interval = intervals(RNG.exponential(size=(100, 1)), samples=300, seed=trial)[0]
        assert interval.low is not None and interval.high is not None
        held += interval.low <= 1.0 <= interval.high
    assert 180 <= held <= 199


def test_columns_share_their_resamples_so_differences_are_paired() -> None:
    base = RNG.random((200, 1))
    both = np.hstack([base, base + 0.01])
    drawn = Resamples(200, 100).means(both)
    assert np.allclose(drawn[:, 1] - drawn[:, 0], 0.01)
    difference = intervals(both[:, 1:] - both[:, :1])[0]
    assert difference.above_zero and not difference.below_zero


def test_one_user_gives_no_interval_and_nobody_gives_no_mean() -> None:
    assert intervals(np.array([[0.3]])) == [Interval(0.3)]
    assert intervals(np.empty((0, 1))) == [Interval(None)]
    assert Interval(0.5, 0.4, 0.6).as_dict("difference") == {"difference": 0.5, "low": 0.4, "high": 0.6}


def test_users_in_several_folds_are_one_draw_and_the_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(0)
    held = {"clusters": 0, "as if independent": 0}
    for _ in range(150):
        taste_U = rng.normal(0.3, 0.2, 80)  # what a user is worth in every fold
        folds_U = rng.integers(1, 7, 80)
        values = [taste_U[user] + rng.normal(0, 0.05, folds) for user, folds in enumerate(folds_U)]
        total_U1 = np.array([[value.sum()] for value in values])
        clusters = Resamples(80, 200, seed=1).ratios(total_U1, folds_U[:, None].astype(float))[:, 0]
        flat = np.concatenate(values)[:, None]
        for name, drawn in (
            ("clusters", clusters),
            ("as if independent", Resamples(len(flat), 200, 1).means(flat)[:, 0]),
        ):
            low, high = np.percentile(drawn, (2.5, 97.5))
            held[name] += int(low <= 0.3 <= high)
    assert held["clusters"] / 150 == pytest.approx(0.94, abs=0.045)
    assert held["as if independent"] / 150 < 0.8
