"""What a log is like, on one page: `describe`.

In: Events. Out: a `Description`, as text (`summary`), as JSON, or as HTML (`pages`).
It measures (`measures`), warns in plain words with what to do (`findings`), and changes nothing. Rhythm and trend are
added by `horae.features.describing`, which is what `horae.describe` is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from horae.data.checking import measures
from horae.data.checking.findings import Finding, Signs, findings
from horae.data.checking.measures import Numbers, repeat_share, ties_share
from horae.data.checking.summary import summary
from horae.data.cleaning.thin import busiest_days
from horae.data.settings import DataSettings
from horae.schema import BEHAVIOR, DataReport, Events

__all__ = ["Description", "Finding", "describe", "repeat_share", "ties_share"]


@dataclass(frozen=True)
class Description:
    """A log's measures and what follows from them. Shares are from 0 to 1; what cannot be known is None.

    Attributes:
        first: The earliest known time, ISO 8601, UTC.
        resolution: The coarsest unit that holds every time.
        behaviors: Events of each, most frequent first.
        history_length: Events per user: `mean, p10, p50, p90, max`.
        gap_seconds: Between a user's successive events: `p10, p50, p90`.
        popularity: `gini`; `top1_share` and `top10_share`, the share of events on the top 1% and 10% of items.
        repeat_share: Events on an item that their user had before.
        ties_share: Events at the time of their user's event just before.
        cold: Of the newest tenth of events, `user_share` and `item_share` on users and items without events before.
        hour_profile: Share of events by hour of the day, UTC; empty without times.
        weekday_profile: By weekday, Monday first.
        rhythm: Periods of the activity, each `period_seconds`, `amplitude` (of the mean rate), `phase_seconds` (a peak
            since 1970, modulo the period), `last_peak` (ISO 8601), `strength` (0 to 1), `p_value`.
        trend: `slope_per_day` and `level_per_day` (events per day), `breaks` (each `at`, `kind`, `before_per_day`,
            `after_per_day`; None with a `hint` where they could not be sought); None without times.
        warnings: What to know before trusting numbers made from this log.
        report: What cleaning did.
    """

    events: int
    users: int
    items: int | None
    first: str | None
    last: str | None
    resolution: str | None
    span_days: float | None
    behaviors: Mapping[str, int]
    history_length: Mapping[str, float]
    gap_seconds: Mapping[str, float | None]
    popularity: Mapping[str, float | None]
    repeat_share: float | None
    ties_share: float | None
    cold: Mapping[str, float | None]
    hour_profile: Sequence[float]
    weekday_profile: Sequence[float]
    rhythm: Sequence[Mapping[str, Any]] = ()
    trend: Mapping[str, Any] | None = None
    warnings: Sequence[Finding] = ()
    report: DataReport = field(default_factory=DataReport)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types only; keys are stable."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("behaviors", "history_length", "gap_seconds", "popularity", "cold"):
            plain[name] = dict(plain[name])
        for name in ("hour_profile", "weekday_profile"):
            plain[name] = list(plain[name])
        plain["rhythm"] = [dict(one) for one in self.rhythm]
        plain["trend"] = None if self.trend is None else dict(self.trend)
        return plain | {"warnings": [vars(found).copy() for found in self.warnings], "report": self.report.as_dict()}

    def __str__(self) -> str:
        return summary(self)


def describe(events: Events, settings: DataSettings | None = None, numbers: Numbers | None = None) -> Description:
    """Measure a log and say what to know about it.

    Args:
        events: Cleaned.
        settings: Where its `robots_per_day` draws the line.
        numbers: Of these events, where they are at hand.
    """
    log = numbers or Numbers.of(events)
    lengths, counts = measures.history_lengths(log), measures.popularity(log)
    some, cold = bool(len(log.sorted_T)), measures.cold_shares(log)
    described = Description(
        events=len(events),
        users=len(lengths),
        items=len(counts) if events.has_items else None,
        first=_iso(log.sorted_T[0]) if some else None,
        last=_iso(log.sorted_T[-1]) if some else None,
        resolution=measures.resolution(log),
        span_days=float(log.sorted_T[-1] - log.sorted_T[0]) / 86_400e6 if some else None,
        behaviors=_behaviors(events),
        history_length={"mean": float(lengths.mean()), **_quantiles(lengths, 10, 50, 90), "max": float(lengths.max())},
        gap_seconds=_quantiles(measures.gap_seconds(log), 10, 50, 90),
        popularity=_popularity(counts),
        repeat_share=measures.repeat_share(log) if events.has_items else None,
        ties_share=measures.ties_share(log) if some else None,
        cold={"user_share": cold[0] if cold else None, "item_share": cold[1] if cold and events.has_items else None},
        hour_profile=measures.hour_profile(log).tolist() if some else [],
        weekday_profile=measures.weekday_profile(log).tolist() if some else [],
        report=events.report,
    )
    return replace(described, warnings=findings(described, _signs(events, log, lengths, settings or DataSettings())))


def _signs(events: Events, log: Numbers, lengths: npt.NDArray[np.int64], settings: DataSettings) -> Signs:
    busy = lengths.max() > settings.robots_per_day and len(log.sorted_T)
    return Signs(
        unknown_share=1 - len(log.sorted_T) / len(events),
        late_users=measures.late_users(log),
        robots=int((busiest_days(events.frame)[1] > settings.robots_per_day).sum()) if busy else 0,
        robots_per_day=settings.robots_per_day,
        midnight_share=measures.midnight_share(log),
        peak_share=measures.peak_share(log),
        short_share=float((lengths < 3).mean()),
        targets=int(log.target_N.sum()),
    )


def _behaviors(events: Events) -> dict[str, int]:
    names = events.frame.schema[BEHAVIOR].categories.to_list()  # type: ignore[attr-defined]
    counts = np.bincount(events.frame[BEHAVIOR].to_physical().to_numpy(), minlength=len(names))
    order = sorted(range(len(names)), key=lambda kind: (-counts[kind], names[kind]))
    return {names[kind]: int(counts[kind]) for kind in order if counts[kind]}


def _popularity(counts: npt.NDArray[np.int64]) -> dict[str, float | None]:
    if not len(counts):
        return {"gini": None, "top1_share": None, "top10_share": None}
    top1, top10 = (measures.top_share(counts, share) for share in (0.01, 0.1))
    return {"gini": measures.gini(counts), "top1_share": top1, "top10_share": top10}


def _quantiles(values: npt.NDArray[Any], *percents: int) -> dict[str, Any]:
    """Observed values, not blends of two, so that they mean something for counts and for a log's time unit."""
    if not len(values):
        return {f"p{percent}": None for percent in percents}
    ranks = [min(len(values) - 1, len(values) * percent // 100) for percent in percents]
    ordered = np.partition(values, ranks)
    return {f"p{percent}": float(ordered[rank]) for percent, rank in zip(percents, ranks, strict=True)}


def _iso(micros: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))).isoformat()
