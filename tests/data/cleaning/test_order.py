"""Sorting by integers gives the order that a stable sort of tuples gives."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from horae.data.cleaning.order import changes, first_of_user, id_codes, micros, run_lengths, stable_order, unit_of

LARGE = st.integers(-(2**61), 2**61)


@given(st.lists(st.tuples(LARGE, st.integers(0, 3)), max_size=60))
def test_passes_sort_like_tuples(rows):
    first, second = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    order = stable_order([first.copy(), second.copy()])
    expected = sorted(range(len(rows)), key=lambda i: (rows[i][1], rows[i][0], i))
    assert (list(range(len(rows))) if order is None else order.tolist()) == expected


def test_keys_wider_than_one_word_are_sorted_digit_by_digit():
    key = np.random.default_rng(0).integers(-(2**62), 2**62, 5000)
    key[::7] = key[0]
    order = stable_order([key.copy()])
    assert order is not None
    np.testing.assert_array_equal(order, np.argsort(key, kind="stable"))


def test_sorting_leaves_the_keys_as_they_were():
    key = np.array([3, 1, 2])
    stable_order([key])
    assert key.tolist() == [3, 1, 2]


@given(
    st.one_of(
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30).map(lambda x: pl.Series(x, dtype=pl.Int64)),
        st.lists(st.integers(-128, 127), min_size=1, max_size=30).map(lambda x: pl.Series(x, dtype=pl.Int8)),
        st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30).map(lambda x: pl.Series(x, dtype=pl.UInt64)),
        st.lists(st.text(max_size=3), min_size=1, max_size=30).map(lambda x: pl.Series(x, dtype=pl.String)),
    )
)
def test_codes_are_in_the_order_of_the_ids(ids):
    codes, bound = id_codes(ids)
    assert codes.min() >= 0 and codes.max() < bound
    ranks = ids.to_frame("id").select(pl.col("id").rank("dense")).to_series().to_list()
    np.testing.assert_array_equal(np.unique(codes, return_inverse=True)[1] + 1, ranks)


def test_enum_ids_are_coded_by_their_text():
    ids = pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "a"]))
    assert id_codes(ids)[0].tolist() == [1, 0, 1]


def test_no_ids_have_no_codes():
    assert id_codes(pl.Series([], dtype=pl.Int64))[1] == 0


def test_the_unit_is_the_coarsest_that_fits():
    assert unit_of(np.array([0, 86_400_000_000])) == ("day", 86_400_000_000)
    assert unit_of(np.array([60_000_000, 120_000_000]))[0] == "minute"
    assert unit_of(np.array([1_500])) == ("microsecond", 1)


def test_runs_know_where_users_begin():
    users = pl.Series(["a", "a", "b", "c", "c", "c"])
    first, line = first_of_user(users)
    assert first.tolist() == [True, False, True, True, False, False]
    assert line.tolist() == [0, 0, 1, 2, 2, 2]
    assert run_lengths(first).tolist() == [2, 1, 3]


def test_unknown_equals_unknown():
    assert changes(pl.Series([None, None, 1, None])).tolist() == [True, False, True, True]


def test_unknown_times_are_zero():
    times = pl.Series([None, 5], dtype=pl.Datetime("us", "UTC"))
    assert micros(times).tolist() == [0, 5]
