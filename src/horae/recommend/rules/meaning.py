"""A rule's tree and the catalog's columns in, what it means out: checked types, and arrays over the items.

What is unknown stays unknown, as in SQL: a comparison with nothing is neither true nor false, and a rule speaks of the
items for which its condition is true. Only numpy comparisons of whole columns are ever run. This module does not know
what a rule does with its items.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from horae.recommend.rules import syntax as s
from horae.recommend.rules.columns import Columns, Lists, Numbers, Texts, Truths
from horae.recommend.rules.tokens import refusal

__all__ = ["Condition", "Moment", "condition"]

BoolArray = npt.NDArray[np.bool_]
NAN: Final = float("nan")
SIGNS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: np.where(b == 0, NAN, np.divide(a, b)),
}
KINDS: Final = {"truth": "a yes or no", "any": "a value of the request's context", "list": "a list"}
MEASURED: Final = ("number", "time", "duration")
SUMS: Final = {
    ("number", "+", "number"): "number",
    ("number", "-", "number"): "number",
    ("number", "*", "number"): "number",
    ("number", "/", "number"): "number",
    ("time", "+", "duration"): "time",
    ("time", "-", "duration"): "time",
    ("time", "-", "time"): "duration",
    ("duration", "+", "duration"): "duration",
    ("duration", "-", "duration"): "duration",
    ("duration", "*", "number"): "duration",
    ("number", "*", "duration"): "duration",
    ("duration", "/", "duration"): "number",
}


@dataclass(frozen=True)
class Moment:
    """What a condition may know of a request: Unix seconds (NaN = unknown), and its context."""

    now: float = NAN
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Meaning:
    """A part of a condition: what kind of thing it is, and how it comes about.

    Truths are pairs (true, false) of arrays; numbers, times and durations are floats or arrays of them; text is a
    `Texts` column or a plain text; None or NaN is unknown.
    """

    kind: str
    of: Callable[[Moment], Any]
    asks_now: bool = False
    asks_context: bool = False
    text: str | None = None

    @property
    def settled(self) -> bool:
        return not (self.asks_now or self.asks_context)


class Condition:
    """A checked condition: which items it holds for, at a moment.

    Attributes:
        asks_now: Does it depend on the request's time?
        asks_context: Does it depend on the request's context?
    """

    def __init__(self, meaning: _Meaning, size: int) -> None:
        self.asks_now, self.asks_context = meaning.asks_now, meaning.asks_context
        self._of, self._size = meaning.of, size
        self._settled = self._holds(Moment()) if meaning.settled else None

    @property
    def settled(self) -> bool:
        """The same for all requests."""
        return self._settled is not None

    def holds(self, moment: Moment) -> BoolArray:
        """Bool [I + 1]; item 0 never. Not to be written to."""
        return self._holds(moment) if self._settled is None else self._settled

    def _holds(self, moment: Moment) -> BoolArray:
        with np.errstate(all="ignore"):  # a price divided by nothing is unknown, not a warning
            true_I = np.array(np.broadcast_to(self._of(moment)[0], self._size))
        true_I[0] = False
        return true_I


def condition(node: s.Node, text: str, columns: Columns) -> Condition:
    """Check a condition against a catalog.

    Args:
        node: Its tree.
        text: What was written, for messages.
        columns: The catalog's.

    Raises:
        DataError: A column that does not exist, or kinds that cannot be compared; the message shows where.
    """
    meaning = _Checker(text, columns).truth(node)
    return Condition(meaning, columns.size)


class _Checker:
    def __init__(self, text: str, columns: Columns) -> None:
        self.text, self.columns = text, columns

    def wrong(self, node: s.Node, what: str, hint: str = "") -> Exception:
        return refusal(self.text, node.at, what, hint)

    def truth(self, node: s.Node) -> _Meaning:
        found = self.meaning(node)
        if found.kind == "any":
            return _made("truth", lambda value: _as_truth(value), found)
        if found.kind != "truth":
            raise self.wrong(node, f"expected a condition, got {_shown(found.kind)}")
        return found

    def meaning(self, node: s.Node) -> _Meaning:
        if isinstance(node, s.Constant):
            return self.constant(node)
        if isinstance(node, s.Now):
            return _Meaning("time", lambda moment: np.float64(moment.now), asks_now=True)
        if isinstance(node, s.Context):
            return _Meaning("any", lambda moment: moment.context.get(node.key), asks_context=True)
        if isinstance(node, s.Name):
            return self.column(node)
        if isinstance(node, s.Arithmetic):
            return self.arithmetic(node)
        return self.conditional(node)

    def conditional(self, node: s.Node) -> _Meaning:
        if isinstance(node, s.Compare):
            return self.compare(node, node.sign, self.meaning(node.left), self.meaning(node.right))
        if isinstance(node, s.In):
            left = self.meaning(node.left)
            return _joined("or", [self.compare(one, "==", left, self.meaning(one)) for one in node.values])
        if isinstance(node, s.Has):
            return self.has(node)
        if isinstance(node, s.Matches):
            return self.matches(node)
        if isinstance(node, s.IsNull):
            return _made("truth", _is_null, self.meaning(node.left))
        if isinstance(node, s.Not):
            return _made("truth", lambda pair: (pair[1], pair[0]), self.truth(node.inner))
        assert isinstance(node, s.Joined)
        return _joined(node.how, [self.truth(part) for part in node.parts])

    def constant(self, node: s.Constant) -> _Meaning:
        if node.kind == "truth":
            pair = (np.bool_(node.value), np.bool_(not node.value))
            return _Meaning("truth", lambda _: pair)
        if node.kind == "number":
            number = np.float64(node.value)
            as_text = str(int(number)) if number.is_integer() else str(number)
            return _Meaning("number", lambda _: number, text=as_text)
        if node.kind == "duration":
            length = np.float64(node.value)
            return _Meaning("duration", lambda _: length)
        return _Meaning("text", lambda _: node.value, text=str(node.value))

    def column(self, node: s.Name) -> _Meaning:
        if node.name not in self.columns.names:
            raise self.wrong(node, f"there is no column `{node.name}`", self.columns.near(node.name))
        laid = self.columns[node.name]
        if isinstance(laid, Numbers):
            return _Meaning(laid.kind, lambda _: laid.value_I)
        if isinstance(laid, Truths):
            return _Meaning("truth", lambda _: (laid.true_I, laid.false_I))
        return _Meaning("list" if isinstance(laid, Lists) else "text", lambda _: laid)

    def arithmetic(self, node: s.Arithmetic) -> _Meaning:
        left, right = self.meaning(node.left), self.meaning(node.right)
        if left.kind == "any" and right.kind in MEASURED:
            left = _cast(left, "number" if node.sign in "*/" else right.kind)
        if right.kind == "any" and left.kind in MEASURED:
            right = _cast(right, "number" if node.sign in "*/" or left.kind == "time" else left.kind)
        if node.sign == "-" and isinstance(node.left, s.Constant) and right.kind == "duration" and not node.left.value:
            left = _Meaning("duration", left.of)
        kind = SUMS.get((left.kind, node.sign, right.kind))
        if kind is None:
            raise self.wrong(node, f"{_shown(left.kind)} {node.sign} {_shown(right.kind)} has no meaning")
        return _made(kind, SIGNS[node.sign], left, right)

    def compare(self, node: s.Node, sign: str, left: _Meaning, right: _Meaning) -> _Meaning:
        typed = left, right
        left, right = self.alike(node, left, right), self.alike(node, right, left)
        if left.kind == right.kind and left.kind in MEASURED:
            return _made("truth", lambda a, b: _measured(SIGNS[sign], a, b), left, right)
        same = {"text": _same_text, "truth": _same_truth}.get(left.kind)
        if left.kind != right.kind or same is None:
            what = f"{_shown(left.kind)} cannot be compared with {_shown(right.kind)}"
            raise self.wrong(node, what, self.unread(node, *typed))
        if sign not in ("==", "!="):
            what = f"{_shown(left.kind)} has no order: only == and != compare it"
            raise self.wrong(node, what, self.unread(node, *typed))
        equal = _made("truth", same, left, right)
        return equal if sign == "==" else _made("truth", lambda pair: (pair[1], pair[0]), equal)

    def alike(self, node: s.Node, one: _Meaning, other: _Meaning) -> _Meaning:
        """`one`, read as the kind of `other`, where that can be."""
        if one.kind == "any":
            if other.kind in ("any", "list"):
                raise self.wrong(node, f"{_shown(one.kind)} cannot be compared with {_shown(other.kind)}")
            return _cast(one, other.kind)
        if other.kind == "time" and one.text is not None and one.kind == "text":
            seconds = _as_seconds(one.text)
            if np.isnan(seconds):
                raise self.wrong(node, f'"{one.text}" is no date', 'Write "2024-05-31" or "2024-05-31T18:00:00Z".')
            return _Meaning("time", lambda _: seconds)
        if other.kind == "text" and one.kind == "number" and one.text is not None:
            return _Meaning("text", lambda _: one.text)
        return one

    def unread(self, node: s.Node, left: _Meaning, right: _Meaning) -> str:
        """Why a column of a comparison is text, where numbers or times were meant."""
        sides = ((node.left, right.kind), (node.right, left.kind)) if isinstance(node, s.Compare) else ()
        told = (self.columns.unread(side.name, kind) for side, kind in sides if isinstance(side, s.Name))
        return next((one for one in told if one), "")

    def has(self, node: s.Has) -> _Meaning:
        left, right = self.meaning(node.left), self.meaning(node.right)
        if left.kind not in ("list", "text") or not isinstance(node.left, s.Name):
            raise self.wrong(node, f"`has` asks a column of lists, not {_shown(left.kind)}")
        if right.kind == "any":
            right = _cast(right, "text")
        if right.text is not None:
            entry = right.text
            right = _Meaning("text", lambda _: entry)
        elif right.kind != "text" or isinstance(node.right, s.Name):
            raise self.wrong(node.right, "expected text in quotes")
        lists = self.columns.lists(node.left.name)
        return _made("truth", lambda held: _holding(lists, held), right)

    def matches(self, node: s.Matches) -> _Meaning:
        left = self.meaning(node.left)
        if left.kind == "any":
            left = _cast(left, "text")
        if left.kind != "text":
            raise self.wrong(node, f"`{node.how}` asks text, not {_shown(left.kind)}")
        wanted = node.text.casefold()
        test = (lambda name: wanted in name) if node.how == "contains" else (lambda name: name.startswith(wanted))
        return _made("truth", lambda value: _tested(value, test), left)


def _made(kind: str, how: Callable[..., Any], *parts: _Meaning) -> _Meaning:
    """What comes of parts; once and for all where they are the same for all requests."""
    asks_now, asks_context = any(p.asks_now for p in parts), any(p.asks_context for p in parts)
    if not (asks_now or asks_context):
        with np.errstate(all="ignore"):
            value = how(*(part.of(Moment()) for part in parts))
        return _Meaning(kind, lambda _: value)
    return _Meaning(kind, lambda moment: how(*(part.of(moment) for part in parts)), asks_now, asks_context)


def _joined(how: str, parts: list[_Meaning]) -> _Meaning:
    """Kleene's `and` and `or`."""
    yes, no = (operator.and_, operator.or_) if how == "and" else (operator.or_, operator.and_)

    def join(*pairs: Any) -> Any:
        true, false = pairs[0]
        for more_true, more_false in pairs[1:]:
            true, false = yes(true, more_true), no(false, more_false)
        return true, false

    return _made("truth", join, *parts)


