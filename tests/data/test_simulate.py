import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from horae.data.simulate import Shop, ShopSettings, simulate, write_shop
from horae.errors import RecipeError, StoreError

SMALL = ShopSettings(users=60, items=50, events=2_000, days=30, categories=4)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(ShopSettings(users=1_500, items=600, events=120_000, days=182), seed=7)


def rhythm_found(shop: Shop, period: int) -> tuple[float, float]:
    """Peak (as a share of the period) and amplitude of the first harmonic of the event times."""
    seconds = shop.frame["timestamp"].dt.epoch("s").to_numpy()
    harmonic = np.exp(2j * np.pi * (seconds % period) / period).mean()
    return float(np.angle(harmonic) / (2 * np.pi)) % 1, float(2 * abs(harmonic))


@pytest.mark.parametrize("which", [0, 1])
def test_the_claimed_rhythms_are_in_the_log(shop: Shop, which: int) -> None:
    claimed = shop.truth["rhythms"][which]
    peak, amplitude = rhythm_found(shop, claimed["period_seconds"])
    off = abs(peak - claimed["peak_seconds"] / claimed["period_seconds"])
    assert min(off, 1 - off) < 0.05
    assert amplitude == pytest.approx(claimed["amplitude"], abs=0.06)


def test_without_amplitudes_the_day_is_flat() -> None:
    flat = simulate(ShopSettings(hour_amplitude=0, weekday_amplitude=0), seed=1)
    assert rhythm_found(flat, 86_400)[1] < 0.06
    assert rhythm_found(flat, 604_800)[1] < 0.06


def test_order_beats_popularity_on_the_next_item(shop: Shop) -> None:
    views = shop.frame.filter(pl.col("behavior") == "view").sort("user_id", "timestamp", maintain_order=True)
    pairs = views.select("timestamp", "user_id", "item_id", next=pl.col("item_id").shift(-1).over("user_id")).filter(
        pl.col("next").is_not_null() & (pl.col("next") != pl.col("item_id"))
    )
    boundary = pairs["timestamp"].quantile(0.9)
    seen, held_out = pairs.filter(pl.col("timestamp") < boundary), pairs.filter(pl.col("timestamp") >= boundary)
    popular = set(seen["next"].value_counts(sort=True)["next"].head(10).to_list())
    counted = seen.group_by("item_id", "next").len().sort("len", descending=True, maintain_order=True)
    table = counted.group_by("item_id", maintain_order=True).head(10).select("item_id", "next", hit=True)
    by_popularity = held_out["next"].is_in(list(popular)).mean()
    by_order = held_out.join(table, on=["item_id", "next"], how="left")["hit"].is_not_null().mean()
    assert by_order > 0.3
    assert by_order > 3 * by_popularity


def test_chains_are_followed_as_often_as_claimed(shop: Shop) -> None:
    odds = {(item, after): probability for item, after, probability in shop.truth["chains"]["pairs"]}
    totals: dict[str, float] = {}
    for (item, _), probability in odds.items():
        totals[item] = totals.get(item, 0) + probability
    assert all(total == pytest.approx(1) for total in totals.values())
    steps = shop.truth["steps"]
    views = shop.frame.filter(pl.col("behavior") == "view").sort("user_id", "timestamp", maintain_order=True)
    same_user = [one == two for one, two in pairwise(views["user_id"].to_list())]
    found = sum(
        same and pair in odds for same, pair in zip(same_user, pairwise(views["item_id"].to_list()), strict=True)
    )
    assert sum(steps.values()) == views.height
    assert found == pytest.approx(steps["chain"], rel=0.05)


def test_a_user_looks_most_at_the_favourite_category_of_that_day(shop: Shop) -> None:
    favourites = pl.DataFrame(shop.truth["tastes"]["favourites"], ["user_id", "since", "favourite"], orient="row")
    favourites = favourites.with_columns(pl.col("since").str.to_datetime(time_unit="us", time_zone="UTC"))
    views = shop.frame.filter(pl.col("behavior") == "view").join(shop.catalog, on="item_id").sort("timestamp")
    kwargs = {"by": "user_id", "left_on": "timestamp", "right_on": "since", "check_sortedness": False}
    then = views.join_asof(favourites.sort("since"), **kwargs)
    first = favourites.group_by("user_id").agg(pl.col("favourite").sort_by("since").first())
    late = then.filter(pl.col("timestamp").dt.month() >= 6).join(first, on="user_id", suffix="_at_first")
    now = (late["category"] == late["favourite"]).mean()
    stale = (late["category"] == late["favourite_at_first"]).mean()
    assert now > 0.4
    assert stale < 0.7 * now


def test_half_of_the_users_change_taste_within_a_half_life() -> None:
    truth = simulate(ShopSettings(users=4_000, events=10_000, days=60, taste_half_life_days=60), seed=3).truth
    changed = {user for user, since, _ in truth["tastes"]["favourites"] if since != "2024-01-01T00:00:00Z"}
    assert len(changed) / 4_000 == pytest.approx(0.5, abs=0.03)
    by_user: dict[str, list[str]] = {}
    for user, _, category in truth["tastes"]["favourites"]:
        by_user.setdefault(user, []).append(category)
    assert all(one != two for line in by_user.values() for one, two in pairwise(line))


