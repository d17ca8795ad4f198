"""Training windows in, inputs with targets out. `next`: each position is asked for the event after it.

Windows are slices of the same flat arrays and go through the same `encode` as every request does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from horae.schema import IndexArray
from horae.sequences.batch import SequenceBatch, encode
from horae.sequences.history import Histories, Sequences

__all__ = ["Framed", "frame_next", "num_targets", "windows"]


@dataclass(frozen=True, eq=False)
class Framed:
    """A batch with what each position should have foretold.

    Shape:
        target_BL: int64 item index; 0 where there is no target (padding, or an event that is history only).
        target_behavior_BL: int64, the target's behavior.
        target_value_BL: float32, the target's value, NaN where unknown.
    """

    batch: SequenceBatch
    target_BL: Tensor
    target_behavior_BL: Tensor
    target_value_BL: Tensor

    def to(self, device: torch.device | str) -> Framed:
        """The same elsewhere."""
        return Framed(
            self.batch.to(device),
            self.target_BL.to(device),
            self.target_behavior_BL.to(device),
            self.target_value_BL.to(device),
        )


def windows(
    sequences: Sequences, max_len: int, which: Literal["all", "last"], rng: np.random.Generator | None = None
) -> Histories:
    """Cut everybody's line into windows of at most `max_len` inputs and the one event after them.

    Args:
        sequences: The events to learn from.
        max_len: Inputs in a window (L); a window holds one event more.
        which: `last` takes only each user's newest window, `all` tiles the whole line; no two share a target.
        rng: With `all`: shifts each user's first cut, so that over the epochs every event is seen at every position.

    Returns:
        Windows that hold at least one target.
    """
    whole = sequences.all()
    targets = np.maximum(whole.lengths - 1, 0)
    if which == "last":
        start = np.maximum(whole.end_B - max_len - 1, whole.start_B)
        cut = Histories(whole.flat, start, whole.end_B, whole.request_time_B)
        return _with_targets(cut.take(np.flatnonzero(targets > 0)))
    shift = rng.integers(0, max_len, len(targets)) if rng is not None else np.zeros(len(targets), dtype=np.int64)
    shift = np.where(targets > max_len, shift, 0)  # a line that fits one window stays whole
    tiles = -(-(targets + shift) // max_len)
    user = np.repeat(np.arange(len(targets)), tiles)
    tile = np.arange(len(user)) - np.repeat(np.cumsum(tiles) - tiles, tiles)
    last_target = whole.end_B[user] - 1 + shift[user] - tile * max_len  # newest tile first; shifted past the end
    end = np.minimum(last_target + 1, whole.end_B[user])
    start = np.maximum(last_target - max_len, whole.start_B[user])
    cut = Histories(whole.flat, start, end, np.full(len(user), np.nan))
    return _with_targets(cut)


def frame_next(cut: Histories, device: torch.device | str = "cpu") -> Framed:
    """Inputs are all but the last event of each window; targets are the event after each input."""
    flat = cut.flat
    inputs = Histories(flat, cut.start_B, cut.end_B - 1, flat.time_N[cut.end_B - 1])
    batch = encode(inputs)
    width = batch.item_BL.shape[1]
    real_BL = np.arange(width) < inputs.lengths[:, None]
    index_BL = np.where(real_BL, cut.start_B[:, None] + np.arange(width) + 1, 0)
    wanted_BL = real_BL & flat.target_N[index_BL]
    framed = Framed(
        batch,
        torch.from_numpy(np.where(wanted_BL, flat.item_N[index_BL], 0).astype(np.int64)),
        torch.from_numpy(np.where(wanted_BL, flat.behavior_N[index_BL], 0).astype(np.int64)),
        torch.from_numpy(np.where(wanted_BL, flat.value_N[index_BL], np.float32("nan"))),
    )
    return framed.to(device)


def num_targets(cut: Histories) -> IndexArray:
    """Targets in each window."""
    before = np.concatenate([[0], np.cumsum(cut.flat.target_N, dtype=np.int64)])
    first = np.minimum(cut.start_B + 1, cut.end_B)
    return np.asarray(before[cut.end_B] - before[first], dtype=np.int64)


def _with_targets(cut: Histories) -> Histories:
    return cut.take(np.flatnonzero(num_targets(cut) > 0))
