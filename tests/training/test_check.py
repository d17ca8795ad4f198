"""What is wrong in a recipe is found before any work, whichever verb reads it."""

import pytest
from tests.logs import chain_log

import horae
from horae.errors import RecipeError
from horae.recipe import load_recipe
from horae.training.check import check
from horae.training.progress import Quiet
from horae.training.train import Options

QUIET = Options(progress=Quiet())
NETWORK = '[model]\nencoder = "gru"\ndim = 8\nmax_len = 8\n'


@pytest.mark.parametrize(
    ("tune", "told"),
    [
        ('"model.dimm" = [8, 16]', "no key 'dimm'"),
        ('"model.dim" = [8]', "two different choices"),
        ('"model.dim" = {low = 16, high = 8}', "low below high"),
        ('"model.dropout" = [0.1, 2.0]', "may not be 2.0"),
        ('"data.max_bad" = [0.1, 0.2]', r"only keys of \[model\] and \[train\]"),
        ("epochs = 3", r"only keys of \[model\] and \[train\]"),
    ],
)
def test_a_wrong_range_is_refused_by_whoever_reads_the_recipe(tmp_path, tune, told):
    file = tmp_path / "mine.toml"
    file.write_text(f"{NETWORK}[tune]\n{tune}\n")
    log = chain_log(users=20, items=8, length=8)
    for asked in (
        lambda: check(load_recipe(file)),
        lambda: horae.train(log, file, options=QUIET),
        lambda: horae.compare(log, [load_recipe(file)], options=QUIET),
        lambda: horae.train(log, load_recipe("ensemble", [f"model.ensemble=['{file}', 'markov']"]), options=QUIET),
    ):
        with pytest.raises(RecipeError, match=told):
            asked()


def test_ranges_without_anything_to_search_are_refused_and_right_ones_are_no_part_of_what_is_trained(tmp_path):
    with pytest.raises(RecipeError, match="ensemble"):
        check(load_recipe("ensemble", ["tune.train.epochs=[5, 10]"]))
    checked = check(load_recipe("item-knn", ["tune.model.half_life_events=[5.0, 10.0]"]))
    assert checked.model["opponent"] == "item_knn"
