import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.logs import events_of

import horae
from horae.recommend.rules.columns import Columns
from horae.recommend.strategy.interests import Interests, columns_of
from horae.recommend.strategy.learned import Learned
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

DAY = 86_400
CATALOG = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "category": ["lips", "lips", "eyes", "nails"],
        "title": ["Matte red one", "Matte blue one", "Shadow red", "File"],
        "price": [1.0, 2.0, 3.0, 4.0],
    }
)
LOG = events_of(
    [("u", "a", 0), ("u", "b", 30 * DAY), ("u", "c", 31 * DAY)]
    + [(f"v{n}", item, n) for n, item in enumerate("abcdcdcd")]
)
ITEMS = Vocabulary.of(LOG.frame["item_id"])
SEQUENCES = Sequences.from_events(LOG, ITEMS)
LEARNED = Learned(ITEMS, lambda: LOG)


def interests(half_life_days=30.0):
    return Interests.of(Columns(ITEMS, CATALOG), (), LEARNED.count_I, half_life_days)


def test_columns_that_group_and_words_that_several_titles_have():
    columns = Columns(ITEMS, CATALOG)
    assert columns_of(columns, ()) == ["category", "title"]
    assert interests().names == [
        ("category", "eyes"), ("category", "lips"), ("category", "nails"),
        ("term", "matte"), ("term", "one"), ("term", "red"),
    ]  # fmt: skip


def test_weights_are_logs_of_lifts_by_hand():
    at = np.array([30.0 * DAY])  # b and c are not past yet
    history = SEQUENCES.of_users(SEQUENCES.users.indices(["u"]), at)
    told = {(column, entry): rest for _, column, entry, *rest in interests().told(history, 10)}
    lips = (4 + 0.5) / (11 + 1)  # a and b twice each, of eleven events
    weight, share, usual = told["category", "lips"]
    assert usual == pytest.approx(lips) and share == pytest.approx(1.0)
    assert weight == pytest.approx(np.log((0.5 + 5 * lips) / (0.5 + 5) / lips))  # one half-life old: half an event
    assert ("category", "eyes") not in told


def test_newer_events_count_more_and_nothing_later_counts():
    user = SEQUENCES.users.indices(["u", "u"])
    early, late = (
        SEQUENCES.of_users(user, np.array([31.0 * DAY, 400.0 * DAY])).take(np.array([0])),
        SEQUENCES.of_users(user),
    )
    one = interests(half_life_days=1.0)
    assert one.weights(early)[0, 1] > 0 and one.weights(early)[0, 0] == 0
    assert one.weights(late)[0, 0] > one.weights(late)[0, 1]  # eyes are newer than lips by now


@given(st.lists(st.sampled_from("abcd"), max_size=4))
def test_events_at_or_after_the_request_never_change_an_interest(later):
    rows = [("u", "a", 0), ("u", "b", DAY)]
    after = [("u", item, (2 + number) * DAY) for number, item in enumerate(later)]
    sequences = Sequences.from_events(events_of(rows + after), ITEMS)
    cut = sequences.of_users(sequences.users.indices(["u"]), np.array([2.0 * DAY]))
    whole = Sequences.from_events(events_of(rows), ITEMS)
    plain = whole.of_users(whole.users.indices(["u"]), np.array([2.0 * DAY]))
    assert np.array_equal(interests().match(cut), interests().match(plain))


def test_lifts_of_a_context_by_hand():
    night = [(f"n{n}", "a", 2 * 3_600 + n * DAY) for n in range(30)]
    noon = [(f"m{n}", item, 12 * 3_600 + n * DAY) for n in range(30) for item in "ab"]
    learned = Learned(Vocabulary(pl.Series(["a", "b", "c"])), lambda: events_of(night + noon))
    lift = learned.log_lift("hour", 2.0)
    assert np.allclose(lift, np.log([1, (30 + 10) / (60 / 3 + 10), (0 + 10) / (30 / 3 + 10), 1]))
    assert learned.log_lift("hour", 5.0) is None and learned.log_lift("hour", 12.0)[2] > 0
    assert learned.first_I.tolist()[1:] == [2 * 3_600, 12 * 3_600, np.inf]


def test_interests_are_told_for_users_and_histories(recommender):
    catalog = pl.DataFrame({"item_id": [f"i{n:03}" for n in range(15)], "genre": ["even", "odd"] * 7 + ["even"]})
    shop = replace(recommender, catalog=catalog)
    found = horae.interests(shop, histories=[["i001", "i003", "i005", "i001"], ["nobody"]], most=1)
    assert found.frame["entry"].to_list() == ["odd"] and "1 of 2" in found.notes[0]
    assert "genre: odd (1." in str(found) and "times the usual, 100% of events" in str(found)
    at = datetime(2020, 9, 14, tzinfo=UTC) + timedelta(days=2)
    assert set(horae.interests(shop, ["u0001"], at).frame.columns) >= {"user_id", "entry", "weight"}
    assert len(horae.interests(shop, ["stranger"])) == 0


def test_a_request_context_of_the_log_is_used_and_an_unused_one_is_told(recommender):
    frame = recommender.events.frame.with_columns(
        device=pl.when(pl.col("item_id") == "i009").then(pl.lit("tv")).otherwise(pl.lit("phone"))
    )
    events = replace(recommender.events, frame=frame)
    table = {**recommender.recipe.recommend, "strategy": "context", "context_by": ["device"], "context_weight": 50.0}
    one = replace(
        recommender, events=events, split=replace(recommender.split, events=events), learned=None,
        recipe=replace(recommender.recipe, recommend=table),
    )  # fmt: skip
    first = one.recommend(histories=[["i002"]], k=1, context={"device": "tv"})
    assert first.frame["item_id"].to_list() == ["i009"] and not first.notes
    assert one.recommend(histories=[["i002"]], k=1).frame["item_id"].to_list() == ["i003"]
    unused = recommender.recommend(histories=[["i002"]], k=1, context={"device": "tv"})
    assert any("`context` was not used" in note for note in unused.notes)


def test_what_is_told_is_plain_json(recommender):
    catalog = pl.DataFrame({"item_id": [f"i{n:03}" for n in range(15)], "genre": ["even", "odd"] * 7 + ["even"]})
    found = horae.interests(replace(recommender, catalog=catalog), ["u0001", "u0002"])
    json.dumps(found.frame.to_dicts())
