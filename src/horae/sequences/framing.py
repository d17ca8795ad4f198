"""Training windows in, inputs with targets out; and what a request is turned into before a network sees it.

`next`: each position is asked for the event after it. `masked`: some events are hidden, and their positions are asked
for them; a request is a hidden event after the newest. A hidden event is a slot: item 0 within the length.
Windows are slices of the same flat arrays and go through the same `encode` as every request does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from horae.schema import IndexArray
from horae.sequences.batch import SequenceBatch, encode
from horae.sequences.history import BLOCK, Flat, Histories, Sequences

__all__ = ["Coming", "Framed", "Framing", "Masked", "Next", "num_targets", "windows"]

BoolArray = npt.NDArray[np.bool_]
LAST_ALONE = 0.25
"""Share of the windows whose last event alone is hidden, as it is in a request."""


@dataclass(frozen=True, eq=False)
class Coming:
    """The very next event after each position, of whatever behavior, target or not.

    Shape:
        behavior_BL: int64, from 1; 0 where there is none or it is unknown.
        gap_BL: float32 seconds until it; NaN where there is none, where a time is unknown or time runs backwards.
        silent_BL: float32 seconds without it until the log ended, at the newest event of a line that was watched until
            then; else NaN.
        value_BL: float32; NaN where there is none or it is unknown.
    """

    behavior_BL: Tensor
    gap_BL: Tensor
    silent_BL: Tensor
    value_BL: Tensor

    def to(self, device: torch.device | str) -> Coming:
        """The same elsewhere."""
        return Coming(*(column.to(device) for column in vars(self).values()))

    def take(self, rows: slice) -> Coming:
        """Some of its rows."""
        return Coming(*(column[rows] for column in vars(self).values()))


@dataclass(frozen=True, eq=False)
class Framed:
    """A batch with what each position should have foretold.

    Shape:
        target_BL: int64 item index; 0 where there is no target (padding, or an event that is history only).
        target_behavior_BL: int64, the target's behavior.
        target_value_BL: float32, the target's value, NaN where unknown.
        coming: The next event whether target or not, where that is asked.
        target_weight_BL: float32, what the target counts; None: 1 each.
        shown_BLS: int32 item indices, 0 = none: shown before the target and not taken; None: nobody knows.
    """

    batch: SequenceBatch
    target_BL: Tensor
    target_behavior_BL: Tensor
    target_value_BL: Tensor
    coming: Coming | None = None
    target_weight_BL: Tensor | None = None
    shown_BLS: Tensor | None = None

    def to(self, device: torch.device | str) -> Framed:
        """The same elsewhere."""
        return Framed(
            self.batch.to(device),
            self.target_BL.to(device),
            self.target_behavior_BL.to(device),
            self.target_value_BL.to(device),
            None if self.coming is None else self.coming.to(device),
            None if self.target_weight_BL is None else self.target_weight_BL.to(device),
            None if self.shown_BLS is None else self.shown_BLS.to(device),
        )

    def pieces(self, many: int) -> list[Framed]:
        """Its rows in so many pieces of about the same size; fewer where it has fewer rows."""
        rows = len(self.batch)
        ends = [rows * number // many for number in range(1, many + 1)]
        return [self.take(slice(start, end)) for start, end in pairwise([0, *ends]) if end > start]

    def take(self, rows: slice) -> Framed:
        """Some of its rows."""
        return Framed(
            self.batch.take(rows),
            self.target_BL[rows],
            self.target_behavior_BL[rows],
            self.target_value_BL[rows],
            None if self.coming is None else self.coming.take(rows),
            None if self.target_weight_BL is None else self.target_weight_BL[rows],
            None if self.shown_BLS is None else self.shown_BLS[rows],
        )


def windows(
    sequences: Sequences,
    max_len: int,
    which: Literal["all", "last"],
    rng: np.random.Generator | None = None,
    watched_until: float = float("nan"),
) -> Histories:
    """Cut everybody's line into windows of at most `max_len` inputs and the one event after them.

    Args:
        sequences: The events to learn from.
        max_len: Inputs in a window (L); a window holds one event more.
        which: `last` takes only each user's newest window, `all` tiles the whole line; no two share a target.
        rng: With `all`: shifts each user's first cut, so that over the epochs every event is seen at every position.
        watched_until: Where known, the newest window of every line is left open: its last event is an input, too, and
            the time is the window's `request_time_B`. A full one loses its oldest event for it. Users with one event
            have such a window and no other.

    Returns:
        Windows that hold at least one target, or are open.
    """
    whole = sequences.all()
    targets = np.maximum(whole.lengths - 1, 0)
    open_ended = not np.isnan(watched_until)
    if which == "last":
        start = np.maximum(whole.end_B - max_len - 1, whole.start_B)
        cut = Histories(whole.flat, start, whole.end_B, np.full(len(start), watched_until))
        return _with_targets(_left_open(cut, max_len).take(np.flatnonzero(whole.lengths > (0 if open_ended else 1))))
    shift = rng.integers(0, max_len, len(targets)) if rng is not None else np.zeros(len(targets), dtype=np.int64)
    shift = np.where(targets > max_len, shift, 0)  # a line that fits one window stays whole
    tiles = np.maximum(-(-(targets + shift) // max_len), open_ended & (whole.lengths > 0))
    user = np.repeat(np.arange(len(targets)), tiles)
    tile = np.arange(len(user)) - np.repeat(np.cumsum(tiles) - tiles, tiles)
    last_target = whole.end_B[user] - 1 + shift[user] - tile * max_len  # newest tile first; shifted past the end
    end = np.minimum(last_target + 1, whole.end_B[user])
    start = np.maximum(last_target - max_len, whole.start_B[user])
    cut = Histories(whole.flat, start, end, np.where(tile == 0, watched_until, np.nan))
    return _with_targets(_left_open(cut, max_len))


class Framing(Protocol):
    """What a network is asked while it learns, and how a request is put to it.

    Attributes:
        causal: Whether a position may not see later ones.
    """

    causal: ClassVar[bool]

    def frame(self, cut: Histories, rng: np.random.Generator) -> Framed:
        """Inputs and targets of a batch of windows (`windows`)."""
        ...

    def asked(self, batch: SequenceBatch) -> SequenceBatch:
        """A request's histories, as the network takes them; the state at the last position answers."""
        ...


