"""A small log and a recommender that has learned its order, for the evaluation tests."""

from functools import cache

from tests.logs import chain_log

from horae.data.split import Split, split_by_time
from horae.recipe import Recipe
from horae.recommend.recommender import Recommender
from horae.training.train import train


@cache
def split() -> Split:
    """60 users who walk along a chain of 15 items for 12 days; the last tenth is test."""
    return split_by_time(chain_log(users=60, items=15, length=12), test=0.2, validation=0.1)


@cache
def recommender(name: str = "markov") -> Recommender:
    """An opponent as the run's own model."""
    return train(split(), Recipe(name, model={"opponent": name}, recommend={"seen": "include"}))
