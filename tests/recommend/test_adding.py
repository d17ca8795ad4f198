"""New items in a trained run: no training, nothing moved that was there, all or nothing."""

import numpy as np
import polars as pl
import pytest
import torch
from tests.logs import chain_log

import horae
from horae.data.split import Split
from horae.errors import DataError
from horae.features.content.vectors import InOrder
from horae.models.ensemble import as_table
from horae.models.opponents import OPPONENTS
from horae.recipe import Recipe, load_recipe
from horae.recommend.adding import num_trained
from horae.schema import Events, HistoryEvent
from horae.training.progress import Quiet
from horae.training.train import Options, refit

QUIET = Options(progress=Quiet(), device="cpu")
LOG = chain_log(users=60, items=12, length=8)
WORDS = ["shoe", "spade", "cup", "scarf"]
TITLES = [f"{WORDS[n % 4]} kind {WORDS[n % 4] * 2} {n:03}" for n in range(12)]
CATALOG = pl.DataFrame({"item_id": [f"i{n:03}" for n in range(12)], "title": TITLES, "price": range(12)})
NEW = pl.DataFrame({"item_id": ["n1", "n2"], "title": ["shoe kind shoeshoe new", "cup kind cupcup new"]})
SMALL = ["model.dim=16", "model.num_heads=1", "model.num_layers=1", "model.max_len=6", "train.epochs=3"]
HASHED = ["content.text=hashed", "content.width=8"]


def trained(recipe, *overrides, log=LOG, catalog=CATALOG):
    network = recipe in ("sasrec", "text-sasrec") or isinstance(recipe, Recipe)
    small = SMALL if network and not isinstance(recipe, Recipe) else []
    return horae.train(log, recipe, overrides=[*small, *overrides], catalog=catalog, options=QUIET)


def fused(**how):
    return trained("text-sasrec", *HASHED, **how)


def by_ids(**how):
    return trained("sasrec", *HASHED, **how)


def scores(recommender, items):
    asked = horae.Requests(histories=[[HistoryEvent("i000"), HistoryEvent("i001")]])
    return dict(zip(items, recommender.score(asked, [items])["score"].to_list(), strict=True))


def mixed():
    parts = [load_recipe(name, small) for name, small in (("sasrec", SMALL), ("item-knn", []))]
    content = {"text": "hashed", "width": 8}
    return trained(Recipe("mixed", content=content, model={"ensemble": [as_table(one) for one in parts]}))


@pytest.mark.parametrize("make", [fused, by_ids, mixed])
def test_a_new_item_may_be_asked_about_at_once_and_old_scores_stay(make):
    run = make()
    old = list(CATALOG["item_id"])
    before = run.model.networks[0].item_vectors().clone() if make is mixed else run.model.item_vectors().clone()
    told = run.add_items(NEW)
    assert (told.added, told.changed, told.kept) == (("n1", "n2"), (), ())
    after = run.model.networks[0].item_vectors() if make is mixed else run.model.item_vectors()
    assert torch.equal(after[:13], before) and len(after) == 15 and after[13:].isfinite().all()
    assert after[13:].abs().sum(1).min() > 0
    listed = run.recommend(histories=[["i000", "n1"]], k=14, seen=True)
    assert set(listed.frame["item_id"]) == {*old, "n1", "n2"} and listed.notes == ()
    assert set(scores(run, ["i003", "n1"])) == {"i003", "n1"}


def test_content_foretells_the_vector_of_an_id_as_a_ridge_regression_does():
    run = by_ids()
    e_ID = run.model.item_vectors().detach().numpy().astype(np.float64)
    run.add_items(NEW)
    x_IP = run.content.vectors["text"].astype(np.float64)
    x, y = x_IP[1:13], e_ID[1:13]
    penalty = 0.1 * np.mean(np.sum(x**2, axis=0))
    weight = np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1])) @ x.T @ y
    assert np.allclose(run.model.item_vectors()[13:].detach().numpy(), x_IP[13:] @ weight, atol=1e-5)
    second = pl.DataFrame({"item_id": ["n3"], "title": [NEW["title"][0]]})
    run.add_items(second)  # what was foretold teaches nothing
    assert torch.allclose(run.model.item_vectors()[15], run.model.item_vectors()[13], atol=1e-6)


def test_a_table_of_content_gives_the_vector_that_it_gives_to_such_content():
    run = trained("text-sasrec", *HASHED, "model.fusion=content")
    twin = pl.DataFrame({"item_id": ["twin"], "title": [TITLES[4]]})
    run.add_items(twin)
    vectors = run.model.item_vectors()
    assert torch.allclose(vectors[13], vectors[5], atol=1e-6)


@pytest.mark.parametrize("name", sorted(OPPONENTS))
def test_opponents_score_old_items_as_before(name):
    reads = [*HASHED] if name == "content_neighbours" else []
    run = trained(name.replace("_", "-"), *reads)
    old = list(CATALOG["item_id"])
    before = scores(run, old)
    run.add_items(NEW)
    after = scores(run, [*old, "n1"])
    if name in ("user_knn", "session_knn"):  # their idf looks at who had what, not at how many items there are
        assert before == {item: after[item] for item in old}
    assert [after[item] for item in old] == pytest.approx([before[item] for item in old], rel=1e-5)
    assert after["n1"] <= min(after[item] for item in old) or name in ("content_neighbours", "ease", "ials")
    assert len(run.recommend(histories=[["i001"]], k=14, seen=True).frame) == 14


