import numpy as np
import polars as pl
import pytest
import torch
from tests.models.opponents.asking import ask, log_of, random_log

from horae.errors import DataError, RecipeError
from horae.models.opponents import ease
from horae.models.opponents.ease import EASE, MAX_ITEMS, EASESettings
from horae.models.opponents.sparse import user_matrix
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary


def closed_form(x_UI, regularization):
    """Steck's algorithm 1, dense and in float64."""
    inverse = np.linalg.inv(x_UI.T @ x_UI + regularization * np.eye(x_UI.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def test_two_items_by_hand():
    # a by 2 users, b by 1, together 1; with 1 added P^-1 = [[3, 1], [1, 2]], so B_ab = 1 / 3 and B_ba = 1 / 2
    sequences = log_of({"u1": ["a", "b"], "u2": ["a"]})
    model = EASE(EASESettings(regularization=1)).fit(sequences)
    scores = model.score(ask(sequences, ["a"], ["b"], ["a", "b"], []))[:, 1:]
    expected = [[0, 1 / 3], [1 / 2, 0], [1 / 2, 1 / 3], [0, 0]]
    assert torch.allclose(scores, torch.tensor(expected), atol=1e-6)


@pytest.mark.parametrize("rows_at_once", [4, 1024])
def test_weights_are_those_of_the_dense_formula(rows_at_once, monkeypatch):
    monkeypatch.setattr(ease, "ROWS_AT_ONCE", rows_at_once)
    sequences = random_log(users=80, items=18)
    model = EASE(EASESettings(regularization=5)).fit(sequences)
    expected = closed_form(user_matrix(sequences).toarray()[:, 1:].astype(np.float64), 5)
    assert np.allclose(model.arrays()["weight_II"].numpy()[1:, 1:], expected, atol=1e-5)


def test_more_items_than_a_square_allows_are_refused_with_an_alternative():
    ids = Vocabulary(pl.Series(range(MAX_ITEMS + 1)))
    small = log_of({"u1": ["a"]})
    many = Sequences(small.flat, small.offset_U1, small.users, ids, small.behaviors)
    with pytest.raises(DataError, match="at most 20,000 items, got 20,001") as caught:
        EASE().fit(many)
    assert "item_knn" in caught.value.hint


def test_regularization_is_above_zero():
    with pytest.raises(RecipeError, match="regularization"):
        EASESettings(regularization=0)
