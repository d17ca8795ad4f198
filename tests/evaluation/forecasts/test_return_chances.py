import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.evaluation.forecasts.reading import Levels
from horae.evaluation.forecasts.return_chances import HORIZONS_SECONDS, ReturnChances, fit_returns

DAY = 86_400.0


def linear(rate_N):
    """A Poisson process each: hazards that grow with time."""
    return lambda within: np.asarray(rate_N) * within / DAY


def test_without_anything_learned_the_chance_is_what_is_told():
    told = ReturnChances().chance(linear([0.1, 2.0]), 3 * DAY)
    assert told.tolist() == pytest.approx([1 - math.exp(-0.3), 1 - math.exp(-6.0)])


def test_at_a_horizon_it_is_the_formula_and_between_two_it_follows_the_told_hazard():
    learned = ReturnChances((DAY, 7 * DAY), (1.0, 2.0), (math.log(2), 0.0))
    assert learned.chance(linear([0.5]), DAY)[0] == pytest.approx(1 - math.exp(-2 * 0.5))
    assert learned.chance(linear([0.5]), 7 * DAY)[0] == pytest.approx(1 - math.exp(-(3.5**2)))
    between = 1.0 + (4 - 1) / (7 - 1) * (3.5**2 - 1.0)  # on the fourth day, half of the told hazard has gone by
    assert learned.chance(linear([0.5]), 4 * DAY)[0] == pytest.approx(1 - math.exp(-between))
    assert learned.chance(linear([0.5]), DAY / 2)[0] == pytest.approx(1 - math.exp(-2 * 0.25))
    assert learned.chance(linear([0.5]), 10 * DAY)[0] == pytest.approx(1 - math.exp(-(5.0**2)))


PARAMETERS = st.lists(st.tuples(st.floats(0.1, 4.0), st.floats(-3.0, 3.0)), min_size=3, max_size=3)


@given(
    PARAMETERS,
    st.lists(st.floats(1e-8, 20.0), min_size=2, max_size=6),
    st.floats(0.0, 1.0),
    st.lists(st.floats(0.01, 90.0), min_size=2, max_size=8),
)
def test_a_longer_time_is_never_told_a_smaller_chance(parameters, rates, shape, days):
    learned = ReturnChances(HORIZONS_SECONDS, *zip(*parameters, strict=True))

    def hazard(within):
        return np.array(rates) * (within / DAY) ** shape

    told = [learned.chance(hazard, day * DAY) for day in sorted(days)]
    assert all((after >= before - 1e-12).all() for before, after in itertools.pairwise(told))
    assert all(((one >= 0) & (one <= 1)).all() for one in told)


@given(PARAMETERS, st.lists(st.floats(1e-8, 20.0), min_size=2, max_size=6))
def test_at_each_horizon_the_order_of_people_stays(parameters, rates):
    learned = ReturnChances(HORIZONS_SECONDS, *zip(*parameters, strict=True))
    for seconds in HORIZONS_SECONDS:
        assert (np.diff(learned.chance(linear(sorted(rates)), seconds)) >= 0).all()


def test_what_is_told_wrong_is_set_right():
    """Heads that tell half of the true rate, and are not sure enough of it, on people who were not learned from."""
    rng = np.random.default_rng(0)
    rate_2N = np.exp(rng.normal(-2.0, 1.0, (2, 20_000)))
    came_2N = rng.random(rate_2N.shape) < -np.expm1(-7 * rate_2N)
    told_2N = 0.5 * rate_2N**0.7
    learned = fit_returns([(7 * DAY, 7 * told_2N[0], came_2N[0])])
    assert learned.slopes[0] == pytest.approx(1 / 0.7, rel=0.05) and learned.events == (20_000,)
    chance = learned.chance(linear(told_2N[1]), 7 * DAY)
    for part in np.array_split(np.argsort(chance), 10):
        assert chance[part].mean() == pytest.approx(came_2N[1, part].mean(), abs=0.03)
    raw = ReturnChances().chance(linear(told_2N[1]), 7 * DAY)
    assert np.square(chance - came_2N[1]).mean() < np.square(raw - came_2N[1]).mean() - 0.003


def test_a_horizon_with_too_few_who_came_or_who_did_not_teaches_nothing():
    hazard, came = np.full(1_000, 0.5), np.arange(1_000) < 49
    assert fit_returns([(DAY, hazard, came), (7 * DAY, hazard, ~came)]) == ReturnChances()
    assert fit_returns([(DAY, hazard, np.arange(1_000) < 50)]).seconds == (DAY,)
    assert fit_returns([]) == ReturnChances()


def test_hazards_of_nothing_and_of_certainty_stay_finite():
    hazard, came = np.array([0.0] * 100 + [900.0] * 100), np.arange(200) % 2 == 0
    learned = fit_returns([(DAY, hazard, came)])
    chance = learned.chance(lambda within: hazard * within / DAY, DAY)
    assert np.isfinite([*learned.slopes, *learned.intercepts]).all() and np.isfinite(chance).all()


def test_the_card_keeps_it_and_an_older_card_has_none():
    levels = Levels(events={"time": 9}, returns=ReturnChances((DAY,), (1.5,), (-0.5,), (99,)))
    assert Levels.from_card({"forecast": levels.as_dict()}) == levels
    older = {name: value for name, value in levels.as_dict().items() if name != "returns"}
    assert Levels.from_card({"forecast": older}).returns == ReturnChances()
