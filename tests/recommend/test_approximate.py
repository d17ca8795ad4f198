import builtins
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.recommend.vectors import nothing_hidden, some_hidden, states, true_scores, true_top, vectors

from horae.errors import HoraeError, MissingExtraError
from horae.recommend.approximate import Approximate, recall
from horae.recommend.rank import Hidden
from horae.recommend.scan import Scan

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def found():
    return Approximate(vectors("clustered", 20_000, 16))


def test_most_of_the_best_are_found_and_recall_says_how_many(found):
    h_BD, hidden = states(30, 16), nothing_hidden()
    measured = recall(found.top, Scan(found.e_ID), h_BD, 10, hidden)
    items, _ = found.top(h_BD, 10, hidden)
    best, _ = true_top(true_scores(found.e_ID, h_BD, hidden), 10)
    by_hand = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(items.tolist(), best.tolist(), strict=True)])
    assert measured == pytest.approx(by_hand, abs=0.01)
    assert measured > 0.6


def test_what_is_found_has_its_exact_score_and_order(found):
    h_BD, hidden = states(8, 16), some_hidden(8, 20_000)
    items, best = found.top(h_BD, 10, hidden)
    scores = true_scores(found.e_ID, h_BD, hidden)
    assert np.allclose(best, np.take_along_axis(scores, items, axis=1), rtol=2e-7)
    assert (np.diff(best, axis=1) <= 0).all()


def test_always_k_and_never_what_is_hidden(found):
    h_BD = states(2, 16)
    best, _ = Scan(found.e_ID).top(h_BD, 400, nothing_hidden())
    hidden = Hidden(torch.zeros(400, dtype=torch.int64), torch.from_numpy(best[0]))
    items, _ = found.top(h_BD, 10, hidden)
    assert (items > 0).all() and not set(items[0].tolist()) & set(best[0].tolist())
    items, _ = found.top(h_BD, 5_000, nothing_hidden())  # more than the cells that are read hold
    assert (items > 0).all()


def test_chosen_items_only_are_found_exactly(found):
    allowed = torch.zeros(20_001, dtype=torch.bool)
    allowed[1:30] = True
    h_BD, hidden = states(3, 16), some_hidden(3, 20_000, allowed=allowed)
    items, _ = found.top(h_BD, 10, hidden)
    assert items.tolist() == true_top(true_scores(found.e_ID, h_BD, hidden), 10)[0].tolist()


@pytest.mark.parametrize("num_items", [1, 5, 300])
def test_small_catalogs_are_found_whole(num_items):
    small = Approximate(vectors("plain", num_items, 8))
    items, _ = small.top(states(2, 8), 10, nothing_hidden())
    assert ((items > 0).sum(axis=1) == min(10, num_items)).all()


def test_a_vector_that_is_not_finite_is_refused_in_words():
    e_ID = vectors("plain", 100, 8)
    e_ID[4, 4] = float("nan")
    with pytest.raises(HoraeError, match="not finite"):
        Approximate(e_ID)


def test_a_recommender_with_an_approximate_index_answers_and_measures_itself(recommender):
    recipe = replace(recommender.recipe, recommend={**recommender.recipe.recommend, "index": "approximate"})
    asked = replace(recommender, recipe=recipe)
    history = [["i003", "i004", "i005"]]
    assert (
        asked.recommend(histories=history, k=50)
        .frame["item_id"]
        .equals(recommender.recommend(histories=history, k=50).frame["item_id"])
    )
    assert asked.index_recall() == 1.0  # a catalog this small is read whole


def test_without_faiss_the_extra_is_named(monkeypatch):
    inner = builtins.__import__

    def refuse(name, *rest):
        if name == "faiss":
            raise ImportError(name)
        return inner(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match="faiss") as caught:
        Approximate(vectors("plain", 10, 4))
    assert "horae[ann]" in caught.value.hint
