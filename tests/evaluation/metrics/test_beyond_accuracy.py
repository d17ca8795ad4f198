"""Coverage, novelty, popularity bias and diversity, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from horae.evaluation.metrics.coverage import coverage
from horae.evaluation.metrics.diversity import diversity
from horae.evaluation.metrics.novelty import novelty
from horae.evaluation.metrics.popularity_bias import popularity_bias, popularity_percentiles

LISTS = np.array([[1, 2], [2, 3], [3, 0]])
# Users (columns) who had items 1, 2, 3 (rows; row 0 is padding).
USERS_OF_ITEM = csr_matrix(np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0]]))


def test_coverage_is_the_share_of_items_shown() -> None:
    assert coverage(LISTS, 6) == 0.5
    assert coverage(np.zeros((2, 3), dtype=np.int64), 6) == 0


def test_novelty_is_zero_for_what_everybody_had_and_two_bits_for_one_in_four() -> None:
    values = novelty(LISTS, np.array([0, 2, 4, 1]), num_users=4)
    assert values.tolist() == [0.5, 1.0, 2.0]


def test_an_empty_list_has_no_novelty() -> None:
    assert np.isnan(novelty(np.array([[0, 0]]), np.array([0, 1]), 1)).all()


def test_percentiles_place_items_on_the_line_of_all_events() -> None:
    # 10 events: 5 on item 1, 2 on item 2, 2 on item 3 (tied), 1 on item 4.
    percentiles = popularity_percentiles(np.array([0, 5, 2, 2, 1]))
    assert percentiles.tolist() == [0, 0.75, 0.3, 0.3, 0.05]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_percentiles_of_the_events_themselves_average_one_half(counts: list[int]) -> None:
    array = np.array([0, *counts])
    assert np.average(popularity_percentiles(array)[1:], weights=counts) == pytest.approx(0.5)


def test_popularity_bias_compares_the_list_with_the_history() -> None:
    percentile = np.array([0, 0.75, 0.3, 0.3, 0.05])
    bias = popularity_bias(np.array([[1, 2], [4, 0], [1, 1]]), percentile, np.array([0.3, 0.3, np.nan]))
    assert bias[:2].tolist() == pytest.approx([0.225, -0.25])
    assert np.isnan(bias[2])


def test_diversity_is_one_minus_the_cosine_of_the_users() -> None:
    values = diversity(LISTS, USERS_OF_ITEM)
    assert values[:2].tolist() == pytest.approx([1 - 2 / np.sqrt(2 * 4), 1 - 1 / np.sqrt(4 * 1)])
    assert np.isnan(values[2])


def test_items_without_a_shared_user_are_wholly_diverse() -> None:
    assert diversity(np.array([[1, 3]]), USERS_OF_ITEM).tolist() == [1.0]


def test_diversity_averages_all_pairs_of_a_list() -> None:
    pairs = [diversity(np.array([pair]), USERS_OF_ITEM)[0] for pair in ([1, 2], [1, 3], [2, 3])]
    assert diversity(np.array([[1, 2, 3]]), USERS_OF_ITEM)[0] == pytest.approx(np.mean(pairs))
