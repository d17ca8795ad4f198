"""Content on the one path: training, saving, asking, evaluating."""

import polars as pl
import pytest
import torch
from tests.logs import chain_log

import horae
from horae.errors import DataError, RecipeError
from horae.evaluation.opponents import opponents_of
from horae.models.ensemble import as_table
from horae.recipe import Recipe, load_recipe
from horae.training.progress import Quiet
from horae.training.train import Options, refit

QUIET = Options(progress=Quiet(), device="cpu")
LOG = chain_log(users=60, items=12, length=8)
CATALOG = pl.DataFrame(
    {"item_id": [f"i{n:03}" for n in range(12)], "title": [f"thing of kind {'abcdefghijkl'[n] * 3}" for n in range(12)]}
)
SMALL = [
    "model.dim=16",
    "model.num_heads=1",
    "model.num_layers=1",
    "model.max_len=6",
    "train.epochs=4",
    "content.text=hashed",
]


def trained(recipe, *overrides, catalog=CATALOG):
    return horae.train(LOG, recipe, overrides=[*SMALL, *overrides], catalog=catalog, options=QUIET)


@pytest.fixture(scope="module")
def fused():
    return trained("text-sasrec", "content.width=8", "model.fusion=gate")


def test_a_loaded_run_answers_the_same_without_catalog_or_encoder(fused, tmp_path):
    fused.save(tmp_path / "run")
    (tmp_path / "run" / "content.safetensors").stat()
    again = horae.load(tmp_path / "run")
    assert again.content.settings == fused.content.settings
    assert again.recommend(users=["u0001"]).frame.equals(fused.recommend(users=["u0001"]).frame)
    assert torch.equal(again.model.item_vectors(), fused.model.item_vectors())


def test_it_is_learned_again_from_everything_and_judged_beside_content_neighbours(fused):
    again = refit(fused, options=QUIET)
    assert again.content is not None and again.recommend(users=["u0001"], k=5).frame.height == 5
    beside = opponents_of(fused, fused.split)
    assert "content_neighbours" in beside and not isinstance(beside["content_neighbours"], str)
    bare = horae.train(LOG, "popularity", options=QUIET)
    assert "content_neighbours" not in opponents_of(bare, bare.split)
    assert (
        "titles" not in beside and "say" in opponents_of(bare, bare.split, ["content_neighbours"])["content_neighbours"]
    )


def test_late_fusion_is_an_ensemble():
    small = ["model.dim=16", "model.num_heads=1", "train.epochs=2"]
    parts = [load_recipe("content-only", [*small, "model.content_hidden=4"]), load_recipe("sasrec", small)]
    both = Recipe("late", content={"text": "hashed"}, model={"ensemble": [as_table(one) for one in parts]})
    late = horae.train(LOG, both, catalog=CATALOG, options=QUIET)
    assert [type(one.items).__name__ for one in late.model.networks] == ["FusedTable", "IdTable"]
    assert len(late.recommend(users=["u0001"], k=5).frame) == 5


@pytest.mark.parametrize(
    ("recipe", "overrides", "words"),
    [
        ("sasrec", ["model.fusion=sum"], "does not say where"),
        ("sasrec", ["content.width=8"], "no effect"),
        ("text-sasrec", ["content.text=none"], "no text, image or vectors"),
        ("text-sasrec", ["model.fusion=content", "model.id_bound=1.0"], "id_bound has no effect"),
        ("text-sasrec", ["model.id_dropout=1.0"], "not possible"),
        ("text-sasrec", ["model.fusion=plus"], "fusion"),
        ("content-neighbours", ["content.text=none"], "no text, image or vectors"),
    ],
)
def test_recipes_that_cannot_be_are_refused(recipe, overrides, words):
    with pytest.raises(RecipeError, match=words):
        horae.train(LOG, recipe, overrides=overrides, catalog=CATALOG, options=QUIET)


def test_without_a_catalog_it_says_what_to_add():
    with pytest.raises(DataError, match="no catalog"):
        trained("text-sasrec", catalog=None)


def test_content_tells_what_ids_cannot():
    """Every pair of neighbours in the log comes once or never; only kinds of items repeat."""
    kinds, size = 4, 30
    rows = []
    for user in range(240):
        for place in range(5):
            kind, one = (user + place) % kinds, (user // kinds + place * 11) % size
            rows.append((f"u{user:03}", f"{'abcd'[kind]}{one:02}", 1_600_000_000 + user * 1000 + place * 86_400))
    log = horae.read_events(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))
    items = [f"{kind}{one:02}" for kind in "abcd" for one in range(size)]
    words = {"a": "wool winter scarf", "b": "garden spade", "c": "espresso cup", "d": "running shoe"}
    catalog = pl.DataFrame({"item_id": items, "title": [words[item[0]] for item in items]})
    made = horae.train(
        log,
        "content-only",
        catalog=catalog,
        options=QUIET,
        overrides=[
            "content.text=hashed",
            "model.dim=16",
            "model.num_heads=1",
            "model.content_hidden=0",
            "train.epochs=40",
            "train.learning_rate=0.01",
        ],
    )
    listed = made.recommend(histories=[["a01", "b02", "c03"], ["c05", "d07", "a00"]], k=10, seen=True).frame
    kind = listed["item_id"].str.slice(0, 1).to_list()
    assert kind == ["d"] * 10 + ["b"] * 10
