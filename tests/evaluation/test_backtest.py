"""Rolling windows hand out the past only, and their spread is that of the folds."""

import pytest
from tests.logs import chain_log

from horae.evaluation.backtest import Spread, backtest
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.schema import Events
from horae.training.train import train

LOG = chain_log(users=40, items=12, length=15)


def test_every_fold_is_trained_on_its_past_only() -> None:
    ends = []

    def fit(past: Events) -> Recommender:
        ends.append(past.frame["timestamp"].max())
        return train(past, Recipe("markov", model={"opponent": "markov"}))

    found = backtest(LOG, fit, folds=3, horizon=0.1, ks=(5, 10))
    starts = [fold.split["boundary"] for fold in found.folds]
    assert starts == sorted(starts) and len(set(starts)) == 3
    assert all(str(end.isoformat()) < start for end, start in zip(ends, starts, strict=True))
    assert found.passed
    means = [fold.metrics["ndcg@10"].mean for fold in found.folds]
    spread = found.spreads()["ndcg@10"]
    assert spread.mean == pytest.approx(sum(mean or 0 for mean in means) / 3)
    assert spread.worst == min(mean or 0 for mean in means)
    assert set(found.as_dict()) == {"folds", "metrics", "passed"}
    assert "3 windows" in str(found) and "ndcg@10" in str(found)


def test_the_spread_of_one_fold_is_unknown() -> None:
    assert Spread.of([0.5]) == Spread(0.5, None, 0.5, 0.5)
    assert Spread.of([0.4, 0.6]).deviation == pytest.approx(0.1414, abs=1e-4)
