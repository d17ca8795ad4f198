"""What a fold may learn from ends at its boundary; impossible wishes are refused with what to do."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs import chain_log, events_of

from horae.errors import DataError
from horae.evaluation.backtest.folds import folds_of
from horae.evaluation.backtest.settings import BacktestSettings, unit_of
from horae.schema import Events

DAY = 86_400
LOG = chain_log(users=20, items=8, length=30)  # 30 days


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(0, 40)), min_size=8, max_size=60),
    st.sampled_from([None, 9.0]),
)
@settings(max_examples=25, deadline=None)
def test_nothing_at_or_after_the_boundary_is_in_a_folds_past(rows, train_days) -> None:
    log = events_of([(user, item, day * DAY) for user, item, day in rows])
    training = "expanding" if train_days is None else "sliding"
    try:
        folds = folds_of(log, BacktestSettings(2, "4d", training, train_days))
    except DataError:
        return
    for fold in folds:
        past = fold.past.events.frame["timestamp"]
        assert past.max() < fold.boundary
        assert set(fold.past.part.unique()) <= {"train", "validation", "unused"}
        asked = fold.split.events.frame["timestamp"].gather(fold.cut.row_B)
        assert asked.min() >= fold.boundary and asked.max() <= fold.until
        if train_days is not None:
            assert fold.train_from >= fold.boundary - timedelta(days=train_days)


def test_a_sliding_window_forgets_but_keeps_histories_whole() -> None:
    expanding, sliding = (
        folds_of(LOG, BacktestSettings(2, "5d", *how)) for how in (("expanding", None), ("sliding", 10))
    )
    for whole, part in zip(expanding, sliding, strict=True):
        assert part.boundary == whole.boundary
        assert part.train_from >= part.boundary - timedelta(days=10) > whole.train_from
        assert len(part.past.events) == len(whole.past.events)
        assert part.cut.history_B.tolist() == whole.cut.history_B.tolist()
        assert (part.past.part == "unused").sum() > 0 == (whole.past.part == "unused").sum()


def test_requests_of_users_without_a_history_are_not_asked() -> None:
    rows = [("a", f"i{n % 3}", n * DAY) for n in range(20)] + [("new", "i1", 18 * DAY), ("new", "i2", 18 * DAY + 5)]
    (fold,) = folds_of(events_of(rows), BacktestSettings(1, "3d"))
    assert fold.cold == 1 and fold.cut.users.gather(fold.cut.user_B).to_list().count("new") == 1


def test_a_window_without_anybody_is_left_out_and_the_others_keep_their_numbers() -> None:
    days = [*range(20), *range(24, 28), *range(32, 37)]  # nobody came from day 28 to 31
    log = events_of([(user, f"i{n % 5}", n * DAY) for user in "ab" for n in days])
    folds = folds_of(log, BacktestSettings(3, "4d"))
    assert [fold.number for fold in folds] == [0, 2]
    assert folds[1].boundary - folds[0].boundary == timedelta(days=8)
    assert not (folds[1].past.part == "validation").any()  # its validation window is the one that nobody came in


@pytest.mark.parametrize(
    ("plan", "said", "hint"),
    [
        (BacktestSettings(window="7 fortnights"), "expected a length of time", "7d, 12h, 2w"),
        (BacktestSettings(window="7"), "expected a length of time", "Give a unit: 7d"),
        (BacktestSettings(window="0d"), "more than no time", "7d"),
        (BacktestSettings(folds=0), "1 or more", "--folds 4"),
        (BacktestSettings(training="sliding"), "needs its length", "--train-days"),
        (BacktestSettings(train_days=9.0), "no effect", "--training sliding"),
        (BacktestSettings(targets="next-9d"), "beyond the window", "--window 9d"),
        (BacktestSettings(targets="next-2months"), "expected a length of time", "7d, 12h, 2w"),
        (BacktestSettings(targets="all"), "no such kind of targets", "next-7d"),
    ],
)
def test_impossible_plans_are_refused_before_the_log_is_looked_at(plan, said, hint) -> None:
    with pytest.raises(DataError, match=said) as refused:
        plan.check()
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("plan", "said", "hint"),
    [
        (BacktestSettings(6, "5d"), "need a log of more than 35 days; this one spans 29 days", "at most 4 folds"),
        (BacktestSettings(2, "40d"), "need a log of more than 120 days", "shorter windows"),
        (BacktestSettings(3, 0.3), "share of 1.2", "fewer or shorter windows"),
        (BacktestSettings(2, "5d", "sliding", 5.0), "no longer than the validation window", "longer training window"),
    ],
)
def test_too_short_a_log_says_what_would_fit(plan, said, hint) -> None:
    with pytest.raises(DataError, match=said) as refused:
        folds_of(LOG, plan)
    assert hint in refused.value.hint


def test_as_many_folds_as_the_hint_says_do_fit() -> None:
    assert len(folds_of(LOG, BacktestSettings(4, "5d"))) == 4
    assert len(folds_of(LOG, BacktestSettings(3, 0.1))) == 3


def test_a_log_without_times_is_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match="has no times") as refused:
        folds_of(events_of([("a", f"i{n}", None) for n in range(9)]), BacktestSettings())
    assert "timestamp" in refused.value.hint


def test_nobody_with_a_history_is_refused() -> None:
    log = events_of([(f"u{n}", f"i{n % 3}", n * DAY) for n in range(20)])  # everybody comes once
    with pytest.raises(DataError, match="nobody to judge"):
        folds_of(log, BacktestSettings(2, "3d"))


def test_windows_without_targets_are_refused() -> None:
    frame = LOG.frame.with_columns(target=pl.col("timestamp") < LOG.frame["timestamp"].max() - timedelta(days=15))
    with pytest.raises(DataError, match="None of the 2 windows"):
        folds_of(Events(frame), BacktestSettings(2, "5d"))


def test_some_unknown_times_do_no_harm() -> None:
    unknown = pl.int_range(pl.len()) % 17 == 0
    frame = LOG.frame.with_columns(timestamp=pl.when(unknown).then(None).otherwise("timestamp"))
    folds = folds_of(replace(LOG, frame=frame), BacktestSettings(2, "5d"))
    assert len(folds) == 2 and all(len(fold.cut) for fold in folds)


def test_windows_are_told_in_their_largest_unit() -> None:
    days = timedelta(days=1)
    assert unit_of(14 * days) == (2, "week") and unit_of(3 * days) == (3, "day") and unit_of(days / 2) == (12, "hour")
    assert unit_of(None) == (1, "window")
    document = BacktestSettings(window="14d").as_dict()
    assert (document["window_days"], document["window_units"], document["unit"]) == (14.0, 2, "week")
