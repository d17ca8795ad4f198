"""New people, event by event: how a recommender does when it knows the first 0, 1, 3, 5 events of somebody.

    people whose first event lies in the test part -> their first n events -> the one path -> what came next

In: a recommender, simple methods beside it, a split by time. Out: one `Level` per number of events, with paired 95%
intervals over users. Only people whom training never saw are asked about. This module does not know new items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from horae.data.split import Split
from horae.evaluation.cut import Cut, Lines, request_times
from horae.evaluation.intervals import Intervals, Resamples, plain
from horae.evaluation.judge import answers
from horae.evaluation.metrics import AT_K
from horae.evaluation.metrics.ranks import FloatArray, IndexArray
from horae.recommend.recommender import Recommender
from horae.schema import ITEM, TARGET

__all__ = ["Level", "NewPeople", "levels_of"]

NAMES: Final = ("ndcg", "recall")


@dataclass(frozen=True)
class Level:
    """New people of whom so many events are known.

    Attributes:
        events: n: the history is their first n events.
        users: People who came that far and then had a target.
        metrics: NDCG and recall on what came next.
        opponents: The same for each simple method, on the same requests.
        against: This recommender minus each of them, paired by user.
        gained: This recommender with n events minus itself with none, on the same people, each at its own request.
    """

    events: int
    users: int
    metrics: Intervals
    opponents: dict[str, Intervals]
    against: dict[str, Intervals]
    gained: Intervals

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "events": self.events,
            "users": self.users,
            "metrics": plain(self.metrics),
            "opponents": {name: plain(one) for name, one in self.opponents.items()},
            "against": {name: plain(one, "difference") for name, one in self.against.items()},
            "gained": plain(self.gained, "difference"),
        }


def levels_of(
    own: Recommender,
    beside: Mapping[str, Recommender],
    split: Split,
    known: Sequence[int],
    k: int,
    max_users: int | None,
    bootstrap: int,
    seed: int,
) -> tuple[tuple[Level, ...], int]:
    """The warm-up curve, and how many people are new."""
    people = NewPeople(split, max_users, seed)
    resamples = Resamples(len(people), bootstrap, seed)
    value_of: dict[int, FloatArray] = {}
    levels = []
    for events in known:
        cut, person_B = people.asked(events)
        if len(cut) == 0:
            break
        mine_US = value_of[events] = people.spread(_values(own, cut, k), person_B)
        theirs = {name: people.spread(_values(one, cut, k), person_B) for name, one in beside.items()}
        none_US = value_of.get(0) if events else None
        levels.append(
            Level(
                events=events,
                users=len(cut),
                metrics=_intervals(resamples, mine_US, k),
                opponents={name: _intervals(resamples, one_US, k) for name, one_US in theirs.items()},
                against={name: _intervals(resamples, mine_US - one_US, k) for name, one_US in theirs.items()},
                gained={} if none_US is None else _intervals(resamples, mine_US - none_US, k),
            )
        )
    return tuple(levels), len(people)


class NewPeople:
    """Users whose whole line lies in the test part, and requests after so many of their events."""

    def __init__(self, split: Split, max_users: int | None, seed: int) -> None:
        frame = split.events.frame
        self._split, self._lines = split, Lines.of(frame)
        tested = (split.part == "test").to_numpy()
        first = self._lines.start_U[tested[self._lines.start_U]]
        self._start_P, self._line_P = self._lines.asked(first, max_users, seed)
        self._end_U = np.append(self._lines.start_U[1:], frame.height)
        self._target_T = np.flatnonzero(tested & frame[TARGET].to_numpy())

    def __len__(self) -> int:
        return len(self._start_P)

    def asked(self, events: int) -> tuple[Cut, IndexArray]:
        """A request after each one's first events, for the next target and what came at its very time; and whose."""
        place_P = self._start_P + events
        next_P = np.searchsorted(self._target_T, place_P)
        there_P = next_P < len(self._target_T)
        there_P[there_P] = self._target_T[next_P[there_P]] < self._end_U[self._line_P[there_P]]
        person_B = np.flatnonzero(there_P)
        row, request = self._basket(next_P[person_B], self._end_U[self._line_P[person_B]])
        first = np.append(True, request[1:] != request[:-1])[: len(row)]
        user, item = self._line_P[person_B][request], self._split.events.frame[ITEM].gather(row)
        return self._lines.cut("successive", row, user, first, item, place_P[person_B]), person_B

    def _basket(self, next_B: IndexArray, end_B: IndexArray) -> tuple[IndexArray, IndexArray]:
        """The rows of each request's targets, one request after the other, and the request of each."""
        last_B = np.searchsorted(self._target_T, end_B)
        size_B = last_B - next_B
        request = np.repeat(np.arange(len(next_B)), size_B)
        place = np.arange(len(request)) - np.repeat(np.cumsum(size_B) - size_B, size_B)
        row = self._target_T[next_B[request] + place]
        second, own = request_times(self._split, row), request_times(self._split, self._target_T[next_B])
        together = (place == 0) | (second == own[request])
        return row[together], request[together]

    def spread(self, value_BS: FloatArray, person_B: IndexArray) -> FloatArray:
        """One row for each of the people; NaN for whoever did not come that far."""
        value_PS = np.full((len(self), value_BS.shape[1]), np.nan)
        value_PS[person_B] = value_BS
        return value_PS


def _values(recommender: Recommender, cut: Cut, k: int) -> FloatArray:
    """One row of metrics per request."""
    ranks, _, _ = answers(recommender, cut, cut.targets(recommender.items), k)
    return np.stack([AT_K[name](ranks, k) for name in NAMES], axis=1)


def _intervals(resamples: Resamples, value_US: FloatArray, k: int) -> Intervals:
    return dict(zip([f"{name}@{k}" for name in NAMES], resamples.intervals(value_US), strict=True))