@pytest.mark.parametrize("make", [fused, by_ids, mixed])
def test_a_run_with_added_items_is_saved_whole(make, tmp_path):
    run = make()
    run.add_items(NEW)
    run.save(tmp_path / "run")
    again = horae.load(tmp_path / "run")
    assert num_trained(again) == 12 and len(again.items) == 14
    asked = {"histories": [["i000", "n1"], ["n2"]], "k": 14, "seen": True}
    assert again.recommend(**asked).frame.equals(run.recommend(**asked).frame)
    third = pl.DataFrame({"item_id": ["n3"], "title": ["shoe kind"]})
    run.add_items(third)
    again.add_items(third)
    assert again.recommend(**asked).frame.equals(run.recommend(**asked).frame)
    assert again.catalog.filter(item_id="n1")["title"].to_list() == [NEW["title"][0]]


def test_events_on_a_new_item_count_also_those_that_came_before_it_was_added():
    run = fused()
    run.append("u0001", "n1")
    run.add_items(NEW)
    run.append("u0002", "n1")
    for user in ("u0001", "u0002"):
        cut = run.histories(horae.Requests(users=pl.Series([user])))
        assert cut.flat.item_N[cut.end_B[0] - 1] == 13
        assert "n1" not in run.recommend(users=[user], k=14, seen=False).frame["item_id"].to_list()


def test_events_of_the_log_on_items_that_were_left_out_come_back_with_them(tmp_path):
    frame = LOG.frame
    part = pl.select(pl.when(frame["item_id"] == "i011").then(pl.lit("test")).otherwise(pl.lit("train"))).to_series()
    split = Split(LOG, part.cast(pl.Enum(["train", "validation", "test", "unused"])), "column", "")
    run = trained("text-sasrec", *HASHED, log=split, catalog=CATALOG.filter(pl.col("item_id") != "i011"))
    assert run.strangers == {"i011"}
    short = len(run.sequences.flat)
    run.add_items(CATALOG.filter(item_id="i011"))
    assert len(run.sequences.flat) == short + int((frame["item_id"] == "i011").sum()) and run.strangers == set()
    run.save(tmp_path / "run")
    users = frame["user_id"].unique().sort().to_list()
    again = horae.load(tmp_path / "run")
    assert again.recommend(users=users, k=5).frame.equals(run.recommend(users=users, k=5).frame)


def test_live_popularity_counts_what_comes_after():
    run = trained("live-popularity")
    late = LOG.frame["timestamp"].max()
    run.append("u0001", "n1", timestamp=late)
    run.add_items(NEW)
    for user in range(40):
        run.append(f"x{user}", "n2", timestamp=late)
    after = run.recommend(histories=[["i000"]], k=2).frame
    assert after["item_id"][0] == "n2"
    assert scores(run, ["n1"])["n1"] > 0


def test_an_item_that_is_there_stays_as_it_is_unless_asked():
    run = fused()
    row = pl.DataFrame({"item_id": ["i000"], "title": [TITLES[1]]})
    vectors = run.model.item_vectors().clone()
    told = run.add_items(row)
    assert told.kept == ("i000",) and "0 items added" in str(told)
    assert torch.equal(run.model.item_vectors(), vectors) and run.catalog["title"][0] == TITLES[0]
    told = run.add_items(row, change=True)
    assert told.changed == ("i000",) and told.kept == ()
    assert not torch.equal(run.model.item_vectors()[1], vectors[1])
    assert torch.equal(run.model.item_vectors()[2:], vectors[2:])
    own = run.catalog.filter(item_id="i000")
    assert own["title"].to_list() == [TITLES[1]] and own["price"].to_list() == [0]  # what was not given stays
    assert np.array_equal(run.content.vectors["text"][1], run.content.grown(["x"], None).vectors["text"][1])


def test_strategies_and_filters_know_new_items():
    run = fused()
    run.recommend(users=["u0001"], k=3, filter="price < 5")
    run.add_items(NEW.with_columns(price=pl.Series([1.0, 99.0])))
    listed = run.recommend(histories=[["i009"]], k=14, filter="price < 5", seen=True).frame["item_id"]
    assert set(listed) == {"i000", "i001", "i002", "i003", "i004", "n1"}
    for strategy in ("interest", "combined"):
        assert len(run.recommend(histories=[["i009"]], k=14, strategy=strategy, seen=True).frame) == 14


