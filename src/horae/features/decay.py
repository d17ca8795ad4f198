"""Exponentially decayed counts: every past event counts one when it happens, and half as much after each half-life.

In: lines and moments. Out: float32 columns. Safe for half-lives of an hour over decades: nothing overflows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

import numpy as np

from horae.features.book import LineBlock
from horae.features.group import Column, Feature, Wishes, blank
from horae.features.moments import Moments
from horae.features.recency import UNKNOWN
from horae.features.scans import FloatArray, running_sum

__all__ = ["Decay", "decayed"]

STRETCH: Final = 448.0
"""Half-lives in one stretch: 2^448 times any number of events is a float64, and 2^-448 of it is nothing."""


@dataclass(frozen=True)
class Decay:
    """Counts that fade."""

    half_lives: Mapping[str, int]

    needs: ClassVar[str] = "times"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature(
            "decayed_count_{half_life}",
            "events",
            UNKNOWN,
            "Sum over all past events of 1/2 to the power of their age in half-lives.",
        ),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Decay | None:
        """For logs with times."""
        return cls(wishes.half_lives) if wishes.book.has_times != "none" and wishes.half_lives else None

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        unsaid_B = None if at.clear_B is None else ~at.clear_B
        columns: dict[str, Column] = {}
        for name, micros in self.half_lives.items():
            state_N = lines.once(f"decayed {micros}", partial(decayed, lines, micros))
            fade_B = np.exp2(np.maximum(at.time_B - lines.time_N[at.last_B], 0) / -micros)
            count_B = np.where(at.past_B > 0, state_N[at.last_B] * fade_B, 0.0)
            columns[f"decayed_count_{name}"] = blank(count_B, unsaid_B)
        return columns


def decayed(lines: LineBlock, half_life_micros: int) -> FloatArray:
    """The decayed count just after each event, itself counted.

    A line's time is cut into stretches of 448 half-lives. Within a stretch the count is a running sum of growing
    weights, scaled back; from the stretch before comes what was left at its last event. From any earlier one less
    than 2^-448 of a count is left: nothing.
    """
    age_N = (lines.time_N - lines.time_N[lines.begin_N]) / half_life_micros  # never negative where it is said
    stretch_N = np.floor(age_N / STRETCH)
    first_N = np.ones(len(lines), np.bool_)
    first_N[1:] = (stretch_N[1:] != stretch_N[:-1]) | (lines.line_N[1:] != lines.line_N[:-1])
    begin_S = np.flatnonzero(first_N)
    age_N -= stretch_N * STRETCH
    state_N = running_sum(np.exp2(age_N), begin_S) * np.exp2(-age_N)
    follows_S = begin_S[(begin_S > lines.begin_N[begin_S])]
    if len(follows_S):
        left_S = state_N[follows_S - 1]  # before anything is added: the one stretch before, not those before it
        length_S = np.diff(np.append(begin_S, len(lines)))[np.searchsorted(begin_S, follows_S)]
        event = np.repeat(follows_S - (np.cumsum(length_S) - length_S), length_S) + np.arange(length_S.sum())
        gone = (lines.time_N[event] - np.repeat(lines.time_N[follows_S - 1], length_S)) / half_life_micros
        state_N[event] += np.repeat(left_S, length_S) * np.exp2(-np.maximum(gone, 0.0))
    return state_N
