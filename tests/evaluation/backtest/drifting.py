"""A log whose rules change, what Markov makes of it, and its backtest; shared by the tests of this folder."""

from functools import cache

import numpy as np
from tests.logs import events_of

from horae.data.split import Split
from horae.evaluation.backtest.results import Backtest
from horae.evaluation.backtest.rolling import backtest
from horae.evaluation.backtest.settings import BacktestSettings
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.schema import Events
from horae.training.train import train

MARKOV = Recipe("markov", model={"opponent": "markov"}, recommend={"seen": "include"})
DAY = 86_400


def fit(past: Split) -> Recommender:
    return train(past, MARKOV)


@cache
def log(drift: bool = True, users: int = 60, days: int = 40) -> Events:
    """Everybody walks i -> i + step over 24 items, one step a day; with drift the step changes from item to item."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(users):
        item = int(rng.integers(24))
        for day in range(days):
            rows.append((f"u{user:03}", f"i{item:02}", DAY * day + 60 * user))
            changed = drift and item < day - 18  # from day 19 on one item after the other leads elsewhere
            item = (item + (7 if changed else 1)) % 24
    return events_of(rows)


@cache
def judged(drift: bool = True) -> Backtest:
    return backtest(log(drift), fit, BacktestSettings(folds=5, window="3d", ks=(1, 10), bootstrap=200))
