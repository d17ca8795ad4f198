"""What people do in the simulated shop: sessions in time, items in sessions, the funnel behind each view.

In: a `World` and a random generator. Out: `Walk`, flat arrays with one entry per event, in order of time. It does not
know texts, files or dirt.

A session's items are drawn from the user's taste of that day; then some steps go to a complement of the item before
(which only the order of events shows) in the user's style, and some return to what the user saw earlier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.data.shop.settings import DAY
from horae.data.shop.words import STYLES
from horae.data.shop.world import Floats, Ints, World

__all__ = ["Walk", "walk"]

MOST_STEPS = 40
APART_SECONDS = 35 * 60
BIN_SECONDS = 15 * 60


@dataclass(frozen=True, eq=False)
class Walk:
    """The clean log: one entry per event (E), in order of time.

    Attributes:
        stage_E: 0 view, 1 cart, 2 purchase.
        promotion_E: Index of the campaign that the item was in, -1 for none.
        steps: How many items were looked at because of `taste`, `chain` and `repeat`.
    """

    user_E: Ints
    item_E: Ints
    stage_E: Ints
    seconds_E: Ints
    device_E: Ints
    promotion_E: Ints
    steps: dict[str, int]


@dataclass(frozen=True, eq=False)
class _Sessions:
    """Sessions (S) by user, then time; their steps (T) and the steps' events (E) stand in the same order."""

    user_S: Ints
    seconds_S: Ints
    first_step_S: Ints
    num_steps_S: Ints
    session_T: Ints
    num_events_T: Ints
    gap_E: Ints

    @property
    def seconds_E(self) -> Ints:
        """Each event's time: its session's start and the gaps since."""
        since = np.cumsum(self.gap_E)
        session_E = np.repeat(self.session_T, self.num_events_T)
        first_event_S = np.searchsorted(session_E, np.arange(len(self.user_S)))
        return np.asarray(self.seconds_S[session_E] + since - since[first_event_S][session_E])


