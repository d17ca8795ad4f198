"""A description is right, says what to know, and fits one screen; its page is whole."""

import json

import pytest
from tests.data.raw_logs import BASE, DAY, raw

from horae.data.checking.pages import describe_page
from horae.data.checking.summary import duration
from horae.data.checks import Description, describe
from horae.data.clean import clean
from horae.data.settings import DataSettings
from horae.schema import Events

KEYS = [
    "events",
    "users",
    "items",
    "first",
    "last",
    "resolution",
    "span_days",
    "behaviors",
    "history_length",
    "gap_seconds",
    "popularity",
    "repeat_share",
    "ties_share",
    "cold",
    "hour_profile",
    "weekday_profile",
    "rhythm",
    "trend",
    "warnings",
    "report",
]


def log(**changed) -> Events:
    columns = {
        "user_id": ["a", "a", "a", "b", "b", "c"],
        "item_id": ["x", "y", "x", "x", "z", "w"],
        "behavior": ["view", "view", "buy", "view", "view", "view"],
        "timestamp": [BASE, BASE + 10, BASE + 10, BASE + DAY, BASE + DAY + 40, BASE + 2 * DAY],
    }
    return clean(raw(**(columns | changed)))


def names(description: Description) -> list[str]:
    return [found.name for found in description.warnings]


def test_a_small_log_is_described_as_a_hand_would():
    told = describe(log()).as_dict()
    assert list(told) == KEYS
    assert (told["events"], told["users"], told["items"]) == (6, 3, 4)
    assert (told["first"], told["last"]) == ("2020-09-13T00:00:00+00:00", "2020-09-15T00:00:00+00:00")
    assert (told["resolution"], told["span_days"]) == ("second", 2.0)
    assert told["behaviors"] == {"view": 5, "buy": 1}
    assert told["history_length"] == {"mean": 2.0, "p10": 1.0, "p50": 2.0, "p90": 3.0, "max": 3.0}
    assert told["gap_seconds"] == {"p10": 0.0, "p50": 10.0, "p90": 40.0}
    assert told["popularity"] == {"gini": 0.25, "top1_share": 0.5, "top10_share": 0.5}
    assert told["repeat_share"] == told["ties_share"] == pytest.approx(1 / 6)
    assert told["cold"] == {"user_share": 1.0, "item_share": 1.0}
    assert len(told["hour_profile"]) == 24 and len(told["weekday_profile"]) == 7
    assert sum(told["hour_profile"]) == pytest.approx(1) == pytest.approx(sum(told["weekday_profile"]))
    assert told["report"]["rows_kept"] == 6
    assert all(set(found) == {"name", "message", "hint"} for found in told["warnings"])


def test_json_holds_plain_types_only():
    for events in (log(), log(timestamp=[None] * 6)):
        assert json.loads(json.dumps(describe(events).as_dict()))["users"] == 3


def test_a_log_without_times_says_what_is_off():
    told = describe(log(timestamp=[None] * 6))
    assert told.first is None and told.gap_seconds["p50"] is None and told.hour_profile == []
    assert "unknown_times" in names(told) and "times unknown" in str(told)


def test_a_log_without_items_says_what_is_off():
    told = describe(clean(raw(user_id=[1, 1], timestamp=[BASE, BASE + 5], value=[1.0, 2.0])))
    assert told.items is None and told.repeat_share is None and told.cold["item_share"] is None
    assert "no_items" in names(told) and "no items" in str(told)


@pytest.mark.parametrize(
    "changed,name",
    [
        ({"user_id": ["a"] * 6}, "one_of_a_kind"),
        ({"item_id": ["x"] * 6}, "one_of_a_kind"),
        ({"timestamp": [BASE + 5] * 6}, "one_time"),
        ({"timestamp": [BASE] * 6}, "one_time"),
        ({"timestamp": [BASE, BASE, BASE + DAY, BASE, BASE, BASE]}, "whole_days"),
        ({"timestamp": [BASE, BASE + 5, BASE + 7, BASE, BASE + 9, BASE + 8]}, "half_days"),
        ({"timestamp": [BASE + 5] * 5 + [BASE + 6]}, "one_instant"),
        ({"timestamp": [BASE, None, BASE, BASE, BASE, BASE]}, "unknown_times"),
        ({"behavior": ["cancel"] * 6}, "no_targets"),
        ({}, "ties"),
        ({}, "few_test_users"),
        ({}, "short_histories"),
        ({}, "cold_users"),
        ({}, "cold_items"),
        ({"item_id": ["x", "y", "x", "x", "x", "x"]}, "heavy_repeats"),
    ],
)
def test_what_should_be_known_is_told(changed, name):
    if name == "heavy_repeats":
        changed = changed | {"behavior": list("abcdef")}
    assert name in names(describe(log(**changed)))