class Next:
    """Each position foretells the event after it.

    Args:
        coming: Frame the very next event, too: its behavior, the gap until it, its value.
    """

    causal: ClassVar[bool] = True

    def __init__(self, coming: bool = False) -> None:
        self.coming = coming

    def frame(self, cut: Histories, rng: np.random.Generator) -> Framed:
        """Inputs are all but the last event of each window; targets are the event after each input. Draws nothing.

        In a window that is open (its request's time is known) the last event is an input without a target.
        """
        flat = cut.flat
        open_B = ~np.isnan(cut.request_time_B)
        asked_B = np.where(open_B, cut.request_time_B, flat.time_N[cut.end_B - 1])
        asked_BF = np.where(open_B[:, None], cut.request_feature_BF, flat.feature_NF[cut.end_B - 1])
        inputs = Histories(flat, cut.start_B, cut.end_B - 1 + open_B, asked_B, asked_BF)
        batch = encode(inputs)
        width = batch.item_BL.shape[1]
        real_BL = np.arange(width) < (cut.lengths - 1)[:, None]
        index_BL = np.where(real_BL, cut.start_B[:, None] + np.arange(width) + 1, 0)
        framed = _framed(batch, flat, index_BL, real_BL & flat.target_N[index_BL])
        return replace(framed, coming=_coming(batch, flat, index_BL, real_BL)) if self.coming else framed

    def asked(self, batch: SequenceBatch) -> SequenceBatch:
        """As it is."""
        return batch


