"""What a column looks like, where its name does not tell.

In: a sample of a table's rows. Out: `Traits` of each column, and guesses at roles. It sees samples only, so that its
cost does not grow with the log, and it prefers no answer to a bold one: what it says is shown to the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from horae.data.understanding.names import NEVER_IDS
from horae.data.understanding.times import read_times

__all__ = ["Traits", "by_position", "id_candidates", "is_behavior", "is_time", "numeric_share", "sample_of", "traits"]

SAMPLE_ROWS = 2000
Kind = Literal["empty", "time", "integer", "number", "text", "nested"]
BEHAVIOR_WORDS = frozenset(
    [
        "view",
        "views",
        "pageview",
        "page_view",
        "pv",
        "click",
        "clicks",
        "impression",
        "show",
        "exposure",
        "cart",
        "addtocart",
        "add_to_cart",
        "add-to-cart",
        "basket",
        "remove_from_cart",
        "fav",
        "favorite",
        "favourite",
        "like",
        "likes",
        "dislike",
        "buy",
        "purchase",
        "purchased",
        "order",
        "transaction",
        "checkout",
        "share",
        "collect",
        "bookmark",
        "follow",
        "unfollow",
        "comment",
        "comment_created",
        "rate",
        "rating",
        "play",
        "skip",
        "finish",
        "search",
        "wishlist",
        "save",
        "return",
        "refund",
        "cancel",
        "adjust",
        "login",
        "install",
        "download",
        "subscribe",
        "read",
        "open",
        "watch",
        "listen",
        "点击",
        "浏览",
        "收藏",
        "加购",
        "购买",
        "下单",
    ]
)


@dataclass(frozen=True)
class Traits:
    """One column's sample.

    Attributes:
        name: The column.
        kind: What its values are.
        rows: Known values in the sample.
        distinct: How many of them differ.
        largest: Of the numbers' sizes; 0 for text.
    """

    name: str
    kind: Kind
    rows: int
    distinct: int
    largest: float = 0.0


def sample_of(frame: pl.DataFrame) -> pl.DataFrame:
    """The first rows, and as many spread over the rest."""
    if frame.height <= 2 * SAMPLE_ROWS:
        return frame
    return pl.concat([frame.head(SAMPLE_ROWS), frame.gather_every(frame.height // SAMPLE_ROWS).head(SAMPLE_ROWS)])


def traits(column: pl.Series) -> Traits:
    """Look at one column of a sample."""
    known = column.drop_nulls()
    if known.dtype == pl.String:
        known = known.filter(known.str.strip_chars() != "")
    if known.is_empty():
        return Traits(column.name, "empty", 0, 0)
    if known.dtype.is_nested():
        return Traits(column.name, "nested", len(known), 0)
    distinct = known.n_unique()
    if is_time(known):
        return Traits(column.name, "time", len(known), distinct)
    numbers = _numbers(known)
    if numbers is None:
        return Traits(column.name, "text", len(known), distinct)
    whole = not (numbers % 1 != 0).any()
    kind: Kind = "integer" if whole and not _has_point(known) else "number"
    largest = numbers.abs().max()
    return Traits(column.name, kind, len(known), distinct, float(largest) if isinstance(largest, float) else 0.0)


def is_time(column: pl.Series) -> bool:
    """Whether nearly all values are times of between 1990 and 2040, or written dates."""
    known = column.drop_nulls()
    if known.dtype.is_temporal():
        return known.dtype != pl.Time and known.dtype != pl.Duration
    if not (known.dtype.is_numeric() or known.dtype == pl.String) or known.is_empty():
        return False
    times = read_times(known)
    plausible = times.values.dt.year().is_between(1990, 2040).sum()
    return not times.warning.startswith("no time") and plausible > 0.95 * len(known)


def is_behavior(column: pl.Series) -> bool:
    """Whether every value is a word for a kind of event."""
    if column.dtype != pl.String:
        return False
    words = column.drop_nulls().unique().str.strip_chars().str.to_lowercase().to_list()
    return 0 < len(words) <= 50 and all(word in BEHAVIOR_WORDS for word in words)


def numeric_share(column: pl.Series) -> float:
    """Share of known values that are numbers."""
    known = column.drop_nulls()
    if known.is_empty() or known.dtype.is_numeric():
        return 1.0
    if known.dtype != pl.String:
        return 0.0
    numbers = known.str.strip_chars().str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    return 1 - numbers.null_count() / len(known)


def id_candidates(looks: Sequence[Traits]) -> list[str]:
    """Columns that may be ids: text or whole numbers that repeat, and whose name does not say otherwise."""
    return [
        look.name
        for look in looks
        if look.kind in ("integer", "text")
        and look.distinct > 1
        and (look.rows < 50 or look.distinct < 0.98 * look.rows)
        and not (look.kind == "integer" and look.rows >= 50 and look.distinct <= 12)
        and not NEVER_IDS.search(look.name.casefold())
    ]


def by_position(sample: pl.DataFrame) -> dict[str, str]:
    """Roles in a table without header: user, item, value, time, in this order of columns, kinds of content aside.

    Returns:
        Role -> column, for the roles that were found.
    """
    looks = [traits(sample[name]) for name in sample.columns]
    roles: dict[str, str] = {}
    times = [look.name for look in looks if look.kind == "time"]
    if times:
        roles["timestamp"] = times[-1]
    rest = [look for look in looks if look.kind not in ("empty", "nested") and look.name not in times[-1:]]
    if len(rest) > 2 and _is_row_number(sample[rest[0].name]):
        rest = rest[1:]
    behaviors = [look.name for look in rest if is_behavior(sample[look.name])]
    few = [look.name for look in rest if look.kind == "text" and look.rows >= 50 and look.distinct <= 20]
    if behaviors or (few and len(rest) > 2):
        roles["behavior"] = (behaviors or few)[0]
    rest = [look for look in rest if look.name != roles.get("behavior")]
    if rest:
        roles["user_id"] = rest[0].name
    others = [look for look in rest[1:] if look.kind != "number"]
    if others and not _is_value(others[0], rest[0]):
        roles["item_id"] = others[0].name
    left = [look for look in rest[1:] if look.name != roles.get("item_id")]
    values = [look.name for look in left if look.kind == "number" or (look.kind == "integer" and look.largest <= 1000)]
    if values:
        roles["value"] = values[-1] if "item_id" not in roles else values[0]
    return roles


def _is_value(look: Traits, user: Traits) -> bool:
    """A second column of a few small numbers beside many users is what they gave, not what they gave it to."""
    return look.kind == "integer" and look.rows >= 200 and look.distinct <= 30 < user.distinct and look.largest <= 1000


def _is_row_number(column: pl.Series) -> bool:
    """Counts 0, 1, 2, ... or 1, 2, 3, ... at the beginning, and never goes down after."""
    numbers = column.cast(pl.Int64, strict=False)
    head = numbers.head(10).to_list()
    counts = len(head) > 3 and head[0] in (0, 1) and head == list(range(head[0], head[0] + len(head)))
    return counts and numbers.null_count() == 0 and bool((numbers.diff().drop_nulls() >= 1).all())


def _numbers(known: pl.Series) -> pl.Series | None:
    if known.dtype.is_numeric():
        return known.cast(pl.Float64)
    if known.dtype != pl.String:
        return None
    numbers = known.str.strip_chars().cast(pl.Float64, strict=False)
    return None if numbers.null_count() > 0.02 * len(known) else numbers.drop_nulls()


def _has_point(known: pl.Series) -> bool:
    return known.dtype == pl.String and known.str.contains(".", literal=True).mean() == 1.0
