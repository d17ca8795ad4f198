import pytest
from tests.logs import chain_log

import horae
from horae.errors import RecipeError
from horae.recipe import load_recipe
from horae.training.choose import choose_recipe
from horae.training.progress import Quiet
from horae.training.train import Options, check


def test_auto_trains_what_suits_the_log_and_keeps_why(tmp_path):
    split = horae.split_by_time(chain_log(users=200, items=20, length=8))
    small = ["model.dim=8", "train.epochs=1"]
    one = horae.train(split, "auto", overrides=small, options=Options(progress=Quiet()))
    assert one.card["chosen"] == choose_recipe(split).as_dict()
    assert one.recipe.name == choose_recipe(split).recipe.name and one.recipe.model["dim"] == 8
    one.save(tmp_path / "run")
    assert horae.load(tmp_path / "run").card["chosen"]["reasons"]


def test_where_no_log_is_there_to_choose_by_auto_is_refused_with_the_way_to_ask():
    with pytest.raises(RecipeError, match="'auto' is no recipe") as raised:
        load_recipe("auto")
    assert "horae train EVENTS -o RUN --recipe auto" in str(raised.value.hint)


def test_keys_of_the_loss_without_effect_are_found_before_a_log_is_read():
    with pytest.raises(RecipeError, match='num_negatives has no effect with loss = "softmax"'):
        check(load_recipe("sasrec", ["train.num_negatives=5"]))
    assert check(load_recipe("esasrec", ["train.num_negatives=5"])).train["num_negatives"] == 5
