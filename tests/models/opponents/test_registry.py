import importlib.util

import pytest
import torch
from tests.models.opponents.asking import ask, loaded, random_log

from horae.errors import NotTrainedError, RecipeError
from horae.models.base import Model, Opponent
from horae.models.opponents import OPPONENTS, make_opponent, settings_of, variants
from horae.recipe import load_recipe


@pytest.fixture(params=list(OPPONENTS))
def name(request):
    if request.param == "ials" and importlib.util.find_spec("implicit") is None:
        pytest.skip("the extra `classic` is not installed")
    return request.param


def test_every_opponent_is_one_and_has_its_settings(name):
    opponent = make_opponent(name, {"opponent": name})
    assert isinstance(opponent, Opponent) and isinstance(opponent, Model)
    assert opponent.settings == settings_of(name)()


def test_every_opponent_has_a_recipe(name):
    recipe = load_recipe(name.replace("_", "-"))
    assert recipe.about and recipe.model["opponent"] == name
    make_opponent(name, recipe.model)


def test_every_opponent_says_where_it_comes_from(name):
    text = type(make_opponent(name)).__doc__
    assert "Source:" in text and "Differs:" in text


def test_scores_before_fit_are_refused(name):
    with pytest.raises(NotTrainedError, match="before it was fitted"):
        make_opponent(name).score(ask(random_log(), ["i01"]))


def test_items_beyond_the_model_change_nothing(name):
    """A vocabulary only grows, so a history may hold items that came after the model."""
    sequences = random_log()
    opponent = make_opponent(name).fit(sequences)
    plain = opponent.score(ask(sequences, ["i01", "i02"]))
    sequences.items.append(["new"])
    assert opponent.score(ask(sequences, ["new"])).shape == plain.shape
    assert torch.isfinite(opponent.score(ask(sequences, ["i02", "new"]))[:, 1:]).all()


def test_newest_events_beyond_max_len_may_be_in_the_batch_or_not(name):
    sequences = random_log()
    opponent = make_opponent(name).fit(sequences)
    line = [f"i{n % 15:02}" for n in range(70)]
    whole, cut = ask(sequences, line), ask(sequences, line, max_len=opponent.max_len)
    assert torch.equal(opponent.score(whole), opponent.score(cut))


def test_arrays_give_the_same_scores_to_the_last_bit(name):
    sequences = random_log()
    opponent = make_opponent(name).fit(sequences)
    batch = ask(sequences, ["i01", "i02", "i01"], [], [f"i{n:02}" for n in range(15)], at=2e6)
    assert torch.equal(opponent.score(batch), loaded(opponent, 15).score(batch))
    assert all(array.is_contiguous() for array in opponent.arrays().values())  # safetensors asks for it


def test_the_same_log_gives_the_same_scores(name):
    first, second = random_log(users=20), random_log(users=20)
    batch = ask(first, ["i03", "i07"])
    assert torch.equal(make_opponent(name).fit(first).score(batch), make_opponent(name).fit(second).score(batch))


@pytest.mark.parametrize("call", [make_opponent, settings_of, variants])
def test_an_unknown_name_is_refused_with_the_nearest(call):
    with pytest.raises(RecipeError, match="There is no opponent 'popularty'") as caught:
        call("popularty")
    assert "Did you mean 'popularity'" in caught.value.hint


def test_an_unknown_key_is_refused():
    with pytest.raises(RecipeError, match="neighbours"):
        make_opponent("item_knn", {"neighbours": 5})


def test_only_recent_popularity_leaves_something_open():
    assert {name for name in OPPONENTS if len(variants(name)) > 1} == {"recent_popularity"}
    assert variants("markov", {"smoothing": 2.0}) == [{"smoothing": 2.0}]
    for table in variants("recent_popularity", {"opponent": "recent_popularity"}):
        make_opponent("recent_popularity", table)
