"""Bins hold every event, and are as fine as the times and the span allow."""

import numpy as np
import pytest

from horae.features.activity import DAY, HOUR, bin_times, fitting_width, resolution_seconds


def test_every_known_time_is_in_its_bin():
    activity = bin_times(np.array([7200.0, 3600.0, np.nan, 3601.0]), HOUR)
    assert activity.counts_M.tolist() == [2, 1] and activity.start_seconds == 3600
    assert activity.events == 3 and activity.span_seconds == 3600
    assert activity.middles_M.tolist() == [1800, 5400]


def test_nothing_known_is_nothing():
    assert len(bin_times(np.array([np.nan])).counts_M) == 0


def test_coarser_bins_hold_the_same_events():
    coarser = bin_times(np.arange(10) * HOUR, HOUR).coarser(3)
    assert coarser.counts_M.tolist() == [3, 3, 3] and coarser.width_seconds == 3 * HOUR


@pytest.mark.parametrize(
    ("span", "resolution", "width"), [(10 * DAY, 1.0, 60), (365 * DAY, 1.0, HOUR), (DAY, DAY, DAY)]
)
def test_the_width_fits(span, resolution, width):
    assert fitting_width(span, resolution) == width


def test_a_very_long_span_has_few_bins():
    assert 1e12 / fitting_width(1e12, 1.0) < 32_768


def test_the_resolution_is_that_of_all_times():
    days = np.arange(40) * DAY
    assert resolution_seconds(days) == DAY
    assert resolution_seconds(days + 22 * HOUR) == DAY  # whole days of another zone
    assert resolution_seconds(np.r_[days[:20] + 22 * HOUR, days[20:] + 23 * HOUR]) == DAY  # and a clock change
    assert resolution_seconds(np.array([0.0, 60.0, 180.0])) == 60
    assert resolution_seconds(np.array([0.0, 0.25])) == 0.001
