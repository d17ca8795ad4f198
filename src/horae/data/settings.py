"""The recipe's `[data]` table: how a raw log is cleaned. Every default keeps rows rather than losing them.

In: plain values, from a recipe or from Python. Out: `DataSettings`, checked. It knows no log.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from horae.errors import RecipeError

__all__ = ["DataSettings", "parse_time"]

FIRST_POSSIBLE: Final = datetime(1971, 1, 1, tzinfo=UTC)
"""Zero and its neighbours are how systems write "unknown"; behaviour logs of 1970 do not exist."""
LAST_POSSIBLE: Final = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DataSettings:
    """How a raw log becomes Events.

    Attributes:
        timezone: Zone of times written without one, such as "Europe/Berlin"; left out: UTC.
        max_bad: Largest share of unreadable rows that is set aside rather than refused.
        earliest: ISO date or time; events before it are dropped. Also moves the bound of possible times (1971).
        latest: ISO date (that day included) or time; events after it are dropped. Also moves the bound (2100).
        duplicates: Rows equal in every column: `drop` all but the first, or `keep`.
        repeats: Events of one user, item and behavior within `repeat_window_seconds` of the one before: `keep`, or
            of each such run only the `first` or the `last`.
        repeat_window_seconds: 0 means at the very same time.
        outliers: Values far from what is usual for their behavior: `keep` (and report), `clip` to the bound, `null`
            (unknown) or `drop` the event.
        outlier_method: What is far: `mad` (deviations from the median), `iqr` (fences around the quartiles) or
            `isolation_forest` (extra `series`).
        outlier_deviations: `mad`: one deviation is 1.4826 times the median absolute deviation.
        outlier_fences: `iqr`: so many interquartile ranges below the first quartile or above the third.
        outlier_share: `isolation_forest`: the share of a behavior's values that is taken for far.
        missing: Unknown values: `keep`, or fill from those of the same user and behavior by `forward_fill` or `mean`
            (both look at earlier events alone), or, with `fit_until`, by `mean`, `median`, `linear` (by order) or
            `time` (by the clock) of the events before it.
        fit_until: ISO date or time before which values are learned from, by `outliers` and `missing`: where the test
            part begins, or earlier. Events from it on are filled from earlier events alone.
        robots: Users with more than `robots_per_day` events on one day (UTC): `keep` (and warn) or `drop`.
        robots_per_day: 2,000 is one event every 43 seconds around the clock.
        min_history: Users with fewer events are dropped, once, before the core is taken.
        min_user_events: k-core, users' side: taken together with `min_item_events` until nothing changes.
        min_item_events: k-core, items' side.
        target_behaviors: Behaviors worth recommending; empty: all but cancel, return, remove, dislike, unfollow,
            impression.
        repeat_targets: May an event on the same item as the one just before it be a target?
        weak_labels: What a target counts, by columns that say how it went: `{dwell_seconds = 30.0}` counts in full from
            30 on, in part below, and not at all from 0 down; of several columns the least counts.
        skips: A column of flags: an event that was skipped is history, and no target.

    Raises:
        RecipeError: A value that is not possible, or a key that has no effect beside the others.
    """

    timezone: str | None = None
    max_bad: float = 0.01
    earliest: str | None = None
    latest: str | None = None
    duplicates: Literal["drop", "keep"] = "drop"
    repeats: Literal["keep", "first", "last"] = "keep"
    repeat_window_seconds: float = 0.0
    outliers: Literal["keep", "clip", "null", "drop"] = "keep"
    outlier_method: Literal["mad", "iqr", "isolation_forest"] = "mad"
    outlier_deviations: float = 20.0
    outlier_fences: float = 3.0
    outlier_share: float = 0.01
    missing: Literal["keep", "forward_fill", "mean", "median", "linear", "time"] = "keep"
    fit_until: str | None = None
    robots: Literal["keep", "drop"] = "keep"
    robots_per_day: int = 2_000
    min_history: int = 1
    min_user_events: int = 1
    min_item_events: int = 1
    target_behaviors: tuple[str, ...] = ()
    repeat_targets: bool = False
    weak_labels: dict[str, float] = field(default_factory=dict)
    skips: str | None = None

    def __post_init__(self) -> None:
        for name in ("robots_per_day", "min_history", "min_user_events", "min_item_events"):
            _need(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        _need(0 <= self.max_bad < 1, "max_bad", self.max_bad, "a share from 0 to below 1")
        _need(self.repeat_window_seconds >= 0, "repeat_window_seconds", self.repeat_window_seconds, "0 or more")
        _need(self.outlier_deviations > 0, "outlier_deviations", self.outlier_deviations, "more than 0")
        _need(self.first_time < self.last_time, "earliest", self.earliest, f"before latest ({self.last_time:%Y-%m-%d})")
        for name, full in self.weak_labels.items():
            if not 0 < full < float("inf"):
                raise RecipeError(
                    f"[data] weak_labels.{name} = {full}: expected more than 0.",
                    hint="Give the amount from which an event counts in full.",
                )
        self._check_values()
        if self.repeats == "keep" and self.repeat_window_seconds:
            raise _no_effect("repeat_window_seconds", 'repeats = "keep"', 'Set repeats = "first" or "last" too.')
        if 1 < self.min_history <= self.min_user_events:
            raise _no_effect("min_history", f"min_user_events = {self.min_user_events}", "Remove one of the two.")

    def _check_values(self) -> None:
        """The keys of `value`: what is possible, and what has an effect."""
        _need(self.outlier_fences > 0, "outlier_fences", self.outlier_fences, "more than 0")
        _need(0 < self.outlier_share <= 0.5, "outlier_share", self.outlier_share, "a share above 0, up to 0.5")
        own = {"mad": "outlier_deviations", "iqr": "outlier_fences", "isolation_forest": "outlier_share"}
        for method, name in own.items():
            if method != self.outlier_method and getattr(self, name) != getattr(DataSettings, name):
                beside = f'outlier_method = "{self.outlier_method}"'
                raise _no_effect(name, beside, f'Set outlier_method = "{method}", or remove it.')
        if self.fit_until is None:
            if self.missing in ("median", "linear", "time"):
                raise RecipeError(
                    f'[data] missing = "{self.missing}" looks at later events, so it needs fit_until.',
                    hint='Give fit_until, the time where the test part begins, or use "forward_fill" or "mean".',
                )
            return
        parse_time(self.fit_until, "[data] fit_until")
        if self.outliers == "keep" and self.missing in ("keep", "forward_fill"):
            beside = f'outliers = "keep" and missing = "{self.missing}"'
            raise _no_effect("fit_until", beside, "Remove it: nothing is learned.")

    @property
    def first_time(self) -> datetime:
        """Events before this are impossible, or unwanted where `earliest` says so."""
        return FIRST_POSSIBLE if self.earliest is None else parse_time(self.earliest, "[data] earliest")

    @property
    def last_time(self) -> datetime:
        """Events at or after this are impossible, or unwanted where `latest` says so."""
        if self.latest is None:
            return LAST_POSSIBLE
        moment = parse_time(self.latest, "[data] latest")
        return moment + (timedelta(days=1) if _is_date(self.latest) else timedelta(microseconds=1))


def parse_time(text: str, where: str, zone: str | None = None) -> datetime:
    """An ISO date or time, of the zone (UTC) where it names none.

    Raises:
        RecipeError: Not ISO 8601; `where` names the setting.
    """
    try:
        moment = datetime.combine(date.fromisoformat(text), time()) if _is_date(text) else datetime.fromisoformat(text)
    except ValueError as error:
        raise RecipeError(
            f"{where} = {text!r} is not a date or time.", hint="Write it like 2024-05-31 or 2024-05-31T18:00:00+02:00."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone or "UTC"))).astimezone(UTC)


def _is_date(text: str) -> bool:
    return len(text) <= len("2024-05-31")


def _need(holds: bool, name: str, value: object, expected: str) -> None:
    assert name in {one.name for one in fields(DataSettings)}
    if not holds:
        raise RecipeError(f"[data] {name} = {value!r} is not possible.", hint=f"Give {expected}.")


def _no_effect(name: str, beside: str, hint: str) -> RecipeError:
    return RecipeError(f"[data] {name} has no effect with {beside}.", hint=hint)
