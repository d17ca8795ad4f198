"""Rules and a request's filter in; which items are allowed, weighed, pinned and counted out, at any moment.

What is the same for all requests is worked out once. Deny and the request's filter always hold; where the rules that
say what is allowed leave nothing at all, they are the ones that may give way, and a note says so. This module does not
know scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from horae.recommend.rules.columns import Columns, Lists
from horae.recommend.rules.meaning import Condition, Moment, condition
from horae.recommend.rules.syntax import Rule, parse_expression
from horae.recommend.rules.tokens import refusal
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Allowed", "Pin", "Quota", "RuleSet"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Allowed:
    """What the rules leave.

    Attributes:
        items_I: bool [I + 1]; None: everything.
        gave_way: The allow rules left nothing and were set aside.
        note: What a person should be told; empty where nothing.
    """

    items_I: BoolArray | None
    gave_way: bool = False
    note: str = ""


@dataclass(frozen=True, eq=False)
class Pin:
    """An item, or the best one of a condition, that belongs at a rank (from 1)."""

    name: str
    rank: int
    item: int
    where: Condition | None


@dataclass(frozen=True, eq=False)
class Quota:
    """At most so many items for each entry of a column."""

    name: str
    most: int
    lists: Lists
    where: Condition | None


class RuleSet:
    """Rules that were checked against a catalog.

    Args:
        rules: As written.
        wanted: The request's filter; None for none.
        columns: The catalog's.
        items: The item table, for pins.

    Raises:
        DataError: The filter does not parse, or a rule names a column or an item that does not exist.
    """

    def __init__(self, rules: Sequence[Rule], wanted: str | None, columns: Columns, items: Vocabulary) -> None:
        where = [None if rule.where is None else condition(rule.where, rule.text, columns) for rule in rules]
        pairs = list(zip(rules, where, strict=True))
        self.allows = [(rule.name, one) for rule, one in pairs if rule.verb == "allow" and one]
        self.denies = [(rule.name, one) for rule, one in pairs if rule.verb == "deny" and one]
        self.boosts = [
            (rule.name, float(np.log(rule.weight)), one) for rule, one in pairs if rule.verb == "boost" and one
        ]
        self.pins = [_pin(rule, one, items) for rule, one in pairs if rule.verb == "pin"]
        self.quotas = [_quota(rule, one, columns) for rule, one in pairs if rule.verb == "quota"]
        self.filter = None if wanted is None else condition(parse_expression(wanted), wanted, columns)
        self.wanted = wanted
        conditions = [*where, self.filter]
        self.asks_context = any(one is not None and one.asks_context for one in conditions)
        self.size = columns.size

    @cached_property
    def _gates(self) -> list[Condition]:
        return [one for _, one in (*self.allows, *self.denies)] + ([self.filter] if self.filter else [])

    @property
    def has_rules(self) -> bool:
        """Is there anything but a request's filter?"""
        return bool(self.allows or self.denies or self.boosts or self.pins or self.quotas)

    @property
    def only_gates(self) -> bool:
        """Nothing but what is allowed, and the same for all requests."""
        return not (self.boosts or self.pins or self.quotas) and all(gate.settled for gate in self._gates)

    @cached_property
    def _settled(self) -> Allowed | None:
        return self._allowed(Moment()) if all(gate.settled for gate in self._gates) else None

    def allowed(self, moment: Moment) -> Allowed:
        """What may be listed."""
        return self._allowed(moment) if self._settled is None else self._settled

    def _allowed(self, moment: Moment) -> Allowed:
        if not self._gates:
            return Allowed(None)
        must_I = np.ones(self.size, dtype=np.bool_)
        must_I[0] = False
        for name, one in self.denies:
            must_I &= ~one.holds(moment)
            if not must_I.any():
                return Allowed(
                    must_I, note=f"The rules deny every item (the last of them by `{name}`): nothing is shown."
                )
        if self.filter is not None:
            must_I &= self.filter.holds(moment)
            if not must_I.any():
                return Allowed(must_I, note=f"No item meets the filter `{self.wanted}`: nothing is shown.")
        left_I = must_I.copy()
        for name, one in self.allows:
            left_I &= one.holds(moment)
            if not left_I.any():
                return Allowed(must_I, True, f"The rules exclude every item (the last of them by `{name}`)")
        return Allowed(left_I)

    def log_weights(self, moment: Moment) -> FloatArray | None:
        """Natural logarithm of all boosts of each item, [I + 1]; None without boosts."""
        return self._weighed(moment) if self._weighed_once is None else self._weighed_once

    @cached_property
    def _weighed_once(self) -> FloatArray | None:
        """The boosts, where they are the same for all requests."""
        return self._weighed(Moment()) if all(where.settled for _, _, where in self.boosts) else None

    def _weighed(self, moment: Moment) -> FloatArray | None:
        if not self.boosts:
            return None
        total_I = np.zeros(self.size)
        for _, log_weight, where in self.boosts:
            total_I[where.holds(moment)] += log_weight
        return total_I

    def boosts_of(self, item: int, moment: Moment) -> list[str]:
        """The names of the boosts that an item had."""
        return [name for name, _, where in self.boosts if where.holds(moment)[item]]


def _pin(rule: Rule, where: Condition | None, items: Vocabulary) -> Pin:
    item = 0 if rule.item is None else items.index(rule.item)
    if rule.item is not None and not item:
        at = rule.text.find(rule.item)
        raise refusal(rule.text, at, f"the item {rule.item!r} is not in the run's item table", "Check its spelling.")
    return Pin(rule.name, rule.rank, item, where)


def _quota(rule: Rule, where: Condition | None, columns: Columns) -> Quota:
    assert rule.column is not None
    if rule.column.name not in columns.names:
        what = f"there is no column `{rule.column.name}`"
        raise refusal(rule.text, rule.column.at, what, columns.near(rule.column.name))
    return Quota(rule.name, rule.most, columns.lists(rule.column.name), where)
