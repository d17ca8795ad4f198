from dataclasses import replace

import numpy as np
import pytest
import torch

from horae.recommend import search
from horae.recommend.rank import Targets
from horae.recommend.scan import Scan
from horae.schema import HistoryEvent, Requests


@pytest.fixture
def scanning(recommender, monkeypatch):
    """The same recommender, its catalog counted as large."""
    monkeypatch.setattr(search, "SCAN_FROM", 1)
    return replace(recommender)


def same(scanned, dense):
    assert scanned.drop("score").equals(dense.drop("score"))
    assert np.allclose(scanned["score"], dense["score"], atol=1e-5)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"k": 50},
        {"seen": False},
        {"seen": True, "exclude": ["i001", "i002"]},
        {"seen": False, "only": ["i003", "i007", "i009"], "exclude": ["i009"]},
    ],
)
def test_a_scanned_catalog_gives_the_lists_of_one_that_is_scored(recommender, scanning, monkeypatch, asked):
    people = {"users": [*recommender.sequences.users.all[:70], "stranger"]}
    scanned = scanning.recommend(**people, **asked)
    monkeypatch.undo()
    dense = replace(recommender).recommend(**people, **asked)
    same(scanned.frame, dense.frame)
    assert scanned.notes == dense.notes


def test_ranks_scores_and_candidates_are_the_same_too(recommender, scanning, monkeypatch):
    rows = np.arange(0, 600, 7)
    requests = Requests(
        users=recommender.events.frame["user_id"].gather(rows), rows=rows, seen=False, exclude=("i005",)
    )
    wanted = recommender.items.indices(recommender.events.frame["item_id"].gather(rows))
    targets = Targets(wanted, np.arange(len(rows) + 1))

    def answered(asked):
        answers = list(asked.answer(requests, targets, depth=7))
        order = np.argsort(np.concatenate([answer.rows for answer in answers]))
        names = ("target_ranks", "target_scores", "candidates_B", "fallback_B", "items_BK")
        return [np.concatenate([getattr(answer, name) for answer in answers])[order] for name in names]

    scanned = answered(scanning)
    monkeypatch.undo()
    dense = answered(replace(recommender))
    for mine, theirs in zip(scanned, dense, strict=True):
        assert np.allclose(mine, theirs, atol=1e-5, equal_nan=True)
    assert (dense[0] == 0).any() and dense[2].min() < 14


def test_chosen_pairs_score_the_same(recommender, scanning, monkeypatch):
    requests = Requests(histories=[[HistoryEvent("i003")], [], [HistoryEvent("i008")]])
    items = [["i004", "i011"], ["i001"], ["i010"]]
    scanned = scanning.score(requests, items)
    monkeypatch.undo()
    dense = replace(recommender).score(requests, items)
    assert scanned["item_id"].equals(dense["item_id"])
    for column in ("score", "probability"):
        assert np.allclose(scanned[column], dense[column], atol=1e-5)


def test_the_layout_is_kept_until_a_weight_changes(recommender, monkeypatch):
    monkeypatch.setattr(search, "SCAN_FROM", 1)
    kept, model = search.Search(), recommender.model
    first = kept.finder(model, "exact")
    assert isinstance(first, Scan) and kept.finder(model, "exact") is first
    with torch.no_grad():
        model.items.weight.mul_(1.0)
    second = kept.finder(model, "exact")
    assert second is not first and kept.finder(model, "exact") is second
    kept.forget()
    assert kept.finder(model, "exact") is not second


def test_a_changed_vector_changes_the_very_next_list(scanning):
    weight = scanning.model.items.weight
    before = weight.detach().clone()
    try:
        best = scanning.recommend(histories=[["i003"]], k=2).frame["item_id"].to_list()
        with torch.no_grad():
            weight[scanning.items.index(best[0])] *= -1
        assert scanning.recommend(histories=[["i003"]], k=1).frame["item_id"].to_list() == [best[1]]
    finally:
        with torch.no_grad():
            weight.copy_(before)


def test_small_catalogs_and_models_without_vectors_are_scored(recommender):
    assert search.Search().finder(recommender.model, "exact") is None
    assert search.Search().finder(recommender.fallback, "approximate") is None
    assert recommender.index_recall() == 1.0
