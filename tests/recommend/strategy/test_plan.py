"""Strategies, rules and diversity through the one path: `Recommender.recommend`, and evaluation beside it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import horae
from horae.errors import DataError, HoraeError, RecipeError
from horae.recommend.rank import Targets
from horae.recommend.strategy.settings import RecommendSettings
from horae.schema import Requests

ITEMS = [f"i{number:03}" for number in range(15)]
CATALOG = pl.DataFrame(
    {
        "item_id": ITEMS,
        "price": [float(number) for number in range(15)],
        "brand": ["own" if number % 3 == 0 else "other" for number in range(15)],
        "category": [f"c{number % 4}" for number in range(15)],
        "launch_time": [datetime(2020, 9, 13, tzinfo=UTC) + timedelta(days=number - 5) for number in range(15)],
    }
)
USERS = ["u0001", "u0005", "u0040", "stranger"]


@pytest.fixture(scope="module")
def shop(recommender):
    return replace(recommender, catalog=CATALOG)


def made(shop, **table):
    return replace(shop, recipe=replace(shop.recipe, recommend={**shop.recipe.recommend, **table}))


def lists(recommendations):
    return [items for _, items in recommendations.lists()]


def test_no_rule_no_change(shop):
    plain = shop.recommend(users=USERS, k=7)
    same = made(shop, rules=[], pool=7, floor=0.9).recommend(users=USERS, k=7, rules=[], strategy="model")
    assert plain.frame.equals(same.frame) and "rules" not in same.frame.columns
    all_allowed = shop.recommend(users=USERS, k=7, filter="true")
    assert plain.frame.equals(all_allowed.frame)
    through_plan = shop.recommend(users=USERS, k=7, rules=["boost x5 where false", "quota at most 99 per brand"])
    assert plain.frame.equals(through_plan.frame.drop("rules"))
    assert through_plan.frame["rules"].list.len().sum() == 0


def test_a_filter_holds_and_the_rest_keeps_its_order(shop):
    whole, cheap = shop.recommend(users=USERS, k=15), shop.recommend(users=USERS, k=15, filter="price < 6")
    assert cheap.frame.drop("rank").equals(whole.frame.filter(pl.col("item_id") < "i006").drop("rank"), null_equal=True)
    assert [len(one) for one in lists(shop.recommend(users=USERS, k=4, filter="price < 6"))] == [4] * 4
    assert "rules" not in cheap.frame.columns  # nothing moved an item


RULES = [
    "deny where price > 9",
    "price >= 1",
    "boost x3 where brand == 'own'",
    "pin 'i012' at 1",
    "pin 'i004' at 2",
    "pin at 3 where category == 'c1'",
    "quota at most 2 per category",
]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(RULES), unique=True),
    st.sampled_from(["none", "mmr", "dpp"]),
    st.integers(1, 15),
    st.booleans(),
    st.lists(st.sampled_from(ITEMS), max_size=4, unique=True),
)
def test_k_distinct_items_where_k_are_allowed_and_never_what_is_not(shop, rules, method, k, seen, exclude):
    one = made(shop, diversity=method, freshness=0.5)
    frame = one.recommend(users=USERS, k=k, rules=rules, seen=seen, exclude=exclude).frame
    for number, user in enumerate(USERS):
        items = frame.filter(pl.col("request_id") == str(number))["item_id"].to_list()
        history = set() if seen else set(shop.events.frame.filter(pl.col("user_id") == user)["item_id"])
        allowed = set(ITEMS) - history - set(exclude)
        if "deny where price > 9" in rules:
            allowed -= set(ITEMS[10:])
        if "price >= 1" in rules:
            allowed -= {"i000"}
        assert len(items) == len(set(items)) == min(k, len(allowed)) and set(items) <= allowed


def test_deny_wins_over_pin_and_the_pin_says_so_where_it_holds(shop):
    pinned = shop.recommend(histories=[["i003"]], k=3, rules=["sale: pin 'i012' at 2"]).frame
    assert pinned["item_id"][1] == "i012" and pinned["rules"].to_list()[1] == ["sale"]
    denied = shop.recommend(histories=[["i003"]], k=15, rules=["pin 'i012' at 2", "deny where item_id == 'i012'"])
    assert "i012" not in denied.frame["item_id"].to_list()
    hidden = shop.recommend(histories=[["i003"]], k=15, rules=["pin 'i003' at 1"], seen=False)
    assert "i003" not in hidden.frame["item_id"].to_list()
    excluded = shop.recommend(histories=[["i003"]], k=15, rules=["pin 'i012' at 1"], exclude=["i012"])
    assert "i012" not in excluded.frame["item_id"].to_list()


def test_the_order_is_fixed_boosts_before_pins_before_quotas(shop):
    rules = ["quota at most 1 per brand", "pin at 1 where brand == 'other'", "boost x1000 where item_id == 'i009'"]
    frame = shop.recommend(histories=[["i003"]], k=3, rules=rules).frame
    assert CATALOG.filter(pl.col("item_id") == frame["item_id"][0])["brand"][0] == "other"
    assert frame["item_id"][1] == "i009" and rules[2] in frame["rules"][1]  # the boosted one is the best of its brand
    assert frame["rules"].to_list()[2] == ["quota at most 1 per brand (gave way)"]
    assert frame.equals(shop.recommend(histories=[["i003"]], k=3, rules=rules[::-1]).frame)


def test_a_boost_multiplies_the_odds(shop):
    requests = Requests(histories=requests_like(["i003"]))
    score = shop.score(requests, [["i007"]])["score"][0]
    boosted = shop.recommend(histories=[["i003"]], k=15, rules=["boost x2 where item_id == 'i007'"]).frame
    moved = boosted.filter(pl.col("item_id") == "i007")["score"]
    before, after = (shop.calibration.probability(pl.Series([float(s)]))[0] for s in (score, moved[0]))
    assert after / (1 - after) == pytest.approx(2 * before / (1 - before), rel=1e-4)


def test_rules_that_leave_nothing_are_told_with_the_fallback_that_answers(shop):
    answer = shop.recommend(users=USERS[:2], k=3, rules=["price > 1000", "deny where price > 9"])
    assert answer.frame["source"].unique().to_list() == ["fallback"] and len(answer) == 6
    assert answer.frame.join(CATALOG, on="item_id")["price"].max() <= 9
    assert any("price > 1000" in note and "2 requests" in note and "recent popularity" in note for note in answer.notes)
    nothing = made(shop, if_none="nothing").recommend(users=USERS[:1], k=3, rules=["price > 1000"])
    assert len(nothing) == 0 and any("nothing is shown" in note for note in nothing.notes)
    unmet = shop.recommend(users=USERS[:1], k=3, filter="price > 1000")
    assert len(unmet) == 0 and any("filter `price > 1000`" in note for note in unmet.notes)


def test_rules_ask_the_requests_time_and_context(shop):
    times = shop.events.frame["timestamp"]
    at = times.min() + timedelta(days=3)
    launched = shop.recommend(users=["u0001"], k=15, at=at, rules=["launch_time <= now"]).frame["item_id"]
    assert set(launched) <= set(CATALOG.filter(pl.col("launch_time") <= at)["item_id"]) and len(launched) == 9
    live = shop.recommend(users=["u0001"], k=15, rules=["launch_time <= now"]).frame
    assert len(live) == 15  # a live request stands at the log's end
    rule = ["deny where context.device == 'phone' and price > 3"]
    asked = Requests(users=pl.Series(["u0001", "u0001"]), k=15, rules=tuple(rule), context=[{"device": "phone"}, {}])
    assert [len(one) for one in lists(shop.recommend(asked))] == [4, 15]


def test_ranks_of_evaluation_are_places_in_the_list(shop):
    one = made(shop, diversity="mmr", trade_off=0.5, diversity_by="catalog", rules=["quota at most 2 per brand"])
    rows = np.arange(5, 600, 24)
    users = shop.events.frame["user_id"].gather(rows)
    requests = Requests(users=users, rows=rows, k=7)
    listed = lists(one.recommend(requests))
    wanted = one.items.indices(one.events.frame["item_id"].gather(rows))
    for answer in one.answer(requests, Targets(wanted, np.arange(len(rows) + 1)), depth=5):
        for number, row in enumerate(answer.rows):
            item, rank = one.items.ids(wanted[row : row + 1])[0], answer.target_ranks[number]
            assert (item in listed[row]) == (0 < rank <= 7)
            assert not 0 < rank <= 7 or listed[row].index(item) == rank - 1
    whole = np.arange(1, 16)
    (asked,) = one.answer(Requests(histories=requests_like(["i003"])), Targets(whole, np.array([0, 15])), depth=3)
    assert sorted(asked.target_ranks[asked.target_ranks > 0]) == list(range(1, int(asked.candidates_B[0]) + 1))


def requests_like(*histories):
    return [[horae.HistoryEvent(item) for item in history] for history in histories]


def test_evaluation_judges_the_list_that_is_shown_and_the_audit_passes(shop, split):
    one = made(shop, strategy="combined", rules=["deny where price > 9"], freshness=0.2, diversity="dpp")
    plain = horae.evaluate(shop, split, opponents={}, bootstrap=0)
    shaped = horae.evaluate(one, split, opponents={}, bootstrap=0)
    assert shaped.passed and plain.passed
    assert shaped.metrics["coverage@20"].mean == pytest.approx(10 / 15) and plain.metrics["coverage@20"].mean == 1
    assert shaped.metrics["recall@10"].mean < plain.metrics["recall@10"].mean


def test_a_floor_gives_places_to_the_fallback_or_to_nothing(shop):
    third = shop.recommend(users=["u0001"], k=3).frame["score"].tail(1)
    floor = shop.calibration.probability(third)[0] - 1e-6
    high = {"strategy": "confidence", "floor": floor}
    filled = made(shop, **high).recommend(users=["u0001"], k=10).frame
    short = made(shop, **high, below_floor="nothing").recommend(users=["u0001"], k=10).frame
    assert len(short) == 3 and len(filled) == 10
    assert filled["item_id"].to_list()[: len(short)] == short["item_id"].to_list()
    assert short["probability"].min() >= floor and filled["probability"].null_count() == 10 - len(short)
    assert filled["rules"].to_list()[-1] == ["below the floor: fallback"]
    with pytest.raises(HoraeError, match="no chances"):
        replace(shop, calibration=None).recommend(users=["u0001"], strategy="confidence")


def test_interest_moves_what_the_user_likes_up(shop):
    history = [["i000", "i004", "i008", "i000", "i004"]]  # all of c0
    plain = shop.recommend(histories=history, k=15, seen=True).frame["item_id"].to_list()
    liked = made(shop, strategy="interest", interest_weight=50.0).recommend(histories=history, k=15, seen=True).frame
    assert set(liked["item_id"].to_list()[:4]) == {"i000", "i004", "i008", "i012"} != set(plain[:4])
    none = made(shop, strategy="interest", interest_weight=0.0).recommend(histories=history, k=15, seen=True).frame
    assert none["item_id"].to_list() == plain


def test_freshness_halves_with_age_and_sees_nothing_later(shop):
    one = made(shop, freshness=100.0, freshness_days=1.0)
    at = CATALOG["launch_time"][7]
    items = one.recommend(users=["u0001"], k=15, at=at).frame["item_id"].to_list()
    assert items[8:] == ["i006", "i005", "i004", "i003", "i002", "i001", "i000"]  # older and older
    bare = replace(one, catalog=None).recommend(users=["u0001"], k=3, at=at)
    assert len(bare) == 3


def test_exposure_is_measured_before_and_after(shop):
    one = made(shop, exposure_by="brand", exposure_shares={"own": 0.5})
    answer = one.recommend(users=USERS, k=6)
    (note,) = [note for note in answer.notes if note.startswith("Exposure")]
    assert "own 3" in note or "own 2" in note or "own 4" in note
    for items in lists(answer):
        assert sum(int(item[1:]) % 3 == 0 for item in items) >= 3


def test_the_catalog_is_asked_for_what_the_recipe_needs(shop, recommender):
    with pytest.raises(DataError, match="no interests"):
        recommender.recommend(users=["u0001"], strategy="interest")
    with pytest.raises(DataError, match="no strategy 'taste'"):
        shop.recommend(users=["u0001"], strategy="taste")
    with pytest.raises(DataError, match="brnd"):
        made(shop, exposure_by="brnd").recommend(users=["u0001"])
    with pytest.raises(DataError, match="a group that no item has"):
        made(shop, exposure_by="brand", exposure_shares={"ours": 0.5}).recommend(users=["u0001"])
    with pytest.raises(DataError, match="one text"):
        shop.recommend(users=["u0001"], rules="deny where true")
    with pytest.raises(DataError, match="context_by names 'mood'"):
        made(shop, context_by=["mood"]).recommend(users=["u0001"], strategy="context")
    with pytest.raises(DataError, match="each of 1 requests"):
        Requests(users=pl.Series(["a"]), context=[{}, {}])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"rules": ("deny price > 3",)}, "character 6"),
        ({"floor": 1.5}, "expected 0.0 to 1.0"),
        ({"weights": {"mood": 1.0}}, "Parts are"),
        ({"weights": {"model": 1.0}, "blend": "learned"}, "no effect"),
        ({"exposure_shares": {"own": 0.5}}, "needs exposure_by"),
        ({"exposure_by": "brand", "exposure_shares": {"own": 0.8, "other": 0.7}}, "at most 1 together"),
    ],
)
def test_impossible_settings_are_refused(table, words):
    with pytest.raises(RecipeError, match=words):
        RecommendSettings(**table)


BETWEEN = ["deny where launch_time > now", "deny where end_time <= now"]


@pytest.mark.parametrize("kind", [pl.String, pl.Date, pl.Datetime("us", "UTC")])
def test_an_item_is_shown_between_its_launch_and_its_end_as_of_each_request(shop, kind):
    launches = ["2020-09-10", "2030-01-01", None, "2020-09-10"] + [None] * 11
    ends = [None, None, None, "2020-09-20"] + [None] * 11
    days = pl.DataFrame({"item_id": ITEMS, "launch_time": launches, "end_time": ends})
    if kind != pl.String:
        days = days.with_columns(pl.col("launch_time", "end_time").str.to_date())
    catalog = days.with_columns(pl.col("launch_time", "end_time").cast(kind))
    run = made(replace(shop, catalog=catalog), rules=BETWEEN)

    def shown(day):
        told = run.recommend(histories=[["i014"]], k=15, seen=True, at=datetime(*day, tzinfo=UTC))
        return set(ITEMS[:4]) & set(told.frame["item_id"])

    assert shown((2020, 9, 9)) == {"i002"}
    assert shown((2020, 9, 19)) == {"i000", "i002", "i003"}
    assert shown((2020, 9, 20)) == {"i000", "i002"}
    assert shown((2031, 1, 1)) == {"i000", "i001", "i002"}
