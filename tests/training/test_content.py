"""Content on the one path: training, saving, asking, evaluating."""

import polars as pl
import pytest
import torch
from tests.logs import chain_log

import horae
from horae.errors import DataError, RecipeError, RunError
from horae.evaluation.opponents import opponents_of
from horae.models.ensemble import as_table
from horae.recipe import Recipe, load_recipe
from horae.schema import HistoryEvent
from horae.sequences.batch import encode
from horae.training import compare as compare_module
from horae.training import tune as tune_module
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
        ("text-sasrec", ["content.text=none"], "no text, attributes, image"),
        ("text-sasrec", ["model.fusion=content", "model.id_bound=1.0"], "id_bound has no effect"),
        ("text-sasrec", ["model.id_dropout=1.0"], "not possible"),
        ("text-sasrec", ["model.fusion=plus"], "fusion"),
        ("text-sasrec", ["model.pair_hidden=8"], "pair_hidden has no effect"),
        ("lstm-bert", ["model.pair_hidden=0"], "at least 1"),
        ("lstm-bert", ["model.output_bias=true"], "output_bias has no effect"),
        ("lstm-bert", ["train.loss=gbce"], "does not fit"),
        ("lstm-bert", ["recommend.index=approximate"], "not possible with"),
        ("content-neighbours", ["content.text=none"], "no text, attributes, image"),
    ],
)
def test_recipes_that_cannot_be_are_refused(recipe, overrides, words):
    with pytest.raises(RecipeError, match=words):
        horae.train(LOG, recipe, overrides=overrides, catalog=CATALOG, options=QUIET)


def test_without_a_catalog_it_says_what_to_add():
    with pytest.raises(DataError, match="no catalog"):
        trained("text-sasrec", catalog=None)


def test_a_search_and_a_comparison_look_at_the_catalog(tmp_path):
    split = horae.split_by_time(LOG)
    asked = {"overrides": [*SMALL, "tune.model.dropout=[0.1, 0.3]"], "trials": 2, "minutes": None, "options": QUIET}
    tuned = horae.tune(split, "text-sasrec", catalog=CATALOG, folder=tmp_path / "search", **asked)
    again = horae.train(split, tuned.recipe, catalog=CATALOG, options=QUIET)
    assert again.card["training"]["validation"]["ndcg@10"] == tuned.best.ndcg and again.content is not None
    other = CATALOG.with_columns(title=pl.col("title").str.to_uppercase())
    with pytest.raises(RunError, match="another catalog"):
        horae.tune(split, "text-sasrec", catalog=other, folder=tmp_path / "search", resume=True, **asked)
    with pytest.raises(RunError, match="another catalog and another recipe"):
        wider = {**asked, "overrides": [*asked["overrides"], "content.width=4"]}
        horae.tune(split, "text-sasrec", catalog=other, folder=tmp_path / "search", resume=True, **wider)
    table = horae.compare(split, ["popularity", "content-neighbours"], overrides=["content.text=hashed"],
        catalog=CATALOG, options=QUIET)  # fmt: skip
    alone = horae.train(split, "content-neighbours", overrides=["content.text=hashed"], catalog=CATALOG, options=QUIET)
    judged = horae.evaluate(alone, split, opponents={}).metrics["ndcg@10"].mean
    assert table.folds[0].evaluations["content-neighbours"].metrics["ndcg@10"].mean == judged


def test_an_opponent_by_content_is_searched_with_its_catalog():
    asked = ["content.text=hashed", "tune.model.half_life_events=[1.0, 5.0]"]
    tuned = horae.tune(LOG, "content-neighbours", overrides=asked, trials=2, catalog=CATALOG, options=QUIET)
    assert len(tuned.trials) == 2 and all(trial.state == "complete" for trial in tuned.trials)


@pytest.mark.parametrize("verb", [horae.tune, lambda log, recipe, **how: horae.compare(log, ["markov", recipe], **how)])
def test_a_search_or_comparison_without_the_catalog_says_so_before_anything_trains(verb, monkeypatch):
    for module in (compare_module, tune_module):
        monkeypatch.setattr(module, "train", None)
    with pytest.raises(DataError, match="no catalog"):
        verb(LOG, "text-sasrec", options=QUIET)


