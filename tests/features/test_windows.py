"""Numbers by hand, and where float32 or running sums would lie."""

import numpy as np
import polars as pl
import pytest

from horae.features.compute import compute_features
from horae.features.settings import FeatureSettings
from tests.logs import events_of

DAY = 86_400


def of_user(times, values=None, **more) -> list[dict]:
    values = [None] * len(times) if values is None else values
    rows = [("u", f"i{n % 3}", t, "view", v) for n, (t, v) in enumerate(zip(times, values, strict=True))]
    return compute_features(events_of(rows), settings=FeatureSettings(**more)).to_dicts()


def test_one_users_windows_by_hand():
    rows = of_user([0, DAY, 2 * DAY, 9 * DAY], [1.0, 2.0, 4.0, 8.0], windows=["1d", "7d", "n2"])
    assert [row["count_1d"] for row in rows] == [0, 1, 1, 0]  # from t - 1d on, before t
    assert [row["count_7d"] for row in rows] == [0, 1, 2, 1]
    assert [row["sum_n2"] for row in rows] == [0, 1, 3, 6]
    assert [row["mean_7d"] for row in rows] == [None, 1, 1.5, 4]
    assert [row["deviation_n2"] for row in rows] == [None, None, 0.5, 1]
    assert [row["minimum_n2"] for row in rows] == [None, 1, 1, 2]
    assert [row["last_1d"] for row in rows] == [None, 1, 2, None]
    assert [row["distinct_items_n2"] for row in rows] == [0, 1, 2, 2]


def test_a_rate_is_over_the_time_in_which_the_key_was_known():
    rows = of_user([0, DAY, 2 * DAY, 3 * DAY, 10 * DAY], windows=["7d", "n2"])
    # the first event opens the time: one event in two days, two in three days; then one in the last seven
    assert [row["rate_7d"] for row in rows] == pytest.approx([None, 0, 1 / 2, 2 / 3, 1 / 7])
    assert [row["rate_n2"] for row in rows] == pytest.approx([None, None, 1 / 2, 1 / 2, 1 / 8])
    assert of_user([0, 3_600], windows=["7d"])[1]["rate_7d"] is None  # an hour says nothing of a week


def test_events_of_one_time_are_past_to_their_user_by_place_and_to_nobody_else():
    log = events_of([("u", "i", 0), ("u", "j", 100), ("u", "j", 100), ("v", "j", 100), ("v", "j", 200)])
    by_user = compute_features(log, "user", settings=FeatureSettings(windows=["1h"]))["count_1h"].to_list()
    by_item = compute_features(log, "item", settings=FeatureSettings(windows=["1h"]))["count_1h"].to_list()
    whole = compute_features(log, "all", settings=FeatureSettings(windows=["1h"]))["count_1h"].to_list()
    assert by_user == [0, 1, 2, 0, 1]
    assert by_item == [0, 0, 0, 0, 3]
    assert whole == [0, 1, 1, 1, 4]


@pytest.mark.parametrize("first", [0.0, 1e12, -1e15])
def test_a_wild_value_spoils_no_window_that_does_not_hold_it(first: float):
    rng = np.random.default_rng(0)
    values = [first, *(1000 + rng.normal(0, 1e-3, 400)).tolist()]
    rows = of_user([DAY * n for n in range(401)], values, windows=["7d"], groups=["windows"])
    for n in (20, 200, 400):
        window = values[n - 7 : n]
        assert rows[n]["sum_7d"] == pytest.approx(sum(window), rel=2e-7)
        assert rows[n]["deviation_7d"] == pytest.approx(np.std(window), rel=1e-5)


def test_values_without_variance_have_a_deviation_of_zero():
    rows = of_user([DAY * n for n in range(9)], [0.3] + [0.1] * 8, windows=["n3"])
    assert [row["deviation_n3"] for row in rows[4:]] == [0.0] * 5


def test_a_log_without_times_keeps_what_order_alone_tells():
    log = events_of([("u", "i", None, "view", 3.0), ("u", "j", None, "view", 5.0), ("v", "i", None)])
    frame = compute_features(log, settings=FeatureSettings(windows=["1d", "n1"]))
    assert frame["count_n1"].to_list() == [0, 1, 0] and frame["sum_n1"].to_list() == [0, 3, 0]
    assert frame["count_1d"].null_count() == 3
    assert not [name for name in frame.columns if name.startswith(("recency", "decayed", "session", "gap"))]


def test_a_time_that_contradicts_the_order_silences_what_needs_time_from_there_on():
    log = events_of([("u", "i", 50), ("u", "i", 60), ("u", "i", 40), ("u", "i", 70), ("u", "i", None)])
    frame = compute_features(log, settings=FeatureSettings(windows=["1d", "n9"]))
    assert frame["count_1d"].to_list() == [0, 1, None, None, None]
    assert frame["count_n9"].to_list() == [0, 1, 2, 3, 4]
    assert frame["recency_seconds"].to_list() == [None, 10, None, None, None]


def test_items_known_to_many_users_count_them():
    log = events_of([("a", "i", 0), ("b", "i", 10), ("a", "i", 20), ("c", "i", 30), ("c", "j", 30)])
    frame = compute_features(log, "item", settings=FeatureSettings(windows=["all"])).sort("timestamp")
    assert frame.filter(pl.col("item_id") == "i")["distinct_users_all"].to_list() == [0, 1, 2, 2]
