"""A description as text for one screen: 80 columns, 45 lines.

In: a `Description`. Out: text with small bars for hours and weekdays; warnings that do not fit are counted. It does
not know where the text goes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from horae.data.checking.findings import Finding

if TYPE_CHECKING:
    from horae.data.checks import Description

__all__ = ["duration", "summary"]

BARS: Final = " ▁▂▃▄▅▆▇█"
WIDTH: Final = 80
MAX_LINES: Final = 45
DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
DURATIONS: Final = (("y", 365.25 * 86_400), ("d", 86_400), ("h", 3_600), ("min", 60))


def summary(described: Description) -> str:
    """The whole screen."""
    lines = [*_size_lines(described), "", *_shape_lines(described)]
    if described.hour_profile:
        lines += ["", *_rhythm_lines(described)]
    return "\n".join([*lines, *_warning_lines(described.warnings, MAX_LINES - len(lines))])


def duration(seconds: float) -> str:
    """Seconds for a person: `45 s`, `3.2 h`, `12.4 d`."""
    for name, unit in DURATIONS:
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:g} s" if seconds >= 1 or not seconds else f"{seconds * 1000:g} ms"


def _size_lines(described: Description) -> list[str]:
    items = "no items" if described.items is None else f"{described.items:,} items"
    lines = [f"{described.events:,} events of {described.users:,} users, {items}"]
    if described.first is None or described.last is None or described.span_days is None:
        return [*lines, "times unknown: order only"]
    span = duration(described.span_days * 86_400)
    first, last = (moment[:16].replace("T", " ") for moment in (described.first, described.last))
    return [*lines, f"{first} to {last} UTC ({span}), times to the {described.resolution}"]


def _shape_lines(described: Description) -> list[str]:
    total = max(described.events, 1)
    kinds = [f"{name} {count / total:.1%}" for name, count in described.behaviors.items()]
    more = f" and {len(kinds) - 5} more" if len(kinds) > 5 else ""
    lines = [
        *_spread_lines(described),
        *textwrap.wrap(_line("behaviors", ", ".join(kinds[:5]) + more), WIDTH, subsequent_indent=" " * 13),
    ]
    curve = described.popularity
    if curve["gini"] is not None:
        top = f"top 1% of items hold {curve['top1_share']:.1%} of events, top 10% {curve['top10_share']:.1%}"
        lines += [_line("popularity", f"{top}; Gini {curve['gini']:.2f}")]
    if described.repeat_share is not None:
        lines += [_line("repeats", f"{described.repeat_share:.1%} of events are on an item that the user had before")]
    if described.ties_share is not None:
        lines += [_line("ties", f"{described.ties_share:.1%} of events have the time of the user's event just before")]
    if described.cold["user_share"] is not None:
        items = "" if described.cold["item_share"] is None else f", {described.cold['item_share']:.1%} on new items"
        lines += [_line("cold", f"newest 10%: {described.cold['user_share']:.1%} by new users{items}")]
    return lines


def _spread_lines(described: Description) -> list[str]:
    """Lengths and gaps as a small table: a tenth of users lies below the first figure, a tenth above the last."""
    length = described.history_length
    cells = [f"{length[name]:,.0f}" for name in ("p10", "p50", "p90")]
    means = f"   mean {length['mean']:,.1f}, longest {length['max']:,.0f}"
    lines = [_row("", ["10%", "middle", "90%"]), _row("events per user", cells) + means]
    gaps = [duration(seconds) for seconds in described.gap_seconds.values() if seconds is not None]
    return [*lines, _row("time between", gaps)] if gaps else lines


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<16}" + "".join(f"{cell:>11}" for cell in cells)


def _rhythm_lines(described: Description) -> list[str]:
    hours = _bars(described.hour_profile)
    days = "  ".join(f"{day} {bar}" for day, bar in zip(DAYS, _bars(described.weekday_profile), strict=True))
    shown = [] if described.resolution == "day" else [_line("hours UTC", f"0 {hours[:12]}│{hours[12:]} 24")]
    return [*shown, _line("weekdays", days), *_found_lines(described)]


def _found_lines(described: Description) -> list[str]:
    """The periods, the slope and the breaks that were found, a line or two each."""
    periods = [
        f"{duration(one['period_seconds'])} ({one['amplitude']:.0%}, peak {_peak(one)})" for one in described.rhythm[:3]
    ]
    more = f" and {len(described.rhythm) - 3} more" if len(described.rhythm) > 3 else ""
    lines = [_line("rhythm", ", ".join(periods) + more)] if periods else []
    trend = described.trend or {}
    if trend.get("slope_per_day") is not None:
        lines.append(_line("trend", _trend(trend)))
    wrapped = (textwrap.wrap(line, WIDTH, subsequent_indent=" " * 13) for line in lines)
    return [line for lines in wrapped for line in lines[:2]]


def _peak(rhythm: Mapping[str, Any]) -> str:
    """When it peaks: the hour of a day, the day of a week, else the last one's date."""
    days = rhythm["period_seconds"] / 86_400
    if abs(days - 1) < 1e-6:
        return f"{rhythm['last_peak'][11:16]}"
    if abs(days - 7) < 1e-6:
        return DAYS[datetime.fromisoformat(rhythm["last_peak"]).weekday()]
    return f"{rhythm['last_peak'][:16].replace('T', ' ')}"


def _trend(trend: Mapping[str, Any]) -> str:
    slope = f"{trend['level_per_day']:,.4g} events a day, {trend['slope_per_day']:+,.3g} each day"
    breaks = trend["breaks"]
    if breaks is None:
        return f"{slope}; breaks: {trend.get('hint', 'not sought')}"
    told = [f"{one['kind']} {one['at'][:10]}" for one in breaks[:3]]
    more = f" and {len(breaks) - 3} more" if len(breaks) > 3 else ""
    return f"{slope}; {', '.join(told) + more or 'no breaks'}"


def _bars(shares: Sequence[float]) -> str:
    top = max(shares) or 1.0
    return "".join(BARS[min(8, round(8 * share / top + (0.5 if share else 0)))] for share in shares)


def _warning_lines(warnings: Sequence[Finding], room: int) -> list[str]:
    if not warnings:
        return ["", "nothing to warn of"]
    blocks = [
        [
            *textwrap.wrap(f"! {found.message}", WIDTH, subsequent_indent="  "),
            *textwrap.wrap(f"-> {found.hint}", WIDTH, initial_indent="  ", subsequent_indent="     "),
        ]
        for found in warnings
    ]
    lines = [""]
    for shown, block in enumerate(blocks):
        if len(lines) + len(block) > room - 1:
            return [*lines, f"! and {len(blocks) - shown} more; --json and the HTML page have them all"]
        lines += block
    return lines


def _line(name: str, text: str) -> str:
    return f"{name:<12} {text}"
