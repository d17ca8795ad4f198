"""What to know before trusting numbers made from a log: plain words, and what to do. One finding, one function.

In: a description's measures, and the `Signs` that are only looked at here. Out: findings, the gravest first. It
measures nothing itself; its limits are judgements, named at the top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from horae.data.checks import Description

__all__ = ["Finding", "Signs", "findings"]

FEW_TEST_USERS: Final = 500
MANY_TIES: Final = 0.1
MANY_REPEATS: Final = 0.3
MANY_COLD: Final = 0.3
MANY_SHORT: Final = 0.5
MANY_MIDNIGHTS: Final = 0.05
ONE_INSTANT: Final = 0.05
RARE_BEHAVIOR: Final = 0.01
TOP_HEAVY: Final = 0.5


@dataclass(frozen=True)
class Finding:
    """One thing to know: a stable name, a sentence, and an instruction."""

    name: str
    message: str
    hint: str


@dataclass(frozen=True)
class Signs:
    """Measures that only warnings need.

    Attributes:
        unknown_share: Events of unknown time.
        late_users: Users with a target in the newest tenth of events; None without times.
        robots: Users with more than `robots_per_day` events on one day.
        robots_per_day: The line.
        midnight_share: Known times that are exactly midnight.
        peak_share: Events at the single most frequent time.
        short_share: Users with fewer than three events.
        targets: Events that may be targets.
    """

    unknown_share: float
    late_users: int | None
    robots: int
    robots_per_day: int
    midnight_share: float
    peak_share: float
    short_share: float
    targets: int


def findings(described: Description, signs: Signs) -> list[Finding]:
    """All findings about a log."""
    found = (look(described, signs) for look in LOOKS)
    return [one for one in found if one is not None]


def no_targets(described: Description, signs: Signs) -> Finding | None:
    if signs.targets:
        return None
    message = "No event may be a target, so nothing can be trained or judged."
    return Finding("no_targets", message, "Name what is worth recommending: [data] target_behaviors, repeat_targets.")


def no_items(described: Description, signs: Signs) -> Finding | None:
    if described.items is not None:
        return None
    message = "The log has no items: recommending is off, describing and forecasting are not."
    return Finding("no_items", message, "If it has them, name the column: --columns item_id=NAME.")


def one_of_a_kind(described: Description, signs: Signs) -> Finding | None:
    only = [name for name, count in (("user", described.users), ("item", described.items)) if count == 1]
    if not only:
        return None
    message = f"The log has one {' and one '.join(only)}: there is nothing to choose between, or to learn from others."
    return Finding("one_of_a_kind", message, "See whether the right columns were taken: --columns user_id=...")


def unknown_times(described: Description, signs: Signs) -> Finding | None:
    if not signs.unknown_share:
        return None
    who = "No time is known" if signs.unknown_share == 1 else f"{signs.unknown_share:.1%} of the times are unknown"
    message = f"{who}: order alone places events of such users, and what needs time is off for them."
    return Finding("unknown_times", message, "Split with --split leave-one-out or column, unless times can be had.")


def one_time(described: Description, signs: Signs) -> Finding | None:
    if described.span_days != 0 or described.events < 2:
        return None
    message = "All times are equal: the log's order is all that is known, and it cannot be split by time."
    return Finding("one_time", message, "See whether the right column was taken: --columns timestamp=NAME.")


def one_instant(described: Description, signs: Signs) -> Finding | None:
    if signs.peak_share < ONE_INSTANT or described.span_days == 0 or described.resolution == "day":
        return None
    message = f"{signs.peak_share:.1%} of the events carry one and the same time: an import, or a default?"
    return Finding("one_instant", message, "Find out what that time means; [data] earliest or latest can leave it out.")


def whole_days(described: Description, signs: Signs) -> Finding | None:
    if described.resolution != "day" or described.span_days == 0:
        return None
    message = "Times are whole days: order within a day is the log's, and nothing is known about hours."
    return Finding("whole_days", message, "Use finer times if the source has them; do not read the hour profile.")


def half_days(described: Description, signs: Signs) -> Finding | None:
    if described.resolution == "day" or signs.midnight_share < MANY_MIDNIGHTS:
        return None
    message = f"{signs.midnight_share:.1%} of the times are exactly midnight: a part of the log knows only days."
    return Finding("half_days", message, "Distrust the hours, and the order within such days.")


def ties(described: Description, signs: Signs) -> Finding | None:
    if described.ties_share is None or described.ties_share < MANY_TIES:
        return None
    message = (
        f"{described.ties_share:.0%} of the events have the time of the user's event just before: "
        "order inside equal times is taken from the log."
    )
    hint = "If the log's order means nothing there, judge with --ties shuffled too and compare."
    return Finding("ties", message, hint)


def robots(described: Description, signs: Signs) -> Finding | None:
    if not signs.robots:
        return None
    message = f"{signs.robots:,} users have more than {signs.robots_per_day:,} events on one day: robots?"
    return Finding("robots", message, 'Look at them; [data] robots = "drop" leaves them out.')


def few_test_users(described: Description, signs: Signs) -> Finding | None:
    if signs.late_users is None or signs.late_users >= FEW_TEST_USERS:
        return None
    message = f"Only {signs.late_users:,} users have a target in the newest 10% of events: intervals will be wide."
    return Finding("few_test_users", message, "Claim no small differences; test on a larger share, or back-test.")


def cold_items(described: Description, signs: Signs) -> Finding | None:
    share = described.cold["item_share"]
    if share is None or share < MANY_COLD:
        return None
    message = f"{share:.0%} of the newest events are on items that had no event before: who knows ids only misses them."
    return Finding("cold_items", message, "Retrain often, and give item attributes: --catalog FILE.")


def cold_users(described: Description, signs: Signs) -> Finding | None:
    share = described.cold["user_share"]
    if share is None or share < MANY_COLD:
        return None
    message = f"{share:.0%} of the newest events are by users who had no event before."
    return Finding("cold_users", message, "Serve them by their history as it grows; the first gets the fallback.")


def short_histories(described: Description, signs: Signs) -> Finding | None:
    if signs.short_share < MANY_SHORT:
        return None
    message = f"{signs.short_share:.0%} of the users have fewer than three events: there is little order to learn from."
    hint = "See whether user_id names people rather than visits; [data] min_history leaves short ones out."
    return Finding("short_histories", message, hint)


def heavy_repeats(described: Description, signs: Signs) -> Finding | None:
    if described.repeat_share is None or described.repeat_share < MANY_REPEATS:
        return None
    message = f"{described.repeat_share:.0%} of the events are on an item that the user had before."
    return Finding("heavy_repeats", message, "Seen items stay among the recommendations by default.")


def top_heavy(described: Description, signs: Signs) -> Finding | None:
    share = described.popularity["top1_share"]
    if share is None or share < TOP_HEAVY or (described.items or 0) < 100:
        return None
    message = f"The top 1% of items hold {share:.0%} of the events: popularity alone will be hard to beat."
    return Finding("top_heavy", message, "Read coverage and novelty beside accuracy.")


def rare_behaviors(described: Description, signs: Signs) -> Finding | None:
    rare = {name: n for name, n in described.behaviors.items() if n < RARE_BEHAVIOR * described.events}
    if not rare:
        return None
    listed = ", ".join(f"{name} ({count:,})" for name, count in list(rare.items())[:4])
    more = f" and {len(rare) - 4} more" if len(rare) > 4 else ""
    message = f"Behaviors with under 1% of the events: {listed}{more}. Averages will hardly show them."
    return Finding("rare_behaviors", message, "Judge them apart: [data] target_behaviors names what counts.")


LOOKS: Final[tuple[Callable[[Description, Signs], Finding | None], ...]] = (
    no_targets,
    no_items,
    one_of_a_kind,
    unknown_times,
    one_time,
    one_instant,
    whole_days,
    half_days,
    ties,
    robots,
    few_test_users,
    cold_items,
    cold_users,
    short_histories,
    heavy_repeats,
    top_heavy,
    rare_behaviors,
)
