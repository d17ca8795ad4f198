import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.recommend.rank import Targets, ranks_of, top

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


def test_targets_of_some_requests_keep_their_order():
    targets = Targets(np.array([5, 6, 7, 8]), np.array([0, 1, 1, 4]))
    some = targets.take(np.array([2, 0]))
    assert some.item.tolist() == [6, 7, 8, 5]
    assert some.offsets.tolist() == [0, 3, 4]
