import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.forecasting.anomalies.tails import FARTHEST, Side, Tail, combined, excess_of_mean, surprise_of

UNKNOWN = float("nan")


def test_a_p_value_counts_who_is_as_odd_or_odder():
    tail = Tail.of(np.array([1.0, 2.0, 2.0, 4.0, UNKNOWN]))
    assert len(tail) == 4
    assert tail.p(np.array([0.0, 2.0, 3.0, 4.0, 9.0])).tolist() == [1.0, 4 / 5, 2 / 5, 2 / 5, 1 / 5]
    assert tail.p(np.array([1.0, 2.0, 4.0]), own=True).tolist() == [1.0, 3 / 4, 1 / 4]
    assert math.isnan(tail.p(np.array([UNKNOWN]))[0])


def test_beyond_all_that_was_seen_surprise_goes_on_and_p_does_not():
    tail = Tail.of(np.arange(1.0, 101.0))  # the uppermost tenth is 91 to 100: mean excess 4.5
    near, far, farthest = tail.surprise(np.array([101.0, 109.0, 1e9]))
    assert near == pytest.approx(math.log(101) + 1 / 4.5) and far == pytest.approx(math.log(101) + 9 / 4.5)
    assert farthest == pytest.approx(math.log(101) + FARTHEST)
    assert set(tail.p(np.array([101.0, 1e9]))) == {1 / 101}


def test_the_largest_calibration_event_goes_beyond_the_others_as_any_other_event_would():
    own = np.arange(1.0, 102.0)  # the others' uppermost tenth is 91 to 100: mean excess 4.5
    surprise = Tail.of(own).surprise(own, own=True)
    assert surprise[-1] == pytest.approx(math.log(101) + 1 / 4.5)
    assert surprise[-2] == pytest.approx(math.log(101 / 2))
    twins = np.append(own, 101.0)
    assert Tail.of(twins).surprise(twins, own=True)[-2:].tolist() == [pytest.approx(math.log(102 / 2))] * 2


@pytest.mark.parametrize(("events", "rate"), [(127, 0.01), (60, 0.02), (60, 0.005), (350, 0.01)])
def test_of_seven_signals_together_no_more_than_the_rate_is_flagged_however_few_calibrate(events: int, rate: float):
    rng, flagged = np.random.default_rng(0), []
    for _ in range(60):
        calibrates = np.arange(events + 2_000) < events
        signals = [surprise_of([Side(raw)], calibrates) for raw in rng.standard_normal((7, len(calibrates)))]
        score = combined(np.stack(signals))
        flagged.append((score[~calibrates] > Tail.of(score[calibrates]).above(rate)).mean())
    assert np.mean(flagged) < 1.25 * rate


def test_where_too_few_calibrate_the_threshold_lies_beyond_them():
    many, few = Tail.of(np.arange(1.0, 400.0)), Tail.of(np.arange(1.0, 101.0))
    assert many.vouches(0.01) and many.above(0.01) == 396.0  # three above it and the event itself: 4 of 400
    assert not few.vouches(0.01) and few.above(0.01) == pytest.approx(100 + 5 * math.log(3))
    assert few.above(0.001) > few.above(0.01)
    assert Tail.of(np.zeros(50)).above(0.01) == 0.0


def test_constant_calibration_events_call_only_what_differs_odd():
    tail = Tail.of(np.zeros(99))
    assert tail.surprise(np.array([0.0, 1e-9])).tolist() == [0.0, pytest.approx(math.log(100))]


def test_of_two_sides_the_odder_one_counts_half():
    calibration = np.array([True] * 4 + [False])
    x = np.array([1.0, 2.0, 3.0, 4.0, 9.0])
    both = surprise_of([Side(x), Side(-x)], calibration)
    assert both[4] >= -math.log(2 * 1 / 5) and both[1] == 0.0  # own p 3/4 and 2/4: twice the smaller is 1
    alone = surprise_of([Side(x), Side(np.full(5, UNKNOWN))], calibration)
    assert alone[3] == pytest.approx(-math.log(1 / 4))  # an unknown side costs nothing
    assert np.isnan(surprise_of([Side(np.full(5, UNKNOWN))], calibration)).all()


def test_a_side_may_count_for_some_and_calibrate_by_all():
    flag = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    surprise = surprise_of([Side(flag, flag > 0)], np.array([True] * 4 + [False] * 2))
    assert surprise[4] == pytest.approx(-math.log(2 / 5)) and math.isnan(surprise[5])


def test_the_combined_score_is_the_harmonic_mean_of_p():
    p = np.array([[0.01, 0.5, 0.2], [0.5, UNKNOWN, 0.2], [0.04, UNKNOWN, UNKNOWN]])
    score = combined(-np.log(p))
    means = [3 / (100 + 2 + 25), 0.5, 0.2]
    assert np.exp(-score) == pytest.approx(means)
    assert math.isnan(combined(np.full((2, 1), UNKNOWN))[0])
    assert combined(np.array([[2000.0], [0.0]]))[0] == pytest.approx(2000 - math.log(2))  # no overflow


def test_a_mean_is_odder_over_more_events():
    score = excess_of_mean(np.array([1.0, 2.0, 20.0, 10.0, 0.0]), np.array([1, 1, 10, 10, 0]))
    assert score[2] > score[1] > score[0] and score[4] != score[4]
    drawn = np.random.default_rng(0).exponential(size=(4000, 6)).sum(1)
    normal = excess_of_mean(drawn, np.full(4000, 6))
    assert abs(normal.mean()) < 0.05 and normal.std() == pytest.approx(1, abs=0.05)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_p_values_of_exchangeable_events_are_never_too_small(drawn: list[int]):
    """Over all ways to draw the judged one from the whole: P(p <= a) <= a."""
    whole = np.array(drawn, dtype=np.float64)
    p = [Tail.of(np.delete(whole, n)).p(whole[n : n + 1])[0] for n in range(len(whole))]
    for rate in (0.05, 0.2, 0.5):
        assert np.mean(np.array(p) <= rate) <= rate + 1e-12
