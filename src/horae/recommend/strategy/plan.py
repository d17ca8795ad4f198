"""Scores of a block of requests in, their lists out: the one order in which everything beyond the model happens.

    1 what may be shown   deny, filter, allow; never what is hidden already
    2 strategy            the score blended with interest and context
    3 floor               what is not sure enough gives its place to the fallback, or to nothing
    4 boosts, freshness   added to the score, as log-odds or in standard deviations
    5 pins                allowed items only
    6 quotas, shares, variety
    7 new items           a declared share of the places, by content
    8 up to k             quotas give way before a list is short

This module does not know models, requests or files; times and contexts come as plain values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from horae.recommend.diversity.choose import Chosen, Limit, Taste, choose
from horae.recommend.diversity.exposure import Exposure
from horae.recommend.rank import Scores, top
from horae.recommend.rules.meaning import Moment
from horae.recommend.rules.ruleset import RuleSet
from horae.recommend.strategy.interests import Interests
from horae.recommend.strategy.learned import Learned, hour_of, weekday_of
from horae.recommend.strategy.slot import Slot
from horae.schema import IndexArray
from horae.sequences.history import Histories

__all__ = ["Floor", "Plan", "Shaped"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
MINUS_INFINITY = float("-inf")
BELOW_FLOOR = "below the floor: fallback"
FRESH = "freshness"
FRESH_FROM = 0.5
"""Of the full gain: from here on an item is said to be listed as a fresh one."""


@dataclass(frozen=True)
class Floor:
    """The least score that is sure enough, and what has the places of the others."""

    score: float
    below: str


@dataclass(frozen=True, eq=False)
class Shaped:
    """Lists of a block.

    Attributes:
        items_BK: Best first; 0 where shorter.
        scores_BK: The scores that they were chosen by.
        why: For each request and item, the rules that moved it.
        scores_BI: Every item's score; minus infinity where it may not be shown.
        fallback_B: Answered by the fallback, because the rules left nothing.
        content_BK: Which items are there by content, in places kept for new ones; None where none are kept.
    """

    items_BK: IndexArray
    scores_BK: Scores
    why: list[list[list[str]]]
    scores_BI: Scores
    fallback_B: BoolArray
    content_BK: BoolArray | None = None

    def ranks(self, request_P: IndexArray, item_P: IndexArray) -> tuple[IndexArray, Scores]:
        """As `horae.recommend.rank.ranks_of`: the list first, then all others by score."""
        score_P = np.where(item_P > 0, self.scores_BI[request_P, item_P], MINUS_INFINITY)
        rank_P = np.zeros(len(item_P), dtype=np.int64)
        for pair in np.flatnonzero(score_P > MINUS_INFINITY):
            line_I, own, item = self.scores_BI[request_P[pair]], score_P[pair], item_P[pair]
            listed_K = self.items_BK[request_P[pair]]
            listed_K = listed_K[listed_K > 0]
            there = np.flatnonzero(listed_K == item)
            if len(there):
                rank_P[pair] = 1 + there[0]
                continue
            before = np.count_nonzero(line_I > own) + np.count_nonzero(line_I[:item] == own)
            ahead_K = (line_I[listed_K] > own) | ((line_I[listed_K] == own) & (listed_K < item))
            rank_P[pair] = 1 + before + len(listed_K) - np.count_nonzero(ahead_K)
        return rank_P, np.where(rank_P > 0, score_P, np.nan).astype(np.float32)


@dataclass(eq=False)
class Plan:
    """What is to be done with scores; see `horae.recommend.strategy.shaper.Shaper.plan`.

    Attributes:
        rules: Compiled; None for none.
        weights: Of the parts of a blend; empty: the model's score stands.
        interests: What items are like, where the blend asks.
        learned: What the training part says, where the blend asks.
        context_by: What a context is told by.
        floor: Of confidence.
        slope: Log-odds of one unit of score, where scores are calibrated.
        fresh: What a new item gains in standard deviations, its half-life in seconds, and when items came [I + 1].
        taste: Variety and shares.
        exposure: Adds up the attention that groups get.
        if_none: What is shown where the allow rules leave nothing.
        slot: Keeps places for new items.
        k: Length of the lists that these places are a share of.
        notes: What people should be told, counted by request.
    """

    rules: RuleSet | None = None
    weights: dict[str, float] = field(default_factory=dict)
    interests: Interests | None = None
    learned: Learned | None = None
    context_by: Sequence[str] = ()
    floor: Floor | None = None
    slope: float | None = None
    fresh: tuple[float, float, FloatArray] | None = None
    taste: Taste = field(default_factory=Taste)
    exposure: Exposure | None = None
    if_none: str = "fallback"
    slot: Slot | None = None
    k: int = 10
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def says_why(self) -> bool:
        """Is there anything but a blend, so that items may carry which rule moved them?"""
        chooses = self.taste.method != "none" or bool(self.taste.shares)
        ruled = self.rules is not None and self.rules.has_rules
        return ruled or chooses or self.fresh is not None or self.floor is not None

    @property
    def uses_context(self) -> bool:
        """Does anything look at what requests say of their context?"""
        by_rules = self.rules is not None and self.rules.asks_context
        return by_rules or any(name not in ("hour", "weekday") for name in self.context_by)

    @property
    def gives_places(self) -> bool:
        """Has an item its place by more than its score, so that another order would undo what was asked?"""
        by_rules = self.rules is not None and bool(self.rules.pins or self.rules.quotas)
        by_taste = self.taste.method != "none" or bool(self.taste.shares) or self.exposure is not None
        return by_rules or by_taste or self.floor is not None

    def gate(self) -> BoolArray | None:
        """Which items may be shown, [I + 1], where that is all there is to do; None where there is more."""
        if self.rules is None or not self.rules.only_gates or self._reorders:
            return None
        allowed = self.rules.allowed(Moment())
        return None if allowed.note else allowed.items_I

    @property
    def _reorders(self) -> bool:
        others = (self.weights, self.floor, self.fresh, self.exposure, self.taste.shares, self.slot)
        return any(bool(one) for one in others) or self.taste.method != "none"

    def shape(
        self,
        scores_BI: Scores,
        histories: Histories,
        moments: Sequence[Moment],
        fallback: Callable[[], Scores],
        depth: int,
        *,
        fallback_name: str = "",
    ) -> Shaped:
        """Make the lists.

        Args:
            scores_BI: The model's, what is hidden at minus infinity; ours to change.
            histories: Of the block.
            moments: Time and context of each request.
            fallback: Scores the block by the fallback, what is hidden at minus infinity.
            depth: How long lists are to be.
            fallback_name: For notes.
        """
        strange_B = histories.lengths == 0
        scores_BI, gave_way_B = self._gated(scores_BI, moments, fallback, fallback_name)
        plain_B = ~(gave_way_B | strange_B)
        before_BK = self._before(scores_BI, depth)
        if self.weights:
            scores_BI = self.blended(scores_BI, histories, moments)
        below_BI = self._floored(scores_BI, plain_B, fallback)
        scores_BI = self._moved(scores_BI, moments, plain_B)
        found = self._listed(scores_BI, moments, depth, below_BI)
        content_BK = None
        if self.slot is not None:
            content_BK = self.slot.fill(found[0], scores_BI, histories, self.k, found[2])
            found = (found[0], np.take_along_axis(scores_BI, found[0], axis=1), found[2])
        if self.exposure is not None:
            self.exposure.note(before_BK, found[0])
        short = int((found[0][:, :1] == 0).sum()) if found[0].shape[1] else 0
        if short and not self.notes:
            self.notes["Rules, filter, constraints and seen items together leave no item for {n}."] += short
        return Shaped(*found, scores_BI, gave_way_B | strange_B, content_BK)

    def blended(self, scores_BI: Scores, histories: Histories, moments: Sequence[Moment]) -> Scores:
        """The weighted sum of the parts; what may not be shown stays so."""
        total_BI = np.zeros(scores_BI.shape)
        for name, part_BI in self.parts(scores_BI, histories, moments).items():
            total_BI += self.weights[name] * part_BI
        return np.where(scores_BI > MINUS_INFINITY, total_BI, MINUS_INFINITY).astype(np.float32)

    def parts(self, scores_BI: Scores, histories: Histories, moments: Sequence[Moment]) -> dict[str, FloatArray]:
        """The parts of a blend, standardised over what may be shown; context is a log of a lift as it is."""
        shown_BI = scores_BI > MINUS_INFINITY
        found = {}
        if "model" in self.weights:
            found["model"] = _standard(scores_BI.astype(np.float64), shown_BI)
        if self.interests is not None:
            found["interest"] = _standard(self.interests.match(histories), shown_BI)
        if self.context_by:
            found["context"] = self._context(scores_BI.shape[1], moments)
        return found

    def told(self) -> list[str]:
        """The notes, in words."""
        said = [text.replace("{n}", f"{n:,} request{'s' * (n > 1)}") for text, n in self.notes.items()]
        if self.exposure is not None:
            shares = list(self.exposure.shares().items())[:10]
            words = ", ".join(f"{name} {before:.0%} to {after:.0%}" for name, (before, after) in shares)
            said.append(f"Exposure, before and after: {words}.")
        return said

    def _gated(
        self, scores_BI: Scores, moments: Sequence[Moment], fallback: Callable[[], Scores], name: str
    ) -> tuple[Scores, BoolArray]:
        """Take out what may not be shown; whoever is left nothing by allow rules is answered by the fallback."""
        gave_way_B = np.zeros(len(scores_BI), dtype=np.bool_)
        if self.rules is None:
            return scores_BI, gave_way_B
        instead = None
        for row, moment in enumerate(moments):
            allowed = self.rules.allowed(moment)
            note = allowed.note
            if allowed.gave_way and self.if_none == "fallback":
                instead = fallback() if instead is None else instead
                scores_BI[row], gave_way_B[row] = instead[row], True
                note += f" for {{n}}: answered by the fallback ({name}), of items that no rule denies."
            elif allowed.gave_way:
                scores_BI[row] = MINUS_INFINITY
                note += " for {n}: nothing is shown."
            if note:
                self.notes[note] += 1
            if allowed.items_I is not None:
                np.copyto(scores_BI[row], MINUS_INFINITY, where=~allowed.items_I)
        return scores_BI, gave_way_B

    def _before(self, scores_BI: Scores, depth: int) -> IndexArray:
        """The lists as the model's scores have them, where somebody measures what changes."""
        if self.exposure is None:
            return np.empty((len(scores_BI), 0), dtype=np.int64)
        return top(torch.from_numpy(scores_BI), depth)[0]

    def _context(self, width: int, moments: Sequence[Moment]) -> FloatArray:
        assert self.learned is not None
        lift_BI = np.zeros((len(moments), width))
        for row, moment in enumerate(moments):
            for name in self.context_by:
                value = _value_of(name, moment)
                lift_I = None if value is None else self.learned.log_lift(name, value)
                if lift_I is not None:
                    lift_BI[row] += lift_I
        return lift_BI

    def _floored(self, scores_BI: Scores, plain_B: BoolArray, fallback: Callable[[], Scores]) -> BoolArray | None:
        """Put what is not sure enough below all that is, in the fallback's order; or out. True where it was."""
        if self.floor is None:
            return None
        below_BI = (scores_BI < self.floor.score) & (scores_BI > MINUS_INFINITY) & plain_B[:, None]
        if self.floor.below == "nothing":
            scores_BI[below_BI] = MINUS_INFINITY
            return None
        instead_BI = fallback()
        for row in np.flatnonzero(below_BI.any(axis=1)):
            mine_I = below_BI[row]
            order = np.argsort(np.argsort(-instead_BI[row, mine_I], kind="stable"), kind="stable")
            least = self._least(scores_BI[row], mine_I)
            scores_BI[row, mine_I] = least - (1.0 + order) * max(1e-3, abs(least) * 1e-4)
        return below_BI

    def _least(self, line_I: Scores, below_I: BoolArray) -> float:
        """A score that every item above the floor has at least."""
        assert self.floor is not None
        sure_I = (line_I > MINUS_INFINITY) & ~below_I
        return float(line_I[sure_I].min()) if sure_I.any() else float(line_I[below_I].max())

    def _moved(self, scores_BI: Scores, moments: Sequence[Moment], plain_B: BoolArray) -> Scores:
        """Add boosts and freshness."""
        if self.fresh is None and (self.rules is None or not self.rules.boosts):
            return scores_BI
        by_odds = self.slope is not None and self.fresh is None and bool(plain_B.all())
        deviation_B = np.ones(len(scores_BI)) if by_odds else _deviations(scores_BI)
        for row, moment in enumerate(moments):
            weight_I = None if self.rules is None else self.rules.log_weights(moment)
            if weight_I is not None:
                unit = 1.0 / self.slope if self.slope and plain_B[row] else deviation_B[row]
                scores_BI[row] += (unit * weight_I).astype(np.float32)
            if self.fresh is not None:
                scores_BI[row] += (deviation_B[row] * self.fresh[0] * self._freshness(moment.now)).astype(np.float32)
        return scores_BI

    def _freshness(self, now: float) -> FloatArray:
        """1 for what comes just now, halved with each half-life; an item that nobody has seen yet is brand-new."""
        assert self.fresh is not None
        _, half_life, came_I = self.fresh
        if np.isnan(now):
            return np.zeros(len(came_I))
        fresh_I = np.exp2(-np.maximum(now - came_I, 0.0) / half_life)
        fresh_I[0] = 0.0
        return fresh_I

    def _listed(
        self, scores_BI: Scores, moments: Sequence[Moment], depth: int, below_BI: BoolArray | None
    ) -> tuple[IndexArray, Scores, list[list[list[str]]]]:
        chooses = self.taste.method != "none" or bool(self.taste.shares)
        if chooses or (self.rules is not None and (self.rules.pins or self.rules.quotas)):
            chosen = [self._chosen(line_I, moment, depth) for line_I, moment in zip(scores_BI, moments, strict=True)]
            items_BK = np.zeros((len(chosen), depth), dtype=np.int64)
            for row, one in enumerate(chosen):
                items_BK[row, : len(one.items)] = one.items
            scores_BK = np.take_along_axis(scores_BI, items_BK, axis=1)
            why = [one.why for one in chosen]
        else:
            items_BK, scores_BK = top(torch.from_numpy(scores_BI), depth)
            why = [[[] for item in row if item] for row in items_BK.tolist()]
        if self.says_why:
            for row, moment in enumerate(moments):
                gain_I = None if self.fresh is None else self._freshness(moment.now)
                for names, item in zip(why[row], items_BK[row].tolist(), strict=False):
                    names += [] if self.rules is None else self.rules.boosts_of(item, moment)
                    names += [FRESH] if gain_I is not None and gain_I[item] >= FRESH_FROM else []
                    names += [BELOW_FLOOR] if below_BI is not None and below_BI[row, item] else []
        return items_BK, scores_BK, why

    def _chosen(self, line_I: Scores, moment: Moment, depth: int) -> Chosen:
        """One request's list, where more than scores decides."""
        line_1I = torch.from_numpy(line_I[None])

        def ranked(size: int) -> tuple[IndexArray, FloatArray]:
            items_1K, scores_1K = top(line_1I, size)
            there = items_1K[0] > 0
            return items_1K[0][there], scores_1K[0][there].astype(np.float64)

        quotas = [] if self.rules is None else self.rules.quotas
        limits = [Limit(q.name, q.most, q.lists, None if q.where is None else q.where.holds(moment)) for q in quotas]
        return choose(ranked, depth, limits, self.taste, self._pins(line_I, moment))

    def _pins(self, line_I: Scores, moment: Moment) -> Mapping[int, tuple[int, str]]:
        """Items by rank; the first rule of a rank has it, and a later one the next free rank."""
        pins: dict[int, tuple[int, str]] = {}
        taken: set[int] = set()
        for pin in () if self.rules is None else self.rules.pins:
            may_I = line_I > MINUS_INFINITY
            if pin.where is not None:
                may_I = may_I & pin.where.holds(moment)
            if pin.item:
                item = pin.item if may_I[pin.item] else 0
            else:
                may_I[list(taken)] = False
                item = int(np.where(may_I, line_I, MINUS_INFINITY).argmax()) if may_I.any() else 0
            if not item or item in taken:
                continue
            rank = pin.rank
            while rank in pins:
                rank += 1
            pins[rank] = (item, pin.name)
            taken.add(item)
        return pins