def test_trends_order_the_categories() -> None:
    strong = ShopSettings(
        users=3_000, items=80, days=728, trend_per_year=1.5, season_amplitude=0, taste_strength=1,
        chain_share=0, repeat_share=0, promotions=0, launch_share=0, categories=6,
    )  # fmt: skip
    shop = simulate(strong, seed=5)
    claimed = {category["name"]: category["trend_per_year"] for category in shop.truth["categories"]}
    counted = (
        shop.frame.join(shop.catalog, on="item_id")
        .group_by("category", half=pl.col("timestamp") >= pl.datetime(2024, 12, 30, time_zone="UTC"))
        .len()
    )
    late, early = ({row["category"]: row["len"] for row in counted.filter(half).to_dicts()} for half in (
        pl.col("half"), ~pl.col("half")
    ))  # fmt: skip
    found = [math.log(late[name] / early[name]) for name in claimed]
    assert np.corrcoef(found, list(claimed.values()))[0, 1] > 0.9


def test_promotions_lift_views_and_lower_prices(shop: Shop) -> None:
    promoted = shop.frame.filter(pl.col("promotion").is_not_null())
    assert promoted.height > 100
    cheaper = promoted.join(shop.catalog, on="item_id", suffix="_ordinary")
    assert (cheaper["price"] / cheaper["price_ordinary"]).to_numpy() == pytest.approx(0.8, abs=0.01)
    for campaign in shop.truth["promotions"]:
        part = promoted.filter(pl.col("promotion") == campaign["name"])
        assert set(part["item_id"]) <= set(campaign["items"])


def test_no_item_appears_before_its_launch_and_no_user_before_joining(shop: Shop) -> None:
    joined = shop.frame.join(shop.catalog, on="item_id").join(shop.profiles, on="user_id")
    assert (joined["timestamp"] >= joined["launch_time"]).all()
    assert (joined["timestamp"] >= joined["joined"]).all()
    assert (shop.catalog["launch_time"] > shop.frame["timestamp"].min()).mean() > 0.2


def test_the_funnel_narrows_and_only_purchases_have_a_value(shop: Shop) -> None:
    counts = dict(shop.frame["behavior"].value_counts().iter_rows())
    assert counts["cart"] / counts["view"] == pytest.approx(0.18, rel=0.05)
    assert counts["purchase"] / counts["cart"] == pytest.approx(0.45, rel=0.05)
    bought = pl.col("behavior") == "purchase"
    assert shop.frame.filter(bought).select((pl.col("value") == pl.col("price")).all()).item()
    assert shop.frame.filter(~bought)["value"].null_count() == shop.frame.filter(~bought).height
    line = shop.frame.sort("user_id", "timestamp", maintain_order=True)
    before = line.select(pl.col("behavior", "item_id").shift(1)).filter(line["behavior"] == "cart")
    assert before["behavior"].unique().to_list() == ["view"]
    assert (before["item_id"] == line.filter(pl.col("behavior") == "cart")["item_id"]).all()


def test_a_users_times_only_grow(shop: Shop) -> None:
    gaps = shop.frame.select(pl.col("timestamp").diff().over("user_id").dt.total_seconds().alias("gap"))["gap"]
    assert shop.frame["timestamp"].is_sorted()
    assert gaps.drop_nulls().min() >= 2


def test_equal_seeds_write_equal_bytes_and_others_do_not(tmp_path) -> None:
    dirty = replace(SMALL, gaps=0.1, outliers=0.1, duplicates=0.05, shuffles=0.05, missing=0.05)
    written = [write_shop(simulate(dirty, seed), tmp_path / str(number)) for number, seed in enumerate((3, 3, 4))]
    for name in ("events", "catalog", "profiles", "truth"):
        one, two, other = (paths[name].read_bytes() for paths in written)
        assert one == two
        assert one != other


def test_the_log_is_written_as_a_shop_would_write_it(tmp_path) -> None:
    shop = simulate(SMALL)
    paths = write_shop(shop, tmp_path / "new" / "folder")
    lines = paths["events"].read_text().splitlines()
    assert lines[0] == "user_id,item_id,behavior,timestamp,value,device,price,promotion"
    assert len(lines) == 2_001
    first = shop.frame.row(0, named=True)
    assert lines[1].startswith(f"{first['user_id']},{first['item_id']},view,{first['timestamp']:%Y-%m-%dT%H:%M:%SZ},,")
    assert json.loads(paths["truth"].read_text()) == shop.truth
    assert sorted(path.name for path in paths["events"].parent.iterdir()) == [
        "catalog.csv", "events.csv", "profiles.csv", "truth.json",
    ]  # fmt: skip
    assert pl.read_parquet(write_shop(shop, tmp_path, format="parquet")["events"]).equals(shop.frame)


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot write the simulated shop"):
        write_shop(simulate(SMALL), tmp_path / "file")


