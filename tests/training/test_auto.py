import pytest
from tests.logs import chain_log

import horae
from horae.errors import RecipeError
from horae.recipe import load_recipe
from horae.training.choose import choose_recipe
from horae.training.progress import Quiet
from horae.training.train import Options, check

QUIET = Options(progress=Quiet())


class Saying(Quiet):
    """Keeps what is said."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


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


@pytest.mark.parametrize("override", ["train.epochs=3", "model.dim=8"])
def test_a_setting_that_the_choice_has_no_use_for_is_refused_in_the_name_of_auto(override):
    few = chain_log(users=20, items=8, length=8)
    with pytest.raises(RecipeError, match=r"auto chose markov: 160 events are too few.*cannot be: \[") as no:
        horae.train(few, "auto", overrides=[override], options=QUIET)
    assert "--recipe sasrec" in str(no.value.hint)
    with pytest.raises(RecipeError, match="has no key 'epochz'") as no:
        horae.train(chain_log(users=200, items=20, length=8), "auto", overrides=["train.epochz=3"], options=QUIET)
    assert "Did you mean 'epochs'" in str(no.value.hint) and "--recipe sasrec" not in str(no.value.hint)


def test_auto_is_compared_under_the_name_of_what_it_took_and_says_why_once():
    said = []
    few = chain_log(users=20, items=8, length=8)
    table = horae.compare(few, ["auto", "markov", "popularity"], folds=2, options=Options(progress=Saying(said)))
    assert set(table.order) == {"auto (markov)", "markov", "popularity"} and len(table.folds) == 2
    assert sum(sentence.startswith("Chosen: markov") for sentence in said) == 1
    assert table.as_dict()["chosen"]["recipe"] == "markov"
    assert table.folds[0].evaluations["auto (markov)"].metrics == table.folds[0].evaluations["markov"].metrics
    assert horae.compare(few, ["markov"], options=QUIET).as_dict()["chosen"] is None


def test_a_comparison_gives_an_override_to_whom_it_suits_whoever_chose():
    few = chain_log(users=20, items=8, length=8)
    assert horae.compare(few, ["auto", "item-knn"], overrides=["model.half_life_events=5.0"], options=QUIET).order
    with pytest.raises(RecipeError, match=r"auto chose markov.*epochs has no effect"):
        horae.compare(few, ["auto"], overrides=["train.epochs=3"], options=QUIET)


def test_auto_is_tuned_as_what_it_took(tmp_path):
    said, split = [], horae.split_by_time(chain_log(users=200, items=20, length=8))
    keys = ["model.dim=8", "train.epochs=1", "tune.model.dropout=[0.1, 0.2]"]
    where = Options(progress=Saying(said))
    asked = {"trials": 1, "folder": tmp_path / "search", "options": where}
    tuned = horae.tune(split, "auto", overrides=keys, **asked)
    took = choose_recipe(split)
    assert tuned.base.name == took.recipe.name and tuned.recipe.model["max_len"] == took.recipe.model["max_len"]
    assert sum(sentence == str(took) for sentence in said) == 1
    assert tuned.as_dict()["chosen"] == took.as_dict()
    assert len(horae.tune(split, "auto", overrides=keys, resume=True, **asked | {"trials": 2}).trials) == 2


def test_where_auto_counts_there_is_nothing_to_tune_and_it_says_who_chose():
    with pytest.raises(RecipeError, match=r"auto chose markov.*declares nothing to search"):
        horae.tune(chain_log(users=20, items=8, length=8), "auto", options=QUIET)