def test_robots_and_rare_behaviors_are_told():
    users = ["bot"] * 150 + [f"u{i}" for i in range(150)]
    behavior = ["view"] * 299 + ["buy"]
    times = [BASE + i for i in range(300)]
    events = clean(raw(user_id=users, item_id=range(300), behavior=behavior, timestamp=times))
    assert "robots" not in names(describe(events))
    told = describe(events, DataSettings(robots_per_day=100))
    assert "1 users have more than 100 events" in next(w.message for w in told.warnings if w.name == "robots")
    assert "buy (1)" in next(w.message for w in told.warnings if w.name == "rare_behaviors")


def test_a_clean_large_log_has_little_to_warn_of():
    n = 6000
    users = [i % 600 for i in range(n)]
    items = [(i * 7 + i // 600) % 97 for i in range(n)]
    events = clean(raw(user_id=users, item_id=items, timestamp=[BASE + 977 * i for i in range(n)]))
    assert names(describe(events)) == []
    assert str(describe(events)).endswith("nothing to warn of")


@pytest.mark.parametrize(
    "changed", [{}, {"timestamp": [None] * 6}, {"behavior": [f"kind {i} of many words" for i in range(6)]}]
)
def test_the_text_fits_one_screen(changed):
    lines = str(describe(log(**changed))).splitlines()
    assert len(lines) <= 45 and max(map(len, lines)) <= 80


def test_bars_show_the_rhythm():
    day = next(line for line in str(describe(log())).splitlines() if line.startswith("weekdays"))
    assert "Su █" in day and "Sa  " in day


def test_warnings_that_do_not_fit_are_counted():
    from horae.data.checking.findings import Finding
    from horae.data.checking.summary import summary

    told = describe(log())
    many = [Finding(f"w{i}", "word " * 30, "hint " * 20) for i in range(20)]
    object.__setattr__(told, "warnings", many)
    lines = summary(told).splitlines()
    assert len(lines) <= 45 and "more; --json" in lines[-1]


def test_durations_are_for_people():
    assert [duration(s) for s in (0, 0.5, 45, 90, 7200, 86_400 * 2, 86_400 * 730.5)] == [
        "0 s",
        "500 ms",
        "45 s",
        "1.5 min",
        "2.0 h",
        "2.0 d",
        "2.0 y",
    ]


@pytest.mark.parametrize("changed", [{}, {"timestamp": [None] * 6}, {"user_id": ["<b>x</b>"] * 6}])
def test_the_page_holds_plots_warnings_and_cleaning(changed):
    events = log(**changed)
    html = describe_page(events, describe(events)).html()
    assert "What to know" in html and "Cleaning" in html and "<b>x" not in html
    assert html.count('class="spec"') == (3 if "timestamp" in changed else 6)


def test_the_page_of_a_log_without_items_has_no_popularity():
    events = clean(raw(user_id=[1, 1, 2], timestamp=[BASE, BASE + 400 * DAY, BASE], value=[1.0, 2.0, 3.0]))
    assert "most popular items" not in describe_page(events, describe(events)).html()


def test_the_page_of_a_long_log_is_thinned():
    from horae.data.checking.measures import Numbers
    from horae.data.checking.pages import MAX_POINTS, _per_day

    events = clean(raw(user_id=[1] * 2000, item_id=range(2000), timestamp=[BASE + i * DAY for i in range(2000)]))
    trace = _per_day(Numbers.of(events))["data"][0]
    assert len(trace["x"]) <= MAX_POINTS and set(trace["y"]) == {1.0}


@pytest.mark.data
@pytest.mark.parametrize("name,ties", [("ml-100k", None), ("amazon-beauty-2014", 0.39), ("foursquare-nyc", None)])
def test_public_logs_are_described_on_one_screen(data_dir, name, ties):
    from horae.data.clean import read_events

    told = describe(read_events(data_dir / name / "interactions.parquet"))
    lines = str(told).splitlines()
    assert len(lines) <= 45 and max(map(len, lines)) <= 80
    if ties is not None:
        assert round(told.ties_share, 2) == ties
    if name == "foursquare-nyc":
        assert "heavy_repeats" in names(told)
