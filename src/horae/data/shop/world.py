"""The simulated shop before anybody enters it: its items, its users and the truth that governs their behaviour.

In: `ShopSettings` and a random generator. Out: `World`, flat arrays by item, user, category or day. It does not know
events: `walk` lets the users loose in this world.

Items are numbered so that a category's items stand together; the last of each category is there from the first day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from horae.data.shop.settings import DAY, ShopSettings
from horae.data.shop.words import STYLES

__all__ = ["Floats", "Ints", "Promotion", "Rhythm", "World", "build_world"]

WEEK: Final = 7 * DAY
YEAR_DAYS: Final = 365.25
MOST_KINDS: Final = 8
CROSSING_SHARE: Final = 0.3
"""Share of the items whose complements are in another category."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rhythm:
    """Visits at t are proportional to `1 + amplitude * cos(2 pi (t - peak_seconds) / period_seconds)`.

    `t` is in seconds since 1970, a Thursday, so a weekly peak counts from Thursday midnight UTC.
    """

    period_seconds: int
    amplitude: float
    peak_seconds: float

    def at(self, seconds: Floats) -> Floats:
        """The factor at these times."""
        return np.asarray(1 + self.amplitude * np.cos(2 * np.pi * (seconds - self.peak_seconds) / self.period_seconds))


@dataclass(frozen=True, eq=False)
class Promotion:
    """A campaign: some items of one category are cheaper, and looked at more, for some days (the last one excluded)."""

    name: str
    category: int
    items: Ints
    first_day: int
    end_day: int


@dataclass(frozen=True, eq=False)
class World:
    """Everything true about the shop. Arrays end in what they are indexed by: I items, U users, C categories, D days.

    Attributes:
        category_first: Items of category c are `category_first[c]` to `category_first[c + 1]`, excluded.
        kind_I: Index into the category's words.
        chain_IS: Each item's complement for users of each style (S).
        launch_day_I: Midnight at which the item appears; 0 or below: there from the start.
        shelf_DI: Running sum of the items' odds on each day, ending at 1.
        category_odds_DC: What season and trend make of each category's odds.
        change_user, change_seconds, change_category: Every user's favourite category from a time on, sorted by both;
            each user's first stands at `start`.
    """

    settings: ShopSettings
    start: int
    rhythms: tuple[Rhythm, Rhythm]
    category_first: Ints
    category_I: Ints
    kind_I: Ints
    style_I: Ints
    price_I: Floats
    chain_IS: Ints
    launch_day_I: Ints
    shelf_DI: Floats
    promotions: tuple[Promotion, ...]
    trend_C: Floats
    season_C: Floats
    season_peak_day_C: Floats
    category_odds_DC: Floats
    join_day_U: Floats
    style_U: Ints
    second_category_U: Ints
    change_user: Ints
    change_seconds: Ints
    change_category: Ints


def build_world(settings: ShopSettings, rng: np.random.Generator) -> World:
    """Draw the shop's truth. Memory grows with days times items."""
    s = settings
    category_I = np.sort(rng.permutation(s.items) % s.categories)
    first = np.searchsorted(category_I, np.arange(s.categories + 1))
    kind_I = (np.arange(s.items) - first[category_I]) % np.minimum(np.diff(first), MOST_KINDS)[category_I]
    style_I = rng.integers(0, len(STYLES), s.items)
    launch = _launch_days(s, first, rng)
    promotions = _promotions(s, first, rng)
    trend = rng.normal(0, s.trend_per_year, s.categories)
    season = rng.uniform(0.5, 1, s.categories) * s.season_amplitude
    peak = rng.uniform(0, YEAR_DAYS, s.categories)
    start = s.start_seconds()
    changes = _taste_changes(s, start, rng)
    return World(
        settings=s,
        start=start,
        rhythms=_rhythms(s, rng),
        category_first=first,
        category_I=category_I,
        kind_I=kind_I,
        style_I=style_I,
        price_I=_prices(category_I, kind_I, rng),
        chain_IS=_chains(first, category_I, kind_I, style_I, rng),
        launch_day_I=launch,
        shelf_DI=_shelf(s, first, category_I, launch, promotions, rng),
        promotions=promotions,
        trend_C=trend,
        season_C=season,
        season_peak_day_C=peak,
        category_odds_DC=_category_odds(s, trend, season, peak),
        join_day_U=np.where(rng.random(s.users) < s.join_share, rng.uniform(0, 0.95 * s.days, s.users), 0.0),
        style_U=rng.integers(0, len(STYLES), s.users),
        second_category_U=rng.integers(0, s.categories, s.users),
        change_user=changes[0],
        change_seconds=changes[1],
        change_category=changes[2],
    )


def _launch_days(s: ShopSettings, first: Ints, rng: np.random.Generator) -> Ints:
    """Some items come later; the last of each category, and most others, within the year before."""
    later = rng.integers(0, s.days, s.items)
    launch = np.where(rng.random(s.items) < s.launch_share, later, -rng.integers(0, 366, s.items))
    launch[first[1:] - 1] = -1
    return launch


