"""Features of a history at each of its places, by the names and the rules of `horae.features`, for batches of tensors.

In: a batch, and as of when each event's past is asked about. Out: one number per event and feature, NaN where unknown.
Only an event, those before it and that time are looked at. All rows at once, O(L log L) in their length. Does not know
networks.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from horae.errors import RecipeError
from horae.features.session import SESSION_GAP_SECONDS
from horae.features.spans import DAY, SECOND, Window
from horae.features.windows import COVERED
from horae.sequences.batch import SequenceBatch

__all__ = ["WHERE", "HistoryFeature", "Pasts", "features_of"]

WHERE: Final = "[model] features"
LONG_AGO: Final = -(1 << 62)
IN_TIME_INPUTS: Final = {"recency_seconds": "wait", "gap_last_seconds": "gap", "hour": "hour", "weekday": "weekday"}


class Pasts:
    """For each event of a batch: it and those before it, as of a time that is its own.

    An event's window is `[start:place]` of its row, both included. Times are whole microseconds, as in
    `horae.features`; nothing that needs them is said where they are unknown or contradict the order.

    Args:
        batch: What happened.
        asked_BL: As of when, in seconds: at or after the event, never going back along a row. NaN where unknown.

    Attributes:
        clear_BL: Are that time and those of the whole past known and in order?
        real_BL: Is there an event?
    """

    def __init__(self, batch: SequenceBatch, asked_BL: Tensor) -> None:
        self.place_L = torch.arange(batch.item_BL.shape[1], device=batch.item_BL.device)
        self.real_BL = self.place_L < batch.length_B[:, None]
        self.value_BL = batch.value_BL.double().masked_fill(~self.real_BL, torch.nan)
        self.item_BL = batch.item_BL
        time_BL, asked_at_BL = _micros(batch.time_BL), _micros(asked_BL)
        self.time_BL = time_BL.cummax(1).values
        astray_BL = batch.time_BL.isnan() | (time_BL < self.time_BL)
        unclear_BL = asked_BL.isnan() | (asked_at_BL < self.time_BL) | (astray_BL.cumsum(1) > 0)
        self.clear_BL = self.real_BL & ~unclear_BL
        self.asked_BL = torch.where(self.clear_BL, asked_at_BL, self.time_BL)
        self._starts: dict[Window, Tensor] = {}

    def starts(self, window: Window) -> Tensor:
        """`start_BL`; one past the event where the window holds nothing."""
        if window not in self._starts:
            if window.micros is not None:
                start_BL = torch.searchsorted(self.time_BL, self.asked_BL - window.micros)
                start_BL = torch.minimum(start_BL, self.place_L + 1)
            else:
                events = len(self.place_L) if window.events is None else window.events
                start_BL = (self.place_L + 1 - events).clamp(min=0).expand_as(self.time_BL)
            self._starts[window] = start_BL
        return self._starts[window]

    def seconds_since(self, place_BL: Tensor) -> Tensor:
        """From the event at a place to the time asked, float64."""
        place_BL = place_BL.clamp(max=len(self.place_L) - 1)
        return (self.asked_BL - self.time_BL.gather(1, place_BL)).double() / SECOND

    @cached_property
    def session_start_BL(self) -> Tensor:
        """Where the event's session began."""
        gap_BL = self.time_BL.diff(dim=1, prepend=self.time_BL[:, :1])
        return torch.where(gap_BL > SESSION_GAP_SECONDS * SECOND, self.place_L, 0).cummax(1).values

    @cached_property
    def session_on_BL(self) -> Tensor:
        """Does it still go on?"""
        return self.asked_BL - self.time_BL <= SESSION_GAP_SECONDS * SECOND


def _count(at: Pasts, window: Window) -> Tensor:
    return (at.place_L + 1 - at.starts(window)).double()


def _rate(at: Pasts, window: Window) -> Tensor:
    start_BL, count_BL = at.starts(window), _count(at, window)
    if window.micros is None:  # the oldest event opens the time
        opened_BL = at.seconds_since(start_BL)
        per_second_BL = torch.where((count_BL > 1) & (opened_BL > 0), (count_BL - 1) / opened_BL, torch.nan)
    else:
        seconds, known_BL = window.micros / SECOND, at.seconds_since(torch.zeros_like(start_BL))
        counted_BL = count_BL - (known_BL <= seconds).double()
        enough_BL = (known_BL >= COVERED * seconds) & (known_BL > 0)
        per_second_BL = torch.where(enough_BL, counted_BL / known_BL.clamp(max=seconds), torch.nan)
    return per_second_BL * (DAY / SECOND)


def _sum(at: Pasts, window: Window) -> Tensor:
    return _over(at.value_BL.nan_to_num(0.0), at.starts(window))


def _mean(at: Pasts, window: Window) -> Tensor:
    return _sum(at, window) / _over((~at.value_BL.isnan()).double(), at.starts(window))


def _last(at: Pasts, window: Window) -> Tensor:
    newest_BL = torch.where(at.value_BL.isnan(), -1, at.place_L).cummax(1).values
    value_BL = at.value_BL.gather(1, newest_BL.clamp(min=0))
    return torch.where(newest_BL >= at.starts(window), value_BL, torch.nan)


