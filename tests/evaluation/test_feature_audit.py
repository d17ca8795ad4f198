"""Features that know the past pass; each kind of look into the future is caught, with rows."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs import chain_log, events_of

from horae.errors import DataError
from horae.evaluation.feature_audit import FeatureAudit, audit_features, check_validity
from horae.schema import Events

LOG = chain_log(users=12, items=6, length=10)


def counts(events: Events, at: datetime) -> pl.DataFrame:
    """Events of each user before the moment: honest."""
    past = events.frame.filter(pl.col("timestamp") < at)
    return past.group_by("user_id").agg(pl.len().alias("events"), pl.col("item_id").last().alias("last_item"))


def counts_at_the_moment(events: Events, at: datetime) -> pl.DataFrame:
    """One event too many: that of the very moment."""
    past = events.frame.filter(pl.col("timestamp") <= at)
    return past.group_by("user_id").agg(pl.len().alias("events"))


def share_of_all(events: Events, at: datetime) -> pl.DataFrame:
    """Divided by a total that grows later: the classical leak of a normalised feature."""
    past = events.frame.filter(pl.col("timestamp") < at)
    return past.group_by("item_id").agg((pl.len() / len(events.frame)).alias("share"))


def seconds_to_the_next(events: Events, at: datetime) -> pl.DataFrame:
    """Knows when each user comes back."""
    later = events.frame.filter(pl.col("timestamp") > at)
    return later.group_by("user_id").agg((pl.col("timestamp").min() - at).dt.total_seconds().alias("wait_seconds"))


def favourite(events: Events, at: datetime) -> pl.DataFrame:
    """Everybody's most frequent item of the whole log, as text."""
    return events.frame.group_by("user_id").agg(pl.col("item_id").mode().min().alias("favourite"))


def total(events: Events, at: datetime) -> pl.DataFrame:
    """One row for the whole log."""
    return pl.DataFrame({"events": [len(events.frame.filter(pl.col("timestamp") < at))]})


@pytest.mark.parametrize("honest", [counts, total])
def test_features_of_the_past_pass(honest) -> None:
    found = audit_features(honest, LOG)
    assert found.passed and str(found).startswith("passed")
    assert [one.change for one in found.findings] == ["replaced", "shuffled", "removed", "shifted"]
    assert all(one.rows > 0 for one in found.findings)
    found.refuse()


@pytest.mark.parametrize("leak", [counts_at_the_moment, share_of_all, seconds_to_the_next, favourite])
def test_each_look_into_the_future_is_caught_with_its_rows(leak) -> None:
    found = audit_features(leak, LOG)
    assert not found.passed and str(found).startswith("FAILED")
    with pytest.raises(DataError, match=r"rows moved when what comes after was \w+.*at 20\d\d.*became") as refused:
        found.refuse()
    assert "strictly before" in refused.value.hint


def test_the_finding_names_column_row_and_values() -> None:
    log = events_of([("a", "x", 10), ("a", "x", 20), ("b", "x", 30)])
    at = datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC)
    removed = audit_features(counts_at_the_moment, log, at=[at]).findings[2]
    assert (removed.change, removed.rows, removed.changed, removed.columns) == ("removed", 1, 1, ("events",))
    assert removed.examples == ("at 1970-01-01 00:00:20, user_id a: events 2 became 1",)


def test_an_event_at_the_moment_is_future_and_one_before_is_not() -> None:
    log = events_of([("a", "x", 10), ("a", "y", 20), ("a", "z", 30)])
    for second, passed in ((19, True), (20, False), (21, True)):
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
        assert audit_features(counts_at_the_moment, log, at=[at]).passed is passed


def test_a_user_who_comes_later_may_be_listed_as_long_as_nothing_is_said_of_them() -> None:
    def listed(events: Events, at: datetime, said: int | None) -> pl.DataFrame:
        known = counts(events, at).select("user_id", "events")
        everybody = events.frame.select("user_id").unique()
        return everybody.join(known, on="user_id", how="left").with_columns(pl.col("events").fill_null(pl.lit(said)))

    log = events_of([("a", "x", 10), ("a", "x", 30), ("late", "x", 40)])
    at = [datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC)]
    assert audit_features(lambda events, t: listed(events, t, 0), log, at=at).passed
    assert audit_features(lambda events, t: listed(events, t, None), log, at=at).passed
    assert not audit_features(lambda events, t: listed(events, t, 7), log, at=at).passed


