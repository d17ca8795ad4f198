import numpy as np
import pytest
from tests.models.opponents.asking import log_of, random_log, scores_of

from horae.errors import RecipeError
from horae.models.opponents.item_knn import ItemKNN, ItemKNNSettings
from horae.models.opponents.sparse import user_matrix

LOG = {"u1": ["a", "b"], "u2": ["a", "b", "c"], "u3": ["a"], "u4": ["c"]}
AB, AC, BC = 2 / 6**0.5, 1 / 6**0.5, 1 / 2
PLAIN = {"similarity": "cosine", "shrinkage": 0.0, "half_life_events": 0.0}


def fitted(log=LOG, items=None, **keys):
    sequences = log_of(log, items=items)
    return ItemKNN(ItemKNNSettings(**{**PLAIN, **keys})).fit(sequences), sequences


def test_scores_are_sums_of_cosines():
    model, sequences = fitted()
    (scores,) = scores_of(model, sequences, ["a", "c"])
    assert scores == pytest.approx({"a": 1 + AC, "b": AB + BC, "c": AC + 1}, rel=1e-6)


def test_an_items_repeats_count_once():
    model, sequences = fitted()
    once, thrice = scores_of(model, sequences, ["a", "c"], ["a", "a", "c", "a"])
    assert once == thrice


def test_older_items_weigh_less():
    model, sequences = fitted(half_life_events=1.0)
    (scores,) = scores_of(model, sequences, ["a", "c"])
    assert scores == pytest.approx({"a": 0.5 + AC, "b": 0.5 * AB + BC, "c": 0.5 * AC + 1}, rel=1e-6)


def test_shrinkage_is_added_to_the_lengths():
    model, sequences = fitted(shrinkage=2.0)
    (scores,) = scores_of(model, sequences, ["a"])
    assert scores == pytest.approx({"a": 3 / 5, "b": 2 / (6**0.5 + 2), "c": 1 / (6**0.5 + 2)}, rel=1e-6)


def test_only_the_nearest_count_and_the_rest_follows_by_popularity():
    model, sequences = fitted(neighbors=2, items=["d"])
    near, empty = scores_of(model, sequences, ["a"], [])
    assert near == pytest.approx({"a": 1, "b": AB, "c": 2 / 7 - 1, "d": -1}, rel=1e-6)
    assert empty == pytest.approx({"a": 3 / 7 - 1, "b": 2 / 7 - 1, "c": 2 / 7 - 1, "d": -1}, rel=1e-6)


@pytest.mark.filterwarnings("ignore:Method expects CSR input")  # its own call to itself
@pytest.mark.parametrize(("similarity", "name"), [("cosine", "CosineRecommender"), ("tfidf", "TFIDFRecommender")])
@pytest.mark.parametrize("neighbors", [4, 50])
def test_similarities_are_those_of_implicit(similarity, name, neighbors):
    library = pytest.importorskip("implicit.nearest_neighbours")
    from scipy.sparse import csr_matrix

    sequences = random_log(items=12, length=5)
    theirs = getattr(library, name)(K=neighbors)
    theirs.fit(csr_matrix(user_matrix(sequences)[:, 1:].astype(np.float64)), show_progress=False)
    settings = ItemKNNSettings(similarity, neighbors, shrinkage=0, half_life_events=0)
    ours = ItemKNN(settings).fit(sequences)._similar.toarray()[1:, 1:]
    wanted = theirs.similarity.toarray()
    # equal similarities at the cut may go to either, so compare each item's neighbours by value
    assert np.allclose(np.sort(ours), np.sort(wanted), atol=1e-6)
    assert neighbors < 12 or np.allclose(ours, wanted, atol=1e-6)


@pytest.mark.parametrize("keys", [{"neighbors": 0}, {"shrinkage": -1.0}, {"half_life_events": -2.0}])
def test_impossible_settings_are_refused(keys):
    with pytest.raises(RecipeError, match=next(iter(keys))):
        ItemKNNSettings(**keys)
