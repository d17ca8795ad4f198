"""People of several platforms are joined as of each event's time, by a table and by nothing else."""

import itertools
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import horae
from horae.data.merge import merge_logs
from horae.data.settings import DataSettings
from horae.data.split import split_by_time
from horae.errors import DataError
from horae.schema import EVENT_ORDER, TARGET, TARGET_WEIGHT, Events

START = datetime(2024, 1, 1, tzinfo=UTC)


def log_of(*rows: tuple[str, str, int | None], **columns: list) -> Events:
    """Rows of user, item, day; None is an unknown time."""
    times = [None if day is None else START + timedelta(days=day) for _, _, day in rows]
    frame = pl.DataFrame(
        {
            "user_id": [user for user, _, _ in rows],
            "item_id": [item for _, item, _ in rows],
            "timestamp": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            **columns,
        }
    )
    return horae.read_events(frame, settings=DataSettings(skips="skipped" if "skipped" in columns else None))


def table_of(*rows: tuple, columns: tuple[str, ...] = ("platform", "user_id", "person_id")) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=list(columns), orient="row")


VALID = ("platform", "user_id", "person_id", "valid_from", "valid_to")
SHOP = log_of(("7", "a", 0), ("7", "b", 4), ("8", "a", 1))
APP = log_of(("x", "a", 2), ("y", "c", 3))


def lines(events: Events) -> dict[str, list[str]]:
    return {
        user: events.frame.filter(pl.col("user_id") == user)["item_id"].to_list()
        for user in events.frame["user_id"].unique()
    }


def test_a_person_has_one_line_in_the_order_of_time_and_others_stay_apart():
    merged = merge_logs({"shop": SHOP, "app": APP}, table_of(("shop", "7", "ada"), ("app", "x", "ada")))
    assert lines(merged) == {
        "ada": ["shop:a", "app:a", "shop:b"],
        "shop:8": ["shop:a"],
        "app:y": ["app:c"],
    }
    assert merged.frame.filter(pl.col("user_id") == "ada")["platform"].to_list() == ["shop", "app", "shop"]
    assert merged.context == ["platform"] and merged.report.rows_read == 5
    said = next(step.message for step in merged.report.steps if step.name == "identity")
    assert said == "3 events are those of 1 people, 1 of them on more than one platform."


def test_shared_items_are_one_item_and_a_repeat_over_platforms_is_no_target():
    table = table_of(("shop", "7", "ada"), ("app", "x", "ada"))
    merged = merge_logs({"shop": SHOP, "app": APP}, table, shared_items=True)
    assert lines(merged)["ada"] == ["a", "a", "b"]
    assert merged.frame.filter(pl.col("user_id") == "ada")[TARGET].to_list() == [True, False, True]


def test_without_a_table_nobody_is_the_same():
    assert set(lines(merge_logs({"shop": SHOP, "other": SHOP}))) == {"shop:7", "shop:8", "other:7", "other:8"}


def test_an_account_belongs_to_whoever_held_it_at_the_time():
    log = log_of(*(("7", f"i{day}", day) for day in range(6)))
    table = table_of(("shop", "7", "ada", None, "2024-01-03"), ("shop", "7", "bob", "2024-01-04", None), columns=VALID)
    assert lines(merge_logs({"shop": log}, table)) == {
        "ada": ["shop:i0", "shop:i1"],
        "shop:7": ["shop:i2"],
        "bob": ["shop:i3", "shop:i4", "shop:i5"],
    }


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=2, max_size=6, unique=True), st.lists(st.integers(0, 12), min_size=1))
def test_as_of_validity_is_what_a_loop_over_rows_finds(edges, days):
    edges = sorted(edges)
    spans = [(f"p{n}", a, b) for n, (a, b) in enumerate(itertools.pairwise(edges)) if n % 2 == 0]
    day = lambda number: (START + timedelta(days=number)).date().isoformat()  # noqa: E731
    table = table_of(*(("s", "u", person, day(a), day(b)) for person, a, b in spans), columns=VALID)
    log = log_of(*(("u", f"i{n}", at) for n, at in enumerate(days)))
    expected: dict[str, set[str]] = {}
    for n, at in enumerate(days):
        person = next((name for name, a, b in spans if a <= at < b), "s:u")
        expected.setdefault(person, set()).add(f"s:i{n}")
    assert {user: set(items) for user, items in lines(merge_logs({"s": log}, table)).items()} == expected


def test_two_people_for_one_account_at_one_time_are_refused_with_their_rows():
    twice = table_of(("shop", "7", "ada"), ("app", "x", "ada"), ("shop", "7", "bob"))
    with pytest.raises(DataError, match=r"row 1 \(platform shop, user_id 7.*row 3") as error:
        merge_logs({"shop": SHOP, "app": APP}, twice)
    assert error.value.hint
    overlapping = table_of(
        ("shop", "7", "ada", "2024-01-01", "2024-01-05"), ("shop", "7", "bob", "2024-01-04", None), columns=VALID
    )
    with pytest.raises(DataError, match="2 rows of one platform, user_id hold at the same time"):
        merge_logs({"shop": SHOP}, overlapping)