def _distinct_items(at: Pasts, window: Window) -> Tensor:
    # An event counts while it is its item's last in the window: until the item comes again or the window leaves the
    # event behind. Such stretches of places are summed as differences, as in `horae.features.scans.distinct`.
    start_BL = at.starts(window).cummax(1).values  # padding asks earlier than the question before it
    place_BL = at.place_L.expand_as(at.item_BL).contiguous()
    left_BL = torch.searchsorted(start_BL, place_BL, right=True)
    stop_BL = torch.minimum(left_BL, _next_alike(at.item_BL))
    counted_BL = (stop_BL > place_BL).double()
    change_BL = F.pad(counted_BL, (0, 1)).scatter_add(1, stop_BL.clamp(min=place_BL), -counted_BL)
    return change_BL.cumsum(1)[:, :-1]


def _repeat_share(at: Pasts, window: Window) -> Tensor:
    return 1 - _distinct_items(at, window) / _count(at, window)


def _decayed_count(at: Pasts, half_life: Window) -> Tensor:
    assert half_life.micros is not None
    fading = math.log(2) / half_life.micros
    age_BL = (at.time_BL - at.time_BL[:, :1]).double() * fading
    return (age_BL.logcumsumexp(1) - (at.asked_BL - at.time_BL[:, :1]).double() * fading).exp()


def _session_position(at: Pasts) -> Tensor:
    return (at.place_L + 1 - at.session_start_BL).double() * at.session_on_BL


def _session_age_seconds(at: Pasts) -> Tensor:
    return at.seconds_since(at.session_start_BL).masked_fill(~at.session_on_BL, torch.nan)


def _sessions(at: Pasts) -> Tensor:
    return (at.session_start_BL == at.place_L).double().cumsum(1)


def _over(x_BL: Tensor, start_BL: Tensor) -> Tensor:
    """Sums over the windows that begin there."""
    total_BL1 = F.pad(x_BL.cumsum(1), (1, 0))
    return total_BL1[:, 1:] - total_BL1.gather(1, start_BL)


def _next_alike(item_BL: Tensor) -> Tensor:
    """The place of the item's next event; L where there is none. An item that nobody knows (0) never comes again."""
    length = item_BL.shape[1]
    place_L = torch.arange(length, device=item_BL.device)
    sorted_BL, order_BL = torch.where(item_BL > 0, item_BL, -place_L - 1).sort(dim=1, stable=True)
    next_BL = torch.where(sorted_BL[:, 1:] == sorted_BL[:, :-1], order_BL[:, 1:], length)
    return torch.empty_like(order_BL).scatter_(1, order_BL, F.pad(next_BL, (0, 1), value=length))


def _micros(seconds: Tensor) -> Tensor:
    """int64 microseconds; long ago where unknown."""
    return (seconds * SECOND).round().nan_to_num(LONG_AGO).to(torch.int64)


OF_WINDOWS: Final[Mapping[str, Callable[[Pasts, Window], Tensor]]] = {
    "count": _count,
    "rate": _rate,
    "sum": _sum,
    "mean": _mean,
    "last": _last,
    "distinct_items": _distinct_items,
    "repeat_share": _repeat_share,
    "decayed_count": _decayed_count,
}
OF_SESSIONS: Final[Mapping[str, Callable[[Pasts], Tensor]]] = {
    "session_position": _session_position,
    "session_age_seconds": _session_age_seconds,
    "sessions": _sessions,
}
NAMES: Final = (
    *(f"{kind}_{'{half_life}' if kind == 'decayed_count' else '{window}'}" for kind in OF_WINDOWS),
    *OF_SESSIONS,
)


@dataclass(frozen=True)
class HistoryFeature:
    """A column of `horae.features` that a batch can tell.

    Attributes:
        name: As it stands in the recipe.
        kind: What of.
        window: Over what, or the half-life; None for sessions.
    """

    name: str
    kind: str
    window: Window | None = None

    @property
    def timed(self) -> bool:
        """Does it need times?"""
        return self.kind == "rate" or self.window is None or self.window.micros is not None

    @property
    def of_values(self) -> bool:
        """Does it need values?"""
        return self.kind in ("sum", "mean", "last")

    def numbers(self, at: Pasts) -> Tensor:
        """`number_BL`, float32; NaN where unknown."""
        number_BL = OF_SESSIONS[self.kind](at) if self.window is None else OF_WINDOWS[self.kind](at, self.window)
        return number_BL.masked_fill(~(at.clear_BL if self.timed else at.real_BL), torch.nan).float()


def features_of(names: Sequence[str]) -> tuple[HistoryFeature, ...]:
    """The features of a recipe.

    Raises:
        RecipeError: No such feature, an impossible window, or one named twice.
    """
    if len(set(names)) < len(names):
        raise RecipeError(f"{WHERE} = {list(names)} names one twice.", hint="Name each once.")
    return tuple(_feature(name) for name in names)


def _feature(name: str) -> HistoryFeature:
    if name in OF_SESSIONS:
        return HistoryFeature(name, name)
    kind, _, text = name.rpartition("_")
    if kind not in OF_WINDOWS:
        close = difflib.get_close_matches(kind, OF_WINDOWS, n=1)
        meant = f"Did you mean {close[0]}_{text}? " if close else ""
        meant = f'Write time_inputs = ["{IN_TIME_INPUTS[name]}"]. ' if name in IN_TIME_INPUTS else meant
        raise RecipeError(f'{WHERE}: there is no "{name}".', hint=f"{meant}Known: {', '.join(NAMES)}.")
    try:
        window = Window.parse(text)
    except RecipeError as error:
        raise RecipeError(f'{WHERE} "{name}": {error.message}', hint=error.hint) from error
    if kind == "decayed_count" and window.micros is None:
        raise RecipeError(f'{WHERE} "{name}": a half-life is a time.', hint="Write decayed_count_7d.")
    return HistoryFeature(name, kind, window)
