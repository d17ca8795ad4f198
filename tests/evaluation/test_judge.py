"""One pass gives the same lists and ranks as recommending does, and the metrics that follow from them."""

import numpy as np
import polars as pl
import pytest
from tests.evaluation.shop import recommender, split

from horae.evaluation.cut import requests_of
from horae.evaluation.judge import background_of, judge, main_k
from horae.schema import Requests

KS = (1, 5, 10)


def test_lists_and_hits_are_those_of_recommend() -> None:
    cut, bound = requests_of(split()), recommender()
    judged = judge(bound, cut, KS, background_of(bound.items, split()))
    listed = bound.recommend(Requests(users=cut.requests.users, rows=cut.row_B, k=10))
    lists = dict(listed.lists())
    for request in range(len(cut)):
        came = set(cut.item_T[int(cut.offset_B1[request]) : int(cut.offset_B1[request + 1])].to_list())
        mine = lists[str(request)]
        assert bound.items.ids(judged.items_BK[request]).to_list() == mine
        for k in KS:
            assert judged.values[f"recall@{k}"][request] == pytest.approx(len(came & set(mine[:k])) / len(came))


def test_coverage_counts_the_lists_of_warm_requests() -> None:
    cut, bound = requests_of(split()), recommender("popularity")
    judged = judge(bound, cut, (1,), background_of(bound.items, split()))
    assert judged.coverage == {"coverage@1": 1 / len(bound.items)}


def test_popularity_is_more_biased_and_less_novel_than_markov() -> None:
    cut = requests_of(split())
    by_name = {name: judge(recommender(name), cut, (3,), background_of(recommender(name).items, split()))
               for name in ("popularity", "markov")}  # fmt: skip
    for metric, sign in (("popularity_bias@3", 1), ("novelty@3", -1)):
        difference = by_name["popularity"].values[metric].mean() - by_name["markov"].values[metric].mean()
        assert sign * difference > 0, metric


def test_the_background_counts_the_training_part_only() -> None:
    bound = recommender()
    background = background_of(bound.items, split())
    train = split().train.frame
    expected = train.group_by("item_id").agg(pl.len(), pl.col("user_id").n_unique().alias("users")).sort("item_id")
    assert background.count_I1[1:].tolist() == expected["len"].to_list()
    assert background.users_I1[1:].tolist() == expected["users"].to_list()
    assert background.num_users == train["user_id"].n_unique()
    assert np.asarray(background.users_of_item.sum(axis=1)).ravel()[1:].tolist() == expected["users"].to_list()


def test_the_main_k_is_ten_where_it_is_asked_for() -> None:
    assert main_k((1, 10, 20)) == 10
    assert main_k((1, 5)) == 5