class Masked:
    """Hidden events are guessed from those on both sides; a request hides the event that has not come yet.

    Of each window the newest `max_len` events are kept. In a quarter of the windows the last target alone is hidden,
    in the others each target with the chance `share`, and one at least. A hidden event shows its time and nothing else:
    neither item nor behavior nor value nor context. The question at each position is about the event there, so
    `request_time_BL` is `time_BL`, and its context the event's; a request's slot has the request's time and context.

    Source: Sun et al. 2019 (arXiv:1904.06690), section 3.5 and 3.6 (BERT4Rec).
    Differs: a slot is a learned vector always (the paper's code leaves some hidden items in sight); drawn anew in
        every epoch; windows in which the last alone is hidden are a quarter, not one in eleven; an event that may not
        be a target is never hidden.
    """

    causal: ClassVar[bool] = False

    def __init__(self, max_len: int, share: float) -> None:
        assert max_len > 1 and 0 < share < 1, (max_len, share)
        self.max_len = max_len
        self.share = share

    def frame(self, cut: Histories, rng: np.random.Generator) -> Framed:
        """See above; draws from `rng`."""
        lengths = np.minimum(cut.lengths, self.max_len)
        batch = encode(cut, self.max_len)
        step_L = np.arange(batch.item_BL.shape[1])
        real_BL = step_L < lengths[:, None]
        index_BL = np.where(real_BL, (cut.end_B - lengths)[:, None] + step_L, 0)
        hidden_BL = self._hidden(real_BL & cut.flat.target_N[index_BL], rng)
        slot_BL = torch.from_numpy(hidden_BL)
        shown = replace(
            batch,
            item_BL=batch.item_BL.masked_fill(slot_BL, 0),
            behavior_BL=batch.behavior_BL.masked_fill(slot_BL, 0),
            value_BL=batch.value_BL.masked_fill(slot_BL, float("nan")),
            request_time_BL=batch.time_BL,
            feature_BLF=batch.feature_BLF.masked_fill(slot_BL[..., None], float("nan")),
            request_feature_BLF=batch.feature_BLF,
        )
        return _framed(shown, cut.flat, index_BL, hidden_BL)

    def asked(self, batch: SequenceBatch) -> SequenceBatch:
        """The newest `max_len - 1` events of each history, and a slot after them."""
        kept_B = batch.length_B.clamp(max=self.max_len - 1)
        step_L = torch.arange(min(batch.item_BL.shape[1] + 1, self.max_len), device=kept_B.device)
        index_BL = step_L + (batch.length_B - kept_B)[:, None]
        index_BL = index_BL.clamp(max=batch.item_BL.shape[1] - 1)
        past_BL = step_L < kept_B[:, None]
        slot_BL = step_L == kept_B[:, None]
        last_B1 = (batch.length_B - 1).clamp(min=0)[:, None]
        unknown_BL = batch.time_BL.new_full(index_BL.shape, float("nan"))
        now_BL = torch.where(slot_BL, batch.request_time_BL.gather(1, last_B1), unknown_BL)
        time_BL = torch.where(past_BL, batch.time_BL.gather(1, index_BL), now_BL)
        row_B1 = torch.arange(len(kept_B), device=kept_B.device)[:, None]
        feature_BLF = batch.feature_BLF[row_B1, index_BL].masked_fill(~past_BL[..., None], float("nan"))
        asked_in_B1F = batch.request_feature_BLF[row_B1, last_B1]
        return SequenceBatch(
            batch.item_BL.gather(1, index_BL) * past_BL,
            batch.behavior_BL.gather(1, index_BL) * past_BL,
            time_BL,
            batch.value_BL.gather(1, index_BL).masked_fill(~past_BL, float("nan")),
            kept_B + 1,
            time_BL,
            feature_BLF,
            torch.where(slot_BL[..., None], asked_in_B1F, feature_BLF),
        )

    def _hidden(self, allowed_BL: BoolArray, rng: np.random.Generator) -> BoolArray:
        """Which of the allowed events are hidden; at least one in each row that has one."""
        rows, width = allowed_BL.shape
        hidden_BL = allowed_BL & (rng.random((rows, width)) < self.share)
        hidden_BL[rng.random(rows) < LAST_ALONE] = False
        bare = np.flatnonzero(~hidden_BL.any(axis=1) & allowed_BL.any(axis=1))
        hidden_BL[bare, width - 1 - allowed_BL[bare, ::-1].argmax(axis=1)] = True
        return hidden_BL