def walk(world: World, rng: np.random.Generator) -> Walk:
    """Let everybody in; exactly `settings.events` events come out."""
    sessions = _sessions(world, rng)
    day_S = np.minimum((sessions.seconds_S - world.start) // DAY, world.settings.days - 1)
    item_T, steps = _items(world, sessions, day_S, rng)
    promotion_T = np.full(len(item_T), -1)
    day_T = day_S[sessions.session_T]
    for number, promotion in enumerate(world.promotions):
        running = (day_T >= promotion.first_day) & (day_T < promotion.end_day)
        promotion_T[running & np.isin(item_T, promotion.items)] = number
    step_E = np.repeat(np.arange(len(item_T)), sessions.num_events_T)
    first_E = np.cumsum(sessions.num_events_T) - sessions.num_events_T
    session_E = sessions.session_T[step_E]
    seconds_E = sessions.seconds_E
    order = np.argsort(seconds_E, kind="stable")
    return Walk(
        user_E=sessions.user_S[session_E][order],
        item_E=item_T[step_E][order],
        stage_E=(np.arange(len(step_E)) - first_E[step_E])[order],
        seconds_E=seconds_E[order],
        device_E=_devices(world, sessions.user_S, rng)[session_E][order],
        promotion_E=promotion_T[step_E][order],
        steps=steps,
    )


def _sessions(world: World, rng: np.random.Generator) -> _Sessions:
    """Draw sessions until there are events enough, cut the last, give them to users and put them in time."""
    s = world.settings
    per_step = 1 + s.cart_rate * (1 + s.purchase_rate)
    total, margin = 0, 1.05
    while total < s.events:
        count = int(margin * s.events / (s.session_items * per_step)) + 20
        steps_S = np.minimum(rng.geometric(1 / s.session_items, count), MOST_STEPS)
        carted = rng.random(steps_S.sum()) < s.cart_rate
        events_T = 1 + carted + (carted & (rng.random(len(carted)) < s.purchase_rate))
        total, margin = int(events_T.sum()), margin * 1.2
    cut = int(np.searchsorted(np.cumsum(events_T), s.events)) + 1  # the step in which the last event falls
    events_T = events_T[:cut]
    events_T[-1] -= events_T.sum() - s.events
    session_T = np.repeat(np.arange(len(steps_S)), steps_S)[:cut]
    steps_S = np.bincount(session_T)
    events_S = np.bincount(session_T, weights=events_T).astype(np.int64)

    user_S = _visitors(world, len(steps_S), rng)
    wanted_S = _visit_times(world, user_S, rng)
    order = np.lexsort((wanted_S, user_S))
    events_T = _reordered(events_T, steps_S, order)
    user_S, wanted_S, steps_S, events_S = user_S[order], wanted_S[order], steps_S[order], events_S[order]
    gap_E = _gaps(events_T, rng)
    return _Sessions(
        user_S=user_S,
        seconds_S=_kept_apart(user_S, wanted_S, np.add.reduceat(gap_E, np.cumsum(events_S) - events_S)),
        first_step_S=np.cumsum(steps_S) - steps_S,
        num_steps_S=steps_S,
        session_T=np.repeat(np.arange(len(steps_S)), steps_S),
        num_events_T=events_T,
        gap_E=gap_E,
    )


def _visitors(world: World, count: int, rng: np.random.Generator) -> Ints:
    """Everybody once, as far as sessions last; the others by how active a user is."""
    users = world.settings.users
    once = rng.permutation(users)[:count]
    activity = np.cumsum(np.exp(rng.normal(0, 0.8, users)))
    again = np.searchsorted(activity / activity[-1], rng.random(count - len(once)), side="right")
    return np.concatenate([once, again])


def _visit_times(world: World, user_S: Ints, rng: np.random.Generator) -> Ints:
    """Times by the shop's rhythm, after the user has joined."""
    s = world.settings
    edges = np.arange(0, s.days * DAY + 1, BIN_SECONDS, dtype=np.float64)
    middles = world.start + edges[:-1] + BIN_SECONDS / 2
    rate = world.rhythms[0].at(middles) * world.rhythms[1].at(middles)
    share = np.r_[0.0, np.cumsum(rate) / rate.sum()]
    joined_S = np.interp(world.join_day_U[user_S] * DAY, edges, share)
    drawn = np.interp(joined_S + rng.random(len(user_S)) * (1 - joined_S), share, edges)
    return np.asarray(world.start + np.minimum(drawn.astype(np.int64), s.days * DAY - 1))


def _reordered(values_T: Ints, steps_S: Ints, order: Ints) -> Ints:
    """The steps' values, with whole sessions in a new order."""
    first = np.cumsum(steps_S) - steps_S
    sizes = steps_S[order]
    start = np.cumsum(sizes) - sizes
    return np.asarray(values_T[np.repeat(first[order] - start, sizes) + np.arange(len(values_T))])


def _gaps(events_T: Ints, rng: np.random.Generator) -> Ints:
    """Whole seconds since the event before: mostly around 40, never so few that two events share a time."""
    gap_E = np.exp(rng.normal(3.7, 0.8, events_T.sum()))
    return np.asarray(np.clip(gap_E, 2, 900), dtype=np.int64)


def _kept_apart(user_S: Ints, wanted_S: Ints, length_S: Ints) -> Ints:
    """Move a session back until its user's one before has been over for a while; they never overlap."""
    taken = length_S + APART_SECONDS
    before = np.cumsum(taken) - taken
    span = int(wanted_S.max() - wanted_S.min() + taken.sum()) + 1
    assert span * (int(user_S[-1]) + 1) < 2**62
    slack = wanted_S - before + user_S * span
    return np.asarray(np.maximum.accumulate(slack) + before - user_S * span)


def _items(world: World, sessions: _Sessions, day_S: Ints, rng: np.random.Generator) -> tuple[Ints, dict[str, int]]:
    """Taste first, then the chain step by step over all sessions at once, then returns to earlier items."""
    s = world.settings
    category_S = _session_categories(world, sessions, day_S, rng)
    item_T = _by_taste(world, sessions, category_S, day_S, rng)
    draw_T, any_style_T = rng.random(len(item_T)), rng.integers(0, len(STYLES), len(item_T))
    insists_T = rng.random(len(item_T)) < s.style_share
    style_T = np.where(insists_T, world.style_U[sessions.user_S[sessions.session_T]], any_style_T)
    chained_T = np.zeros(len(item_T), dtype=bool)
    for step in range(1, int(sessions.num_steps_S.max())):
        here = np.flatnonzero(sessions.num_steps_S > step)
        at = sessions.first_step_S[here] + step
        at, here = at[draw_T[at] < s.chain_share], here[draw_T[at] < s.chain_share]
        following = world.chain_IS[item_T[at - 1], style_T[at]]
        possible = (world.launch_day_I[following] <= day_S[here]) & (following != item_T[at - 1])
        item_T[at[possible]] = following[possible]
        chained_T[at[possible]] = True
    repeated = _return_to_earlier(world, sessions, item_T, chained_T, draw_T)
    chained = int(chained_T.sum())
    return item_T, {"taste": len(item_T) - chained - repeated, "chain": chained, "repeat": repeated}


def _session_categories(world: World, sessions: _Sessions, day_S: Ints, rng: np.random.Generator) -> Ints:
    """Odds = season and trend of the day, times the user's taste at that time."""
    rows = np.arange(len(day_S))
    span = world.settings.days * DAY * 4
    changes = world.change_user * span + world.change_seconds - world.start
    asked = sessions.user_S * span + np.minimum(sessions.seconds_S - world.start, span - 1)
    favourite_S = world.change_category[np.searchsorted(changes, asked, side="right") - 1]
    odds_SC = world.category_odds_DC[day_S]
    odds_SC[rows, world.second_category_U[sessions.user_S]] *= max(1.0, world.settings.taste_strength / 3)
    odds_SC[rows, favourite_S] *= world.settings.taste_strength
    return _drawn_columns(odds_SC, rng)


def _drawn_columns(odds: Floats, rng: np.random.Generator) -> Ints:
    """One column per row, by its odds."""
    running = np.cumsum(odds + 1e-12, axis=1)
    chosen = (running < rng.random(len(odds))[:, None] * running[:, -1:]).sum(axis=1)
    return np.asarray(np.minimum(chosen, odds.shape[1] - 1))


def _by_taste(world: World, sessions: _Sessions, category_S: Ints, day_S: Ints, rng: np.random.Generator) -> Ints:
    """An item from the day's shelf; often a second look, kept where only the second is in the user's style."""
    session_T = sessions.session_T
    style_T = world.style_U[sessions.user_S[session_T]]
    one = _from_shelf(world, category_S[session_T], day_S[session_T], rng)
    two = _from_shelf(world, category_S[session_T], day_S[session_T], rng)
    prefers = (world.style_I[two] == style_T) & (world.style_I[one] != style_T)
    return np.where(prefers & (rng.random(len(one)) < world.settings.style_share), two, one)


def _from_shelf(world: World, category_T: Ints, day_T: Ints, rng: np.random.Generator) -> Ints:
    """Invert the running sum within the category's part of the day's row; all rows are one increasing line."""
    first, after = world.category_first[category_T], world.category_first[category_T + 1]
    low = np.where(first > 0, world.shelf_DI[day_T, first - 1], 0.0)
    high = world.shelf_DI[day_T, after - 1]
    wanted = low + rng.random(len(day_T)) * (high - low)
    line = (world.shelf_DI + np.arange(len(world.shelf_DI))[:, None]).ravel()
    found = np.searchsorted(line, wanted + day_T, side="right") - day_T * world.shelf_DI.shape[1]
    return np.asarray(
        np.clip(found, first, after - 1)
    )  # rounding at the edge lands on the last item, which is always there


def _return_to_earlier(world: World, sessions: _Sessions, item_T: Ints, chained_T: Ints, draw_T: Floats) -> int:
    """Replace some steps, in place, by an item that their user saw before; never one that a chain goes out from.

    `draw_T` above `1 - repeat_share` chooses the step, and its rest the earlier one.
    """
    share = world.settings.repeat_share
    if share == 0:
        return 0
    user_T = sessions.user_S[sessions.session_T]
    goes_on = np.r_[chained_T[1:], False]
    chosen_T = (draw_T >= 1 - share) & ~goes_on & ~chained_T
    place_T = np.arange(len(item_T)) - np.searchsorted(user_T, user_T)
    at = np.flatnonzero(chosen_T & (place_T > 0))
    back = 1 + ((draw_T[at] - (1 - share)) / share * place_T[at]).astype(np.int64)
    source = at - np.minimum(back, place_T[at])
    at, source = at[~chosen_T[source]], source[~chosen_T[source]]
    item_T[at] = item_T[source]
    return len(at)


def _devices(world: World, user_S: Ints, rng: np.random.Generator) -> Ints:
    """Everybody has a device of their own and uses it in four sessions of five."""
    own_U = rng.choice(3, world.settings.users, p=[0.6, 0.3, 0.1])
    other_S = rng.choice(3, len(user_S), p=[0.5, 0.4, 0.1])
    return np.where(rng.random(len(user_S)) < 0.8, own_U[user_S], other_S)
