import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from horae.models.upcoming.gaps import Gaps

DAY = 86_400.0


def gaps_of(same=0.2, weights=(0.3, 0.7), means=(5.0, 10.0), spreads=(0.5, 1.5), rows=1):
    one = [math.log(same / (1 - same)) if same else -math.inf]
    columns = (one, [[math.log(w) for w in weights]], [list(means)], [list(spreads)])
    return Gaps(*(torch.tensor(column, dtype=torch.float64).repeat_interleave(rows, 0) for column in columns))


def seconds(*values):
    return torch.tensor(values, dtype=torch.float64)


def by_scipy(gap, same=0.2, weights=(0.3, 0.7), means=(5.0, 10.0), spreads=(0.5, 1.5)):
    """The chance of a longer gap, by scipy's log-normals."""
    parts = zip(weights, means, spreads, strict=True)
    return (1 - same) * sum(w * stats.lognorm(s, scale=math.exp(m)).sf(gap) for w, m, s in parts)


def test_survival_and_density_are_those_of_scipys_log_normals():
    gaps = gaps_of()
    for gap in (2.0, 150.0, 40_000.0):
        assert gaps.log_survival(seconds(gap)).exp().item() == pytest.approx(by_scipy(gap), rel=1e-9)
        slope = (by_scipy(gap * 0.9999) - by_scipy(gap * 1.0001)) / (2e-4)  # per log second
        assert gaps.log_density(seconds(gap)).exp().item() == pytest.approx(slope, rel=1e-4)
    assert gaps.log_density(seconds(0.0)).exp().item() == pytest.approx(0.2)
    assert gaps.log_survival(seconds(0.0)).item() == 0.0


def test_the_masses_of_all_gaps_sum_to_one():
    gaps = gaps_of(means=(8.0, 10.0))
    later, _ = integrate.quad(lambda log: gaps.log_density(seconds(math.exp(log))).exp().item(), 1e-9, 30, limit=200)
    assert later + gaps.log_density(seconds(0.0)).exp().item() == pytest.approx(1.0, abs=1e-6)


def test_after_a_silence_only_longer_gaps_are_left():
    # One log-normal with median e^10 s: after a silence of that length, half of the mass is left, so the chance of
    # an event until e^10 + h is 1 - S(e^10 + h) / 0.5.
    gaps = gaps_of(same=0.0, weights=(1.0,), means=(10.0,), spreads=(1.0,))
    silent, within = math.exp(10), 5_000.0
    by_hand = 1 - stats.lognorm(1.0, scale=math.exp(10)).sf(silent + within) / 0.5
    assert gaps.returns(seconds(silent), within).item() == pytest.approx(by_hand, rel=1e-9)


def test_ties_are_told_only_as_long_as_the_moment_lasts():
    gaps, left = gaps_of(same=0.4, rows=2), seconds(DAY, DAY)
    silent = seconds(0.0, 60.0)
    same = gaps.same_moment(silent, left)
    assert same[0].item() == pytest.approx(0.4 / (1 - by_scipy(DAY, same=0.4))) and same[1].item() == 0.0
    at_once = gaps.at_level(silent, seconds(0.1, 0.1), left)
    assert at_once[0].item() == 0.0 and at_once[1].item() > 60.0


@settings(deadline=None, max_examples=50)
@given(
    level=st.floats(0.02, 0.98),
    silent=st.one_of(st.just(0.0), st.floats(1.0, 30 * DAY)),
    left=st.floats(60.0, 400 * DAY),
)
def test_at_level_is_the_inverse_of_level(level, silent, left):
    gaps = gaps_of()
    gap = gaps.at_level(seconds(silent), seconds(level), seconds(left))
    assert silent <= gap.item() <= (silent + left) * (1 + 1e-9) + 1.0
    if gap.item() > max(silent, 1.0) + 1e-3:
        assert gaps.level(seconds(silent), gap, seconds(left)).item() == pytest.approx(level, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(low=st.floats(0.01, 0.98), more=st.floats(0.001, 0.01), silent=st.floats(0.0, 400 * DAY))
def test_a_higher_level_is_never_earlier(low, more, silent):
    gaps = gaps_of()
    first, second = (gaps.at_level(seconds(silent), seconds(level), seconds(30 * DAY)) for level in (low, low + more))
    assert first.item() <= second.item()


def test_levels_of_drawn_gaps_are_uniform_whatever_was_waited():
    rng = np.random.default_rng(0)
    which = rng.random(20_000) < 0.3
    drawn = np.exp(np.where(which, rng.normal(5.0, 0.5, 20_000), rng.normal(10.0, 1.5, 20_000)))
    drawn = drawn[(drawn > 2_000) & (drawn < 2_000 + DAY)]
    gaps = gaps_of(same=0.0, rows=len(drawn))
    level = gaps.level(
        torch.full((len(drawn),), 2_000.0).double(), torch.tensor(drawn), seconds(DAY).expand(len(drawn))
    )
    assert stats.kstest(level.numpy(), "uniform").pvalue > 0.01
