"""Where a series changes: shifts of its level and turns of its trend.

In: values on a regular grid, without season. Out: `Changes`, as bin numbers. Searching is left to
`ruptures` (extra `series`); what is here is what it is asked and what is believed. It knows no times or events.

A straight line is no break. So the search is of levels around one common slope, which is fitted again to what was
found until both agree, and of slopes; and that is believed which explains the series at the lowest price.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from horae.errors import MissingExtraError
from horae.features.activity import Floats

__all__ = ["Changes", "changed_line", "find_changes", "need_ruptures"]

PRICE_OF_SHIFT: Final = 16.0
PRICE_OF_TURN: Final = 22.0
PRICE_OF_CURVE: Final = 6.0
"""What a break must take out of the squares, in variances of the noise; more in long series (see `_prices`)."""
SHORTEST: Final = 7
"""A level that lasts for fewer bins is an outburst, not a shift."""
WILD: Final = 5.0
"""A value so many deviations from the median of those around it is pulled in to there before the search."""
SHORTEST_TURN: Final = 6
FEWEST: Final = 12
MOST_BREAKS: Final = 10
COARSE: Final = 120
BLOCKS: Final = (1, 3, 7)
"""Noise is measured over blocks of so many bins: bursts that last longer than a bin make it larger."""
DOUBT: Final = 1.4
"""Relative standard deviation, times sqrt(n), of a variance from a quantile of n deviations; taken off."""
LASTING: Final = 3.0
"""Of noise that lasts, so many cube roots of the length are looked at, in bins."""
ROUNDS: Final = 6


@dataclass(frozen=True)
class Changes:
    """What a series is made of: one level and slope, then changes from given bins on.

    Attributes:
        shifts: Bins from which the level is another.
        turns: Bins from which the slope is another.
        fitted_M: The line with its changes.
        price: Squares left, in variances of the noise, and the prices of the changes.
    """

    shifts: tuple[int, ...]
    turns: tuple[int, ...]
    fitted_M: Floats
    price: float


def need_ruptures() -> Any:
    """The library that searches for breaks.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module("ruptures")
    except ImportError as error:
        raise MissingExtraError(
            "Turning points need ruptures, which is not installed.", hint="Install it with: pip install 'horae[series]'"
        ) from error


def find_changes(values_M: Floats, least_variance: float = 0.0, *, curved: bool = True) -> Changes:
    """The changes that a series shows; none in short series, and none where it is constant.

    Args:
        values_M: Without season, without gaps.
        least_variance: The noise has at least this: for counts, their mean.
        curved: A parabola would explain breaks away too.

    Raises:
        MissingExtraError: `ruptures` is not installed.

    Source: penalised least squares by dynamic programming: Killick, Fearnhead and Eckley 2012 (arXiv:1101.1438), as
        ruptures has it (Truong, Oudre and Vayatis 2020, arXiv:1801.00718); binary segmentation for slopes.
    Differs: a slope common to all levels; noise that lasts over several bins raises the prices.
    """
    ruptures = need_ruptures()
    noise = max(_noise_variance(values_M), least_variance)
    if len(values_M) < FEWEST or noise <= 1e-12 * max(1.0, float(np.abs(values_M).max())) ** 2:
        return _changes(values_M, (), (), max(noise, 1e-300))
    for _ in range(ROUNDS):
        found = _cheapest(ruptures, _tamed(values_M, noise), noise, curved)
        lasting = _lasting_variance(values_M - found.fitted_M)
        if not (found.shifts or found.turns) or lasting <= noise:
            break
        noise = lasting
    return found


def _cheapest(ruptures: Any, values: Floats, noise: float, curved: bool) -> Changes:
    """Nothing, a curve, shifts, turns, or turns beside shifts: what explains the values at the lowest price."""
    scaled = values / np.sqrt(noise)
    shifts = _shifts(ruptures, scaled)
    choices = [_changes(values, (), (), noise), _changes(values, shifts, (), noise)]
    choices += [_curve(values, noise)] if curved else []
    choices.append(_changes(values, (), _turns(ruptures, scaled), noise))
    if shifts:
        design, weights = _fit(values, shifts, ())
        leapt = design[:, 2:] @ weights[2:]
        choices.append(_changes(values, shifts, _turns(ruptures, (values - leapt) / np.sqrt(noise)), noise))
    return min(choices, key=lambda choice: choice.price)


def _curve(values: Floats, noise: float) -> Changes:
    """A parabola: growth bends a line everywhere, and breaks nowhere."""
    bins = np.linspace(-1, 1, len(values))
    fitted = np.polynomial.polynomial.polyval(bins, np.polynomial.polynomial.polyfit(bins, values, 2))
    return Changes((), (), np.asarray(fitted), float(((values - fitted) ** 2).sum()) / noise + PRICE_OF_CURVE)


def _lasting_variance(rest: Floats) -> float:
    """Noise that lasts: the variance of sums over several bins, per bin (Bartlett's weights).

    Source: Newey and West 1987 (doi:10.2307/1913610).
    """
    rest = rest - rest.mean()
    lags = max(1, round(LASTING * len(rest) ** (1 / 3)))
    products = [float(np.dot(rest[lag:], rest[: len(rest) - lag])) / len(rest) for lag in range(lags + 1)]
    return products[0] + 2 * sum(((1 - lag / (lags + 1)) * products[lag] for lag in range(1, lags + 1)), 0.0)