def test_a_column_that_only_the_future_makes_is_a_leak() -> None:
    def pivoted(events: Events, at: datetime) -> pl.DataFrame:
        return pl.DataFrame({"user_id": ["a"]} | {name: [1] for name in events.frame["item_id"].unique().sort()})

    log = events_of([("a", "x", 10), ("a", "y", 20)])
    found = audit_features(pivoted, log, at=[datetime(1970, 1, 1, 0, 0, 15)])
    assert not found.passed and any("y" in one.columns for one in found.findings)


def test_sums_in_another_order_are_the_same() -> None:
    calls = []

    def shaky(events: Events, at: datetime) -> pl.DataFrame:
        calls.append(at)
        return counts(events, at).select("user_id", pl.col("events") * (1 + 1e-9 * len(calls)))

    assert audit_features(shaky, LOG).passed


def test_rows_of_several_keys_are_told_apart_by_order() -> None:
    def newest(events: Events, at: datetime) -> pl.DataFrame:
        past = events.frame.filter(pl.col("timestamp") < at)
        return past.group_by("user_id", maintain_order=True).tail(2).select("user_id", "timestamp")

    assert audit_features(newest, LOG).passed


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 40)), min_size=2, max_size=25))
@settings(max_examples=15, deadline=None)
def test_any_log_passes_with_honest_features_and_fails_with_the_whole_log_counted(rows) -> None:
    log = events_of(rows)
    assert audit_features(counts, log).passed

    def whole(events: Events, at: datetime) -> pl.DataFrame:
        return pl.DataFrame({"events": [len(events.frame)]})

    assert not audit_features(whole, log).passed


def test_a_large_log_is_audited_on_whole_users() -> None:
    seen: list[int] = []

    def watched(events: Events, at: datetime) -> pl.DataFrame:
        seen.append(len(events))
        return counts(events, at)

    assert audit_features(watched, LOG, max_events=45).passed
    assert max(seen) == 40  # four users of ten events each
    assert not audit_features(share_of_all, LOG, max_events=45).passed


def test_a_log_without_times_is_refused() -> None:
    with pytest.raises(DataError, match="without times") as refused:
        audit_features(counts, events_of([("a", "x", None), ("a", "y", None)]))
    assert "timestamp" in refused.value.hint


def test_the_document_is_plain() -> None:
    document = audit_features(share_of_all, LOG).as_dict()
    assert set(document) == {"passed", "findings"}
    assert set(document["findings"][0]) == {"change", "rows", "changed", "columns", "examples"}
    assert FeatureAudit(()).passed


# --- tables that bring their validity ---


def table(*rows: tuple) -> pl.DataFrame:
    days = [tuple(None if day is None else datetime(2024, 1, day) for day in row[1:]) for row in rows]
    data = {"user_id": [row[0] for row in rows]}
    data |= {name: [row[n] for row in days] for n, name in enumerate(("valid_from", "valid_to", "known_at"))}
    return pl.DataFrame(data, schema_overrides=dict.fromkeys(("valid_from", "valid_to", "known_at"), pl.Datetime))


def test_rows_that_follow_each_other_are_accepted() -> None:
    good = table(("b", None, 5, None), ("a", 1, 5, 1), ("a", 5, None, 4), ("b", 5, 9, 5))
    check_validity(good, ["user_id"])
    check_validity(good, ["user_id"], known_at="known_at")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a", 5, 3, None)], r"1 rows .* end before they begin: row 1 \(a\)"),
        ([("a", 1, 5, None), ("b", 1, 9, None), ("a", 4, 8, None)], r"1 rows .* overlap .*: row 3 \(a\)"),
        ([("a", 1, None, None), ("a", 4, 8, None)], r"overlap .*: row 2 \(a\)"),
        ([("a", 1, 5, 1), ("a", 5, 9, 6)], r"1 rows .* look into the future.*: row 2 \(a\)"),
        ([("a", None, 5, 1)], r"look into the future.*: row 1 \(a\)"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_with_rows(rows, said) -> None:
    with pytest.raises(DataError, match=said):
        check_validity(table(*rows), ["user_id"], known_at="known_at")
