"""Histories in, one padded batch out: the only place where events become tensors.

Training, evaluation, the command line, HTTP and online learning all come through `encode`.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from horae.schema import IndexArray
from horae.sequences.history import Histories

__all__ = ["SequenceBatch", "bucket", "encode"]

NO_FEATURES = torch.empty(0, 0, 0)
"""Where nothing is told of context."""


@dataclass(frozen=True, eq=False)
class SequenceBatch:
    """Right-padded histories, oldest event first.

    Shape:
        item_BL: int64, 0 = padding; within the length, an event that the framing masked.
        behavior_BL: int64, from 1; 0 = padding or a behavior never seen in training.
        time_BL: float64 Unix seconds, NaN = unknown or padding.
        value_BL: float32, NaN = unknown or padding.
        length_B: int64, events in each history; 0 where nothing is known.
        request_time_BL: float64, the time of the question asked after each position: the next event's, and at the
            last position (the first, where nothing is known) the request's own. NaN = unknown.
        feature_BLF: float32, the event's context (`ContextColumns`), NaN = unknown or padding; F is 0 where no network
            asks for context.
        request_feature_BLF: float32, the context of the question asked after each position, as `request_time_BL`. What
            of it is known when asking, a network must be told: the price of what is bought is not.
    """

    item_BL: Tensor
    behavior_BL: Tensor
    time_BL: Tensor
    value_BL: Tensor
    length_B: Tensor
    request_time_BL: Tensor
    feature_BLF: Tensor = NO_FEATURES
    request_feature_BLF: Tensor = NO_FEATURES

    def __post_init__(self) -> None:
        shape = self.item_BL.shape
        for name in ("feature_BLF", "request_feature_BLF"):
            if getattr(self, name) is NO_FEATURES:
                object.__setattr__(self, name, self.value_BL.new_empty(*shape, 0))
        assert all(getattr(self, f.name).shape == shape for f in fields(self) if f.name.endswith("_BL"))
        assert self.feature_BLF.shape == self.request_feature_BLF.shape and self.feature_BLF.shape[:2] == shape
        assert self.length_B.shape == shape[:1]

    def __len__(self) -> int:
        return len(self.length_B)

    def to(self, device: torch.device | str) -> SequenceBatch:
        """The same batch elsewhere."""
        return SequenceBatch(*(getattr(self, f.name).to(device) for f in fields(self)))

    def take(self, rows: slice) -> SequenceBatch:
        """Some of its rows, as wide as they were."""
        return SequenceBatch(*(getattr(self, f.name)[rows] for f in fields(self)))

    def at_times(self, time_BL: Tensor, request_time_BL: Tensor) -> SequenceBatch:
        """The same events and questions, at other times."""
        return replace(self, time_BL=time_BL, request_time_BL=request_time_BL)

    def in_context(self, feature_BLF: Tensor, request_feature_BLF: Tensor) -> SequenceBatch:
        """The same events and questions, in other contexts."""
        return replace(self, feature_BLF=feature_BLF, request_feature_BLF=request_feature_BLF)


def encode(histories: Histories, max_len: int | None = None, device: torch.device | str = "cpu") -> SequenceBatch:
    """Turn histories into one batch.

    Args:
        histories: As of their places; nothing later is in them.
        max_len: Newest events kept (L); None keeps all.
        device: Where the tensors live.
    """
    flat, lengths = histories.flat, histories.lengths
    if max_len is not None:
        lengths = np.minimum(lengths, max_len)
    width = max(1, int(lengths.max(initial=0)))
    step_L = np.arange(width)
    real_BL = step_L < lengths[:, None]
    index_BL = np.where(real_BL, (histories.end_B - lengths)[:, None] + step_L, -1)
    if len(flat) == 0:
        return _empty(histories).to(device)
    last_B = np.arange(len(lengths)), np.maximum(lengths - 1, 0)
    time_BL = np.where(real_BL, flat.time_N[index_BL], np.nan)
    request_time_BL = np.full(time_BL.shape, np.nan)
    request_time_BL[:, :-1] = time_BL[:, 1:]
    request_time_BL[last_B] = histories.request_time_B
    feature_BLF = np.where(real_BL[..., None], flat.feature_NF[index_BL], np.float32("nan"))
    request_feature_BLF = np.full_like(feature_BLF, np.nan)
    request_feature_BLF[:, :-1] = feature_BLF[:, 1:]
    request_feature_BLF[last_B] = histories.request_feature_BF
    batch = SequenceBatch(
        torch.from_numpy(np.where(real_BL, flat.item_N[index_BL], 0).astype(np.int64)),
        torch.from_numpy(np.where(real_BL, flat.behavior_N[index_BL], 0).astype(np.int64)),
        torch.from_numpy(time_BL),
        torch.from_numpy(np.where(real_BL, flat.value_N[index_BL], np.float32("nan"))),
        torch.from_numpy(lengths.astype(np.int64)),
        torch.from_numpy(request_time_BL),
        torch.from_numpy(feature_BLF),
        torch.from_numpy(request_feature_BLF),
    )
    return batch.to(device)


def bucket(lengths: IndexArray, batch_tokens: int) -> list[IndexArray]:
    """Cut requests into batches of like length, each at most `batch_tokens` positions, padding included.

    A single history longer than the budget makes a batch of its own. Shortest first; ties keep their order, so the
    caller's shuffle decides among equals.
    """
    order = np.argsort(lengths, kind="stable")
    width = np.maximum(lengths[order], 1)
    batches: list[IndexArray] = []
    start = 0
    while start < len(order):
        stops = range(start + 1, len(order) + 1)  # padded size grows with the stop, so it can be searched
        fitting = bisect.bisect_right(stops, batch_tokens, key=partial(_padded_size, width, start))
        stop = start + max(1, fitting)
        batches.append(order[start:stop])
        start = stop
    return batches


def _padded_size(width: IndexArray, start: int, stop: int) -> int:
    return (stop - start) * int(width[stop - 1])


def _empty(histories: Histories) -> SequenceBatch:
    """A batch of histories without any event behind them."""
    nothing = torch.zeros((len(histories), 1), dtype=torch.int64)
    unknown = torch.full((len(histories), 1), float("nan"), dtype=torch.float64)
    lengths = torch.zeros(len(histories), dtype=torch.int64)
    asked_at, asked_in = (
        torch.from_numpy(np.ascontiguousarray(told))[:, None].clone()
        for told in (histories.request_time_B, histories.request_feature_BF)
    )
    untold = torch.full_like(asked_in, float("nan"))
    return SequenceBatch(nothing, nothing, unknown, unknown.float(), lengths, asked_at, untold, asked_in)
