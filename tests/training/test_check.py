"""What is wrong in a recipe is found before any work, whichever verb reads it."""

import polars as pl
import pytest
from tests.logs import chain_log

import horae
from horae.data.settings import DataSettings
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


@pytest.mark.parametrize("head", ["pair", "value"])
def test_weights_of_targets_are_refused_where_they_would_be_ignored(head):
    frame = pl.DataFrame(
        {
            "user_id": [n % 6 for n in range(60)],
            "item_id": [n % 7 for n in range(60)],
            "timestamp": [1_600_000_000 + 3600 * n for n in range(60)],
            "value": [1.0] * 60,
            "seconds": [15.0 + n % 2 * 30 for n in range(60)],
            "skipped": [n % 5 == 0 for n in range(60)],
        }
    )
    network = ["model.dim=8", "train.epochs=1", "train.loss=binary", f"model.head={head}"]
    with pytest.raises(RecipeError, match="weak_labels has no effect"):
        check(load_recipe("gru", [*network, "data.weak_labels={seconds = 30.0}"]))
    weighed = horae.read_events(frame, settings=DataSettings(weak_labels={"seconds": 30.0}))
    with pytest.raises(RecipeError, match="some of this log count in part"):
        horae.train(weighed, "gru", overrides=network, options=QUIET)
    skipped = horae.read_events(frame, settings=DataSettings(skips="skipped"))  # in full or not at all
    horae.train(skipped, "gru", overrides=network, options=QUIET)
