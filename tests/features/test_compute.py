"""Every feature against a slow second implementation, and against the future."""

import math
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from horae.data.clean import read_events
from horae.data.simulate import ShopSettings, simulate
from horae.errors import DataError, StoreError
from horae.features.compute import FeatureBlocks, compute_features, write_features
from horae.features.groups import GROUPS, ON_REQUEST
from horae.features.settings import FeatureSettings
from horae.schema import Events
from tests.features import naive
from tests.features.logs import HALF_LIVES, START, STEPS, WINDOWS, Row, log_of, row, rows

SETTINGS = FeatureSettings(windows=WINDOWS, half_lives=HALF_LIVES)
KEYS = ("user", "item", "all", "device")
NAIVE = ("windows", "distinct", "extremes", "decay", "recency", "gaps", "bursts", "session", "context", "circle")
"""Groups that `naive.py` knows; others have their own second implementation."""
RELATIONS = [
    {"user_id": "a", "other_id": "b", "valid_from": START, "valid_to": START + 8 * 86_400},
    {"user_id": "a", "other_id": "c", "valid_from": -math.inf, "valid_to": math.inf},
    {"user_id": "b", "other_id": "a", "valid_from": START + 3_600, "valid_to": math.inf},
    {"user_id": "b", "other_id": "nobody", "valid_from": -math.inf, "valid_to": math.inf},
]


def relations() -> pl.DataFrame:
    def stamp(seconds: float) -> int | None:
        return None if math.isinf(seconds) else int(seconds)

    return pl.DataFrame([{**r, **{c: stamp(r[c]) for c in ("valid_from", "valid_to")}} for r in RELATIONS])


def column_of(by: str) -> str:
    return {"user": "user_id", "item": "item_id"}.get(by, by)


def whole(events: Events, by: str = "user", at="events", **wishes) -> FeatureBlocks:
    """All groups, those on request included, where the log has times."""
    usual = FeatureBlocks(events, by, at, SETTINGS, **wishes)
    more = ON_REQUEST if "calendar" in usual.groups else ()
    return FeatureBlocks(events, by, at, replace(SETTINGS, groups=[*usual.groups, *more]), **wishes)


def features_of(events: Events, by: str, at="events", block: int = 1 << 18, only=tuple(GROUPS)) -> pl.DataFrame:
    more = {"relations": relations()} if by == "user" else {}
    made = whole(events, by, at, block=block, **more)
    made.groups = {name: group for name, group in made.groups.items() if name in only}
    return pl.concat(made)


def expected_of(events: Events, by: str, past, t, key=None) -> dict:
    column = column_of(by)
    context = [("price", True), ("device", False)] if by != "device" else [("price", True)]
    if len(events.behaviors) > 1:
        context.append(("behavior", False))
    known = events.frame["value"].null_count() < len(events)
    own = "session_id" in events.frame.columns
    out = naive.features(past, t, column, WINDOWS, HALF_LIVES, values=known, own_sessions=own, context=context)
    if by == "user":
        out |= naive.circle_features(naive.rows_of(events.frame), RELATIONS, key, past, t, WINDOWS)
    return out


def compare(got: dict, expected: dict) -> None:
    assert set(expected) <= set(got)
    assert set(got) - set(expected) <= {"user_id", "item_id", "device", "timestamp", "event_order"}
    for name, value in expected.items():
        if value is None or isinstance(value, str):
            assert got[name] == value, name
        else:
            assert got[name] == pytest.approx(value, rel=2e-6, abs=1e-9), name


@settings(max_examples=60, deadline=None)
@given(by=st.sampled_from(KEYS), rows=rows(), own_sessions=st.booleans())
def test_features_of_every_event_agree_with_plain_loops_over_its_past(by: str, rows: list[Row], own_sessions: bool):
    events = log_of(rows, own_sessions=own_sessions)
    if events.times == "none":
        return  # what is left then has a test of its own
    past_rows = naive.rows_of(events.frame)
    if all(naive.past_of_event(past_rows, n, column_of(by)) is None for n in range(len(rows))):
        return
    got = features_of(events, by, only=NAIVE).sort("user_id", "event_order").to_dicts()
    wanted = sorted(range(len(events)), key=lambda n: (past_rows[n]["user_id"], past_rows[n]["event_order"]))
    for have, number in zip(got, wanted, strict=True):
        past = naive.past_of_event(past_rows, number, column_of(by))
        if past is None:
            names = {"user_id", "event_order", "timestamp", column_of(by)}
            assert all(value is None for name, value in have.items() if name not in names)
        else:
            compare(have, expected_of(events, by, past, past_rows[number]["t"], past_rows[number]["user_id"]))


