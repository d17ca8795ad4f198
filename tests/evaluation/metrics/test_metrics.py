"""Ranking metrics against numbers worked by hand and against a slow, plain reading of their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.evaluation.metrics import AT_K, Ranks
from horae.evaluation.metrics.auc import auc
from horae.evaluation.metrics.f1 import f1
from horae.evaluation.metrics.hit_rate import hit_rate
from horae.evaluation.metrics.map import average_precision
from horae.evaluation.metrics.mrr import mrr
from horae.evaluation.metrics.ndcg import ndcg
from horae.evaluation.metrics.precision import precision
from horae.evaluation.metrics.recall import recall


def ranks(*targets: list[int], candidates: int = 100) -> Ranks:
    flat = np.array([rank for one in targets for rank in one], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in targets])]).astype(np.int64)
    return Ranks(flat, offsets, np.full(len(targets), candidates, dtype=np.int64))


# A basket of three (first, third and unknown), a single hit at 2, a single miss at 11, an item that cannot be ranked.
FOUR = ranks([3, 1, 0], [2], [11], [0])


def test_recall_counts_hits_over_all_targets() -> None:
    assert recall(FOUR, 10).tolist() == [2 / 3, 1, 0, 0]


def test_hit_rate_asks_for_one_hit() -> None:
    assert hit_rate(FOUR, 10).tolist() == [1, 1, 0, 0]
    assert hit_rate(FOUR, 1).tolist() == [1, 0, 0, 0]


def test_precision_divides_by_k() -> None:
    assert precision(FOUR, 10).tolist() == pytest.approx([0.2, 0.1, 0, 0])


def test_f1_is_the_harmonic_mean() -> None:
    expected = 2 * (0.2 * 2 / 3) / (0.2 + 2 / 3)
    assert f1(FOUR, 10).tolist() == pytest.approx([expected, 2 * 0.1 / 1.1, 0, 0])


def test_ndcg_discounts_by_log_of_the_rank() -> None:
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert ndcg(FOUR, 10).tolist() == pytest.approx([(1 + 0.5) / ideal, 1 / math.log2(3), 0, 0])


def test_ndcg_of_a_full_list_is_one_even_when_the_basket_is_larger_than_k() -> None:
    assert ndcg(ranks([1, 2, 3, 4, 5]), 3).tolist() == pytest.approx([1.0])


def test_mrr_takes_the_best_target() -> None:
    assert mrr(FOUR, 10).tolist() == [1, 0.5, 0, 0]
    assert mrr(ranks([11, 12]), 10).tolist() == [0]


def test_map_averages_precision_at_the_hits() -> None:
    assert average_precision(FOUR, 10).tolist() == pytest.approx([(1 / 1 + 2 / 3) / 3, 0.5, 0, 0])


def test_auc_is_the_share_of_pairs_in_order() -> None:
    # 5 items allowed. Targets at 1 and 3: of 3 others, none is above the first, one above the second.
    assert auc(ranks([3, 1], candidates=5)).tolist() == pytest.approx([(1 + 2 / 3) / 2])
    assert auc(ranks([1], [5], [0], candidates=5)).tolist() == [1, 0, 0]
    assert auc(ranks([1], candidates=1)).tolist() == [0.5]


def test_only_keeps_the_requests_that_have_such_targets() -> None:
    some, left = FOUR.only(np.array([False, True, False, True, False, False]))
    assert left.tolist() == [0, 1]
    assert some.rank_T.tolist() == [1, 2]
    assert some.offset_B1.tolist() == [0, 1, 2]


@st.composite
def judged_lists(draw: st.DrawFn) -> tuple[list[list[int]], int]:
    candidates = draw(st.integers(2, 12))
    request = st.lists(st.integers(0, candidates), min_size=1, max_size=5).map(
        lambda row: [rank for i, rank in enumerate(row) if rank == 0 or rank not in row[:i]]  # ranks are distinct
    )
    return draw(st.lists(request, min_size=1, max_size=6)), candidates


def by_definition(targets: list[int], candidates: int, k: int) -> dict[str, float]:
    """Walk down the list, place by place."""
    relevant = [place in targets for place in range(1, candidates + 1)]
    hits = sum(relevant[:k])
    n = len(targets)
    p, r = hits / k, hits / n
    dcg = sum(1 / math.log2(i + 2) for i, yes in enumerate(relevant[:k]) if yes)
    ideal = sum(1 / math.log2(i + 2) for i in range(min(k, n)))
    precisions = [sum(relevant[: i + 1]) / (i + 1) for i, yes in enumerate(relevant[:k]) if yes]
    first = next((i + 1 for i, yes in enumerate(relevant[:k]) if yes), None)
    others = [i for i, yes in enumerate(relevant) if not yes]
    right = [
        0.0 if t == 0 else (sum(t - 1 < other for other in others) / len(others) if others else 0.5) for t in targets
    ]
    return {
        "recall": r,
        "hit_rate": float(hits > 0),
        "precision": p,
        "f1": 2 * p * r / (p + r) if hits else 0.0,
        "ndcg": dcg / ideal,
        "mrr": 1 / first if first else 0.0,
        "map": sum(precisions) / min(k, n),
        "auc": sum(right) / n,
    }


@given(judged_lists(), st.integers(1, 14))
def test_every_metric_agrees_with_its_definition(lists: tuple[list[list[int]], int], k: int) -> None:
    targets, candidates = lists
    table = ranks(*targets, candidates=candidates)
    expected = [by_definition(one, candidates, k) for one in targets]
    for name, metric in AT_K.items():
        assert metric(table, k).tolist() == pytest.approx([row[name] for row in expected]), name
    assert auc(table).tolist() == pytest.approx([row["auc"] for row in expected])


@given(judged_lists(), st.integers(1, 14))
def test_every_metric_lies_between_zero_and_one(lists: tuple[list[list[int]], int], k: int) -> None:
    table = ranks(*lists[0], candidates=lists[1])
    for metric in AT_K.values():
        values = metric(table, k)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
