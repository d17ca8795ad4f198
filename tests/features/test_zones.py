"""Clocks on walls are as the zone database has them, at clock changes too; unknown zones are refused with a hint."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.data.understanding.times import check_zone
from horae.errors import DataError
from horae.features.zones import local_days, local_seconds, weekdays

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"]


@given(st.lists(st.integers(0, 4_000_000_000), min_size=1, max_size=20), st.sampled_from(ZONES))
def test_local_times_are_those_of_zoneinfo(moments, zone):
    """A second implementation: Python's own."""
    told = local_seconds(np.array(moments, dtype=np.float64) + 0.25, zone)
    for second, local in zip(moments, told, strict=True):
        wall = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).astimezone(ZoneInfo(zone))
        assert local == (wall.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() + 0.25


def test_each_row_may_have_its_zone_and_null_is_the_logs():
    told = local_seconds(np.zeros(3), ["Asia/Tokyo", None, "America/New_York"], default="Europe/Berlin")
    assert (told / 3600).tolist() == [9, 1, -5]
    assert local_days(told).tolist() == [0, 0, -1] and weekdays(local_days(told)).tolist() == [3, 3, 2]


def test_unknown_times_stay_unknown():
    assert np.isnan(local_seconds(np.array([np.nan]), "Europe/Berlin")).all()


@pytest.mark.parametrize(("wrong", "hint"), [("Europe/Berlim", "Europe/Berlin"), ("new york", "America/New_York")])
def test_an_unknown_zone_is_refused_with_the_one_that_was_meant(wrong, hint):
    with pytest.raises(DataError, match="There is no time zone") as refused:
        check_zone(wrong)
    assert hint in refused.value.hint


def test_a_zone_like_no_other_gets_examples():
    with pytest.raises(DataError, match="no time zone") as refused:
        local_seconds(np.zeros(1), "???")
    assert "Europe/Berlin" in refused.value.hint


def test_there_is_a_zone_for_each_row():
    with pytest.raises(DataError, match="one time zone for each of 2"):
        local_seconds(np.zeros(2), ["UTC"])