WITH_PAIRS = ["model.dim=16", "model.max_len=6", "train.epochs=4", "content.text=hashed", "content.width=8"]


def test_a_run_of_pairs_answers_and_is_loaded_again(tmp_path):
    made = horae.train(LOG, "lstm-bert", overrides=WITH_PAIRS, catalog=CATALOG, options=QUIET)
    assert made.search.finder(made.model, "exact") is None and made.search.finder(made.model, "approximate") is None
    assert made.model.head.worth_C.tolist() == [0.0, *[1.0] * (len(made.model.head.worth_C) - 1)]
    listed = made.recommend(users=["u0001", "u0002"], k=5).frame
    assert len(listed) == 10 and (listed["score"] < 0).all()  # the log of one probability
    assert made.similar(["i001"], k=3).frame.height == 3
    made.save(tmp_path / "run")
    assert horae.load(tmp_path / "run").recommend(users=["u0001", "u0002"], k=5).frame.equals(listed)
    assert made.recipe.model["pair_hidden"] == 128


def test_a_catalog_above_the_scans_bound_is_scored_item_by_item(monkeypatch):
    monkeypatch.setattr("horae.recommend.search.SCAN_FROM", 1)
    made = horae.train(LOG, "lstm-bert", overrides=WITH_PAIRS, catalog=CATALOG, options=QUIET)
    listed = made.recommend(histories=[["i001", "i002"]], k=3, seen=True).frame
    with torch.no_grad():
        batch = encode(made.sequences.brought([[HistoryEvent("i001"), HistoryEvent("i002")]], None))
        best = made.model.score(batch).topk(3)
    assert made.items.ids(best.indices[0].numpy()).to_list() == listed["item_id"].to_list()


def test_what_a_behavior_is_worth_ranks():
    """People view every item in turn and buy the next but one: worth decides which of the two is first."""
    rows = [
        (f"u{user:02}", f"i{(user + place // 2 + 2 * (place % 2)) % 12:03}", ("view", "purchase")[place % 2], place)
        for user in range(48)
        for place in range(12)
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "behavior", "day"], orient="row")
    log = horae.read_events(
        frame.select("user_id", "item_id", "behavior", timestamp=1_600_000_000 + pl.col("day") * 86_400)
    )
    small = [*WITH_PAIRS, "train.epochs=1"]
    weights = "train.target_weights={view = 0.0, purchase = 1.0}"
    made = horae.train(log, "lstm-bert", overrides=[*small, weights], catalog=CATALOG, options=QUIET)
    worth = dict(zip(made.sequences.behaviors, made.model.head.worth_C.tolist()[1:], strict=True))
    assert worth["view"] == 0 and worth["purchase"] == 1
    refused = log.frame.with_columns(behavior=pl.col("behavior").cast(pl.String).replace("view", "skip"))
    again = horae.train(
        horae.read_events(refused.drop("event_order")), "lstm-bert", overrides=small, catalog=CATALOG, options=QUIET
    )
    worth = dict(zip(again.sequences.behaviors, again.model.head.worth_C.tolist()[1:], strict=True))
    assert worth["skip"] == 0 and worth["purchase"] == 1


@pytest.mark.parametrize("recipe", ["content-only", "lstm-bert", "lstm-bert-softmax"])
def test_content_tells_what_ids_cannot(recipe):
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
    small = ["content.text=hashed", "model.dim=16", "train.epochs=40", "train.learning_rate=0.01"]
    if recipe == "content-only":
        small += ["model.num_heads=1", "model.content_hidden=0"]
    if recipe == "lstm-bert":
        small.append("train.batch_tokens=256")  # a dense layer takes more steps than a dot product
    made = horae.train(log, recipe, catalog=catalog, options=QUIET, overrides=small)
    listed = made.recommend(histories=[["a01", "b02", "c03"], ["c05", "d07", "a00"]], k=10, seen=True).frame
    kind = listed["item_id"].str.slice(0, 1).to_list()
    assert kind == ["d"] * 10 + ["b"] * 10