def _value_of(name: str, moment: Moment) -> object:
    """What a request's context says; None where it is unknown."""
    if name in ("hour", "weekday"):
        told = (hour_of if name == "hour" else weekday_of)(np.array([moment.now]))
        return None if np.isnan(told[0]) else float(told[0])
    value = moment.context.get(name)
    return None if value is None else str(value)


def _standard(value_BI: npt.NDArray[np.float64], shown_BI: BoolArray) -> FloatArray:
    """Less the mean, over the standard deviation, of the items that may be shown; 0 elsewhere."""
    count_B1 = np.maximum(shown_BI.sum(axis=1, keepdims=True), 1)
    clean_BI = np.where(shown_BI, value_BI, 0.0)
    mean_B1 = clean_BI.sum(axis=1, keepdims=True) / count_B1
    rest_BI = np.where(shown_BI, clean_BI - mean_B1, 0.0)
    deviation_B1 = np.sqrt((rest_BI**2).sum(axis=1, keepdims=True) / count_B1)
    found: FloatArray = rest_BI / np.where(deviation_B1 > 0, deviation_B1, 1.0)
    return found


def _deviations(scores_BI: Scores) -> FloatArray:
    """The standard deviation of each request's scores over what may be shown; 1 where all are equal."""
    shown_BI = scores_BI > MINUS_INFINITY
    count_B = np.maximum(shown_BI.sum(axis=1), 1)
    clean_BI = np.where(shown_BI, scores_BI.astype(np.float64), 0.0)
    variance_B = (clean_BI**2).sum(axis=1) / count_B - (clean_BI.sum(axis=1) / count_B) ** 2
    deviation_B = np.sqrt(np.maximum(variance_B, 0.0))
    return np.where(deviation_B > 1e-12, deviation_B, 1.0)