@settings(max_examples=40, deadline=None)
@given(by=st.sampled_from(KEYS), rows=rows(), step=st.sampled_from(["1h", "36h", "2w"]))
def test_features_on_a_grid_agree_with_plain_loops(by: str, rows: list[Row], step: str):
    rows = [r if r.seconds is None else replace(r, seconds=START + (r.seconds - START) % (5 * 86_400)) for r in rows]
    events = log_of(rows)
    if events.times == "none" or (by == "device" and not any(r.device and r.seconds for r in rows)):
        return
    got = features_of(events, by, step, only=NAIVE).to_dicts()
    past_rows = naive.rows_of(events.frame)
    assert got
    for have in got:
        t = have["timestamp"].timestamp()
        key = None if by == "all" else have[column_of(by)]
        past = naive.past_of_time(past_rows, key, column_of(by), t)
        assert past
        compare(have, expected_of(events, by, past, t, key))


@st.composite
def edited(draw: st.DrawFn, rows: list[Row], is_later, moment: float) -> list[tuple[int, Row]]:
    """The rows, numbered by their order, those that are later changed or gone, and new ones at or after the moment."""
    out = []
    for number, old in enumerate(rows):
        if not is_later(number):
            out.append((number, old))
        elif draw(st.booleans()):
            later = None if old.seconds is None else max(old.seconds, moment) + draw(st.sampled_from(STEPS[2:]))
            out.append((number, replace(draw(row(later)), user=old.user)))
    for _ in range(draw(st.integers(0, 4))):
        out.append((len(out) + 1_000, draw(row(moment + draw(st.sampled_from(STEPS))))))
    return out


def relaid(numbered: list[tuple[int, Row]]) -> Events:
    """Events whose order keeps the old numbers, so that an event can be found again."""
    events = log_of([one for _, one in numbered])
    number = pl.Series([n for n, _ in numbered], dtype=pl.Int64)
    return Events(events.frame.with_columns(number.gather(events.frame["event_order"]).alias("event_order")))


def same(before: dict, after: dict, given: set[str]) -> None:
    for name in before.keys() & after.keys():
        if name not in given:
            one, two = before[name], after[name]
            assert one == two or one == pytest.approx(two, rel=1e-6), name


@settings(max_examples=50, deadline=None)
@given(by=st.sampled_from(KEYS), data=st.data())
def test_editing_events_at_or_after_an_event_changes_no_feature_as_of_it(by: str, data: st.DataObject):
    made = data.draw(rows(unknown_times=False))
    made[0] = replace(made[0], value=5.0, device="phone")
    events = log_of(made)
    number = data.draw(st.integers(0, len(made) - 1))
    own = made[number]

    def is_later(n: int) -> bool:  # of one time: after it in its user's line; on any other line nobody knows
        placed_before = by == "user" and made[n].user == own.user and n < number
        return n != number and made[n].seconds >= own.seconds and not placed_before

    numbered = data.draw(edited(made, is_later, own.seconds))
    new_own = replace(data.draw(row(own.seconds)), user=own.user, item=own.item, device=own.device)
    again = relaid([(n, new_own if n == number else one) for n, one in numbered])
    one, two = (
        features_of(log, by).filter(event_order=number, user_id=own.user).to_dicts()[0] for log in (events, again)
    )
    same(one, two, {"user_id", "event_order", "timestamp", column_of(by)})


@settings(max_examples=50, deadline=None)
@given(by=st.sampled_from(KEYS), data=st.data())
def test_editing_events_at_or_after_a_time_changes_no_feature_as_of_it(by: str, data: st.DataObject):
    made = data.draw(rows(unknown_times=False))
    made[0] = replace(made[0], value=5.0, device="phone")
    moment = made[0].seconds + data.draw(st.sampled_from([1, 1_800, 3_600, 86_400, 30 * 86_400]))
    numbered = data.draw(edited(made, lambda n: made[n].seconds >= moment, moment))
    at = pl.Series([int(moment * 1e6)]).cast(pl.Datetime("us", "UTC"))[0]
    one, two = (features_of(log, by, at) for log in (log_of(made), relaid(numbered)))
    shared = [name for name in one.columns if name in two.columns]
    assert one.height == two.height and "count_7d" in shared
    for before, after in zip(one[shared].to_dicts(), two[shared].to_dicts(), strict=True):
        same(before, after, set())


