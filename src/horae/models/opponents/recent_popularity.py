"""Recent popularity: what the newest events were on; frozen at the end of training, or live at each request's time.

In: target events with a known time. Out: the same scores for every request (frozen), or for every request of the same
time (live). It does not know histories. Logs without times have no "recent" across users: refused with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from horae.errors import DataError
from horae.models.opponents.by_history import ByHistory, FloatArray, in_range, item_shares, longer
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Flat, Sequences

__all__ = [
    "CANDIDATES",
    "LiveRecentPopularity",
    "RecentPopularity",
    "RecentPopularitySettings",
    "WindowSettings",
    "everybody_lately",
    "variants",
]

Counts = npt.NDArray[np.floating[Any] | np.integer[Any]]
DAY_SECONDS: Final = 86_400.0
EVER_DAYS: Final = 36_500.0
"""A window longer than any log: all events."""


class WindowSettings(Protocol):
    """Which events count: see `RecentPopularitySettings` and `NewPopularitySettings`."""

    @property
    def window_days(self) -> float:
        """Older events do not count."""

    @property
    def half_life_days(self) -> float | None:
        """An event's weight halves with each; None: it stays."""

    @property
    def live(self) -> bool:
        """Does the window end at each request?"""

    @property
    def new_only(self) -> bool:
        """Do only items count whose first event lies in the window?"""


@dataclass(frozen=True)
class RecentPopularitySettings:
    """Keys of `[model]` with `opponent = "recent_popularity"`. Leave both out to have them chosen on validation data.

    Attributes:
        window_days: Events older than this at the end of the window do not count. 36500 is "all".
        half_life_days: An event's weight halves with each of these; None: all events in the window weigh 1.
        live: The window ends at each request, in the log as it goes on, and not where training ended.
    """

    window_days: float = 30.0
    half_life_days: float | None = None
    live: bool = False

    @property
    def new_only(self) -> bool:
        """Items count whenever they came."""
        return False

    def __post_init__(self) -> None:
        in_range("window_days", self.window_days, above=0)
        if self.half_life_days is not None:
            in_range("half_life_days", self.half_life_days, above=0)


CANDIDATES: Final = (
    *(RecentPopularitySettings(days) for days in (1.0, 3.0, 7.0, 14.0, 30.0, 90.0, EVER_DAYS)),
    *(RecentPopularitySettings(EVER_DAYS, half_life) for half_life in (1.0, 7.0, 30.0)),
)
"""Windows and decays that are worth trying, from an hourly changing news site to a slow catalog."""


