"""Requests are cut at the place of their first target, baskets together, each with nothing but its past."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of

from horae.data.split import Split, split_by_time, split_leave_one_out
from horae.errors import DataError
from horae.evaluation.cut import asked_times, horizon_of, request_times, requests_of
from horae.evaluation.protocol import evaluate
from horae.evaluation.words import headline
from horae.recipe import Recipe
from horae.schema import Events
from horae.sequences.vocabulary import Vocabulary
from horae.training.train import train


def split_of(events: Events, test_rows: list[int], kind: str = "time") -> Split:
    part = ["test" if row in test_rows else "train" for row in range(len(events))]
    return Split(events, pl.Series("part", part, dtype=pl.Enum(["train", "validation", "test", "unused"])), kind, "b")


LOG = events_of(
    [("a", "i1", 1), ("a", "i2", 5), ("a", "i3", 5), ("a", "i2", 5), ("a", "i4", 6), ("b", "i5", 5), ("b", "i6", 7)]
)


def test_targets_of_one_user_at_one_time_are_one_request() -> None:
    cut = requests_of(split_of(LOG, [1, 2, 3, 4, 5, 6]))
    assert cut.kind == "successive"
    assert cut.row_B.tolist() == [1, 4, 5, 6]
    assert cut.users.gather(cut.user_B).to_list() == ["a", "a", "b", "b"]
    assert cut.item_T.to_list() == ["i2", "i3", "i4", "i5", "i6"]  # i2 came twice in the basket: asked for once
    assert cut.offset_B1.tolist() == [0, 2, 3, 4, 5]
    assert cut.requests.rows is not None and cut.requests.rows.tolist() == [1, 4, 5, 6]


def test_the_history_is_what_stands_before_the_request() -> None:
    cut = requests_of(split_of(LOG, [1, 2, 3, 4, 5, 6]))
    assert cut.history_B.tolist() == [1, 4, 0, 1]
    assert cut.cold_B.tolist() == [False, False, True, False]


def test_last_asks_once_for_each_user() -> None:
    cut = requests_of(split_of(LOG, [1, 2, 3, 4, 5, 6]), "last")
    assert cut.row_B.tolist() == [4, 6]
    assert cut.item_T.to_list() == ["i4", "i6"]


def test_leave_one_out_asks_for_the_last_target_unless_told() -> None:
    assert requests_of(split_of(LOG, [4, 6], kind="leave-one-out")).kind == "last"


def test_events_of_unknown_time_are_requests_of_their_own() -> None:
    log = events_of([("a", "i1", None), ("a", "i2", None), ("a", "i3", 5), ("a", "i4", 5)])
    assert requests_of(split_of(log, [1, 2, 3])).row_B.tolist() == [1, 2]
    split = split_leave_one_out(events_of([("a", f"i{n}", None) for n in range(4)]))
    assert requests_of(split).row_B.tolist() == [3]


def test_events_that_are_no_targets_are_history_only() -> None:
    log = events_of([("a", "i1", 1), ("a", "i2", 2), ("a", "i3", 3)], targets=[True, False, True])
    cut = requests_of(split_of(log, [1, 2]))
    assert cut.row_B.tolist() == [2]
    assert cut.history_B.tolist() == [2]


def test_a_sample_of_users_is_seeded_and_whole() -> None:
    rows = [(f"u{user}", f"i{n}", 10 * n + user) for user in range(20) for n in range(3)]
    split = split_of(events_of(rows), list(range(60)))
    cut = requests_of(split, max_users=5, seed=1)
    assert len(cut.users) == 5 and len(cut) == 15
    assert cut.users.to_list() == requests_of(split, max_users=5, seed=1).users.to_list()
    assert len(requests_of(split, max_users=50).users) == 20


def test_a_subset_keeps_each_request_with_its_targets() -> None:
    cut = requests_of(split_of(LOG, [1, 2, 3, 4, 5, 6]))
    some = cut.subset(np.array([3, 0]))
    assert some.item_T.to_list() == ["i6", "i2", "i3"]
    assert some.offset_B1.tolist() == [0, 1, 3]
    assert some.requests.users is not None and some.requests.users.to_list() == ["b", "a"]
    assert some.row_T.tolist() == [6, 1, 2]


def test_targets_outside_the_item_table_have_index_zero() -> None:
    cut = requests_of(split_of(LOG, [4, 5]))
    assert cut.targets(Vocabulary.of(pl.Series(["i4"]))).item.tolist() == [1, 0]


def test_request_times_are_unix_seconds() -> None:
    split = split_of(events_of([("a", "i1", None), ("b", "i2", 7)]), [1])
    times = request_times(split, np.array([0, 1]))
    assert np.isnan(times[0]) and times[1] == 7.0


def test_what_cannot_be_judged_is_said() -> None:
    with pytest.raises(DataError, match="no targets"):
        requests_of(split_of(LOG, []))
    no_items = replace(split_of(LOG, [1]), events=Events(LOG.frame.drop("item_id")))
    with pytest.raises(DataError, match="no items"):
        requests_of(no_items)


def test_a_time_split_asks_for_nothing_before_its_boundary() -> None:
    rows = [(f"u{user}", f"i{n}", 100 * n + user) for user in range(10) for n in range(10)]
    split = split_by_time(events_of(rows))
    cut = requests_of(split)
    assert (split.part.gather(cut.row_T) == "test").all()
    assert len(cut.item_T) == split.test.frame.height


# --- what comes within some days ---

DAY = 86_400
BOUNDARY = datetime(1970, 1, 11, tzinfo=UTC)


def ten_days_and_more() -> Split:
    """Days 0 to 9 are past. Then a comes on days 10, 12 and 16, b on 10 and 13, c (new) on 11, d only before."""
    past = [(user, f"i{day % 4}", day * DAY) for user in "abd" for day in range(10)]
    came = [("a", "i5", 10), ("a", "i1", 12), ("a", "i5", 12), ("a", "i6", 16), ("b", "i2", 10), ("b", "i3", 17)]
    rows = [*past, *((user, item, day * DAY) for user, item, day in came), ("c", "i1", 11 * DAY), ("b", "i9", 18 * DAY)]
    return split_by_time(events_of(rows), test=BOUNDARY.isoformat(), validation=0.2)


def test_all_that_comes_within_seven_days_is_one_request_for_each_user() -> None:
    split = ten_days_and_more()
    cut = requests_of(split, "next-7d")
    assert cut.kind == "next-7d" and cut.at == BOUNDARY
    assert cut.users.gather(cut.user_B).to_list() == ["a", "b", "c"]
    assert cut.offset_B1.tolist() == [0, 3, 4, 5]
    assert cut.item_T.to_list() == ["i5", "i1", "i6", "i2", "i1"]  # i5 once; day 17 is the eighth
    assert cut.cold_B.tolist() == [False, False, True]
    assert cut.history_B.tolist() == [10, 10, 0]
    assert cut.requests.rows is None and cut.requests.at == [BOUNDARY] * 3
    assert asked_times(split, cut).tolist() == [10 * DAY] * 3


def test_a_longer_time_holds_more_and_a_subset_keeps_its_time() -> None:
    cut = requests_of(ten_days_and_more(), "next-8d")
    assert cut.item_T.to_list() == ["i5", "i1", "i6", "i2", "i3", "i1"]
    some = cut.subset(np.array([1]))
    assert some.item_T.to_list() == ["i2", "i3"] and some.requests.at == [BOUNDARY]


def test_whoever_does_not_come_in_that_time_is_not_asked() -> None:
    assert requests_of(ten_days_and_more(), "next-1d").users.to_list() == ["a", "b"]


def test_several_relevant_items_are_judged_together() -> None:
    split = ten_days_and_more()
    run = train(split, Recipe("popularity", model={"opponent": "popularity"}, recommend={"seen": "include"}))
    judged = evaluate(run, split, opponents={}, targets="next-7d", ks=(2, 4), bootstrap=0)
    # i0 and i1 lead (nine events each), then i2 and i3; a wants i5, i1, i6 of which i1 is listed; b wants i2
    log2 = np.log2
    a = (1 / log2(3)) / (1 + 1 / log2(3) + 1 / log2(4))
    assert judged.metrics["recall@4"].mean == pytest.approx((1 / 3 + 1) / 2)
    assert judged.metrics["ndcg@4"].mean == pytest.approx((a + 1 / log2(4)) / 2)
    assert judged.metrics["hit_rate@2"].mean == pytest.approx(1 / 2)
    assert judged.split["targets"] == "next-7d" and judged.passed
    assert (judged.users, judged.requests, judged.targets) == (2, 2, 4)
    assert judged.cold.requests == 1
    assert any("within 7 days of it is relevant" in note for note in judged.notes)
    said = headline(judged.as_dict() | {"run": "it"})
    assert said == (
        "Of those who came back within 7d, 100 in 100 chose at least one of the 4 items that it had recommended "
        "beforehand."
    )


def test_nothing_at_or_after_the_boundary_moves_the_answers() -> None:
    split = ten_days_and_more()
    run = train(split, Recipe("markov", model={"opponent": "markov"}, recommend={"seen": "include"}))
    cut = requests_of(split, "next-7d")
    before = run.recommend(cut.requests).frame
    frame = split.events.frame
    changed = frame.with_columns(
        item_id=pl.when(pl.col("timestamp") >= BOUNDARY).then(pl.lit("i3")).otherwise("item_id"),
        timestamp=pl.when(pl.col("timestamp") >= BOUNDARY)
        .then(pl.col("timestamp") + timedelta(hours=1))
        .otherwise("timestamp"),
    )
    after = run.with_events(Events(changed)).recommend(cut.requests).frame
    assert after.equals(before)


def test_a_log_that_ends_too_soon_is_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match=r"looks 30 days beyond the boundary.*ends 8 days after it") as refused:
        requests_of(ten_days_and_more(), "next-30d")
    assert "--test 30d" in refused.value.hint


@pytest.mark.parametrize("kind", ["next-7", "next-7moons", "next-", "all", "next-0d"])
def test_other_kinds_of_targets_are_refused(kind: str) -> None:
    with pytest.raises(DataError, match="targets = ") as refused:
        requests_of(ten_days_and_more(), kind)
    assert "7d" in refused.value.hint


def test_a_split_without_a_boundary_in_time_is_refused() -> None:
    with pytest.raises(DataError, match="has no such time"):
        requests_of(split_of(LOG, [4, 6], kind="leave-one-out"), "next-1d")


def test_only_the_kinds_that_look_ahead_have_a_horizon() -> None:
    assert horizon_of("successive") is None and horizon_of("last") is None
    assert horizon_of("next-2w") == timedelta(days=14)
