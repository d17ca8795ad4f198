import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.features.scans import distinct, extremes, merged, next_alike, running_max, running_sum


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), min_size=1, max_size=8))
def test_a_running_sum_starts_anew_in_each_segment(segments: list[list[float]]):
    begin = np.cumsum([0, *map(len, segments[:-1])])
    got = running_sum(np.concatenate(segments), begin)
    assert np.array_equal(got, np.concatenate([np.cumsum(one) for one in segments]))  # to the last bit


def test_a_long_segment_among_short_ones_is_summed_by_itself():
    lengths = [1, 9_000, 2, 5_000, 1]
    x = np.random.default_rng(0).normal(size=sum(lengths))
    begin = np.cumsum([0, *lengths[:-1]])
    assert np.array_equal(running_sum(x, begin), np.concatenate([np.cumsum(one) for one in np.split(x, begin[1:])]))


def test_a_huge_number_in_one_segment_leaves_the_others_alone():
    x = np.array([1e300, 1.0, 0.1, 0.2])
    assert running_sum(x, np.array([0, 2])).tolist() == [1e300, 1e300, 0.1, 0.1 + 0.2]


def test_running_maxima_by_hand():
    assert running_max(np.array([3, 1, 4, -1, 0, 2]), np.array([0, 0, 0, 1, 1, 2])).tolist() == [3, 3, 4, -1, 0, 2]


@st.composite
def sliding(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes, and slices whose ends ascend."""
    codes = draw(st.lists(st.integers(0, 4), min_size=1, max_size=30))
    end = np.sort(draw(st.lists(st.integers(0, len(codes)), min_size=1, max_size=20)))
    start = np.sort(draw(st.lists(st.integers(0, len(codes)), min_size=len(end), max_size=len(end))))
    return np.array(codes), np.minimum(start, end), end


@given(sliding())
def test_distinct_codes_in_sliding_slices_are_those_of_sets(drawn):
    codes, start, end = drawn
    expected = [len(set(codes[s:e])) for s, e in zip(start, end, strict=True)]
    assert distinct(next_alike(codes), start, end).tolist() == expected


@given(sliding())
def test_extremes_of_slices_are_those_of_slices(drawn):
    codes, start, end = drawn
    x = codes.astype(float)
    (low,) = extremes(x, [(start, end)], np.minimum, np.inf)
    (high,) = extremes(x, [(start, end)], np.maximum, -np.inf)
    assert low.tolist() == [min(x[s:e], default=np.inf) for s, e in zip(start, end, strict=True)]
    assert high.tolist() == [max(x[s:e], default=-np.inf) for s, e in zip(start, end, strict=True)]
    assert x.tolist() == codes.tolist()  # nothing is written into what was given


def test_pooled_moments_survive_numbers_that_cancel():
    x = np.array([1e12, np.nan, 1e12 + 1, 3.0, 3.0, 3.5, -1e15])
    number, mean, squares = merged(x, np.array([0, 3, 0, 2]), np.array([3, 6, 0, 2]))
    assert number.tolist() == [2, 3, 0, 0]
    assert mean[:2] == pytest.approx([1e12 + 0.5, 9.5 / 3], rel=1e-15)
    assert squares[:2] == pytest.approx([0.5, 1 / 6], rel=1e-12)
