"""The words of a rule in, its tree out.

    rule        [NAME :] allow where E | deny where E | boost xW where E | pin [ITEM] at RANK [where E]
                | quota at most N per COLUMN [where E] | E
    E           E or E, E and E, not E, ( E )
                V < V, <=, >, >=, ==, !=, V between V and V, V [not] in [V, ...], V is [not] null
                V has V, V starts_with "...", V contains "..."
    V           number, "text", true, false, now, 30 days, context.KEY, V + V, -, *, /
                a column (`in backticks` where its name is no word)

This module does not know which columns there are; `horae.recommend.rules.meaning` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from horae.recommend.rules.tokens import Token, refusal, tokens_of

__all__ = [
    "Arithmetic",
    "Compare",
    "Constant",
    "Context",
    "Has",
    "In",
    "IsNull",
    "Joined",
    "Matches",
    "Name",
    "Node",
    "Not",
    "Now",
    "Rule",
    "parse_expression",
    "parse_rule",
]

DEEPEST: Final = 50
SECONDS: Final = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0, "week": 604_800.0}
RESERVED: Final = {"and", "or", "not", "in", "is", "null", "between", "has", "where", "starts_with", "contains"}
AFTER_VALUES: Final = {"in", "is", "not", "has", "between", "starts_with", "contains"}
COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=", "=")
MOST_BOOST: Final = 1e6


@dataclass(frozen=True)
class Node:
    """A part of a rule; `at` is the character where it stands."""

    at: int


@dataclass(frozen=True)
class Constant(Node):
    """A value that was written down; a duration is seconds."""

    value: float | str | bool
    kind: Literal["number", "text", "truth", "duration"]


@dataclass(frozen=True)
class Name(Node):
    """A column of the catalog."""

    name: str


@dataclass(frozen=True)
class Context(Node):
    """What the request says of its circumstances."""

    key: str


@dataclass(frozen=True)
class Now(Node):
    """The time of the request."""


@dataclass(frozen=True)
class Arithmetic(Node):
    """`+ - * /`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Compare(Node):
    """`< <= > >= == !=`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class In(Node):
    """One of several values."""

    left: Node
    values: tuple[Node, ...]


@dataclass(frozen=True)
class Has(Node):
    """A list holds a value."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Matches(Node):
    """Text begins with, or holds, other text; letter case does not matter."""

    how: Literal["starts_with", "contains"]
    left: Node
    text: str


@dataclass(frozen=True)
class IsNull(Node):
    """Nothing is known."""

    left: Node


@dataclass(frozen=True)
class Not(Node):
    """The opposite; of what is unknown, unknown."""

    inner: Node


@dataclass(frozen=True)
class Joined(Node):
    """`and`, `or`."""

    how: Literal["and", "or"]
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Rule:
    """One rule, as written.

    Attributes:
        verb: `allow`, `deny`, `boost`, `pin` or `quota`; a bare expression is an `allow`.
        where: The items it speaks of; None for all.
        text: As it was written.
        name: What answers call it: the name before the colon, else the text.
        weight: Of a boost.
        item: Of a pin, if it names one; else the best item that `where` holds for.
        rank: Of a pin, from 1.
        most: Of a quota.
        column: Of a quota: it holds for each value of this column. With its place.
    """

    verb: Literal["allow", "deny", "boost", "pin", "quota"]
    where: Node | None
    text: str
    name: str
    weight: float = 1.0
    item: str | None = None
    rank: int = 0
    most: int = 0
    column: Name | None = None


def parse_rule(text: str) -> Rule:
    """Read one rule.

    Raises:
        DataError: It does not parse; the message shows where.
    """
    return _Reader(text).rule()


def parse_expression(text: str) -> Node:
    """Read a condition, such as a request's `filter`.

    Raises:
        DataError: It does not parse; the message shows where.
    """
    return _Reader(text).whole()


