"""Pooled means weigh folds by their users; intervals draw a user with all of their folds."""

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of

from horae.data.split import Split
from horae.evaluation.backtest.pooling import Crowd, Pool
from horae.evaluation.cut import Cut, requests_of
from horae.evaluation.intervals import Resamples


def split_and_cuts(parts: list[list[int]], users: int = 3, each: int = 4) -> tuple[Split, list[Cut]]:
    """A log of `each` events per user; each list of rows is one fold's test part."""
    log = events_of([(f"u{user}", f"i{n}", 10 * n + user) for user in range(users) for n in range(each)])
    kinds = pl.Enum(["train", "validation", "test", "unused"])
    named = [["test" if row in rows else "train" for row in range(len(log))] for rows in parts]
    splits = [Split(log, pl.Series("part", part, dtype=kinds), "time", "") for part in named]
    return splits[0], [requests_of(split) for split in splits]


def test_a_pooled_mean_is_that_of_the_folds_weighted_by_their_users() -> None:
    split, (first, second) = split_and_cuts([[2, 3, 6], [3, 7, 11]])  # u0 twice and u1 once; then all three
    crowd = Crowd(split, [first, second], 0, 0)
    assert len(crowd) == 3
    assert crowd.users_of(first).tolist() == [0, 0, 1] and crowd.users_of(second).tolist() == [0, 1, 2]
    pool = Pool(crowd, ["a"])
    pool.add(crowd.users_of(first), np.array([[0.0], [1.0], [1.0]]))  # u0: 0.5, u1: 1
    pool.add(crowd.users_of(second), np.array([[1.0], [0.0], [np.nan]]))  # u2 has nothing to say
    assert pool.means[0] == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    assert pool.users == 2
    assert pool.intervals()["a"].low is None  # no resamples were asked for


def test_users_are_drawn_with_all_of_their_folds() -> None:
    split, cuts = split_and_cuts([[3, 7], [2, 6], [1, 5]], users=2)
    crowd = Crowd(split, cuts, 500, 0)
    pool = Pool(crowd, ["a"])
    for cut in cuts:
        pool.add(crowd.users_of(cut), np.array([[1.0], [0.0]]))  # one user always hits, the other never
    drawn = pool.replicates[:, 0]
    assert set(np.round(drawn, 6)) == {0.0, 0.5, 1.0}  # never 1/6: three folds of one user are not three draws
    assert np.mean(drawn == 0.5) == pytest.approx(0.5, abs=0.08)


def test_the_interval_of_clusters_is_that_of_their_sums_by_hand() -> None:
    resamples = Resamples(4, 200, seed=3)
    total, count = np.array([[2.0], [0.0], [3.0], [1.0]]), np.array([[2.0], [1.0], [4.0], [0.0]])
    drawn = resamples.ratios(total, count)
    for weights, ratio in zip(resamples.counts_RG, drawn[:, 0], strict=True):
        bottom = float(weights @ count[:, 0])
        assert np.isnan(ratio) if bottom == 0 else ratio == pytest.approx(float(weights @ total[:, 0]) / bottom)


def test_one_user_alone_has_no_interval() -> None:
    split, cuts = split_and_cuts([[2, 3]])
    crowd = Crowd(split, cuts, 100, 0)
    one = Pool(crowd, ["a"]).add(crowd.users_of(cuts[0]), np.array([[1.0], [0.0]])).intervals()["a"]
    assert (one.mean, one.low) == (0.5, None)
