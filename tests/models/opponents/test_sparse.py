import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.opponents.asking import ask, log_of

from horae.models.opponents.sparse import (
    Csr,
    from_tensors,
    history_matrix,
    keep_first,
    keep_largest,
    recency_weights,
    row_normalised,
    to_tensors,
    user_matrix,
)

dense = st.integers(1, 6).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 4), min_size=width, max_size=width), min_size=1, max_size=6)
)


@given(dense, st.integers(1, 7))
def test_the_k_largest_of_each_row_are_kept_and_ties_go_left(rows, k):
    matrix = np.array(rows, dtype=np.float32)
    kept = keep_largest(Csr(matrix), k).toarray()
    for row, got in zip(matrix, kept, strict=True):
        best = sorted(np.flatnonzero(row), key=lambda column: (-row[column], column))[:k]
        assert np.flatnonzero(got).tolist() == sorted(best)
        assert (got[best] == row[best]).all()


@given(dense, st.integers(1, 7))
def test_the_first_k_of_each_row_are_kept(rows, k):
    kept = keep_first(Csr(np.array(rows, dtype=np.float32)), k).toarray()
    for row, got in zip(rows, kept, strict=True):
        assert np.flatnonzero(got).tolist() == np.flatnonzero(row)[:k].tolist()


@given(dense)
def test_a_matrix_survives_its_tensors(rows):
    matrix = Csr(np.array(rows, dtype=np.float32))
    again = from_tensors("m", to_tensors("m", matrix), matrix.shape[1])
    assert (again.toarray() == matrix.toarray()).all() and again.shape == matrix.shape


def test_rows_have_length_one_and_empty_rows_stay_empty():
    matrix = row_normalised(Csr(np.array([[3, 4], [0, 0]], dtype=np.float32)))
    assert np.allclose(matrix.toarray(), [[0.6, 0.8], [0, 0]])


def test_the_newest_event_on_an_item_gives_its_weight():
    sequences = log_of({"u1": ["a", "b", "c"]})
    batch = ask(sequences, ["a", "b", "a"], [], ["c"])
    weight_BL = recency_weights(batch, half_life_events=1.0)
    assert weight_BL.tolist() == [[0.25, 0.5, 1], [0, 0, 0], [1, 0, 0]]
    assert history_matrix(batch, 3, weight_BL).toarray().tolist() == [[0, 1, 0.5, 0], [0] * 4, [0, 0, 0, 1]]


def test_positions_older_than_max_len_weigh_nothing():
    batch = ask(log_of({"u1": ["a", "b", "c"]}), ["a", "b", "c"], ["a"])
    assert recency_weights(batch, 0, max_len=2).tolist() == [[0, 1, 1], [1, 0, 0]]


def test_items_newer_than_the_model_are_left_out():
    batch = ask(log_of({"u1": ["a", "b", "c"]}), ["a", "c"])
    assert history_matrix(batch, 2).toarray().tolist() == [[0, 1, 0]]


def test_the_user_matrix_holds_ones_at_targets():
    sequences = log_of({"u1": ["a", "a", "b"], "u2": ["c"]}, targets=[True, True, False, True])
    matrix = user_matrix(sequences)
    assert matrix.toarray().tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]
    assert torch.from_numpy(matrix.data).dtype == torch.float32
