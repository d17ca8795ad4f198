import numpy as np
import polars as pl
import pytest
import torch
from tests.logs import chain_log

import horae
from horae.errors import DataError, RecipeError
from horae.schema import Events
from horae.training.progress import Quiet
from horae.training.train import Options, refit

SMALL = ["model.dim=16", "model.num_heads=1", "model.num_layers=1", "model.max_len=6", "train.epochs=4"]
TEXT = [*SMALL, "content.text=hashed", "content.width=8", "model.content_hidden=0"]
LOG = chain_log(users=60, items=12, length=8)
WORDS = ("scarf", "spade", "cup", "shoe", "lamp", "book", "pan", "kite", "drum", "vase", "rope", "sock")


def catalog_of(prefix=""):
    return pl.DataFrame({"item_id": [f"{prefix}i{n:03}" for n in range(12)], "title": [f"a {word}" for word in WORDS]})


def elsewhere(log):
    """The same log by other names: nobody and nothing is known from the first."""
    names = pl.col("item_id").str.replace("i", "new-i"), pl.col("user_id").str.replace("u", "new-u")
    return Events(log.frame.with_columns(*names))


def trained(log, recipe, overrides, catalog=None, start=None, seed=0):
    return horae.train(
        log, recipe, overrides=overrides, catalog=catalog, seed=seed, options=Options(progress=Quiet(), start=start)
    )


@pytest.fixture(scope="module")
def by_ids():
    return trained(LOG, "sasrec", SMALL)


@pytest.fixture(scope="module")
def by_content():
    return trained(LOG, "content-only", [*TEXT, "train.epochs=25", "train.learning_rate=0.01"], catalog_of())


def begun(log, recipe, overrides, start, catalog=None):
    """A network as it starts: one step so small that nothing moves."""
    still = ["train.epochs=1", "train.learning_rate=1e-12", "train.weight_decay=0.0", "train.average_steps=0"]
    return trained(log, recipe, [*overrides, *still], catalog, start)


def test_items_known_by_the_same_id_begin_where_they_were_and_others_afresh(by_ids):
    more = Events(pl.concat([LOG.frame, LOG.frame.with_columns(pl.col("item_id") + "-b", pl.col("user_id") + "-b")]))
    one = begun(more, "sasrec", SMALL, by_ids)
    both = [made.model.item_vectors()[made.items.index("i003")] for made in (one, by_ids)]
    assert torch.allclose(*both, atol=1e-6)
    fresh = one.model.item_vectors()[one.items.index("i003-b")]
    assert fresh.norm() > 0 and not torch.allclose(fresh, both[0], atol=1e-3)
    assert torch.allclose(
        one.model.encoder.state_dict()["position_LD"], by_ids.model.encoder.state_dict()["position_LD"]
    )
    assert one.card["started_from"] == "sasrec"


def test_content_means_the_same_in_a_log_that_shares_no_id(by_content):
    one = begun(elsewhere(LOG), "content-only", TEXT, by_content, catalog_of("new-"))
    history = ["i002", "i003", "i004"]
    old = by_content.recommend(histories=[history], k=5, seen=True).frame
    new = one.recommend(histories=[[f"new-{item}" for item in history]], k=5, seen=True).frame
    assert new["item_id"].to_list() == [f"new-{item}" for item in old["item_id"]]
    assert np.allclose(new["score"], old["score"], atol=1e-4)
    assert old["item_id"][0] == "i005"


@pytest.mark.parametrize(("first", "then"), [("content", "sum"), ("sum", "content")])
def test_ids_may_be_learned_beside_content_that_was_learned_elsewhere(first, then):
    start = trained(LOG, "content-only", [*TEXT, f"model.fusion={first}"], catalog_of())
    one = begun(elsewhere(LOG), "content-only", [*TEXT, f"model.fusion={then}"], start, catalog_of("new-"))
    old, new = start.model.arrays(), one.model.arrays()
    moved = [name for name in new if name in old and "ids" not in name]
    assert moved and all(torch.allclose(old[name], new[name], atol=1e-6) for name in moved)
    assert {name for name in {*old} ^ {*new}} == {"items.ids.weight", "items.missing_D"}
    with pytest.raises(RecipeError, match="fusion = 'gate' here"):
        trained(LOG, "content-only", [*TEXT, "model.fusion=gate"], catalog_of(), start)


def test_what_was_learned_elsewhere_helps_a_few_people_here(by_content):
    few = Events(elsewhere(chain_log(users=12, items=12, length=6, seed=5)).frame)
    split = horae.split_leave_one_out(few)

    def quality(start):
        one = trained(split, "content-only", [*TEXT, "train.epochs=2"], catalog_of("new-"), start)
        return horae.evaluate(one, split, opponents={}).metrics["ndcg@10"].mean

    assert quality(by_content) > quality(None) + 0.2


def test_learned_again_it_starts_there_too(by_content):
    where = Options(progress=Quiet(), start=by_content)
    split = horae.split_by_time(elsewhere(LOG))
    one = horae.train(split, "content-only", overrides=TEXT, catalog=catalog_of("new-"), options=where)
    again = refit(one, options=where)
    kept = [made.content.reductions["text"].direction_CP for made in (by_content, one, again)]
    assert np.array_equal(kept[0], kept[1]) and np.array_equal(kept[0], kept[2])


@pytest.mark.parametrize(
    ("recipe", "overrides", "words"),
    [("sasrec", ["model.dim=32"], "dim = 32 here, 16"), ("gru", [], "encoder"), ("markov", None, "network only")],
)
def test_a_start_that_does_not_fit_is_refused(by_ids, recipe, overrides, words):
    with pytest.raises(RecipeError, match=words):
        trained(LOG, recipe, [] if overrides is None else [*SMALL[:0], *overrides], start=by_ids)


def test_other_content_is_refused(by_content, tmp_path):
    file = tmp_path / "sound.parquet"
    pl.DataFrame({"item_id": ["i000"], "sound": [[1.0, 0.0]]}).write_parquet(file)
    with pytest.raises(DataError, match="knows text of items"):
        trained(LOG, "content-only", [*TEXT, f'content.vectors=["{file}"]'], catalog_of(), by_content)
