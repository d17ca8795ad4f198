import numpy as np
import pytest
import torch
from tests.recommend.vectors import KINDS, nothing_hidden, some_hidden, states, true_scores, vectors

from horae.recommend import pairs
from horae.recommend.pairs import best_of, exact_scores, ranks_in
from horae.recommend.rank import ranks_of
from horae.recommend.scan import Scan


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_are_those_of_counting_in_all_scores(kind, monkeypatch):
    monkeypatch.setattr(pairs, "SCORES_AT_ONCE", 2_000)
    e_ID, h_BD = vectors(kind, 1_500, 24), states(5, 24)
    allowed = torch.rand(1_501, generator=torch.Generator().manual_seed(4)) < 0.8
    hidden = some_hidden(5, 1_500, allowed=allowed)
    request = np.repeat(np.arange(5), 30)
    item = np.random.default_rng(0).integers(0, 1_501, len(request))
    rank, score = ranks_in(e_ID, h_BD, request, item, hidden)
    true_rank, true_score = ranks_of(true_scores(e_ID, h_BD, hidden), request, item)
    assert (rank == 0).any() and (rank > 0).any()
    assert np.allclose(score, true_score, rtol=2e-7, equal_nan=True)
    assert np.abs(rank - true_rank).max() <= 1 and (rank != true_rank).mean() < 0.01


def test_ranks_and_lists_of_a_large_catalog_are_the_same_answer():
    e_ID, h_BD = vectors("copies", 4_000, 16), states(70, 16)
    hidden = some_hidden(70, 4_000)
    items, best = Scan(e_ID).top(h_BD, 5, hidden)
    request = np.repeat(np.arange(70), 5)
    rank, score = ranks_in(e_ID, h_BD, request, items.ravel(), hidden)
    assert rank.reshape(70, 5).tolist() == [[1, 2, 3, 4, 5]] * 70
    assert score.tolist() == best.ravel().tolist()


def test_a_score_does_not_depend_on_what_else_is_asked(monkeypatch):
    e_ID, h_BD = vectors("plain", 300, 64), states(3, 64)
    request, item = torch.arange(3).repeat_interleave(300), torch.arange(1, 301).repeat(3)
    whole = exact_scores(e_ID, h_BD, request, item)
    monkeypatch.setattr(pairs, "PAIRS_AT_ONCE", 7)
    assert torch.equal(whole, exact_scores(e_ID, h_BD, request, item))
    assert len(exact_scores(e_ID, h_BD, request[:0], item[:0])) == 0


def test_the_best_of_chosen_pairs():
    e_ID = torch.tensor([[0.0], [1.0], [3.0], [3.0], [-1.0]])
    request, item = torch.tensor([2, 0, 2, 2, 2]), torch.tensor([4, 1, 3, 2, 1])
    items, best = best_of(e_ID, torch.ones(3, 1), request, item, 3)
    assert items.tolist() == [[1, 0, 0], [0, 0, 0], [2, 3, 1]]
    assert best[2].tolist() == [3.0, 3.0, 1.0] and best[1, 0] == -np.inf


def test_no_targets_have_no_ranks():
    nobody = np.empty(0, dtype=np.int64)
    rank, score = ranks_in(vectors("plain", 10, 4), states(2, 4), nobody, nobody, nothing_hidden())
    assert len(rank) == len(score) == 0
