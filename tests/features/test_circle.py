import polars as pl
import pytest

from horae.errors import DataError
from horae.features import circle
from horae.features.compute import compute_features
from horae.features.settings import FeatureSettings
from tests.logs import events_of

LOG = events_of([("a", "i", 0), ("b", "i", 90), ("b", "j", 95), ("c", "j", 100), ("a", "i", 100), ("a", "k", 5_000)])
FRIENDS = pl.DataFrame(
    {"user_id": ["a", "a", "a"], "other_id": ["b", "c", "z"], "valid_from": [None, 50, 4_000]},
    schema_overrides={"valid_from": pl.Int64},
).with_columns(pl.from_epoch("valid_from"))


def circle_of_a() -> list[dict]:
    frame = compute_features(
        LOG, relations=FRIENDS, settings=FeatureSettings(groups=["circle"], windows=["1min", "1h"])
    )
    return frame.filter(user_id="a").to_dicts()


def test_what_the_circle_did_lately_by_hand():
    rows = circle_of_a()
    assert [row["circle_size"] for row in rows] == [1, 2, 3]
    assert [row["circle_count_1min"] for row in rows] == [0, 2, 0]  # c's event at the very same time is not known
    assert [row["circle_count_1h"] for row in rows] == [0, 2, 0]
    assert [row["circle_distinct_items_1min"] for row in rows] == [0, 2, 0]
    assert [row["circle_active_share_1h"] for row in rows] == [0, 0.5, 0]


def test_small_stretches_of_pairs_give_the_same(monkeypatch: pytest.MonkeyPatch):
    whole = circle_of_a()
    monkeypatch.setattr(circle, "PAIRS", 1)
    assert circle_of_a() == whole


def test_one_relation_twice_at_a_time_is_refused():
    twice = pl.concat([FRIENDS, FRIENDS.head(1)])
    with pytest.raises(DataError, match="rows of one user_id, other_id hold at the same time"):
        compute_features(LOG, relations=twice)


def test_the_circle_needs_users_and_relations():
    with pytest.raises(DataError, match=r"circle cannot be made: they need lines of users .* and relations"):
        compute_features(LOG, "item", relations=FRIENDS, settings=FeatureSettings(groups=["circle"]))
    with pytest.raises(DataError, match="--relations FILE"):
        compute_features(LOG, settings=FeatureSettings(groups=["circle"]))