def test_vectors_made_elsewhere_place_an_item(tmp_path):
    rng = np.random.default_rng(0)
    made = pl.DataFrame({"item_id": CATALOG["item_id"], "sound": rng.standard_normal((12, 5)).tolist()})
    made.write_parquet(tmp_path / "sound.parquet")
    run = trained("text-sasrec", f"content.vectors=['{tmp_path / 'sound.parquet'}']", "content.text=none")
    twin = pl.DataFrame({"item_id": ["n1"], "sound": [made["sound"][3].to_list()]})
    run.add_items(vectors=twin)
    assert np.allclose(run.content.vectors["sound"][13], run.content.vectors["sound"][4])
    with pytest.raises(DataError, match="numbers wide"):
        run.add_items(vectors=pl.DataFrame({"item_id": ["n2"], "sound": [[1.0, 2.0]]}))
    with pytest.raises(DataError, match="no vectors named 'film'"):
        run.add_items(vectors=twin.rename({"sound": "film"}))
    with pytest.raises(DataError, match="no row in the catalog"):
        run.add_items(NEW.head(1), vectors=twin.with_columns(item_id=pl.lit("other")))
    assert len(run.items) == 13


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"title": ["x"]}, "no column item_id"),
        ({"item_id": ["n1", None], "title": ["shoe", "cup"]}, "Row 2"),
        ({"item_id": ["n1", "n1"], "title": ["shoe", "cup"]}, "several rows"),
        ({"item_id": ["n1", "n2"], "title": ["shoe", ""]}, "Nothing is known of 1 item: 'n2'"),
        ({"item_id": ["n1", "n2"], "title": ["shoe", "cup"], "price": ["1", "dear"]}, "Item 'n2': price = 'dear'"),
    ],
)
def test_one_bad_row_changes_nothing(rows, words):
    run = shared()
    before = run.recommend(users=["u0001"], k=12, seen=True).frame
    with pytest.raises(DataError, match=words):
        run.add_items(pl.DataFrame(rows))
    assert len(run.items) == run.model.num_items == run.content.num_items == 12 and len(run.catalog) == 12
    assert "items_trained" not in run.card
    assert run.recommend(users=["u0001"], k=12, seen=True).frame.equals(before)


def shared(known=[]):  # noqa: B006 (made once)
    known or known.append(fused())
    return known[0]


def test_a_network_of_ids_alone_says_what_it_lacks():
    run = trained("sasrec")
    with pytest.raises(DataError, match="ids alone"):
        run.add_items(NEW)
    with pytest.raises(DataError, match="does not look at content"):
        run.add_items(vectors=pl.DataFrame({"item_id": ["n1"], "sound": [[1.0]]}))
    with pytest.raises(DataError, match="No items were given"):
        run.add_items()


def test_ids_that_are_numbers_stay_numbers():
    numbers = LOG.frame.with_columns(item_id=pl.col("item_id").str.slice(1).cast(pl.Int64))
    catalog = CATALOG.with_columns(item_id=pl.Series(range(12)))
    run = trained("item-knn", log=Events(numbers), catalog=catalog)
    assert run.add_items(pl.DataFrame({"item_id": ["77"], "title": ["x"]})).added == (77,)
    assert run.recommend(histories=[[3]], k=13, seen=True).frame["item_id"].dtype == pl.Int64
    with pytest.raises(DataError, match="its ids are numbers"):
        run.add_items(pl.DataFrame({"item_id": ["x7"]}))
    with pytest.raises(DataError, match="several rows"):
        run.add_items(pl.DataFrame({"item_id": ["88", "88"]}))


def test_learning_again_takes_items_in_with_everything_else(tmp_path):
    """A refit run is whole: its content has a row for each item that it learned, new ones among them."""
    split = horae.split_by_time(LOG, test=0.2)
    run = trained("text-sasrec", *HASHED, log=split)
    again = refit(run, options=QUIET)
    assert again.content.num_items == len(again.items)
    again.save(tmp_path / "run")
    assert len(horae.load(tmp_path / "run").items) == len(again.items) == again.card["items"]


def test_rows_of_ids_are_found_in_any_type():
    assert InOrder(pl.Series(["7"])).indices(pl.Series([7])).tolist() == [1]


def test_a_value_that_ends_the_reading_of_a_column_is_told_and_refused_where_the_run_has_rules_of_it():
    written = CATALOG.with_columns(pl.col("price").cast(pl.String), launch_time=pl.lit("2020-01-01"))
    one = pl.DataFrame({"item_id": ["n1"], "title": ["shoe"], "price": ["cheap"], "launch_time": ["2024-05-31"]})
    late = one.with_columns(price=pl.lit("12.5"), launch_time=pl.lit("31.05.2024"))
    run = trained("item-knn", 'recommend.rules=["deny where launch_time > now"]', catalog=written)
    with pytest.raises(DataError, match=r"'n1': launch_time = '31.05.2024' is not written like '2020-01-01'.*rules"):
        run.add_items(late)
    assert len(run.items) == 12 and not len(run.recommend(users=["u000"], k=1, filter="price > 100").frame)
    told = run.add_items(one)
    assert "price = 'cheap' is not written like '0'" in told.notes[0] and len(run.items) == 13
    run.recommend(users=["u000"], k=3)
    with pytest.raises(DataError, match="no order"):
        run.recommend(users=["u000"], k=3, filter="price > 100")