def num_targets(cut: Histories) -> IndexArray:
    """Targets in each window; looks at the windows' own events only, some at a time, however long the log is."""
    first_B = np.minimum(cut.start_B + 1, cut.end_B)
    length_B = cut.end_B - first_B
    before_B1 = np.concatenate([[0], np.cumsum(length_B)])
    counts = np.zeros(len(cut), dtype=np.int64)
    row = 0
    while row < len(cut):
        stop = max(row + 1, int(np.searchsorted(before_B1, before_B1[row] + BLOCK, side="right")) - 1)
        window = np.repeat(np.arange(stop - row), length_B[row:stop])
        shift = first_B[row:stop] - before_B1[row:stop] + before_B1[row]
        index = np.arange(len(window)) + np.repeat(shift, length_B[row:stop])
        counts[row:stop] = np.bincount(window[cut.flat.target_N[index]], minlength=stop - row)
        row = stop
    return counts


def _framed(batch: SequenceBatch, flat: Flat, index_BL: IndexArray, wanted_BL: BoolArray) -> Framed:
    """The events at `index_BL` as targets, where wanted."""
    return Framed(
        batch,
        torch.from_numpy(np.where(wanted_BL, flat.item_N[index_BL], 0).astype(np.int64)),
        torch.from_numpy(np.where(wanted_BL, flat.behavior_N[index_BL], 0).astype(np.int64)),
        torch.from_numpy(np.where(wanted_BL, flat.value_N[index_BL], np.float32("nan"))),
        target_weight_BL=None if flat.weight_N is None else torch.from_numpy(flat.weight_N[index_BL]),
        shown_BLS=None if flat.shown_NS is None else torch.from_numpy(flat.shown_NS[index_BL]),
    )


def _coming(batch: SequenceBatch, flat: Flat, index_BL: IndexArray, real_BL: BoolArray) -> Coming:
    """The events at `index_BL`, where they are real, as seen from the positions before them."""
    time_BL = batch.time_BL.numpy()
    gap_BL = np.where(real_BL, flat.time_N[index_BL], np.nan) - time_BL
    silent_BL = np.where(real_BL, np.nan, batch.request_time_BL.numpy() - time_BL)
    return Coming(
        torch.from_numpy(np.where(real_BL, flat.behavior_N[index_BL], 0).astype(np.int64)),
        torch.from_numpy(np.where(gap_BL >= 0, gap_BL, np.nan).astype(np.float32)),
        torch.from_numpy(np.where(silent_BL >= 0, silent_BL, np.nan).astype(np.float32)),
        torch.from_numpy(np.where(real_BL, flat.value_N[index_BL], np.float32("nan"))),
    )


def _left_open(cut: Histories, max_len: int) -> Histories:
    """In open windows, whose last event is an input, no more than `max_len` events."""
    open_B = ~np.isnan(cut.request_time_B)
    start_B = np.where(open_B, np.maximum(cut.start_B, cut.end_B - max_len), cut.start_B)
    return Histories(cut.flat, start_B, cut.end_B, cut.request_time_B)


def _with_targets(cut: Histories) -> Histories:
    return cut.take(np.flatnonzero((num_targets(cut) > 0) | ~np.isnan(cut.request_time_B)))
