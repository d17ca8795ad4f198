"""A recommender and a cut in; ranks, lists and one value per request and metric out. One pass over the scores.

Averages, intervals and comparisons are the protocol's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from horae.data.split import Split
from horae.evaluation.cut import Cut
from horae.evaluation.metrics import AT_K, Ranks
from horae.evaluation.metrics.auc import auc
from horae.evaluation.metrics.coverage import coverage
from horae.evaluation.metrics.diversity import diversity
from horae.evaluation.metrics.novelty import novelty
from horae.evaluation.metrics.popularity_bias import popularity_bias, popularity_percentiles
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.recommend.rank import Targets
from horae.recommend.recommender import Recommender
from horae.recommend.rerank.reranker import Spent
from horae.schema import ITEM, USER
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Background", "Judged", "answers", "background_of", "judge", "main_k"]

USERS_FOR_DIVERSITY = 20_000
LISTS_FOR_DIVERSITY = 2_000


@dataclass(frozen=True, eq=False)
class Background:
    """What the training events say about a recommender's items.

    Attributes:
        count_I1: Training events of each item; entry 0 unused.
        users_I1: Training users of each item.
        num_users: Training users.
        users_of_item: CSR [I + 1, users] of ones, over at most 20,000 users (a seeded sample).
    """

    count_I1: IndexArray
    users_I1: IndexArray
    num_users: int
    users_of_item: csr_matrix


@dataclass(frozen=True, eq=False)
class Judged:
    """One recommender's answers to a cut.

    Attributes:
        ranks: Of every target.
        item_T: Index of every target in the recommender's item table; 0 = a cold item.
        values: Per request, by metric name (`recall@10`); NaN where a metric has nothing to say.
        coverage: By name, over all lists; it has no value per request.
        items_BK: The lists, best first; 0 where shorter.
        fallback_B: Requests that the fallback answered.
    """

    ranks: Ranks
    item_T: IndexArray
    values: dict[str, FloatArray]
    coverage: dict[str, float]
    items_BK: npt.NDArray[np.int32]
    fallback_B: BoolArray

    def matrix(self, names: list[str]) -> FloatArray:
        """Values [B, names]."""
        return np.stack([self.values[name] for name in names], axis=1)


def main_k(ks: tuple[int, ...]) -> int:
    """The k of comparisons, slices and metrics beyond accuracy: 10 if asked for, else the largest."""
    return 10 if 10 in ks else max(ks)


def background_of(items: Vocabulary, split: Split, seed: int = 0) -> Background:
    """Count the training part (train and validation: everything before the test)."""
    train = split.train.frame
    index = items.indices(train[ITEM])
    user = train[USER].rle_id().to_numpy().astype(np.int64)
    known = index > 0
    pair = np.unique(user[known] * (len(items) + 1) + index[known])
    user_P, item_P = np.divmod(pair, len(items) + 1)
    num_users = int(user[-1]) + 1 if len(user) else 0
    if num_users > USERS_FOR_DIVERSITY:
        chosen = np.random.default_rng(seed).choice(num_users, size=USERS_FOR_DIVERSITY, replace=False)
        mine = np.isin(user_P, chosen)
    else:
        mine = np.ones(len(user_P), dtype=np.bool_)
    ones = np.ones(int(mine.sum()), dtype=np.float32)
    shape = (len(items) + 1, max(num_users, 1))
    return Background(
        count_I1=np.bincount(index[known], minlength=len(items) + 1),
        users_I1=np.bincount(item_P, minlength=len(items) + 1),
        num_users=num_users,
        users_of_item=csr_matrix((ones, (item_P[mine], user_P[mine])), shape=shape),
    )


def judge(
    recommender: Recommender,
    cut: Cut,
    ks: tuple[int, ...],
    background: Background,
    seed: int = 0,
    spent: Spent | None = None,
) -> Judged:
    """Answer every request of a cut and give each its metrics.

    Args:
        recommender: Over the log that the cut was made from (`with_events`).
        cut: The requests.
        ks: List lengths to judge.
        background: Of the recommender's items.
        seed: Of the sample of 2,000 lists that diversity is measured on.
        spent: What a language model that orders the lists costs is added to it.
    """
    targets = cut.targets(recommender.items)
    ranks, items_BK, fallback_B = answers(recommender, cut, targets, max(ks), spent=spent)
    values = {f"{name}@{k}": metric(ranks, k) for k in ks for name, metric in AT_K.items()}
    values["auc"] = auc(ranks)
    k = main_k(ks)
    list_BK = items_BK[:, :k].astype(np.int64)
    percentile = popularity_percentiles(background.count_I1)
    values[f"novelty@{k}"] = novelty(list_BK, background.users_I1, background.num_users)
    values[f"popularity_bias@{k}"] = popularity_bias(list_BK, percentile, _history_mean(recommender, cut, percentile))
    values[f"diversity@{k}"] = _sampled_diversity(list_BK, background, seed)
    warm = ~cut.cold_B
    shown = {f"coverage@{k}": coverage(items_BK[warm, :k].astype(np.int64), len(recommender.items)) for k in ks}
    return Judged(ranks, targets.item, values, shown, items_BK, fallback_B)


def answers(
    recommender: Recommender, cut: Cut, targets: Targets, depth: int, *, raw: bool = False, spent: Spent | None = None
) -> tuple[Ranks, npt.NDArray[np.int32], BoolArray]:
    """Where the targets stand, the lists of `depth` items, and which of them the fallback made; requests in order.

    With `raw`, by the model alone.
    """
    rank_T = np.zeros(len(targets.item), dtype=np.int64)
    candidates_B = np.zeros(len(cut), dtype=np.int64)
    items_BK = np.zeros((len(cut), depth), dtype=np.int32)
    fallback_B = np.zeros(len(cut), dtype=np.bool_)
    for answer in recommender.answer(cut.requests, targets, depth=depth, raw=raw, spent=spent):
        size = np.diff(answer.target_offsets)
        first = np.repeat(cut.offset_B1[answer.rows] - answer.target_offsets[:-1], size)
        rank_T[first + np.arange(len(first))] = answer.target_ranks
        candidates_B[answer.rows] = answer.candidates_B
        items_BK[answer.rows, : answer.items_BK.shape[1]] = answer.items_BK
        fallback_B[answer.rows] = answer.fallback_B
    return Ranks(rank_T, cut.offset_B1, candidates_B), items_BK, fallback_B


def _history_mean(recommender: Recommender, cut: Cut, value_I1: FloatArray) -> FloatArray:
    """Mean of an item's value over each request's history; NaN where it has no known item."""
    histories = recommender.sequences.before_rows(cut.row_B)
    total = np.concatenate([[0.0], np.cumsum(value_I1[histories.flat.item_N])])
    length = histories.lengths
    mean = np.full(len(cut), np.nan)
    np.divide(total[histories.end_B] - total[histories.start_B], length, out=mean, where=length > 0)
    return mean


def _sampled_diversity(list_BK: IndexArray, background: Background, seed: int) -> FloatArray:
    values = np.full(len(list_BK), np.nan)
    chosen = np.arange(len(list_BK))
    if len(chosen) > LISTS_FOR_DIVERSITY:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, size=LISTS_FOR_DIVERSITY, replace=False))
    values[chosen] = diversity(list_BK[chosen], background.users_of_item)
    return values