@pytest.mark.parametrize(
    ("logs", "table", "words"),
    [
        ({}, None, "no log to merge"),
        ({"a:b": SHOP}, None, "cannot name a platform"),
        ({"shop": SHOP}, table_of(("shop", "7"), columns=("platform", "user_id")), "expected a column person_id"),
        ({"shop": SHOP}, table_of(("7", "p"), columns=("user_id", "person_id")), "expected a column platform"),
        ({"shop": SHOP}, table_of(("shop", "7", "p"), ("shop", "8", " ")), "row 2 has no person_id"),
        ({"shop": SHOP}, table_of(("shop", "7", "shop:8")), "called like an account"),
        ({"shop": SHOP}, table_of(("shop", "7", "p", "soon", ""), columns=VALID), "valid_from"),
    ],
)
def test_what_cannot_be_merged_is_refused(logs, table, words):
    with pytest.raises(DataError, match=words):
        merge_logs(logs, table)


def test_a_table_of_other_platforms_is_warned_of():
    merged = merge_logs({"shop": SHOP}, table_of(("shpo", "7", "ada")))
    warned = [step for step in merged.report.steps if (step.name, step.kind) == ("identity", "warning")]
    assert warned[0].rows == 1 and "'shpo'" in warned[0].message and "ada" not in lines(merged)


def test_events_of_unknown_time_stay_with_an_account_for_ever_and_are_set_aside_between_platforms():
    log = log_of(*(("7", f"i{day}", day) for day in range(300)), ("7", "late", None), ("8", "b", None))
    bounded = table_of(("shop", "8", "eve", "2024-01-01", None), ("shop", "7", "ada", None, None), columns=VALID)
    alone = merge_logs({"shop": log}, bounded)
    assert alone.frame.height == 302 and lines(alone)["shop:8"] == ["shop:b"] and len(lines(alone)["ada"]) == 301
    both = merge_logs({"shop": log, "app": APP}, table_of(("shop", "7", "ada"), ("app", "x", "ada")))
    step = next(step for step in both.report.steps if step.name == "unplaced")
    assert (step.rows, step.kind, step.examples) == (1, "set_aside", ("ada on shop",))
    assert "shop:late" not in lines(both)["ada"] and len(both) == 303
    with pytest.raises(DataError, match="unplaced"):
        merge_logs({"shop": log_of(("7", "a", None)), "app": APP}, table_of(("shop", "7", "p"), ("app", "x", "p")))


def test_what_an_event_counts_and_the_logs_own_platform_stay():
    weighed = log_of(("7", "a", 0), ("7", "b", 1), skipped=["yes", "no"], platform=["ios", "web"])
    merged = merge_logs({"shop": weighed, "app": APP})
    frame = merged.frame.filter(pl.col("platform") == "shop")
    assert frame[TARGET].to_list() == [False, True] and frame[TARGET_WEIGHT].to_list() == [0.0, 1.0]
    assert frame["platform_in_log"].to_list() == ["ios", "web"]
    assert merged.frame.filter(pl.col("platform") == "app")[TARGET_WEIGHT].to_list() == [1.0, 1.0]


def test_equal_times_keep_each_logs_own_order():
    shop = log_of(("7", "b", 0), ("7", "a", 0), ("7", "c", 0))
    merged = merge_logs({"shop": shop, "app": log_of(("x", "z", 0))}, table_of(("shop", "7", "p"), ("app", "x", "p")))
    assert lines(merged)["p"] == ["shop:b", "shop:a", "shop:c", "app:z"]
    assert merged.frame[EVENT_ORDER].is_unique().all()


def test_a_merged_log_is_read_again_as_it_is_and_trains_with_its_platform(tmp_path):
    logs = {
        name: log_of(*((f"u{u}", f"i{(u + n) % 5}", 3 * n + shift) for u in range(12) for n in range(6)))
        for shift, name in enumerate(("shop", "app"))
    }
    table = table_of(*((name, f"u{u}", f"p{u}") for name in logs for u in range(10)))
    merged = merge_logs(logs, table, shared_items=True)
    merged.frame.write_parquet(tmp_path / "merged.parquet")
    again = horae.read_events(tmp_path / "merged.parquet")
    assert again.frame.equals(merged.frame)
    small = ("model.dim=8", 'model.context=["platform"]', "train.epochs=1", "model.max_len=8")
    run = horae.train(split_by_time(again, test=0.2), "sasrec", overrides=small)
    assert len(run.recommend(users=["p3", "shop:u11"], k=2).frame) == 4