def changed_line(values_M: Floats, shifts: tuple[int, ...], turns: tuple[int, ...]) -> Floats:
    """The line with changes at these bins that fits other values best, by least squares."""
    design, weights = _fit(values_M, shifts, turns)
    return np.asarray(design @ weights)


def _tamed(values: Floats, noise: float) -> Floats:
    """Single wild values are no level: they are pulled in towards the median of the seven around them."""
    around = np.median(sliding_window_view(np.pad(values, 3, mode="reflect"), 7), axis=1)
    reach = WILD * np.sqrt(noise)
    return np.asarray(np.clip(values, around - reach, around + reach))


def _prices(length: int) -> tuple[float, float]:
    """Long series have more places for noise to look like a break."""
    more = 2 * max(0.0, float(np.log(length / 100)))
    return PRICE_OF_SHIFT + more, PRICE_OF_TURN + more


def _noise_variance(values: Floats) -> float:
    """The largest of the variances over blocks, from the 80% quantile of second differences (no slope)."""
    found = [0.0]
    for block in BLOCKS:
        whole = len(values) // block
        if whole < (3 if block == 1 else FEWEST):
            continue
        means = values[: whole * block].reshape(whole, block).mean(axis=1)
        bends = np.diff(means, 2)
        spread = float(np.quantile(np.abs(bends), 0.8)) / 1.2816
        surely = 1 + DOUBT / np.sqrt(len(bends)) if block > 1 else 1.0
        found.append(block * spread**2 / 6 / surely)
    return max(found)


def _shifts(ruptures: Any, scaled: Floats) -> tuple[int, ...]:
    """Levels around a common slope: search, fit the slope within the levels, search again."""
    bins, price = np.arange(len(scaled), dtype=np.float64), _prices(len(scaled))[0]
    best: tuple[float, tuple[int, ...]] = (np.inf, ())
    for slope in (0.0, _slope(bins, scaled, ()), _near_slope(scaled)):
        found: tuple[int, ...] = ()
        for _ in range(ROUNDS):
            search = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST)
            ends = search.fit((scaled - slope * bins)[:, None]).predict(pen=price)
            before, found = found, tuple(int(end) for end in ends[:-1])
            slope = _slope(bins, scaled, found)
            if found == before:
                break
        left = _changes(scaled, found, (), 1.0).price
        best = min(best, (left, found)) if len(found) <= MOST_BREAKS else best
    return best[1]


def _slope(bins: Floats, values: Floats, shifts: tuple[int, ...]) -> float:
    """Least squares, with a level of its own for each stretch between shifts."""
    design, weights = _fit(values, shifts, ())
    return float(weights[1]) / max(len(bins), 1) if design.shape[1] > 1 else 0.0


def _near_slope(values: Floats) -> float:
    """The median slope over a sixth of the series: few of these pairs have a shift between them."""
    lag = max(1, len(values) // 6)
    return float(np.median(values[lag:] - values[:-lag])) / lag


def _turns(ruptures: Any, scaled: Floats) -> tuple[int, ...]:
    """Where slopes change: a search over stretches of the series, then each turn moved to where the fit is best."""
    factor = max(1, -(-len(scaled) // COARSE))
    whole = len(scaled) // factor
    coarse = scaled[: whole * factor].reshape(whole, factor).mean(axis=1) * np.sqrt(factor)
    if whole < 2 * SHORTEST_TURN:
        return ()
    signal = np.column_stack([coarse, np.arange(whole), np.ones(whole)])
    search = ruptures.Binseg(model="linear", min_size=SHORTEST_TURN, jump=1).fit(signal)
    turns = [int(end) * factor for end in search.predict(pen=_prices(len(scaled))[1])[:-1]]
    if len(turns) > MOST_BREAKS:
        return ()
    for _ in range(2):
        for number in range(len(turns)):
            turns[number] = _best_place(scaled, turns, number, factor)
    return tuple(sorted(set(turns)))


def _best_place(values: Floats, turns: list[int], number: int, factor: int) -> int:
    """Of the bins around one turn, the one that leaves the least squares."""
    others, at = turns[:number] + turns[number + 1 :], turns[number]
    reach = max(4, 4 * factor)
    low, high = max(SHORTEST_TURN, at - reach), min(len(values) - SHORTEST_TURN, at + reach)
    places = range(low, max(high, low + 1), max(1, reach // 16))
    return min(places, key=lambda place: _changes(values, (), tuple(sorted({*others, place})), 1.0).price)


def _fit(values: Floats, shifts: tuple[int, ...], turns: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Columns: one, the line from 0 to 1, a step for each shift, a bent line for each turn; and their weights."""
    bins = np.arange(len(values), dtype=np.float64)
    size = max(len(values), 1)
    steps = [(bins >= shift).astype(np.float64) for shift in shifts]
    bends = [np.maximum(bins - turn, 0.0) / size for turn in turns]
    design = np.column_stack([np.ones(len(values)), bins / size, *steps, *bends])
    return design, np.asarray(np.linalg.lstsq(design, values, rcond=None)[0], dtype=np.float64)


def _changes(values: Floats, shifts: tuple[int, ...], turns: tuple[int, ...], noise: float) -> Changes:
    design, weights = _fit(values, shifts, turns)
    fitted = design @ weights
    shift_price, turn_price = _prices(max(len(values), 1))
    price = float(((values - fitted) ** 2).sum()) / noise + shift_price * len(shifts) + turn_price * len(turns)
    return Changes(shifts, turns, fitted, price)
