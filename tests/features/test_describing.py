"""A description tells rhythm and trend, on the simulated shop as they are; the page shows them."""

import json
import sys

import numpy as np
import pytest

from horae.data.checking.measures import hour_of_week
from horae.data.clean import clean
from horae.data.simulate import ShopSettings, simulate
from horae.features.describing import describe, describe_page, time_shape, visit_times
from tests.data.raw_logs import BASE, DAY, raw


@pytest.fixture(scope="module")
def shop():
    return simulate(ShopSettings(users=1_000, events=30_000, days=120), seed=3)


@pytest.fixture(scope="module")
def events(shop):
    return clean(shop.frame)


def test_the_shops_day_and_week_are_found(shop, events):
    told = describe(events).as_dict()["rhythm"]
    for truth in shop.truth["rhythms"]:
        found = next(one for one in told if abs(one["period_seconds"] / truth["period_seconds"] - 1) < 0.02)
        off = (found["phase_seconds"] - truth["peak_seconds"]) / truth["period_seconds"]
        assert abs(off - round(off)) < 0.05
        assert found["amplitude"] == pytest.approx(truth["amplitude"], abs=0.1)
        assert found["p_value"] < 0.001 and 0 < found["strength"] <= 1
    assert len(told) == 2


def test_a_small_shop_shows_its_day():
    """5,000 events in some 800 visits over ten days, amplitude 0.3: visits tell what events in bursts hide."""
    found = 0
    for seed in range(6):
        shop = simulate(ShopSettings(users=500, events=5_000, days=10, hour_amplitude=0.3, weekday_amplitude=0), seed)
        found += any(one.period_seconds == DAY for one in time_shape(clean(shop.frame)).rhythms)
    assert found >= 5


def test_the_json_is_plain_and_its_keys_are_stable(events):
    told = json.loads(json.dumps(describe(events).as_dict()))
    assert set(told["trend"]) == {"slope_per_day", "level_per_day", "breaks"}
    keys = {"period_seconds", "amplitude", "phase_seconds", "last_peak", "strength", "p_value"}
    assert all(set(one) == keys for one in told["rhythm"])


def test_the_text_tells_it_in_a_line_each(events):
    lines = str(describe(events)).splitlines()
    assert any(line.startswith("rhythm       1.0 d (") and "7.0 d (" in line for line in lines)
    assert any(line.startswith("trend ") and "events a day" in line for line in lines)
    assert len(lines) <= 45 and max(map(len, lines)) <= 80


def test_the_page_shows_activity_week_and_periods(events):
    html = describe_page(events, describe(events)).html()
    for caption in (
        "Events per day, rhythm taken out",
        "hour of the week",
        "Power by period",
        "Periods of the activity",
    ):
        assert caption in html
    assert '"heatmap"' in html


def test_without_ruptures_all_but_breaks_is_told(events, monkeypatch):
    monkeypatch.setitem(sys.modules, "ruptures", None)
    told = describe(events)
    assert told.trend["breaks"] is None and "horae[series]" in told.trend["hint"]
    assert "horae[series]" in str(told) and len(told.rhythm) == 2
    assert "Power by period" in describe_page(events, told).html()


@pytest.mark.parametrize("timestamp", [[None] * 6, [BASE] * 6, [BASE + i * DAY for i in range(6)], [BASE, None] * 3])
def test_short_and_timeless_logs_have_defined_answers(timestamp):
    small = clean(raw(user_id=list("aabbcd"), item_id=list("xyzxyz"), timestamp=timestamp))
    told = describe(small)
    assert told.rhythm == [] and (told.trend is None) == (timestamp == [None] * 6)
    assert "When" in describe_page(small, told).html() or told.first is None


@pytest.mark.data
@pytest.mark.parametrize(("name", "days"), [("foursquare-nyc", 1), ("yoochoose-100k", 1), ("online-retail", 7)])
def test_public_logs_have_their_day_or_week(data_dir, name, days):
    from horae.data.clean import read_events

    found = [one.period_seconds for one in time_shape(read_events(data_dir / name / "interactions.parquet")).rhythms]
    assert days * DAY in found


def test_visits_are_events_apart():
    moments = [BASE, BASE + 60, BASE + 4000, BASE + 50 * DAY]
    small = clean(raw(user_id=list("aaab"), item_id=list("wxyz"), timestamp=moments))
    assert sorted(visit_times(small)) == [BASE, BASE + 4000, BASE + 50 * DAY]


def test_of_users_who_never_leave_events_are_counted():
    busy = clean(raw(user_id=[1] * 300, item_id=range(300), timestamp=[BASE + 600 * i for i in range(300)]))
    assert len(visit_times(busy)) == 300


def test_the_week_begins_on_monday():
    small = clean(raw(user_id=[1, 2], item_id=[1, 2], timestamp=[BASE + 5 * 3600, BASE + DAY]))  # a Sunday, a Monday
    assert np.argwhere(hour_of_week(small)).tolist() == [[0, 0], [6, 5]]