class _Reader:
    """Descends through the grammar, one word ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens_of(text)
        self.place = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        token = self.next
        self.place += token.kind != "end"
        return token

    def is_word(self, *words: str) -> bool:
        return self.next.kind in ("name", "sign") and self.next.text in words

    def skip(self, *words: str) -> bool:
        """Go past the word if it is one of these."""
        found = self.is_word(*words)
        if found:
            self.take()
        return found

    def need(self, *words: str) -> None:
        if not self.skip(*words):
            raise self.wrong(f"expected {' or '.join(f'`{word}`' for word in words)}, got {self.next}")

    def wrong(self, what: str, at: int | None = None) -> Exception:
        return refusal(self.text, self.next.at if at is None else at, what)

    def rule(self) -> Rule:
        name = self.text.strip()
        if self.next.kind == "name" and self.tokens[self.place + 1].text == ":":
            name = self.take().text
            self.take()
        verbs = {"allow": self.allow, "deny": self.deny, "boost": self.boost, "pin": self.pin, "quota": self.quota}
        follows = self.tokens[min(self.place + 1, len(self.tokens) - 1)]
        is_column = follows.kind == "sign" or follows.text in AFTER_VALUES
        if self.is_word(*verbs) and not is_column:
            made = verbs[self.take().text](name)
        else:
            made = Rule("allow", self.either(), self.text, name)
        self.end()
        return made

    def whole(self) -> Node:
        found = self.either()
        self.end()
        return found

    def end(self) -> None:
        if self.next.kind != "end":
            raise self.wrong(f"expected the end, `and` or `or`, got {self.next}")

    def allow(self, name: str) -> Rule:
        self.need("where")
        return Rule("allow", self.either(), self.text, name)

    def deny(self, name: str) -> Rule:
        self.need("where")
        return Rule("deny", self.either(), self.text, name)

    def boost(self, name: str) -> Rule:
        token = self.take()
        if token.kind != "factor":
            raise self.wrong(f"expected a factor such as `x1.2`, got {token}", token.at)
        weight = float(token.text[1:])
        if not 1 / MOST_BOOST <= weight <= MOST_BOOST:
            raise self.wrong("a boost lies between x0.000001 and x1000000; `deny` takes items out", token.at)
        self.need("where")
        return Rule("boost", self.either(), self.text, name, weight=weight)

    def pin(self, name: str) -> Rule:
        item = self.take().text if self.next.kind in ("text", "number") else None
        at = self.next.at
        self.need("at")
        rank = self.whole_number("a rank from 1")
        where = self.either() if self.skip("where") else None
        if item is None and where is None:
            raise self.wrong("a pin names an item, or says `where`", at)
        return Rule("pin", where, self.text, name, item=item, rank=rank)

    def quota(self, name: str) -> Rule:
        self.need("at")
        self.need("most")
        most = self.whole_number("a number of items from 1")
        self.need("per")
        token = self.take()
        if token.kind != "column" and (token.kind != "name" or token.text in RESERVED):
            raise self.wrong(f"expected a column, got {token}", token.at)
        where = self.either() if self.skip("where") else None
        return Rule("quota", where, self.text, name, most=most, column=Name(token.at, token.text))

    def whole_number(self, what: str) -> int:
        token = self.take()
        if token.kind != "number" or not token.text.isdecimal() or not 1 <= int(token.text[:12]) < 10**9:
            raise self.wrong(f"expected {what}, got {token}", token.at)
        return int(token.text)

    def either(self) -> Node:
        return self.joined("or", lambda: self.joined("and", self.opposite))

    def joined(self, how: Literal["and", "or"], part: Callable[[], Node]) -> Node:
        at = self.next.at
        parts = [part()]
        while self.skip(how):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(at, how, tuple(parts))

    def opposite(self) -> Node:
        at = self.next.at
        self.deeper()
        found = Not(at, self.opposite()) if self.skip("not") else self.comparison()
        self.depth -= 1
        return found

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"more than {DEEPEST} levels of brackets, signs and `not`")

    def comparison(self) -> Node:
        left = self.sum()
        at = self.next.at
        if self.next.kind == "sign" and self.next.text in COMPARISONS:
            sign = self.take().text
            return Compare(at, "==" if sign == "=" else sign, left, self.sum())
        if self.skip("between"):
            low = self.sum()
            self.need("and")
            return Joined(at, "and", (Compare(at, ">=", left, low), Compare(at, "<=", left, self.sum())))
        if self.skip("is"):
            negated = self.skip("not")
            self.need("null")
            return Not(at, IsNull(at, left)) if negated else IsNull(at, left)
        if self.skip("has"):
            return Has(at, left, self.sum())
        if self.is_word("starts_with", "contains"):
            return self.matches(left, at)
        negated = self.is_word("not") and self.tokens[self.place + 1].text == "in" and bool(self.take())
        if self.skip("in"):
            found = In(at, left, self.values())
            return Not(at, found) if negated else found
        return left

    def matches(self, left: Node, at: int) -> Node:
        how: Literal["starts_with", "contains"] = "contains" if self.take().text == "contains" else "starts_with"
        token = self.take()
        if token.kind != "text":
            raise self.wrong(f"expected text in quotes, got {token}", token.at)
        return Matches(at, how, left, token.text)

    def values(self) -> tuple[Node, ...]:
        self.need("[", "(")
        found = [self.sum()]
        while self.skip(","):
            found.append(self.sum())
        self.need("]", ")")
        return tuple(found)

    def sum(self) -> Node:
        return self.chain(("+", "-"), lambda: self.chain(("*", "/"), self.value))

    def chain(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        left: Node = part()
        while self.next.kind == "sign" and self.next.text in signs:
            token = self.take()
            left = Arithmetic(token.at, token.text, left, part())
        return left

    def value(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return self.number(token)
        if token.kind == "text":
            return Constant(token.at, token.text, "text")
        if token.kind == "sign" and token.text in "(-":
            self.deeper()
            inner = self.bracket() if token.text == "(" else self.negative(token)
            self.depth -= 1
            return inner
        if token.kind == "column":
            return Name(token.at, token.text)
        if token.kind == "name" and token.text not in RESERVED:
            return _named(token)
        raise self.wrong(f"expected a value, got {token}", token.at)

    def bracket(self) -> Node:
        inner = self.either()
        self.need(")")
        return inner

    def negative(self, token: Token) -> Node:
        return Arithmetic(token.at, "-", Constant(token.at, 0.0, "number"), self.value())

    def number(self, token: Token) -> Node:
        value = float(token.text)
        unit = self.next.text.removesuffix("s") if self.next.kind == "name" else ""
        if unit in SECONDS:
            self.take()
            return Constant(token.at, value * SECONDS[unit], "duration")
        return Constant(token.at, value, "number")


def _named(token: Token) -> Node:
    if token.text in ("true", "false"):
        return Constant(token.at, token.text == "true", "truth")
    if token.text == "now":
        return Now(token.at)
    if token.text.startswith("context."):
        return Context(token.at, token.text.removeprefix("context."))
    return Name(token.at, token.text)
