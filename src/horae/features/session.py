"""Where in a session a user is: how many of its events are past, and for how long it has been going on.

In: lines of users, and moments. Out: float32 columns. A session ends with a gap of over 30 minutes; where the log
has its own `session_id`, with a change of it. As of a moment, the last event's session still goes on unless 30 minutes
have passed: which session the event at the moment belongs to is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from horae.features.book import LineBlock
from horae.features.group import Column, Feature, Wishes, blank
from horae.features.moments import Moments
from horae.features.recency import UNKNOWN
from horae.features.spans import SECOND
from horae.schema import USER

__all__ = ["SESSION_GAP_SECONDS", "SESSION_ID", "Session"]

SESSION_GAP_SECONDS: Final = 1_800
SESSION_ID: Final = "session_id"


@dataclass(frozen=True)
class Session:
    """The session under way, and how many there were."""

    own_ids: bool

    needs: ClassVar[str] = "lines of users (by user) and times"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("session_position", "events", UNKNOWN, "Past events of the session that goes on; 0 if none does."),
        Feature(
            "session_age_seconds", "seconds", f"no session goes on; {UNKNOWN}", "Since the first event of that session."
        ),
        Feature("sessions", "sessions", UNKNOWN, "Sessions so far, the one that goes on included."),
    )

    @classmethod
    def of(cls, wishes: Wishes) -> Session | None:
        """For users of logs with times."""
        book = wishes.book
        if book.by != USER or book.has_times == "none":
            return None
        return cls(SESSION_ID in book.events.frame.columns)

    def compute(self, lines: LineBlock, at: Moments) -> dict[str, Column]:
        """See `features`."""
        begins_N = np.ones(len(lines), np.bool_)
        if self.own_ids:
            code_N = lines.codes(SESSION_ID)
            begins_N[1:] = code_N[1:] != code_N[:-1]
        else:
            begins_N[1:] = np.diff(lines.time_N) > SESSION_GAP_SECONDS * SECOND
        begins_N[lines.offset_K1[:-1]] = True
        begin_N = np.maximum.accumulate(np.where(begins_N, np.arange(len(lines)), 0))
        number_N1 = np.concatenate([[0], np.cumsum(begins_N)])
        on_B = at.since_last_B <= SESSION_GAP_SECONDS  # False where there is no past
        first_B = begin_N[at.last_B]
        unsaid_B = None if at.clear_B is None else ~at.clear_B
        return {
            "session_position": blank(np.where(on_B, at.end_B - first_B, 0).astype(np.float64), unsaid_B),
            "session_age_seconds": blank(at.seconds_since(first_B, on_B), unsaid_B),
            "sessions": blank((number_N1[at.end_B] - number_N1[at.begin_B]).astype(np.float64), unsaid_B),
        }
