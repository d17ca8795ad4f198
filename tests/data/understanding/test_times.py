from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.data.understanding.times import check_zone, read_times, resolution
from horae.errors import DataError

MOMENT = datetime(2014, 4, 7, 8, 51, 9, tzinfo=UTC)
SECONDS = 1_396_860_669


def read(*values, zone=None, dtype=None):
    return read_times(pl.Series("t", values, dtype=dtype), zone)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (SECONDS, "unix seconds"),
        (float(SECONDS), "unix seconds"),
        (str(SECONDS), "unix seconds"),
        (f"{SECONDS}.0", "unix seconds"),
        (SECONDS * 10**3, "unix milliseconds"),
        (SECONDS * 10**6, "unix microseconds"),
        (SECONDS * 10**9, "unix nanoseconds"),
        (str(SECONDS * 10**9), "unix nanoseconds"),
        (20140407085109, "times like 20240131235959"),
        ("20140407085109", "times like 20240131235959"),
        ("2014-04-07T08:51:09Z", "ISO date and time with zone"),
        ("2014-04-07T10:51:09+02:00", "ISO date and time with zone"),
        ("2014-04-07 10:51:09+0200", "ISO date and time with zone"),
        ("2014-04-07 08:51:09 UTC", "ISO date and time with zone"),
        ("2014-04-07 08:51:09", "ISO date and time without zone"),
        ("2014-04-07T08:51:09.000000", "ISO date and time without zone"),
        ("2014/04/07 08:51:09", "ISO date and time without zone"),
        ("Mon Apr 07 08:51:09 +0000 2014", "like Tue Apr 03 18:00:09 +0000 2012"),
        ("Mon, 07 Apr 2014 08:51:09 GMT", "like Tue, 03 Apr 2012 18:00:09 GMT"),
        ("07/Apr/2014:10:51:09 +0200", "like 10/Oct/2000:13:55:36 -0700"),
        ("7-Apr-2014 08:51:09", "dates with the month's name"),
        ("2014年4月7日 08:51:09", "年月日"),
        (datetime(2014, 4, 7, 8, 51, 9), "date and time without zone"),
    ],
)
def test_every_way_of_writing_a_moment_gives_the_same_moment(value, form):
    times = read(value)
    assert times.values.to_list() == [MOMENT]
    assert (times.form, times.bad.to_list()) == (form, [False])


@pytest.mark.parametrize(
    "value", ["2014-04-07", "20140407", 20140407, "2014/4/7", "04 07, 2014", "Apr 7, 2014", date(2014, 4, 7)]
)
def test_dates_are_midnights(value):
    times = read(value)
    assert times.values.to_list() == [datetime(2014, 4, 7, tzinfo=UTC)]
    assert times.naive
    assert resolution(times.values) == "day"


@pytest.mark.parametrize(
    ("texts", "form", "warning"),
    [
        (["12/1/2010 8:26", "12/13/2010 18:26"], "month/day/year", ""),
        (["1/12/2010 8:26", "13/12/2010 18:26"], "day/month/year", ""),
        (["13.12.10", "14.12.10"], "day/month/year", ""),
        (["2/1/2010", "1/2/2010", "1/3/2010"], "day/month/year", "the rows are in order of time only so"),
        (["1/12/2010", "2/12/2010", "1/1/2011"], "day/month/year", "the log is shorter so"),
        (["01.01.2010", "02.02.2010"], "month/day/year", "nothing in the log tells"),
    ],
)
def test_day_or_month_first_is_told_by_the_data_or_said(texts, form, warning):
    times = read(*texts)
    assert times.form == form
    assert warning in times.warning
    assert bool(warning) == bool(times.warning)


def test_a_day_above_twelve_in_the_wrong_place_is_unreadable_not_exchanged():
    times = read("13/01/2020", "14/01/2020", "01/31/2020")
    assert times.bad.to_list() == [False, False, True]


def test_fractions_of_seconds_survive():
    expected = MOMENT + timedelta(milliseconds=277)
    for value in (1396860669.277, "1396860669.277", "2014-04-07T08:51:09.277Z", SECONDS * 1000 + 277):
        assert read(value).values.to_list() == [expected]
    assert resolution(read("1396860669.277").values) == "millisecond"


def test_naive_times_are_utc_or_of_the_named_zone():
    assert read("2014-04-07 08:51:09").naive
    assert read("2014-04-07 10:51:09", zone="Europe/Berlin").values.to_list() == [MOMENT]
    assert read(datetime(2014, 4, 7, 10, 51, 9), zone="Europe/Berlin").values.to_list() == [MOMENT]
    assert not read(SECONDS, zone="Europe/Berlin").naive
    aware = read(datetime(2014, 4, 7, 10, 51, 9, tzinfo=timezone(timedelta(hours=2))), zone="Asia/Tokyo")
    assert aware.values.to_list() == [MOMENT]


def test_hours_that_are_skipped_or_occur_twice_are_still_times():
    times = read("2021-03-28 02:30:00", "2021-10-31 02:30:00", zone="Europe/Berlin")
    assert [t.isoformat() for t in times.values] == ["2021-03-28T01:30:00+00:00", "2021-10-31T00:30:00+00:00"]
    assert times.values.null_count() == 0


def test_rows_with_and_without_zone_may_stand_together():
    times = read("2014-04-07T10:51:09+02:00", "2014-04-07 10:51:09", zone="Europe/Berlin")
    assert times.values.to_list() == [MOMENT, MOMENT]
    assert times.naive


def test_unknown_is_not_unreadable():
    times = read("1396860669", None, "", "NULL", " nan ", "soon")
    assert times.values.null_count() == 5
    assert times.bad.to_list() == [False, False, False, False, False, True]
    assert read(float("nan"), float(SECONDS)).bad.to_list() == [False, False]
    assert read(None, dtype=pl.Null).values.null_count() == 1


def test_text_that_is_no_time_is_bad():
    assert read("soon", "later").bad.to_list() == [True, True]
    assert read("2014-13-45", "2014-01-01").bad.to_list() == [True, False]
    assert read("1/12/2010 99:99").bad.to_list() == [True]


def test_mixed_units_are_counted_and_never_guessed():
    times = read(SECONDS, SECONDS + 1, SECONDS * 1000)
    assert times.units == {"seconds": 2, "milliseconds": 1}
    assert times.bad.to_list() == [False, False, True]


def test_impossible_years_are_read_and_left_to_cleaning():
    times = read("0001-01-01", "9999-12-31", "2014-01-01")
    assert [t.year for t in times.values] == [1, 9999, 2014]
    epochs = read(SECONDS, 253_402_300_799, 0, 10**18)
    assert [t and t.year for t in epochs.values] == [2014, 9999, 1970, None]
    assert epochs.bad.to_list() == [False, False, False, True]


def test_numbers_that_count_from_a_start_of_their_own_are_warned_about():
    assert "start of their own" in read(1, 2, 3).warning


def test_an_unknown_zone_is_refused():
    with pytest.raises(DataError, match="no time zone 'Mars/Olympus'"):
        check_zone("Mars/Olympus")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.datetimes(datetime(1990, 1, 2), datetime(2039, 12, 30)), min_size=1, max_size=20))
def test_any_iso_text_and_any_epoch_agree(moments):
    moments = [moment.replace(tzinfo=UTC) for moment in moments]
    micros = [(moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for moment in moments]
    texts = [moment.isoformat(sep=" ", timespec="microseconds") for moment in moments]
    assert read(*texts).values.to_list() == moments
    assert read(*micros).values.to_list() == moments
