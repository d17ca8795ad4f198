import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import HoraeError
from horae.recommend.rank import Hidden, Targets, ranks_of, top

INF = float("-inf")


def brute(scores):
    """Best first, the lower index among equals; what is not allowed is not there."""
    return [i for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)) if scores[i] > INF]


score = st.sampled_from([INF, -1.5, -0.0, 0.0, 0.25, 0.25000003, 3.0, 1e30])


@given(st.lists(st.lists(score, min_size=7, max_size=7), min_size=1, max_size=6), st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_lists_and_ranks_are_those_of_a_full_sort_with_ties_by_index(rows, k):
    scores = torch.tensor([[INF, *row] for row in rows])
    items, best = top(scores, k)
    request, item = (places.ravel() for places in np.indices(scores.shape))
    ranks, _ = ranks_of(scores.numpy(), request, item)
    for b, row in enumerate(scores.tolist()):
        order = brute(row)
        listed = [i for i in items[b].tolist() if i]
        assert listed == order[:k]
        assert best[b, : len(listed)].tolist() == [row[i] for i in listed]
        for i, rank in enumerate(ranks.reshape(scores.shape)[b].tolist()):
            assert rank == (order.index(i) + 1 if i in order else 0)


def test_many_ties_at_the_last_place_are_broken_by_index():
    scores = torch.zeros(3, 5_000)
    scores[:, 0] = INF
    scores[1, 4_000] = 1.0
    items, _ = top(scores, 4)
    assert items.tolist() == [[1, 2, 3, 4], [4_000, 1, 2, 3], [1, 2, 3, 4]]


def test_wide_rows_are_ranked_as_a_full_sort_ranks_them():
    scores = torch.randn(30, 8_013, generator=torch.Generator().manual_seed(1)).mul(20).round()  # many ties
    scores[:, 0] = INF
    scores[:, 8_000:] += 30  # the columns that fill no block hold the best
    scores[1] = INF
    scores[2, 5:] = INF
    items, best = top(scores, 10)
    for b, row in enumerate(scores.tolist()):
        order = brute(row)[:10]
        assert items[b].tolist() == order + [0] * (10 - len(order))
        assert [s for s in best[b].tolist() if s > INF] == [row[i] for i in order]


@pytest.mark.parametrize("columns", [5, 9_000])
def test_a_score_that_is_not_a_number_is_refused_in_words(columns):
    scores = torch.zeros(20, columns)
    scores[7, 3] = float("nan")
    with pytest.raises(HoraeError, match="not a number"):
        top(scores, 2)


def test_what_is_hidden_is_counted_once():
    hidden = Hidden(torch.tensor([0, 0, 0, 2]), torch.tensor([3, 3, 4, 1]))
    assert hidden.candidates(3, 5).tolist() == [3, 5, 4]
    allowed = torch.tensor([False, True, True, True, False, False])
    some = Hidden(hidden.request_P, hidden.item_P, allowed)
    assert some.candidates(3, 5).tolist() == [2, 3, 2]
    assert some.part(2, 3).candidates(1, 5).tolist() == [2]
    pairs = np.array([0, 0, 1, 2, 2]), np.array([3, 2, 3, 0, 5])
    assert some.shows(*pairs, 5).tolist() == [False, True, True, False, False]
    scores = some.mask(torch.zeros(3, 6))
    assert (scores == 0).sum(1).tolist() == [2, 3, 2]


def test_targets_of_some_requests_keep_their_order():
    targets = Targets(np.array([5, 6, 7, 8]), np.array([0, 1, 1, 4]))
    some = targets.take(np.array([2, 0]))
    assert some.item.tolist() == [6, 7, 8, 5]
    assert some.offsets.tolist() == [0, 3, 4]