def variants(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tables to choose from on validation data: one for each candidate, or just `table` where it names a key itself."""
    if {"window_days", "half_life_days"} & set(table):
        return [dict(table)]
    tables = [{"window_days": c.window_days, "half_life_days": c.half_life_days} for c in CANDIDATES]
    return [{**table, **{key: days for key, days in chosen.items() if days is not None}} for chosen in tables]


class RecentPopularity(ByHistory):
    """`score(i) = sum_n 2^(-age_n / half_life) + p_i` over i's target events n of the last `window_days`.

    Ages are measured from the last target event that `fit` saw, and stay frozen there. `p_i`, the share of all events,
    orders items that the window does not hold; it never reverses an order by whole counts.

    Source: Ji, Sun, Zhang & Li, SIGIR 2020 (A Re-visit of the Popularity Baseline, RecentPop and DecayPop, section 3).
    Differs: windows and decays may be combined; ends at the training data, not at the request (that is
        `LiveRecentPopularity`).
    """

    def __init__(self, settings: WindowSettings = RecentPopularitySettings()) -> None:
        self.settings = settings

    def fit(self, sequences: Sequences) -> Self:
        """Count the events in the window that ends with the last one.

        Raises:
            DataError: No target event has a known time.
        """
        item_N, time_N = _timed_targets(sequences)
        age_N = time_N[-1] - time_N
        in_window = age_N < self.settings.window_days * DAY_SECONDS
        weight_N = _decay(age_N[in_window], self.settings.half_life_days)
        window_I = np.bincount(item_N[in_window], weight_N, minlength=sequences.num_items + 1)
        counts_I = self._counted(window_I, np.bincount(item_N, minlength=len(window_I)))
        self._scores_I = (counts_I + item_shares(sequences)).astype(np.float32)
        self.num_items = sequences.num_items
        return self

    def live(self, sequences: Sequences) -> LiveRecentPopularity:
        """The same settings, with the window ending at each request's time, in a log that goes on after training.

        Args:
            sequences: The whole log over the same items; a request sees only what is strictly before its time.
        """
        live = LiveRecentPopularity(self.settings)
        live._scores_I, live.num_items = self._scores_I, self.num_items
        return live.watch(sequences)

    def following(self, sequences: Sequences) -> RecentPopularity:
        """See `Following`: itself where its settings are not live, or nothing is known (a run without its events)."""
        return self.live(sequences) if self.settings.live and self.num_items and len(sequences.flat) else self

    def note(self, item: int, time: float) -> None:
        """See `Following`: what is frozen does not follow."""

    def arrays(self) -> dict[str, Tensor]:
        """The scores."""
        return {"scores_I": torch.from_numpy(self._scores_I)}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._scores_I = arrays["scores_I"].numpy()
        self.num_items = num_items
        return self

    def _counted(self, window_I: Counts, total_I: Counts) -> Counts:
        """Counts in the window; of new items only, those whose every event lies in it."""
        return np.where(window_I == total_I, window_I, 0.0) if self.settings.new_only else window_I

    def _grow(self, num: int) -> None:
        self._scores_I = longer(self._scores_I, num)

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        return np.tile(self._scores_I, (len(batch), 1))


class LiveRecentPopularity(RecentPopularity):
    """Recent popularity as of each request, which frozen models cannot know.

    `score(i) = sum_n 2^(-age_n / half_life) + p_i` over i's target events in `[T - window, T)`, T the request's time;
    `p_i` is i's share of all target events before T. A request without a time gets the frozen scores, so that it sees
    nothing later than itself; where all events have times and the recipe says `live`, it stands after all of them.

    Source: Ji, Sun, Zhang & Li, SIGIR 2020, section 3.
    Differs: as `RecentPopularity`.
    """

    _watched: Sequences | None = None
    _noted: list[tuple[float, int]]

    def fit(self, sequences: Sequences) -> Self:
        """Freeze the scores for requests without a time, and keep the events for those that have one."""
        super().fit(sequences)
        return self.watch(sequences)

    def watch(self, sequences: Sequences) -> Self:
        """Take the events to count from this log, with those that arrived since; it may go on after training."""
        assert sequences.num_items == self.num_items
        self._item_N, self._time_N = _timed_targets(sequences, sequences.arrived())
        self._open_end = self.settings.live and not sequences.has_unknown_times
        self._watched, self._noted = sequences, []
        return self

    def following(self, sequences: Sequences) -> LiveRecentPopularity:
        """See `Following`."""
        return self if sequences is self._watched or not len(sequences.flat) else self.live(sequences)

    def note(self, item: int, time: float) -> None:
        """See `Following`."""
        if item > 0 and not np.isnan(time):
            self._noted.append((time, item))

    def arrays(self) -> dict[str, Tensor]:
        """The frozen scores; and the events, unless a run has them and gives them back (`following`)."""
        if self.settings.live:
            return super().arrays()
        self._take_notes()
        log = {"item_N": torch.from_numpy(self._item_N), "time_N": torch.from_numpy(self._time_N)}
        return {**super().arrays(), **log}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._item_N, self._time_N = arrays["item_N"].numpy(), arrays["time_N"].numpy()
        self._open_end, self._noted = False, []
        return super().load_arrays(arrays, num_items)

    def _grow(self, num: int) -> None:
        """Events on items that were strange count from now on."""
        super()._grow(num)
        if self._watched is not None:
            self._item_N, self._time_N = _timed_targets(self._watched, self._watched.arrived())
            self._noted = []

    def _take_notes(self) -> None:
        """Put what came since into its place in time."""
        if self._noted:
            times, items = (np.array(column) for column in zip(*sorted(self._noted), strict=True))
            place = np.searchsorted(self._time_N, times, side="right")
            self._time_N = np.insert(self._time_N, place, times)
            self._item_N = np.insert(self._item_N, place, items.astype(self._item_N.dtype))
            self._noted = []

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        self._take_notes()
        newest_B = (batch.length_B.cpu() - 1).clamp(min=0)
        asked_B = batch.request_time_BL.cpu().gather(1, newest_B[:, None])[:, 0].numpy()
        if self._open_end:
            asked_B = np.where(np.isnan(asked_B), np.nextafter(self._time_N[-1], np.inf), asked_B)
        scores_BI = super()._scores(batch)
        row_B = np.flatnonzero(~np.isnan(asked_B))
        times, which_B = np.unique(asked_B[row_B], return_inverse=True)
        scores_BI[row_B] = self._sweep(times)[which_B]
        return scores_BI

    def _sweep(self, times: npt.NDArray[np.float64]) -> FloatArray:
        """Scores at each of the ascending times: events enter and leave the counts as the window moves on."""
        half_life = self.settings.half_life_days
        stop = np.searchsorted(self._time_N, times, side="left")  # strictly before
        start = np.searchsorted(self._time_N, times - self.settings.window_days * DAY_SECONDS, side="left")
        scores = np.empty((len(times), self.num_items + 1), dtype=np.float32)
        window_I, total_I = np.zeros(self.num_items + 1), np.zeros(self.num_items + 1)
        stopped = started = 0
        for row, time in enumerate(times):
            if row > 0:
                window_I *= _decay(time - times[row - 1], half_life)
            entering, leaving = slice(stopped, stop[row]), slice(started, start[row])
            np.add.at(window_I, self._item_N[entering], _decay(time - self._time_N[entering], half_life))
            np.subtract.at(window_I, self._item_N[leaving], _decay(time - self._time_N[leaving], half_life))
            np.add.at(total_I, self._item_N[entering], 1.0)
            scores[row] = self._counted(np.maximum(window_I, 0.0), total_I) + total_I / max(1, stop[row])
            stopped, started = stop[row], start[row]
        return scores


def everybody_lately(sequences: Sequences, half_life_days: float) -> LiveRecentPopularity | None:
    """All events of a log up to each request, in a log that goes on; None where no event has a known time."""
    if not (sequences.flat.target_N & ~np.isnan(sequences.flat.time_N)).any():
        return None
    return LiveRecentPopularity(RecentPopularitySettings(EVER_DAYS, half_life_days, live=True)).fit(sequences)


def _decay(age_N: npt.NDArray[np.float64], half_life_days: float | None) -> npt.NDArray[np.float64]:
    if half_life_days is None:
        return np.ones_like(age_N)
    return np.asarray(0.5 ** (age_N / (half_life_days * DAY_SECONDS)), dtype=np.float64)


def _timed_targets(
    sequences: Sequences, arrived: Flat | None = None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Items and times of the target events whose time is known, by time; with those that arrived since."""
    flat = sequences.flat if arrived is None else Flat.joined([sequences.flat, arrived])
    timed = flat.target_N & ~np.isnan(flat.time_N)
    if not timed.any():
        raise DataError(
            "Recent popularity expected events with times; got a log that has an order within each user only.",
            hint="What is recent across users is unknown there. Use popularity, or give the log's timestamps.",
        )
    item_N, time_N = flat.item_N[timed], flat.time_N[timed]
    order = np.argsort(time_N, kind="stable")
    return item_N[order], time_N[order]