def _rhythms(s: ShopSettings, rng: np.random.Generator) -> tuple[Rhythm, Rhythm]:
    evening = rng.uniform(18, 22) * 3600
    weekend = rng.uniform(2, 4) * DAY  # Saturday or Sunday, counted from Thursday
    return Rhythm(DAY, s.hour_amplitude, evening), Rhythm(WEEK, s.weekday_amplitude, weekend)


def _prices(category_I: Ints, kind_I: Ints, rng: np.random.Generator) -> Floats:
    """A kind has a level, an item wanders around it; all end in .90."""
    level = np.exp(rng.normal(3.2, 0.8, (category_I.max() + 1, 8)))
    wander = np.exp(rng.normal(0, 0.3, len(category_I)))
    return np.asarray(np.floor(level[category_I, kind_I] * wander) + 0.9)


def _chains(first: Ints, category_I: Ints, kind_I: Ints, style_I: Ints, rng: np.random.Generator) -> Ints:
    """Complements: for most items the next kind in their category, for some the same kind in a partner category.

    Every style has its own, found among a few candidates; a kind without that style gives any.
    """
    items, styles = len(category_I), len(STYLES)
    crosses = rng.random(items) < CROSSING_SHARE
    kinds_C = np.minimum(np.diff(first), MOST_KINDS)
    category = np.where(crosses, (category_I + 1) % len(kinds_C), category_I)
    kind = np.where(crosses, kind_I, kind_I + 1) % kinds_C[category]
    choices = (np.diff(first)[category] - kind + kinds_C[category] - 1) // kinds_C[category]
    drawn = rng.integers(0, choices[:, None, None], (items, styles, 4 * styles))
    candidates = (first[category] + kind)[:, None, None] + kinds_C[category][:, None, None] * drawn
    fitting = style_I[candidates] == np.arange(styles)[None, :, None]
    return np.take_along_axis(candidates, fitting.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]


def _promotions(s: ShopSettings, first: Ints, rng: np.random.Generator) -> tuple[Promotion, ...]:
    length = min(7, s.days)
    promotions = []
    for number in range(s.promotions):
        category = int(rng.integers(0, s.categories))
        members = np.arange(first[category], first[category + 1])
        chosen = np.sort(rng.permutation(members)[: max(1, len(members) // 10)])
        day = int(rng.integers(0, s.days - length + 1))
        promotions.append(Promotion(f"campaign-{number + 1:02d}", category, chosen, day, day + length))
    return tuple(promotions)


def _shelf(
    s: ShopSettings,
    first: Ints,
    category_I: Ints,
    launch: Ints,
    promotions: tuple[Promotion, ...],
    rng: np.random.Generator,
) -> Floats:
    """Odds: zero before launch; then Zipf within the category, threefold at first (20 days), lifted by promotions."""
    rank = np.empty(s.items)
    for category in range(s.categories):
        members = slice(first[category], first[category + 1])
        rank[members] = 1 + rng.permutation(first[category + 1] - first[category])
    age_DI = np.arange(s.days)[:, None] - launch[None, :]
    odds_DI = np.where(age_DI >= 0, rank**-0.8 * (1 + 2 * np.exp(-np.maximum(age_DI, 0) / 20)), 0.0)
    for promotion in promotions:
        odds_DI[promotion.first_day : promotion.end_day, promotion.items] *= s.promotion_lift
    shelf_DI = np.cumsum(odds_DI, axis=1)
    return np.asarray(shelf_DI / shelf_DI[:, -1:])


def _category_odds(s: ShopSettings, trend: Floats, season: Floats, peak: Floats) -> Floats:
    day = np.arange(s.days)[:, None]
    day_of_year = day + s.first_date().timetuple().tm_yday - 1
    swing = 1 + season * np.cos(2 * np.pi * (day_of_year - peak) / YEAR_DAYS)
    return np.asarray(swing * np.exp(trend * day / YEAR_DAYS))


def _taste_changes(s: ShopSettings, start: int, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Changes come at a constant rate, so that half of the users keep their taste for one half-life."""
    changes = np.log(2) / s.taste_half_life_days * s.days if s.categories > 1 else 0.0
    count = rng.poisson(changes, s.users)
    user = np.concatenate([np.arange(s.users), np.repeat(np.arange(s.users), count)])
    seconds = start + np.concatenate([np.zeros(s.users, np.int64), rng.integers(1, s.days * DAY, count.sum())])
    order = np.lexsort((seconds, user))
    user, seconds = user[order], seconds[order]
    # Each change moves on by 1 to C-1 categories, so that the favourite always changes.
    move = rng.integers(1, max(s.categories, 2), len(user))
    total = np.cumsum(move)
    category = (total + np.repeat(rng.integers(0, s.categories, s.users), count + 1)) % s.categories
    return user, seconds, category
