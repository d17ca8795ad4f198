import numpy as np
import pytest
import torch
from tests.models.opponents.asking import ask, log_of, random_log, scores_of

from horae.errors import RecipeError
from horae.models.opponents.sparse import user_matrix
from horae.models.opponents.user_knn import UserKNN, UserKNNSettings
from horae.sequences.batch import encode

LOG = {"u1": ["a", "b", "c"], "u2": ["a", "d"], "u3": ["d"]}
PLAIN = {"similarity": "cosine", "half_life_events": 0.0}
NEAR, FAR = 2 / 6**0.5, 1 / 2


def fitted(**keys):
    sequences = log_of(LOG)
    return UserKNN(UserKNNSettings(**{**PLAIN, **keys})).fit(sequences), sequences


def test_items_are_scored_by_the_cosines_of_those_who_had_them():
    model, sequences = fitted()
    (scores,) = scores_of(model, sequences, ["a", "b"])
    assert scores == pytest.approx({"a": NEAR + FAR, "b": NEAR, "c": NEAR, "d": FAR}, rel=1e-6)


def test_only_the_nearest_users_are_asked_and_the_rest_follows_by_popularity():
    model, sequences = fitted(neighbors=1)
    (scores,) = scores_of(model, sequences, ["a", "b"])
    assert scores == pytest.approx({"a": NEAR, "b": NEAR, "c": NEAR, "d": 2 / 6 - 1}, rel=1e-6)


def test_older_items_weigh_less():
    model, sequences = fitted(half_life_events=1.0)
    (scores,) = scores_of(model, sequences, ["d", "b"])  # (b 1, d 1/2)
    length = (1 + 0.25) ** 0.5
    near, far, alone = 1 / (length * 3**0.5), 0.5 / (length * 2**0.5), 0.5 / length
    assert scores == pytest.approx({"a": near + far, "b": near, "c": near, "d": far + alone}, rel=1e-6)


def test_events_before_the_newest_max_len_do_not_count():
    model, sequences = fitted(max_len=1)
    long, short = scores_of(model, sequences, ["d", "a", "b"], ["b"])
    assert long == short
    assert model.max_len == 1


def test_tfidf_weighs_items_by_how_few_have_them():
    sequences = random_log(users=30, items=9, length=4)
    model = UserKNN(UserKNNSettings("tfidf", neighbors=30, half_life_events=0)).fit(sequences)
    x_UI = user_matrix(sequences).toarray()
    weighted_UI = x_UI * np.maximum(np.log(30) - np.log1p(x_UI.sum(0)), 0)
    history = weighted_UI[4]
    cosine_U = weighted_UI @ history / (np.linalg.norm(weighted_UI, axis=1) * np.linalg.norm(history))
    line = sequences.items.ids(np.flatnonzero(x_UI[4])).to_list()
    scores = model.score(ask(sequences, line))[0, 1:].numpy()
    expected = (cosine_U @ x_UI)[1:]
    assert np.allclose(scores[expected > 0], expected[expected > 0], rtol=1e-5)


def test_nobody_needs_to_be_known():
    model, sequences = fitted()
    known = sequences.of_users(np.array([1]))
    assert torch.equal(model.score(encode(known)), model.score(ask(sequences, ["a", "b", "c"])))


@pytest.mark.parametrize("keys", [{"neighbors": 0}, {"max_len": 0}, {"half_life_events": -2.0}])
def test_impossible_settings_are_refused(keys):
    with pytest.raises(RecipeError, match=next(iter(keys))):
        UserKNNSettings(**keys)
