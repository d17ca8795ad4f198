"""One request's ranked items in, its list out: item by item, the best that quotas, shares and variety let stand.

The list of k items begins the list of any longer one. Pinned items have their places first; then each free place goes
to the item of the largest gain among those that

    1. no quota forbids,
    2. belong to a group that is behind its share, where there is such an item in the pool.

Where quotas leave nothing in the pool, the pool is doubled; where nothing is left at all, quotas give way, so that
there are k items where k are allowed. This module knows no scores of its own, models or requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from horae.recommend.diversity.gains import Dpp, Gains, Mmr, Relevance, relevance
from horae.recommend.diversity.likeness import Likeness
from horae.recommend.rules.columns import Lists

__all__ = ["Chosen", "Limit", "Taste", "choose"]

IndexArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Ranked = Callable[[int], tuple[IndexArray, FloatArray]]
"""The best so many items and their scores, best first."""


@dataclass(frozen=True, eq=False)
class Limit:
    """A quota at one moment: at most `most` items of each entry; of the items of `where_I` only, if it is given."""

    name: str
    most: int
    lists: Lists
    where_I: BoolArray | None = None


@dataclass(frozen=True, eq=False)
class Taste:
    """What a list should be like beyond its scores.

    Attributes:
        method: `none`, `mmr` or `dpp`.
        likeness: How alike items are; only where there is a method.
        trade_off: 1 minds the score alone.
        pool: The best so many items are looked at.
        groups: Groups of items that are due a share; None for none.
        shares: The least share of the places, by a group's code.
    """

    method: str = "none"
    likeness: Likeness | None = None
    trade_off: float = 1.0
    pool: int = 100
    groups: Lists | None = None
    shares: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Chosen:
    """A list, and why each item stands where it does: names of rules; empty where its score put it there."""

    items: list[int]
    why: list[list[str]]


def choose(
    ranked: Ranked, depth: int, limits: Sequence[Limit], taste: Taste, pins: Mapping[int, tuple[int, str]]
) -> Chosen:
    """Make one list.

    Args:
        ranked: The allowed items, best first.
        depth: How many to list.
        limits: Quotas.
        taste: Variety and shares.
        pins: By rank from 1: an allowed item and its rule's name; no item twice.
    """
    pool = _Pool(ranked, taste, pins, limits)
    items: list[int] = []
    why: list[list[str]] = []
    for rank in range(1, depth + 1):
        if rank in pins:
            item, name = pins[rank]
            found = pool.take_pinned(item), [name]
        else:
            taken = pool.take_best(rank)
            if taken is None:
                break
            found = taken
        items.append(found[0])
        why.append(found[1])
    for rank in sorted(pins):  # a pin beyond the list's end still belongs to the list, where there is room
        if len(items) < depth and pins[rank][0] not in items:
            items.append(pins[rank][0])
            why.append([pins[rank][1]])
    return Chosen(items, why)


class _Pool:
    """The items that are looked at, and what is known of the list so far."""

    def __init__(
        self, ranked: Ranked, taste: Taste, pins: Mapping[int, tuple[int, str]], limits: Sequence[Limit]
    ) -> None:
        self.ranked, self.taste, self.limits = ranked, taste, limits
        self.pinned = {item for item, _ in pins.values()}
        self.taken: list[int] = []
        self.count: list[dict[int, int]] = [{} for _ in limits]
        self.of_group = dict.fromkeys(taste.shares, 0)
        self.scale: tuple[float, float] | None = None
        self.lay_out(taste.pool)

    def lay_out(self, size: int) -> None:
        """Look at the best `size` items; what was taken stays taken."""
        item_N, score_N = self.ranked(size)
        self.size, self.is_all = size, len(item_N) < size
        missing = [item for item in sorted(self.pinned) if item not in set(item_N.tolist())]
        self.free_N = np.array([item not in self.pinned for item in item_N] + [False] * len(missing), dtype=np.bool_)
        own_N = self._relevance(score_N)
        self.item_N = np.append(item_N, np.array(missing, dtype=np.int64))
        self.gains = self._gains(np.append(own_N, np.zeros(len(missing))))
        self.place_of = {int(item): place for place, item in enumerate(self.item_N)}
        self.blocked_N = np.zeros(len(self.item_N), dtype=np.bool_)
        self.entries = [limit.lists.among(self.item_N) for limit in self.limits]
        if self.taste.groups is not None:
            place_E, code_E = self.taste.groups.among(self.item_N)
            self.places_of = {code: place_E[code_E == code] for code in self.taste.shares}
        self.blockers: dict[int, list[str]] = {}
        for number in range(len(self.limits)):
            for code, count in self.count[number].items():
                self._close(number, code, count)
        for item in self.taken:
            self._mark(self.place_of[item])

    def _relevance(self, score_N: FloatArray) -> FloatArray:
        """On the scale of the first pool: what lies below it is below 0."""
        if self.scale is None:
            low, high = (float(score_N[-1]), float(score_N[0])) if len(score_N) else (0.0, 0.0)
            self.scale = (low, (high - low) or 1.0)
            return relevance(score_N)
        return (score_N - self.scale[0]) / self.scale[1]

    def _gains(self, relevance_N: FloatArray) -> Gains:
        if self.taste.method == "none" or self.taste.likeness is None:
            return Relevance(relevance_N)
        kind = Mmr if self.taste.method == "mmr" else Dpp
        return kind(relevance_N, self.taste.likeness(self.item_N), self.taste.trade_off)

    def take_pinned(self, item: int) -> int:
        return self._take(self.place_of[item])

    def take_best(self, rank: int) -> tuple[int, list[str]] | None:
        """The item for the next place and why it has it; None where nothing is left."""
        open_N = self.free_N & ~self.blocked_N
        while not open_N.any() and not self.is_all:
            self.lay_out(self.size * 2)
            open_N = self.free_N & ~self.blocked_N
        if not self.free_N.any():
            return None
        best = int(self.free_N.argmax())
        if not open_N.any():
            return self._take(best), [f"{name} (gave way)" for name in self.blockers.get(best, [])]
        behind_N = open_N & self._behind(rank)
        fits_N = behind_N if behind_N.any() else open_N
        gain_N = np.where(fits_N, self.gains.gains(), -np.inf)
        place = int(gain_N.argmax())
        why = [] if place == best else self._why(best, bool(open_N[best]), bool(fits_N[best]))
        return self._take(place), why

    def _why(self, best: int, is_open: bool, fits: bool) -> list[str]:
        """What kept the item of the best score from this place."""
        if not is_open:
            return list(self.blockers.get(best, []))
        return [f"diversity ({self.taste.method})" if fits else "exposure"]

    def _behind(self, rank: int) -> BoolArray:
        """Items of groups that have fewer of the places up to `rank` than they are due."""
        behind_N = np.zeros(len(self.item_N), dtype=np.bool_)
        for group, share in self.taste.shares.items():
            if self.of_group[group] < np.floor(share * rank + 1e-9):
                behind_N[self.places_of[group]] = True
        return behind_N

    def _take(self, place: int) -> int:
        item = int(self.item_N[place])
        self.taken.append(item)
        self._mark(place)
        for number, limit in enumerate(self.limits):
            if limit.where_I is None or limit.where_I[item]:
                for code in limit.lists.entries(item).tolist():
                    self.count[number][code] = self.count[number].get(code, 0) + 1
                    self._close(number, code, self.count[number][code])
        if self.taste.groups is not None:
            for code in self.taste.groups.entries(item).tolist():
                if code in self.of_group:
                    self.of_group[code] += 1
        return item

    def _mark(self, place: int) -> None:
        self.free_N[place] = False
        self.gains.take(place)

    def _close(self, number: int, code: int, count: int) -> None:
        """Bar the items of an entry whose quota is full."""
        limit = self.limits[number]
        if count < limit.most:
            return
        place_E, code_E = self.entries[number]
        places = place_E[code_E == code]
        if limit.where_I is not None:
            places = places[limit.where_I[self.item_N[places]]]
        self.blocked_N[places] = True
        for place in places.tolist():
            names = self.blockers.setdefault(place, [])
            if limit.name not in names:
                names.append(limit.name)
