"""The fast chooser beside slow ones that look at every list, or that write the formula down."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.recommend.diversity.choose import Limit, Taste, choose
from horae.recommend.diversity.likeness import of_entries, of_users, of_vectors
from horae.recommend.rules.columns import Lists

SIZE = 12


def groups_of(entries, num=None):
    """Lists of codes for items from 1."""
    names = [str(code) for code in range(num or 1 + max((c for one in entries for c in one), default=0))]
    arrays = [np.array(one, dtype=np.int64) for one in [[], *entries]]
    return Lists.of(arrays, names, np.ones(len(arrays), dtype=np.bool_))


def ranked_of(scores):
    order = np.lexsort((np.arange(len(scores)), -np.asarray(scores)))
    return lambda size: (order[:size] + 1, np.asarray(scores, dtype=np.float64)[order[:size]])


def relevance_of(scores, pool):
    best = np.sort(scores)[::-1][:pool]
    return (np.asarray(scores) - best[-1]) / ((best[0] - best[-1]) or 1.0)


scores_of = st.lists(st.integers(0, 1000), min_size=SIZE, max_size=SIZE, unique=True).map(np.array)
vectors_of = st.integers(0, 10_000).map(lambda seed: np.random.default_rng(seed).normal(size=(SIZE + 1, 4)))


@settings(max_examples=40)
@given(scores_of, vectors_of, st.sampled_from([0.0, 0.3, 0.7, 1.0]), st.integers(1, SIZE))
def test_mmr_is_its_formula(scores, e_ID, trade_off, depth):
    likeness = of_vectors(e_ID)
    found = choose(ranked_of(scores), depth, [], Taste("mmr", likeness, trade_off, pool=SIZE), {})
    cosine, relevance = likeness(np.arange(1, SIZE + 1)), relevance_of(scores, SIZE)
    wanted = [int(np.argmax(scores))]
    while len(wanted) < depth:
        left = sorted(set(range(SIZE)) - set(wanted), key=lambda i: -scores[i])
        gain = [trade_off * relevance[i] - (1 - trade_off) * max(cosine[i, j] for j in wanted) for i in left]
        wanted.append(left[int(np.argmax(gain))])
    assert found.items == [item + 1 for item in wanted]


@settings(max_examples=40)
@given(scores_of, vectors_of, st.sampled_from([0.2, 0.5, 0.8]))
def test_dpp_takes_at_each_step_the_item_that_raises_the_determinant_most(scores, e_ID, trade_off):
    likeness = of_vectors(e_ID)
    found = choose(ranked_of(scores), 4, [], Taste("dpp", likeness, trade_off, pool=SIZE), {})
    cosine, relevance = likeness(np.arange(1, SIZE + 1)), relevance_of(scores, SIZE)
    quality = np.exp(trade_off / (2 * (1 - trade_off)) * relevance)
    kernel = quality[:, None] * cosine * quality
    taken = []
    for item in found.items:
        gains = {
            i: np.linalg.slogdet(kernel[np.ix_([*taken, i], [*taken, i])])[1] for i in range(SIZE) if i not in taken
        }
        assert gains[item - 1] == pytest.approx(max(gains.values()), abs=1e-6)
        taken.append(item - 1)


def test_items_that_add_no_volume_come_last_and_by_score():
    twins = groups_of([[0], [0], [1], [1], [0]])
    found = choose(ranked_of([5, 4, 3, 2, 1]), 5, [], Taste("dpp", of_entries([twins]), 0.5, pool=5), {})
    assert found.items == [1, 3, 2, 4, 5] and found.why[1] == ["diversity (dpp)"] and found.why[0] == []


@settings(max_examples=80)
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=2, unique=True), min_size=SIZE, max_size=SIZE),
    scores_of, st.integers(1, 4), st.integers(1, SIZE), st.integers(1, SIZE),
)  # fmt: skip
def test_quotas_are_a_walk_down_the_ranking(entries, scores, most, depth, pool):
    groups = groups_of(entries, 4)
    found = choose(ranked_of(scores), depth, [Limit("q", most, groups)], Taste(pool=pool), {})
    wanted, late, count = [], [], dict.fromkeys(range(4), 0)
    for item in np.argsort(-scores):
        if all(count[code] < most for code in entries[item]):
            wanted.append(int(item) + 1)
            for code in entries[item]:
                count[code] += 1
        else:
            late.append(int(item) + 1)
    assert found.items == (wanted + late)[:depth]  # quotas give way before a list is short
    assert all(any("gave way" in name for name in why) for why in found.why[len(wanted) :])


@settings(max_examples=60)
@given(scores_of, vectors_of, st.sampled_from(["none", "mmr", "dpp"]), st.integers(1, SIZE), st.integers(1, 6))
def test_a_list_begins_every_longer_one_and_is_whole(scores, e_ID, method, depth, pool):
    groups = groups_of([[i % 3] for i in range(SIZE)])
    taste = Taste(method, of_vectors(e_ID), 0.5, pool=pool, groups=groups, shares={2: 0.4})
    limits = [Limit("q", 2, groups)]
    pins = {2: (7, "p"), 20: (3, "far")}
    whole = choose(ranked_of(scores), 30, limits, taste, pins)
    assert sorted(whole.items) == list(range(1, SIZE + 1)) and len(whole.why) == SIZE
    assert whole.items[1] == 7 and whole.why[1] == ["p"] and whole.items[-1] == 3
    assert choose(ranked_of(scores), depth, limits, taste, pins).items == whole.items[:depth]


def test_groups_have_their_share_of_every_beginning():
    groups = groups_of([[0]] * 8 + [[1]] * 4)
    taste = Taste(groups=groups, shares={1: 0.3}, pool=SIZE)
    found = choose(ranked_of(np.arange(SIZE, 0, -1)), 10, [], taste, {})
    for length in range(1, 11):
        assert sum(item > 8 for item in found.items[:length]) >= int(0.3 * length)
    assert found.items == [1, 2, 3, 9, 4, 5, 10, 6, 7, 11]
    assert found.why[3] == ["exposure"] and found.why[4] == []


def test_likeness_by_users_is_the_cosine_of_their_sets():
    likeness = of_users(np.array([1, 1, 1, 2, 2, 3]), np.array([0, 0, 1, 1, 2, 5]), 4)
    cosine = likeness(np.array([1, 2, 3, 4]))
    assert cosine[0, 1] == pytest.approx(0.5) and cosine[0, 2] == 0 and np.allclose(np.diag(cosine), 1)