def _measured(sign: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    known = ~(np.isnan(a) | np.isnan(b))
    true = sign(a, b) & known
    return true, known & ~true


def _same_truth(a: Any, b: Any) -> Any:
    return (a[0] & b[0]) | (a[1] & b[1]), (a[0] & b[1]) | (a[1] & b[0])


def _same_text(a: Any, b: Any) -> Any:
    if isinstance(a, Texts) and isinstance(b, Texts):
        code_N = np.array([a.code_of.get(name, -2) for name in b.names] + [-1], dtype=np.int64)
        known = (a.code_I >= 0) & (b.code_I >= 0)
        true = known & (a.code_I == code_N[b.code_I])
        return true, known & ~true
    if isinstance(b, Texts):
        a, b = b, a
    if b is None:
        return np.bool_(False), np.bool_(False)
    if isinstance(a, Texts):
        true = a.code_I == a.code_of.get(b, -2)
        return true, (a.code_I >= 0) & ~true
    return np.bool_(a is not None and a == b), np.bool_(a is not None and a != b)


def _tested(value: Any, test: Callable[[str], bool]) -> Any:
    if isinstance(value, Texts):
        found = np.array([test(name.casefold()) for name in value.names] + [False], dtype=np.bool_)
        true = found[value.code_I]
        return true, (value.code_I >= 0) & ~true
    fits = value is not None and test(value.casefold())
    return np.bool_(fits), np.bool_(value is not None and not fits)


def _holding(lists: Lists, entry: str | None) -> Any:
    if entry is None:
        return np.bool_(False), np.bool_(False)
    true = lists.holding(entry)
    return true, lists.known_I & ~true


def _is_null(value: Any) -> Any:
    if isinstance(value, Texts):
        true: Any = value.code_I < 0
    elif isinstance(value, Lists):
        true = ~value.known_I
    elif isinstance(value, tuple):
        true = ~(value[0] | value[1])
    elif value is None or isinstance(value, str):
        true = np.bool_(value is None)
    else:
        true = np.isnan(value) if isinstance(value, np.ndarray | float) else np.bool_(False)  # np.float64 is a float
    return true, ~true


def _cast(one: _Meaning, kind: str) -> _Meaning:
    """A value of the context, read as a kind; unknown where it is of another."""
    how = {"text": _as_text, "truth": _as_truth, "time": _as_seconds}.get(kind, _as_number)
    return _made(kind, how, one)


def _as_number(value: Any) -> np.float64:
    return np.float64(value if isinstance(value, int | float) and not isinstance(value, bool) else NAN)


def _as_text(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if isinstance(value, str) else str(value) if is_number else None


def _as_truth(value: Any) -> Any:
    return np.bool_(value is True), np.bool_(value is False)


def _as_seconds(value: Any) -> np.float64:
    """Unix seconds of a date, a time or its ISO text; NaN of anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return np.float64(NAN)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        return np.float64(NAN)
    return np.float64((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())


def _shown(kind: str) -> str:
    return KINDS.get(kind, f"a {kind}" if kind != "text" else "text")
