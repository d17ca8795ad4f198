import math

import numpy as np
import polars as pl
import pytest
import torch

from horae.evaluation.forecasts.asked import Asked
from horae.evaluation.forecasts.reading import Levels, levels_of, read
from horae.models.upcoming.gaps import Gaps
from horae.models.upcoming.heads import Told, Upcoming

DAY = 86_400.0
N = 4_000


def upcoming_of():
    upcoming = Upcoming(("behavior", "time", "value"), 4, 2, 2, 1, "standard")
    upcoming.facts.has_times.fill_(True)
    upcoming.scale.has_values.fill_(True)
    upcoming.span_seconds.fill_(365 * DAY)
    return upcoming


def told_of(median_days, spread, same=1e-9, logits=(0.0, 0.0), value=(-1.0, 0.0, 1.0), rows=N):
    columns = ([math.log(same / (1 - same))], [[0.0]], [[math.log(median_days * DAY)]], [[spread]])
    gaps = Gaps(*(torch.tensor(column).double().repeat_interleave(rows, 0) for column in columns))
    return Told(torch.tensor([logits]).double().expand(rows, 2), gaps, torch.tensor([value]).double().expand(rows, 3))


def asked_of(gap, silent=None, behavior=None, value=None):
    rows = len(gap)
    nothing = np.full(rows, np.nan)
    return Asked(
        row_N=np.arange(rows),
        users=pl.Series("user_id", np.arange(rows)),
        user_N=np.arange(rows),
        silent_N=np.zeros(rows) if silent is None else silent,
        gap_N=gap,
        left_N=nothing,
        behavior_N=np.zeros(rows, np.int64) if behavior is None else behavior,
        value_N=nothing if value is None else value,
    )


@pytest.mark.parametrize(("median", "spread"), [(1.0, 1.0), (3.0, 1.0), (1.0, 0.3)])
def test_whatever_the_head_believes_four_of_five_intervals_hold_what_comes(median, spread):
    """Gaps are log-normal around a day; the head may think of three days, or be far too sure."""
    rng = np.random.default_rng(0)
    before, after = np.exp(rng.normal(math.log(DAY), 1.0, (2, N)))
    told, upcoming = told_of(median, spread), upcoming_of()
    levels = levels_of(told, upcoming, asked_of(before))
    low, middle, high = read(told, upcoming, levels, np.zeros(N)).gap_N3.T
    assert ((low <= after) & (after <= high)).mean() == pytest.approx(0.8, abs=0.025)
    assert np.median(after) == pytest.approx(middle[0], rel=0.1 if spread == 1.0 else 0.6)
    assert (low <= middle).all() and (middle <= high).all() and levels.events["time"] == N


def test_ties_do_not_widen_the_intervals():
    rng = np.random.default_rng(0)
    gap = np.where(rng.random((2, N)) < 0.4, 0.0, np.exp(rng.normal(math.log(DAY), 1.0, (2, N))))
    told, upcoming = told_of(1.0, 1.0, same=0.4), upcoming_of()
    low, _, high = read(told, upcoming, levels_of(told, upcoming, asked_of(gap[0])), np.zeros(N)).gap_N3.T
    assert not low.any()  # the moment itself belongs to it
    assert ((low <= gap[1]) & (gap[1] <= high)).mean() == pytest.approx(0.8, abs=0.025)


def test_values_and_chances_are_set_right_too():
    rng = np.random.default_rng(0)
    value, behavior = rng.normal(0, 4.0, (2, N)), 1 + (rng.random(N) < 0.3)
    told, upcoming = told_of(1.0, 1.0, logits=(4 * math.log(0.7 / 0.3), 0.0)), upcoming_of()
    asked = asked_of(np.full(N, np.nan), behavior=behavior, value=value[0])
    levels = levels_of(told, upcoming, asked)
    reading = read(told, upcoming, levels, np.zeros(N))
    low, point, high = reading.value_N3.T
    assert ((low <= value[1]) & (value[1] <= high)).mean() == pytest.approx(0.8, abs=0.025) and not point.any()
    assert levels.time == Levels().time  # no gap was known
    assert reading.behavior_NC[0, 0] < 0.85  # four times too sure; a temperature of e is the hottest
    assert levels.events == {"time": 0, "value": N, "behavior": N}


def test_too_few_events_leave_the_levels_as_they_are_and_a_card_keeps_them():
    told, upcoming = told_of(1.0, 1.0, rows=20), upcoming_of()
    assert levels_of(told, upcoming, asked_of(np.full(20, DAY))).time == (0.1, 0.5, 0.9)
    levels = Levels((0.2, 0.5, 0.7), 1.5, 0.8, {"time": 99})
    assert Levels.from_card({"forecast": levels.as_dict()}) == levels and Levels.from_card({}) == Levels()


def test_what_the_log_could_not_teach_is_not_told():
    upcoming = upcoming_of()
    upcoming.facts.has_times.fill_(False)
    upcoming.scale.has_values.fill_(False)
    reading = read(told_of(1.0, 1.0, rows=3), upcoming, Levels(), np.zeros(3))
    assert reading.gap_N3 is None and reading.returns_N is None and reading.value_N3 is None
    assert reading.behavior_NC.shape == (3, 2)
