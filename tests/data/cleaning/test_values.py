"""A log's values: wild ones by three rules, missing ones filled as of each event; by default nothing is changed."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.raw_logs import BASE, DAY, raw, steps_of

from horae.data.clean import clean
from horae.data.settings import DataSettings

UNTIL = datetime.fromtimestamp(BASE + 10 * DAY, UTC).isoformat()


def log(values, users=None, behaviors=None):
    size = len(values)
    return raw(
        user_id=users or ["a"] * size,
        item_id=[f"i{n}" for n in range(size)],
        timestamp=[BASE + n * DAY for n in range(size)],
        behavior=behaviors or ["buy"] * size,
        value=pl.Series(values, dtype=pl.Float64),
    )


def values_of(frame, **keys):
    return clean(frame, settings=DataSettings(**keys)).frame.sort("timestamp")["value"].to_list()


def test_by_default_no_value_is_changed():
    values = [1.0, None, 1e9, 2.0, 3.0, 4.0]
    assert values_of(log(values)) == values
    assert steps_of(clean(log(values)))["outliers"].kind == "warning"
    assert "missing" not in steps_of(clean(log(values)))


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("forward_fill", [None, 2.0, 2.0, 2.0, 6.0, 6.0]),
        ("mean", [None, 2.0, 2.0, 2.0, 6.0, 4.0]),  # of what was before
    ],
)
def test_without_fit_until_values_are_filled_from_earlier_events(missing, expected):
    assert values_of(log([None, 2.0, None, None, 6.0, None]), missing=missing) == expected


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("mean", [4.0, 2.0, 4.0, 6.0, None]),
        ("median", [4.0, 2.0, 4.0, 6.0, None]),
        ("linear", [2.0, 2.0, 4.0, 6.0, None]),
        ("time", [2.0, 2.0, 4.0, 6.0, None]),
    ],
)
def test_with_fit_until_the_training_part_is_looked_at_as_a_whole(missing, expected):
    frame = log([None, 2.0, None, 6.0, *[None] * 8, 90.0], behaviors=["buy"] * 4 + ["rate"] * 8 + ["buy"])
    assert values_of(frame, missing=missing, fit_until=UNTIL)[:5] == expected  # nothing is known of rate


def test_after_fit_until_only_what_was_before_counts():
    values = [1.0] * 10 + [5.0, None, 100.0]
    assert values_of(log(values), missing="linear", fit_until=UNTIL)[11] == 5.0
    assert values_of(log(values), missing="mean", fit_until=UNTIL)[11] == 1.0


def test_what_was_filled_is_counted_and_shown_with_its_row():
    step = steps_of(clean(log([None, 2.0, None, 5.0]), settings=DataSettings(missing="forward_fill")))["missing"]
    assert (step.kind, step.rows) == ("changed", 1)
    assert step.message == "missing values were filled by forward fill; 1 stay missing, as nothing known tells of them."
    assert step.examples == ("row 3: user a, item i2, buy, 2020-09-15 00:00:00, value 2",)


def test_a_log_without_values_or_with_nothing_to_tell_says_so():
    keys = DataSettings(missing="mean")
    assert "off: the log has no values" in steps_of(clean(log([None, None]), settings=keys))["missing"].message
    told = steps_of(clean(log([None, 3.0]), settings=keys))["missing"]
    assert (told.kind, told.rows) == ("warning", 0) and "1 missing values stay" in told.message
    assert "missing" not in steps_of(clean(log([1.0, 3.0]), settings=keys))


def test_outliers_become_unknown_before_they_could_be_carried_forward():
    values = [3.0, 4.0, 5.0, 4.0, 9000.0, 4.0, 5.0, 3.0]
    assert values_of(log(values), outliers="null", missing="forward_fill")[4] == 4.0


def test_robots_that_are_dropped_teach_nothing():
    frame = pl.concat([log([1.0] * 9, ["a"] * 9), log([1.0, None], ["b"] * 2)])
    frame = pl.concat([frame, raw(user_id=["r"] * 9, item_id=[f"i{n}" for n in range(9)], timestamp=[BASE + n for n in
        range(9)], behavior=["buy"] * 9, value=[50.0] * 9), log([None], ["c"])])  # fmt: skip
    events = clean(
        frame, settings=DataSettings(missing="mean", fit_until="2024-01-01", robots="drop", robots_per_day=5)
    )
    assert events.frame.filter(pl.col("user_id") == "c")["value"].to_list() == [1.0]


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"outlier_method": "iqr"}, "interquartile"),
        ({"outlier_method": "isolation_forest", "outlier_share": 0.003}, "forest"),
    ],
)
def test_other_rules_find_and_clip_the_far_value(keys, word):
    values = [float(n % 11) for n in range(299)] + [5000.0]
    step = steps_of(clean(log(values), settings=DataSettings(**keys)))["outliers"]
    assert (step.kind, step.rows) == ("warning", 1) and word in step.message and "value 5000" in step.examples[0]
    clipped = max(values_of(log(values), outliers="clip", **keys))
    assert clipped == pytest.approx(8 + 3 * 6 if word == "interquartile" else 10.0)


def test_bounds_are_learned_before_fit_until_and_without_it_the_report_warns():
    values = [float(n % 5) for n in range(10)] + [80.0 + n % 5 for n in range(30)]
    whole = clean(log(values), settings=DataSettings(outliers="null", outlier_deviations=8.0))
    assert whole.frame["value"].head(10).null_count() == 10  # the many that came later are what is usual
    cut = clean(log(values), settings=DataSettings(outliers="null", outlier_deviations=8.0, fit_until=UNTIL))
    assert cut.frame["value"].tail(30).null_count() == cut.frame["value"].null_count() == 30
    assert steps_of(cut)["outliers"].hint == ""
    told = clean(log([*values, -900.0]), settings=DataSettings(outliers="null"))
    assert "fit_until" in steps_of(told)["outliers"].hint


@settings(max_examples=10, deadline=None)
@given(data=st.data(), at=st.integers(0, 19))
@pytest.mark.parametrize("missing", ["forward_fill", "mean", "median", "linear", "time"])
def test_editing_events_at_or_after_a_time_changes_nothing_before_it(missing, data, at):
    value = st.one_of(st.none(), st.floats(-9, 9))
    users = data.draw(st.lists(st.sampled_from("ab"), min_size=20, max_size=20))
    values = data.draw(st.lists(value, min_size=20, max_size=20))
    keys = {"missing": missing, "outliers": "clip", "outlier_deviations": 2.0, "fit_until": UNTIL}
    edge = max(at, 10)
    edited = values[:edge] + data.draw(
        st.lists(st.one_of(value, st.just(1e12)), min_size=20 - edge, max_size=20 - edge)
    )
    assert values_of(log(values, users), **keys)[:edge] == values_of(log(edited, users), **keys)[:edge]


def test_cleaning_again_fills_nothing_more():
    keys = DataSettings(missing="mean", fit_until=UNTIL)
    once = clean(log([None, 2.0, None, 6.0, *[1.0] * 8]), settings=keys)
    again = clean(once.frame, settings=keys)
    assert again.frame.equals(once.frame) and "missing" not in steps_of(again)