def test_each_kind_of_dirt_is_counted_where_it_is() -> None:
    clean = simulate(SMALL, seed=9)
    dirt = {"gaps": 0.1, "outliers": 0.05, "duplicates": 0.03, "shuffles": 0.04, "missing": 0.06}
    dirty = simulate(replace(SMALL, **dirt), seed=9)
    truth, frame = dirty.truth["dirt"], dirty.frame
    lost = clean.frame.filter(pl.col("timestamp").dt.date().cast(pl.String).is_in(truth["gaps"]["days"]))
    left = clean.frame.height - lost.height

    assert len(truth["gaps"]["days"]) == 3
    assert truth["gaps"]["count"] == lost.height
    assert truth["duplicates"]["count"] == round(0.03 * left)
    assert frame.height == left + truth["duplicates"]["count"]
    assert frame.is_duplicated().sum() == 2 * truth["duplicates"]["count"]
    rows = np.array(truth["duplicates"]["rows"])
    assert frame[rows].equals(frame[rows - 1])

    purchases = clean.frame.join(lost, on=clean.frame.columns, how="anti", nulls_equal=True)["value"].count()
    assert truth["outliers"]["count"] == round(0.05 * purchases)
    blown = frame.with_row_index().filter(pl.col("value") > 500 * pl.col("price"))["index"].to_list()
    assert blown == truth["outliers"]["rows"]

    for column in ("item_id", "price", "device"):
        assert truth["missing"][column]["count"] == round(0.02 * left)
        assert frame[column].is_null().arg_true().to_list() == truth["missing"][column]["rows"]


@pytest.mark.parametrize("kind", ["gaps", "outliers", "duplicates", "shuffles"])
def test_one_kind_of_dirt_alone_leaves_the_rest_of_the_log_as_it_is(kind: str) -> None:
    clean = simulate(SMALL, seed=2).frame
    shop = simulate(replace(SMALL, **{kind: 0.1}), seed=2)
    counts = {name: value.get("count", 0) for name, value in shop.truth["dirt"].items()}
    assert counts[kind] > 0
    assert [name for name, count in counts.items() if count] == [kind]
    if kind == "shuffles":
        moved = shop.truth["dirt"]["shuffles"]["rows"]
        same = [one == two for one, two in zip(clean.rows(), shop.frame.rows(), strict=True)]
        assert [row for row, equal in enumerate(same) if not equal] == moved
        assert shop.frame.sort(pl.all()).equals(clean.sort(pl.all()))
    if kind == "duplicates":
        assert shop.frame.unique(maintain_order=True).equals(clean)
    if kind == "gaps":
        assert shop.frame.join(clean, on=clean.columns, how="anti", nulls_equal=True).is_empty()
    if kind == "outliers":
        mended = pl.when(pl.col("value") > 500 * pl.col("price")).then(pl.col("value") / 1000).otherwise("value")
        assert (shop.frame.select(mended)["value"] - clean["value"]).abs().max() < 1e-9


@examples(max_examples=25, deadline=None)
@given(
    users=st.integers(1, 30), items=st.integers(1, 40), events=st.integers(1, 300), days=st.integers(1, 40),
    categories=st.integers(1, 12), shares=st.lists(st.sampled_from([0.0, 0.3, 0.5]), min_size=4, max_size=4),
)  # fmt: skip
def test_any_possible_shop_has_exactly_its_events(users, items, events, days, categories, shares) -> None:
    events = min(events, 20 * users * days)
    settings = ShopSettings(
        users=users, items=items, events=events, days=days, categories=min(categories, items),
        chain_share=shares[0], repeat_share=shares[1], launch_share=shares[2], join_share=shares[3],
    )  # fmt: skip
    shop = simulate(settings, seed=users)
    known = shop.frame.join(shop.catalog, on="item_id")
    assert shop.frame.height == known.height == events
    assert (known["timestamp"] >= known["launch_time"]).all()
    assert shop.catalog["title"].n_unique() == items


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"users": 0}, "users = 0: expected at least 1"),
        ({"categories": 13}, "categories = 13: expected at most 12"),
        ({"duplicates": 1.5}, "duplicates = 1.5: expected a share between 0 and 1"),
        ({"chain_share": 0.8, "repeat_share": 0.3}, "chain_share = 0.8: expected at most"),
        ({"events": 10**9}, "at most 20 events a day for each user"),
        ({"taste_half_life_days": 0.0}, "taste_half_life_days"),
        ({"session_items": 0.5}, "between 1 and 20"),
        ({"start": "yesterday"}, "expected a date"),
        ({"start": "1066-10-14"}, "a year between 1971 and 2200"),
    ],
)
def test_an_impossible_shop_is_refused_with_what_was_expected(wrong: dict, expected: str) -> None:
    with pytest.raises(RecipeError, match=expected):
        ShopSettings(**wrong)
