from tests.logs import chain_log

import horae
from horae.training.choose import choose_recipe
from horae.training.progress import Quiet
from horae.training.train import Options


def test_auto_trains_what_suits_the_log_and_keeps_why(tmp_path):
    split = horae.split_by_time(chain_log(users=200, items=20, length=8))
    small = ["model.dim=8", "train.epochs=1"]
    one = horae.train(split, "auto", overrides=small, options=Options(progress=Quiet()))
    assert one.card["chosen"] == choose_recipe(split).as_dict()
    assert one.recipe.name == choose_recipe(split).recipe.name and one.recipe.model["dim"] == 8
    one.save(tmp_path / "run")
    assert horae.load(tmp_path / "run").card["chosen"]["reasons"]
