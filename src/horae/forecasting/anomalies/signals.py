"""What every signal is: for each event how odd, and in which words. In: nothing. Out: `Signal`. Knows no log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from horae.data.boundaries import in_words
from horae.forecasting.anomalies.tails import Side

__all__ = ["Signal", "span"]


@dataclass(frozen=True, eq=False)
class Signal:
    """One question about each event.

    Attributes:
        name: `item`, `habit`, `time`, `value`, `burst`, `regular` or `awake`.
        sides: Ways to be odd, over the events asked about.
        words: What is odd about the event with this number, in words.
    """

    name: str
    sides: tuple[Side, ...]
    words: Callable[[int], str]


def span(seconds: float) -> str:
    """A length of time in words."""
    return in_words(timedelta(seconds=round(seconds, 3)))
