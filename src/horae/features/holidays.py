"""Days that are not like others: holidays of a country, and days on which people are paid.

In: a range of dates. Out: which of them are such days, as sorted days since 1970. Holidays are known by the library
`holidays` (extra `series`); where it knows none for a year, there are none.
"""

from __future__ import annotations

import calendar
import difflib
import importlib
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from horae.errors import DataError, MissingExtraError
from horae.features.activity import Ints

__all__ = ["check_pay_days", "holiday_days", "pay_days_between"]

EPOCH: Final = date(1970, 1, 1)
PAY_WORDS: Final = ("last weekday", "last day")


def holiday_days(country: str, first_day: int, last_day: int, region: str | None = None) -> Ints:
    """The public holidays of a country, as days since 1970, from a year before the first day to a year after the last.

    Args:
        country: ISO 3166 code, such as `DE`, `CN`, `US`.
        first_day: Days since 1970.
        last_day: Days since 1970.
        region: Of the country, as the library names it, such as `BY` (Bavaria).

    Raises:
        DataError: The library knows no such country or region.
        MissingExtraError: It is not installed.
    """
    library = _need_holidays()
    _check_country(library, country, region)
    years = range((EPOCH + timedelta(days=first_day)).year - 1, (EPOCH + timedelta(days=last_day)).year + 2)
    found = library.country_holidays(country.upper(), subdiv=region, years=years)
    return np.array(sorted((day - EPOCH).days for day in found), dtype=np.int64)


def pay_days_between(rules: Sequence[str | int], first_day: int, last_day: int) -> Ints:
    """The days that the rules name, from a month before the first day to a month after the last.

    Args:
        rules: `last weekday` (the month's last day from Monday to Friday), `last day`, or days of the month; 31 is the
            last day of shorter months.
        first_day: Days since 1970.
        last_day: Days since 1970.

    Raises:
        DataError: A rule that is none of these.
    """
    check_pay_days(rules)
    start, end = (EPOCH + timedelta(days=day) for day in (first_day - 31, last_day + 31))
    months = range(start.year * 12 + start.month - 1, end.year * 12 + end.month)
    days = {(_pay_day(rule, *divmod(month, 12)) - EPOCH).days for month in months for rule in rules}
    return np.array(sorted(days), dtype=np.int64)


def check_pay_days(rules: Sequence[str | int]) -> None:
    """Are these rules?

    Raises:
        DataError: One is not.
    """
    for rule in rules:
        if rule not in PAY_WORDS and not (str(rule).isdigit() and 1 <= int(rule) <= 31):
            raise DataError(f"There is no pay day {rule!r}.", hint="Use last weekday, last day, or a day such as 15.")


def _pay_day(rule: str | int, year: int, month_before: int) -> date:
    month = month_before + 1
    length = calendar.monthrange(year, month)[1]
    if rule == "last weekday":
        last = date(year, month, length)
        return last - timedelta(days=max(0, last.weekday() - 4))
    return date(year, month, length if rule == "last day" else min(int(rule), length))


def _need_holidays() -> Any:
    try:
        return importlib.import_module("holidays")
    except ImportError as error:
        raise MissingExtraError(
            "Holidays need the library holidays, which is not installed.",
            hint="Install it with: pip install 'horae[series]'",
        ) from error


def _check_country(library: Any, country: str, region: str | None) -> None:
    known: dict[str, list[str]] = library.list_supported_countries(include_aliases=True)
    if country.upper() not in known:
        near = difflib.get_close_matches(country.upper(), known, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Give its ISO code."
        raise DataError(f"No holidays are known of the country {country!r}.", hint=f"{hint} For example DE, CN, US.")
    if region is not None and region not in known[country.upper()]:
        parts = ", ".join(known[country.upper()][:20]) or "none"
        raise DataError(f"{country} has no region {region!r} with holidays.", hint=f"Known regions: {parts}.")
