"""History encoders: what a network sees in the order of a history.

In: one vector per event, `x_BLD`, right-padded, with times and lengths. Out: one state per event, `h_BLD`. Encoders
know nothing of items, losses or files, so series forecasters and imputers reuse them. This module holds their contract,
and their registry as text: a name is imported when a recipe asks for it.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

__all__ = ["ENCODERS", "Encoder", "EncoderSettings", "last_state"]

ENCODERS: dict[str, tuple[str, str, str]] = {
    "transformer": ("horae.models.encoders.transformer", "Transformer", "TransformerSettings"),
    "ligr": ("horae.models.encoders.ligr", "LiGR", "LiGRSettings"),
    "low_pass": ("horae.models.encoders.low_pass", "LowPassTransformer", "LowPassSettings"),
    "gru": ("horae.models.encoders.gru", "GRU", "RecurrentSettings"),
    "lstm": ("horae.models.encoders.lstm", "LSTM", "RecurrentSettings"),
    "decay_gru": ("horae.models.encoders.decay", "DecayGRU", "DecaySettings"),
    "decay_lstm": ("horae.models.encoders.decay", "DecayLSTM", "DecaySettings"),
    "hstu": ("horae.models.encoders.hstu", "HSTU", "HSTUSettings"),
    "linear_recurrence": ("horae.models.encoders.linear_recurrence", "LinearRecurrence", "LinearRecurrenceSettings"),
}
"""Name in `[model] encoder`, its module, its class, its settings dataclass."""


class EncoderSettings(Protocol):
    """An encoder's own keys of `[model]`: a dataclass that refuses impossible values when it is made.

    One whose encoder looks at times has `timed`, true where these settings let it.
    """

    def check_dim(self, dim: int) -> None:
        """Refuse, as a `RecipeError`, a width that the encoder cannot have."""
        ...


class Encoder(Protocol):
    """What every encoder offers; each is an `nn.Module`, made as `Class(settings, dim, max_len, dropout)`.

    A class with `two_way = True` also takes `causal=False`, and then looks at later positions, too. One that can answer
    a request at less than the cost of all states has `newest`, which takes what a call takes and gives what `last`
    makes of it. One that looks at times has `timed = True`, and in training some of its histories lose theirs. One that
    runs its blocks by `recompute.through`, so that training may compute them anew, has `recomputes = True`.

    Attributes:
        causal: True where the state at a position depends on no later position.
    """

    causal: bool

    def __call__(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """`h_BLD`; at padded positions finite, but without meaning.

        Args:
            x_BLD: One vector per event, oldest first, padding at the right.
            time_BL: Seconds; NaN where unknown.
            length_B: Real events per row, from 1 to L; 0 where nothing is known.
            request_time_BL: When the question after each event is asked; NaN where unknown.
        """
        ...

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """`h_BD`: the state that answers a request after the newest event."""
        ...


def last_state(h_BLD: Tensor, length_B: Tensor) -> Tensor:
    """`h_BD`: the state at each row's newest event; an empty row gives its first, padded position."""
    if len(h_BLD) == 1 and h_BLD.device.type == "cpu":  # somebody who asks alone waits for every call
        return h_BLD[:, max(int(length_B) - 1, 0)]
    row_B = torch.arange(len(h_BLD), device=h_BLD.device)
    return h_BLD[row_B, (length_B - 1).clamp(min=0)]
