import numpy as np
import polars as pl
import pytest

from horae.errors import DataError
from horae.sequences.vocabulary import Vocabulary


def test_indices_start_at_one_in_sorted_order_and_zero_is_unknown():
    vocabulary = Vocabulary.of(pl.Series(["b", "a", "c", "a", None]))
    assert vocabulary.indices(["a", "b", "c", "z"]).tolist() == [1, 2, 3, 0]
    assert vocabulary.ids(np.array([3, 1])).to_list() == ["c", "a"]


@pytest.mark.parametrize("long", [False, True])
def test_text_finds_numbers_and_numbers_find_text_by_their_own_spelling(long: bool):
    filler = 3_000 if long else 0
    numbers = Vocabulary.of(pl.Series([7, 196, 50]))
    assert numbers.indices(pl.Series(["196", "007", "x", "7"] + ["x"] * filler))[:4].tolist() == [3, 0, 0, 1]
    texts = Vocabulary.of(pl.Series(["196", "007"]))
    assert texts.indices(pl.Series([196, 7] + [9] * filler))[:2].tolist() == [2, 0]
    assert texts.index("007") == 1


def test_long_and_short_lookups_agree():
    ids = pl.Series(np.random.default_rng(0).integers(0, 500, 5_000))
    vocabulary = Vocabulary.of(ids.filter(ids > 100))
    assert vocabulary.indices(ids).tolist() == vocabulary.indices(ids.to_list()).tolist()


def test_append_never_moves_an_index():
    vocabulary = Vocabulary.of(pl.Series(["m", "n"]))
    vocabulary.append(["a", "m", "z", "a"])
    assert vocabulary.indices(["m", "n", "a", "z"]).tolist() == [1, 2, 3, 4]
    assert vocabulary.ids(np.array([3, 4])).to_list() == ["a", "z"]


def test_an_id_of_another_kind_is_refused_and_changes_nothing():
    numbers = Vocabulary.of(pl.Series([3, 5]))
    with pytest.raises(DataError, match="alice"):
        numbers.append([7, "alice"])
    numbers.append([9, "11"])
    assert (len(numbers), numbers.indices([9, 11]).tolist()) == (4, [3, 4])
    assert numbers.all.to_list() == [3, 5, 9, 11]


@pytest.mark.parametrize("dtype", [pl.Int32, pl.Int64, pl.UInt64])
def test_a_number_beyond_the_ids_own_type_is_unknown_and_cannot_join(dtype):
    numbers = Vocabulary.of(pl.Series([3, 5], dtype=dtype))
    beyond = [10**20, str(10**20), "9" * 5_000, "-" + "9" * 30]
    assert numbers.indices(beyond).tolist() == [0, 0, 0, 0]
    assert numbers.indices(pl.Series(["5", str(10**20)] * 2_000))[:2].tolist() == [2, 0]
    for one in beyond:
        with pytest.raises(DataError, match="numbers"):
            numbers.append([one])
    assert numbers.all.to_list() == [3, 5]


def test_a_long_column_of_a_wider_type_is_looked_up_too():
    numbers = Vocabulary.of(pl.Series([3, 5], dtype=pl.Int32))
    assert numbers.indices(pl.Series([5, 2**40] * 2_000))[:2].tolist() == [2, 0]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64, pl.Int16, pl.UInt8])
def test_numbers_close_together_are_found_as_numbers_far_apart_are(dtype):
    known = pl.Series([3, 5, 4, 100, 7], dtype=dtype)
    wanted = pl.Series([7, 3, None, 0, 6, 100, 101, 120] * 400, dtype=dtype)
    close, apart = Vocabulary(known), Vocabulary(pl.concat([known.cast(pl.Int64), pl.Series([10**9])]))
    assert close.indices(wanted).tolist() == apart.indices(wanted).tolist() == [5, 1, 0, 0, 0, 4, 0, 0] * 400
    close.append([6])
    assert close.indices(wanted).tolist() == [5, 1, 0, 0, 6, 4, 0, 0] * 400


def test_numbers_at_the_ends_of_their_type_are_looked_up():
    ends = pl.Series([-(2**63), -(2**63) + 1], dtype=pl.Int64)
    asked = pl.Series([2**63 - 1, -(2**63) + 1, None, 0, -(2**63)] * 500, dtype=pl.Int64)
    assert Vocabulary(ends).indices(asked).tolist() == [0, 2, 0, 0, 1] * 500
    high = pl.Series([2**64 - 1, 2**64 - 2], dtype=pl.UInt64)
    assert (
        Vocabulary(high).indices(pl.Series([2**64 - 2, 5, None] * 1000, dtype=pl.UInt64)).tolist() == [2, 0, 0] * 1000
    )