def test_the_property_covers_every_registered_group():
    made = log_of([Row("a", "x", START + n, "view", 1.0, "phone", 2.0, "s") for n in range(3)])
    blocks = whole(made, relations=relations())
    assert set(GROUPS) - set(blocks.groups) <= {"tables"}  # see test_tables.py


@settings(max_examples=20, deadline=None)
@given(rows=rows(), by=st.sampled_from(KEYS))
def test_blocks_of_any_size_give_the_same_numbers(rows: list[Row], by: str):
    events = log_of([replace(rows[0], device="desk", seconds=START), *rows])
    assert features_of(events, by, block=1).equals(features_of(events, by))


def test_rows_stand_as_the_events_do_and_the_file_holds_the_same(tmp_path):
    rng = np.random.default_rng(0)
    made = [
        Row(
            f"u{rng.integers(9)}",
            f"i{rng.integers(7)}",
            START + float(rng.integers(10**6)),
            "view",
            2.0,
            None,
            1.0,
            "s",
        )
        for _ in range(200)
    ]
    events = log_of(made)
    for by in ("user", "item", "all"):
        frame = compute_features(events, by)
        assert frame.select("user_id", "event_order").equals(events.frame.select("user_id", "event_order"))
        assert write_features(events, tmp_path / "f.parquet", by) == 200
        written = pl.read_parquet(tmp_path / "f.parquet")
        assert written.sort("user_id", "timestamp", "event_order").equals(
            frame.sort("user_id", "timestamp", "event_order")
        )
        numbers = [dtype for name, dtype in written.schema.items() if name.startswith(("count", "mean", "decayed"))]
        assert set(numbers) == {pl.Float32}
    assert [file.name for file in tmp_path.iterdir()] == ["f.parquet"]


def test_a_key_nobody_has_with_a_known_time_is_refused_in_words():
    events = log_of([Row("a", "x", START, "view", 1.0, None, 2.0, "s")])
    with pytest.raises(DataError, match="No event has both a known device"):
        compute_features(events, "device")


def test_nothing_past_of_any_key_is_refused_and_leaves_no_file(tmp_path):
    made = [Row("a", "x", START, "view", 1.0, None, 2.0, "s"), Row("a", "x", START + 90, "view", 1.0, "desk", 2.0, "s")]
    with pytest.raises(DataError, match="No key had an event before"):
        write_features(log_of(made), tmp_path / "f.parquet", "device", "2020-09-13T12:27:00")
    assert not list(tmp_path.iterdir())
    with pytest.raises(StoreError, match="Cannot write"):
        write_features(log_of(made), tmp_path / "none" / "f.parquet")


def test_a_simulated_shop_agrees_with_rolling_windows_of_polars():
    shop = simulate(ShopSettings(users=60, items=40, events=6_000, days=90), seed=3)
    events = read_events(shop.frame)
    frame = pl.concat(
        FeatureBlocks(
            events, "item", block=500, settings=FeatureSettings(windows=["1d", "7d"], groups=["windows", "distinct"])
        )
    )
    rolled = (
        events.frame.sort("item_id", "timestamp")
        .rolling("timestamp", period="7d", closed="left", group_by="item_id")
        .agg(
            pl.len().alias("count"),
            pl.col("value").sum().alias("sum"),
            pl.col("value").mean().alias("mean"),
            pl.col("value").std(ddof=0).alias("deviation"),
            pl.col("user_id").n_unique().alias("distinct_users"),
        )
        .unique(["item_id", "timestamp"])
    )
    both = frame.join(rolled, on=["item_id", "timestamp"], how="left")
    assert both.height == len(events) and (both["count"] > 3).sum() > 1_000
    for name in ("count", "sum", "mean", "distinct_users"):
        ours, theirs = (both[column].cast(pl.Float64).to_numpy() for column in (f"{name}_7d", name))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-5)
    several = both.filter(pl.col("deviation_7d").is_not_null())
    np.testing.assert_allclose(several["deviation_7d"], several["deviation"], rtol=1e-5, atol=1e-5)


def test_a_grid_knows_leap_days():
    made = [Row("a", "x", 1_709_000_000 + 86_400 * n, "view", 1.0, "desk", 2.0, "s") for n in range(5)]  # 2024-02-27
    frame = compute_features(log_of(made), at="1d", settings=FeatureSettings(windows=["1d"], groups=["windows"]))
    assert [f"{day:%m-%d}" for day in frame["timestamp"]] == ["02-28", "02-29", "03-01", "03-02", "03-03"]
    assert frame["count_1d"].to_list() == [1] * 5
