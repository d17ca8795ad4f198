"""Trailing windows and half-lives, as people write them: `7d`, `1h`, `30min`, `n10`, `all`.

In: text. Out: `Window`, or microseconds. It knows neither events nor columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from horae.errors import RecipeError

__all__ = ["DAY", "HOUR", "Window", "duration", "durations", "windows_of"]

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
UNITS: Final = {"s": SECOND, "min": 60 * SECOND, "h": HOUR, "d": DAY, "w": 7 * DAY}
LONGEST: Final = 100 * 366 * DAY
TEXT: Final = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d|w)")
LAST: Final = re.compile(r"n(\d{1,9})")
HINT: Final = "Write a time as 30min, 1h, 7d or 4w; among windows n10 is the last ten events, and all is everything."


@dataclass(frozen=True)
class Window:
    """What trails behind a moment t: the time from t - `micros` to before t, or the last `events` events, or all.

    Attributes:
        name: As it stands in column names.
        micros: Length in microseconds; None where it is not a span of time.
        events: Number of events; None where it is not counted.
    """

    name: str
    micros: int | None = None
    events: int | None = None

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read one window.

        Raises:
            RecipeError: Not a window, or one of no length.
        """
        name = text.strip()
        if name == "all":
            return cls(name)
        if last := LAST.fullmatch(name):
            if int(last[1]) == 0:
                raise RecipeError(f"Window {text!r} holds no event.", hint="Give n1 or more.")
            return cls(name, events=int(last[1]))
        return cls(name, micros=duration(name, "Window"))


def windows_of(texts: Iterable[str]) -> tuple[Window, ...]:
    """Read several windows.

    Raises:
        RecipeError: One is wrong, or named twice, or there is none.
    """
    windows = tuple(Window.parse(text) for text in texts)
    _each_once([window.name for window in windows], "window")
    return windows


def durations(texts: Iterable[str], what: str) -> dict[str, int]:
    """Names and microseconds of several durations.

    Raises:
        RecipeError: One is wrong, or named twice, or there is none.
    """
    names = [text.strip() for text in texts]
    _each_once(names, what)
    return {name: duration(name, what.capitalize()) for name in names}


def duration(text: str, what: str) -> int:
    """Microseconds of a duration such as 90min.

    Raises:
        RecipeError: Not a duration, negative, zero, or over a hundred years.
    """
    name = text.strip()
    if name.startswith("-"):
        raise RecipeError(f"{what} {text!r} is negative: it would look into the future.", hint=f"Give {name[1:]}.")
    found = TEXT.fullmatch(name)
    if not found:
        raise RecipeError(f"{what} {text!r} is not a length of time.", hint=HINT)
    micros = round(float(found[1]) * UNITS[found[2]])
    if not 0 < micros <= LONGEST:
        raise RecipeError(f"{what} {text!r} is not possible.", hint="Give more than nothing, and at most 100 years.")
    return micros


def _each_once(names: list[str], what: str) -> None:
    if not names:
        raise RecipeError(f"No {what} is given.", hint="Give at least one, such as 7d.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecipeError(f"The {what} {twice[0]} is given twice.", hint="Name each once.")
