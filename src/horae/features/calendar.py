"""What the calendar says of a moment, where the one who asks lives: hour, weekday, holidays, pay day, promotions.

In: times of requests, a time zone (or one for each row), and what special days there are. Out: one column for each of
`CALENDAR`. It looks at no events: nothing here can leak but a promotion, and those are asked as of the moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from horae.features.activity import DAY, HOUR, Floats, Ints
from horae.features.feature import Columns, Feature
from horae.features.holidays import check_pay_days, holiday_days, pay_days_between
from horae.features.promotions import Promotions
from horae.features.zones import local_days, local_seconds, weekdays

__all__ = ["CALENDAR", "CalendarSettings", "calendar"]

UNKNOWN: Final = "the time is unknown"

CALENDAR: Final = (
    Feature("hour", "hours, 0 to 23", UNKNOWN, "hour of the local day"),
    Feature("weekday", "0 (Monday) to 6", UNKNOWN, "local weekday"),
    Feature("day_of_month", "1 to 31", UNKNOWN, "local day of the month"),
    Feature("day_of_year", "1 to 366", UNKNOWN, "local day of the year"),
    Feature("month", "1 to 12", UNKNOWN, "local month"),
    Feature("week_of_year", "1 to 53", UNKNOWN, "ISO 8601 week: the first has the year's first Thursday"),
    Feature("is_weekend", "0 or 1", UNKNOWN, "whether the weekday is one of the weekend's"),
    Feature("is_holiday", "0 or 1", f"{UNKNOWN}; no country is named", "whether the local day is a public holiday"),
    Feature("days_to_holiday", "days", f"{UNKNOWN}; no country is named; none within a year", "0 on one"),
    Feature("days_since_holiday", "days", f"{UNKNOWN}; no country is named; none within a year", "0 on one"),
    Feature("days_to_pay_day", "days", f"{UNKNOWN}; no pay day is named", "0 on one"),
    Feature("days_since_pay_day", "days", f"{UNKNOWN}; no pay day is named", "0 on one"),
    Feature("promotions_running", "count", f"{UNKNOWN}; no table of promotions", "announced, begun, not yet ended"),
    Feature("days_to_promotion_end", "days", "none is running", "until the first of those running ends"),
    Feature("days_to_promotion", "days", "none is announced", "until the next announced one begins"),
    Feature("days_since_promotion", "days", "none has ended", "since the last one ended"),
)


@dataclass(frozen=True)
class CalendarSettings:
    """Which calendar.

    Attributes:
        country: Whose holidays, as ISO code; None: holidays are null. Needs the extra `series`.
        region: Of the country, where it has holidays of its own.
        pay_days: `last weekday`, `last day` or days of the month; empty: pay days are null.
        weekend: Weekdays, 0 for Monday.
    """

    country: str | None = None
    region: str | None = None
    pay_days: tuple[str | int, ...] = ("last weekday",)
    weekend: tuple[int, ...] = (5, 6)

    def __post_init__(self) -> None:
        check_pay_days(self.pay_days)


def calendar(
    at_Q: Floats,
    zone: str | Sequence[str | None] | pl.Series = "UTC",
    settings: CalendarSettings | None = None,
    promotions: pl.DataFrame | Promotions | None = None,
    *,
    blank: bool = True,
) -> Columns:
    """The columns of `CALENDAR` at these moments.

    Args:
        at_Q: Epoch seconds; NaN: unknown, and everything is null.
        zone: Where the one who asks lives: one for all, or one for each row (null there: UTC).
        settings: Which calendar.
        promotions: `name, start, end` and perhaps `known_at`.
        blank: Columns that the settings say nothing of are there, and null; else they are not there.

    Raises:
        DataError: An unknown zone, country, region or pay day; promotions that cannot be.
        MissingExtraError: A country is named and `holidays` is not installed.
    """
    settings = settings or CalendarSettings()
    local = local_seconds(at_Q, zone)
    unknown, day = np.isnan(local), local_days(local)
    weekday = weekdays(day)
    dates = pl.Series(day).cast(pl.Int32).cast(pl.Date)
    values: dict[str, Floats] = {
        "hour": np.floor(np.nan_to_num(local) % DAY / HOUR),
        "weekday": weekday.astype(np.float64),
        "day_of_month": _part(dates.dt.day()),
        "day_of_year": _part(dates.dt.ordinal_day()),
        "month": _part(dates.dt.month()),
        "week_of_year": _part(dates.dt.week()),
        "is_weekend": np.isin(weekday, settings.weekend).astype(np.float64),
        **_special(day, unknown, settings),
    }
    columns = {name: np.where(unknown, np.nan, column).astype(np.float32) for name, column in values.items()}
    if promotions is not None:
        columns |= (promotions if isinstance(promotions, Promotions) else Promotions.of(promotions)).as_of(at_Q)
    if not blank:
        return {name: columns[name] for name in _told(settings, promotions is not None) if name in columns}
    nothing = np.full(len(at_Q), np.nan, dtype=np.float32)
    return {one.name: columns.get(one.name, nothing.copy()) for one in CALENDAR}


def _told(settings: CalendarSettings, promoted: bool) -> list[str]:
    silent = {"holiday": settings.country is None, "pay_day": not settings.pay_days, "promotion": not promoted}
    return [one.name for one in CALENDAR if not any(off and word in one.name for word, off in silent.items())]


def _special(day: Ints, unknown: np.typing.NDArray[np.bool_], settings: CalendarSettings) -> dict[str, Floats]:
    """Distances in local days to the days of each kind."""
    known = day[~unknown]
    if not len(known):
        return {}
    first, last = int(known.min()), int(known.max())
    found: dict[str, Floats] = {}
    if settings.country is not None:
        holidays = holiday_days(settings.country, first, last, settings.region)
        found["days_to_holiday"], found["days_since_holiday"] = _distances(day, holidays)
        found["is_holiday"] = (found["days_to_holiday"] == 0).astype(np.float64)
    if settings.pay_days:
        pay = pay_days_between(settings.pay_days, first, last)
        found["days_to_pay_day"], found["days_since_pay_day"] = _distances(day, pay)
    return found


def _distances(day: Ints, special: Ints) -> tuple[Floats, Floats]:
    """Days to the next special day and since the last, both 0 on one; NaN where there is none."""
    padded = np.concatenate([[-np.inf], special.astype(np.float64), [np.inf]])
    following = padded[1 + np.searchsorted(special, day, side="left")] - day
    previous = day - padded[np.searchsorted(special, day, side="right")]
    return tuple(np.where(np.isfinite(one), one, np.nan) for one in (following, previous))  # type: ignore[return-value]


def _part(values: pl.Series) -> Floats:
    return np.asarray(values.cast(pl.Float64).to_numpy(), dtype=np.float64)
