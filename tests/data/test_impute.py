"""Tables of three kinds go through one door; nothing later is looked at outside the training part."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs import events_of

import horae
from horae.data.impute import ImputeSettings
from horae.errors import DataError
from horae.forecasting.autoencoder import AutoencoderSettings
from horae.forecasting.imputing import fit_imputer, impute

NAN = float("nan")
DAY = 86_400
START = datetime(2024, 2, 27, tzinfo=UTC)  # a leap day is two days on
QUICK = AutoencoderSettings(window=8, dim=4, epochs=1, batch_windows=4)
SERIES_METHODS = {
    **{name: ImputeSettings(name) for name in ("forward_fill", "mean", "median", "linear", "time", "nearest")},
    "seasonal": ImputeSettings("seasonal", period=3),
    "autoencoder": QUICK,
}
EVENT_METHODS = {**SERIES_METHODS, "seasonal": ImputeSettings("seasonal", period=3, step_seconds=DAY)}


def long(values, name="a", start=START, every=timedelta(days=1)):
    times = [start + every * step for step in range(len(values))]
    return pl.DataFrame({"series_id": [name] * len(values), "timestamp": times, "value": values})


# --- series ---


def test_a_frame_comes_back_in_its_order_with_what_was_filled():
    frame = pl.concat([long([4.0, None, 8.0], "b"), long([1.0, NAN, 2.0], "a")])[[5, 0, 3, 1, 4, 2]]
    result = impute(frame, ImputeSettings("linear"))
    assert result.columns == ["series_id", "timestamp", "value", "imputed"]
    assert result["series_id"].to_list() == frame["series_id"].to_list()
    assert result["value"].to_list() == [2.0, 4.0, 1.0, 6.0, 1.5, 8.0]
    assert result["imputed"].to_list() == [False, False, False, True, True, False]


def test_the_clock_and_the_steps_differ_where_times_do():
    times = [START, START + timedelta(days=1), START + timedelta(days=10)]
    frame = pl.DataFrame({"timestamp": times, "value": [0.0, None, 10.0]})
    assert impute(frame, ImputeSettings("time"))["value"][1] == pytest.approx(1.0)
    assert impute(frame, ImputeSettings("linear"))["value"][1] == 5.0


def test_days_that_a_series_lacks_are_added_the_leap_day_too():
    frame = pl.DataFrame({"series_id": ["a", "a"], "date": ["2024-02-28", "2024-03-02"], "value": [1.0, 4.0]})
    result = impute(frame, ImputeSettings("linear"), every="1d")
    assert result["timestamp"].dt.date().to_list() == [date(2024, 2, day) for day in (28, 29)] + [
        date(2024, 3, day) for day in (1, 2)
    ]
    assert result["value"].to_list() == [1.0, 2.0, 3.0, 4.0]


def test_local_times_are_brought_to_utc_so_that_a_clock_change_is_no_gap():
    day = datetime(2024, 3, 31)  # from 01:59 to 03:00
    local = pl.datetime_range(day, day + timedelta(hours=7), "1h", time_zone="Europe/Berlin", eager=True)
    frame = pl.DataFrame({"timestamp": local, "value": [float(i) if i % 2 == 0 else None for i in range(len(local))]})
    result = impute(frame, ImputeSettings("time"), every="1h")
    assert result["value"].to_list() == [float(i) for i in range(len(local))] and len(local) == 7


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (long([1.0, 2.0])[[0, 1, 1]], "row 2.*stands twice"),
        (pl.DataFrame({"timestamp": ["2024-01-01", "soon"], "value": [1.0, 2.0]}), "row 2.*no time"),
        (pl.DataFrame({"timestamp": [START]}), "no column 'value'"),
        (pl.DataFrame({"timestamp": [START], "value": ["much"]}), "Expected numbers"),
        (long([1.0, 2.0]).with_columns(series_id=pl.Series(["a", None])), "row 2.*no series_id"),
    ],
)
def test_a_table_that_is_no_series_is_refused_with_its_row(frame, message):
    with pytest.raises(DataError, match=message):
        impute(frame)


def test_times_in_text_of_several_resolutions_are_read_and_one_that_is_none_is_shown():
    texts = ["2024-02-28", "2024-02-29 10:00:00", "2024-03-01T00:00:00+00:00"]
    frame = pl.DataFrame({"timestamp": texts, "value": [1.0, None, 4.0]})
    assert horae.impute(frame, horae.ImputeSettings("linear"))["value"].to_list() == [1.0, 2.5, 4.0]
    with pytest.raises(DataError, match="row 2: series 'series', 2024-02-30, has no time"):
        horae.impute(frame.with_columns(timestamp=pl.Series([texts[0], "2024-02-30", texts[2]])))


@pytest.mark.parametrize("settings", ["mean", "linear", "nearest", None])
def test_numbers_that_nobody_measured_are_unknown_and_filled(settings):
    pytest.importorskip("sklearn")
    how = horae.AutoencoderSettings(window=8, dim=4, epochs=1) if settings is None else horae.ImputeSettings(settings)
    times = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 2, 29), "1d", eager=True)
    value = [1e300 if n % 9 == 4 else float("inf") if n % 9 == 6 else float(n % 7) for n in range(60)]
    filled = horae.impute(pl.DataFrame({"series_id": "a", "timestamp": times, "value": value}), how)
    assert filled["value"].is_between(-1, 7).all() and filled["imputed"].sum() == sum(v > 9 for v in value)


def test_times_off_the_grid_and_steps_that_are_none_are_refused():
    mixed = pl.concat([long([1.0, 2.0]), long([3.0], start=START + timedelta(days=1, hours=5))])
    with pytest.raises(DataError, match=r"1 times are not on a grid of 1d.*2024-02-28 05:00"):
        impute(mixed, every="1d")
    with pytest.raises(DataError, match="no step of time"):
        impute(mixed, every="now and then")


def test_what_was_fitted_fills_other_tables_by_their_ids():
    train = pl.concat([long([1.0, 3.0], "a"), long([10.0, 30.0], "b")])
    later = pl.concat([long([None], "b"), long([None], "new"), long([None], "a")])
    values = fit_imputer(train, ImputeSettings("mean")).transform(later)["value"]
    assert values.to_list() == [20.0, None, 2.0]


@pytest.mark.parametrize("method", SERIES_METHODS)
def test_fitting_and_filling_apart_is_the_same_as_together(method):
    rng = np.random.default_rng(3)
    values = np.where(rng.random((60, 2)) < 0.3, NAN, rng.normal(size=(60, 2)).cumsum(0))
    how = SERIES_METHODS[method]
    together = impute(values, how, until=40)
    np.testing.assert_array_equal(together[:40], impute(values[:40], how))
    np.testing.assert_array_equal(together, fit_imputer(values[:40], how).transform(values, until=40))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**30), until=st.integers(3, 18), at=st.integers(0, 24))
@pytest.mark.parametrize("method", [name for name in SERIES_METHODS if name != "autoencoder"])
def test_later_values_change_nothing_before_them(method, seed, until, at):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((25, 2)) < 0.4, NAN, rng.normal(size=(25, 2)))
    edit_from = max(at, until)  # inside the training part later values may be looked at
    edited = values.copy()
    edited[edit_from:] = np.where(
        rng.random((25 - edit_from, 2)) < 0.4, NAN, 100 * rng.normal(size=(25 - edit_from, 2))
    )
    result, other = (impute(one, SERIES_METHODS[method], until=until) for one in (values, edited))
    np.testing.assert_array_equal(result[:edit_from], other[:edit_from])
    missing = np.isnan(values[edit_from : edit_from + 1]) & np.isnan(edited[edit_from : edit_from + 1])
    np.testing.assert_array_equal(result[edit_from : edit_from + 1][missing], other[edit_from : edit_from + 1][missing])


# --- events ---


def shop(*rows):
    """(user, day, behavior, value) rows."""
    whole = [(user, f"i{n}", 1_600_000_000 + DAY * day, kind, value) for n, (user, day, kind, value) in enumerate(rows)]
    return events_of(whole, behaviors=("buy", "rate"))


def test_events_are_filled_within_their_user_and_behavior():
    events = shop(
        ("a", 0, "buy", None), ("a", 1, "buy", 5.0), ("a", 2, "rate", 1.0), ("a", 3, "buy", None),
        ("a", 4, "rate", None), ("b", 9, "buy", None),
    )  # fmt: skip
    result = impute(events)
    assert result.frame["value"].to_list() == [None, 5.0, 1.0, 5.0, 1.0, None]
    step = result.report.steps[-1]
    assert (step.name, step.kind, step.rows) == ("missing", "changed", 2)
    assert "2 stay missing" in step.message and step.examples[0].startswith("user a, buy, 2020-09-16")
    assert events.report.steps == []  # what came in is as it was


def test_somebody_new_takes_the_mean_of_the_behavior_in_training():
    events = shop(("a", 0, "buy", 4.0), ("b", 1, "buy", 6.0), ("c", 5, "buy", None), ("c", 6, "buy", 90.0))
    until = datetime.fromtimestamp(1_600_000_000 + DAY * 3, UTC)
    assert impute(events, ImputeSettings("mean"), until=until).frame["value"][2] == 5.0


def test_without_a_training_part_the_mean_is_that_of_what_was_before():
    events = shop(*(("a", day, "buy", value) for day, value in enumerate([None, 2.0, None, 4.0, None, 60.0])))
    assert impute(events, ImputeSettings("mean")).frame["value"].to_list() == [None, 2.0, 2.0, 4.0, 3.0, 60.0]


@pytest.mark.parametrize("method", ["median", "linear", "time", "seasonal", "nearest", "autoencoder"])
def test_a_method_that_looks_ahead_needs_to_know_where_training_ends(method):
    with pytest.raises(DataError, match="looks at later events") as caught:
        impute(shop(("a", 0, "buy", 1.0), ("a", 1, "buy", None)), EVENT_METHODS[method])
    assert "until=" in caught.value.hint


def test_lines_across_users_do_not_see_events_of_the_same_time():
    rows = [("a", 0, "buy", 3.0), ("a", 5, "buy", 8.0), ("b", 5, "buy", None), ("c", 6, "buy", None)]
    filled = impute(shop(*rows), by=("behavior",)).frame["value"]
    assert filled.to_list() == [3.0, 8.0, 3.0, 8.0]


def test_unknown_times_are_taken_in_order_and_not_across_users():
    events = events_of([("a", "x", None, "buy", 2.0), ("a", "y", None, "buy", None)], behaviors=("buy",))
    assert impute(events).frame["value"].to_list() == [2.0, 2.0]
    with pytest.raises(DataError, match="times are unknown"):
        impute(events, by=("behavior",))


def test_a_line_with_an_unknown_time_is_interpolated_by_its_order():
    rows = [
        ("a", "x", DAY * 365 * 50, "buy", 0.0),
        ("a", "y", None, "buy", None),
        ("a", "z", DAY * 365 * 51, "buy", 9.0),
    ]
    events = events_of(rows, behaviors=("buy",))
    assert impute(events, ImputeSettings("time"), until="2099-01-01").frame["value"][1] == 4.5


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**30), at=st.integers(0, 20))
@pytest.mark.parametrize("method", [name for name in EVENT_METHODS if name != "autoencoder"])
def test_editing_events_at_or_after_a_time_changes_no_value_before_it(method, seed, at):
    rng = np.random.default_rng(seed)
    until = 10
    rows = [
        (f"u{rng.integers(3)}", int(rng.integers(20)), ("buy", "rate")[int(rng.integers(2))],
         None if rng.random() < 0.4 else float(rng.normal())) for _ in range(30)
    ]  # fmt: skip
    edge = max(at, until)
    edited = [
        (user, day, kind, value if day < edge else (None if rng.random() < 0.4 else float(99 * rng.normal())))
        for user, day, kind, value in rows
    ]
    end = datetime.fromtimestamp(1_600_000_000 + DAY * until, UTC)
    moment = datetime.fromtimestamp(1_600_000_000 + DAY * edge, UTC)
    before = [
        impute(shop(*one), EVENT_METHODS[method], until=end)
        .frame.filter(pl.col("timestamp") < moment)["value"]
        .to_list()
        for one in (rows, edited)
    ]
    assert before[0] == before[1]


def test_the_autoencoder_on_events_changes_nothing_before_an_edit():
    rng = np.random.default_rng(0)
    rows = [("u" + str(n % 3), n, "buy", None if n % 4 == 3 else float(rng.normal())) for n in range(80)]
    end = datetime.fromtimestamp(1_600_000_000 + DAY * 60, UTC)
    edited = [(u, d, k, v if d < 70 else 1000.0) for u, d, k, v in rows]
    result, other = (impute(shop(*one), QUICK, until=end).frame.sort("timestamp")["value"] for one in (rows, edited))
    assert result[:70].to_list() == other[:70].to_list() and result.null_count() == 0


# --- settings ---


@pytest.mark.parametrize(
    "values",
    [
        {"method": "magic"},
        {"method": "seasonal"},
        {"method": "linear", "period": 7},
        {"method": "seasonal", "period": 1},
        {"method": "mean", "step_seconds": 60.0},
        {"method": "mean", "neighbours": 9},
        {"method": "nearest", "lags": 0},
    ],
)
def test_impossible_settings_and_those_without_effect_are_refused(values):
    with pytest.raises(DataError):
        ImputeSettings(**values)


def test_a_season_of_events_needs_a_step_and_a_matrix_a_row():
    with pytest.raises(DataError, match="no step of their own"):
        impute(shop(("a", 0, "buy", 1.0)), ImputeSettings("seasonal", period=7), until="2024-01-01")
    with pytest.raises(DataError, match="row number"):
        impute(np.zeros((2, 1)), until="2024-01-01")
    with pytest.raises(DataError, match="got 1 axes"):
        impute(np.zeros(3))


def test_it_is_public():
    assert horae.impute is impute and horae.ImputeSettings is ImputeSettings
