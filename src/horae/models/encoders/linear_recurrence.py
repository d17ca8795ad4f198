"""A linear recurrence over a history: trained on all positions at once, carried on event by event afterwards.

In: one vector per event. Out: one state per event that carries what came before it. Knows order, not time. Does not
know items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from horae.errors import RecipeError
from horae.models.encoders import last_state
from horae.models.encoders.dropout import Dropout
from horae.models.encoders.recompute import through
from horae.models.encoders.transformer import FeedForward, TransformerSettings

__all__ = ["LinearRecurrence", "LinearRecurrenceSettings", "scan"]


@dataclass(frozen=True)
class LinearRecurrenceSettings:
    """Keys of `[model]` with `encoder = "linear_recurrence"`."""

    num_layers: int = field(default=2, metadata={"doc": "Blocks of recurrence and feed-forward."})
    ffn_multiple: int = field(default=4, metadata={"doc": "Width of the feed-forward's inner layer, in dims."})
    min_radius: float = field(
        default=0.8, metadata={"doc": "Before training, a memory keeps at least this share of itself at every event."}
    )
    max_radius: float = field(
        default=0.99, metadata={"doc": "Before training, a memory keeps at most this share of itself at every event."}
    )

    def __post_init__(self) -> None:
        for key in ("num_layers", "ffn_multiple"):
            if getattr(self, key) < 1:
                raise RecipeError(f"[model] {key} = {getattr(self, key)}: expected at least 1.", hint=f"Raise {key}.")
        if not 0 < self.min_radius <= self.max_radius < 1:
            raise RecipeError(
                f"[model] min_radius = {self.min_radius}, max_radius = {self.max_radius}: expected both between 0 and "
                "1, the first not above the second.",
                hint="Try min_radius = 0.8 and max_radius = 0.99.",
            )

    def check_dim(self, dim: int) -> None:
        """See `EncoderSettings`; any width will do."""


class LinearRecurrence(nn.Module):
    """Pre-norm blocks of linear recurrence and feed-forward, then a last LayerNorm.

    Shape:
        x_BLD -> h_BLD. Padding at the right is run through and never reaches a real position.
        `start` and `step` carry a state_NBD, complex, where N counts the layers.

    Source: Yue et al. 2023 (arXiv:2310.02367), section 4 (LRURec).
    Differs: the norm stands before each part, and the scan doubles its reach on right-padded rows, where the paper's
        splits left-padded rows in halves.
    """

    causal = True
    recomputes = True

    def __init__(self, settings: LinearRecurrenceSettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__()
        self.max_len = max_len
        self.input_dropout = Dropout(dropout, of_inputs=True)
        self.blocks = nn.ModuleList(Block(settings, dim, dropout) for _ in range(settings.num_layers))
        self.norm = nn.LayerNorm(dim)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """See `Encoder`; times are not looked at."""
        h_BLD = self.input_dropout(x_BLD)
        for block in self.blocks:
            h_BLD = through(self, block, h_BLD)
        normed: Tensor = self.norm(h_BLD)
        return normed

    def newest(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """`h_BD`: `last` of `forward`, but the last block shows no state that nobody asks for."""
        h_BLD = self.input_dropout(x_BLD)
        for number in range(len(self.blocks) - 1):
            h_BLD = self.blocks[number](h_BLD)
        normed: Tensor = self.norm(cast(Block, self.blocks[-1]).newest(h_BLD, length_B))
        return normed

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`."""
        return last_state(h_BLD, length_B)

    def start(self, rows: int) -> Tensor:
        """The state of histories without an event, for `step`."""
        decay_D = cast(Block, self.blocks[0]).recurrence.decay()
        return decay_D.new_zeros(len(self.blocks), rows, len(decay_D))

    def step(self, state_NBD: Tensor, x_BD: Tensor) -> tuple[Tensor, Tensor]:
        """One more event per row, at a cost that does not grow with the history.

        Returns:
            The new state, and `h_BD`: what `forward` gives at this event's position.
        """
        states = []
        h_BD = self.input_dropout(x_BD)
        for block, state_BD in zip(self.blocks, state_NBD, strict=True):
            state_BD, h_BD = cast(Block, block).step(state_BD, h_BD)
            states.append(state_BD)
        return torch.stack(states), self.norm(h_BD)


class Block(nn.Module):
    """`h + recurrence(norm(h))`, then `h + feed_forward(norm(h))`.

    Source: Yue et al. 2023 (arXiv:2310.02367), section 4.1.
    Differs: the norm stands before each part, not after it.
    """

    def __init__(self, settings: LinearRecurrenceSettings, dim: int, dropout: float) -> None:
        super().__init__()
        self.recurrence_norm = nn.LayerNorm(dim)
        self.recurrence = Recurrence(settings, dim)
        self.ffn_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(TransformerSettings(ffn_multiple=settings.ffn_multiple), dim, dropout)
        self.dropout = Dropout(dropout)

    def forward(self, h_BLD: Tensor) -> Tensor:
        """One block over whole histories."""
        return self._fed(h_BLD, self.recurrence(self.recurrence_norm(h_BLD)))

    def newest(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """`h_BD`: what `forward` gives at each row's newest position, at a fraction of the cost."""
        carried_BD = self.recurrence.newest(self.recurrence_norm(h_BLD), length_B)
        return self._fed(last_state(h_BLD, length_B), carried_BD)

    def step(self, state_BD: Tensor, h_BD: Tensor) -> tuple[Tensor, Tensor]:
        """One block over one more event."""
        state_BD, carried_BD = self.recurrence.step(state_BD, self.recurrence_norm(h_BD))
        return state_BD, self._fed(h_BD, carried_BD)

    def _fed(self, h: Tensor, carried: Tensor) -> Tensor:
        h = h + self.dropout(carried)
        fed: Tensor = h + self.dropout(self.feed_forward(self.ffn_norm(h)))
        return fed


class Recurrence(nn.Module):
    """D complex memories, each losing a fixed share of itself and turning by a fixed angle at every event.

        s_t = a * s_t-1 + sqrt(1 - |a|^2) * (B x_t),    a = exp(-exp(nu) + i theta)
        y_t = C [Re s_t; Im s_t]

    Source: Orvieto et al. 2023 (arXiv:2303.06349), eq. 1 and section 3.2 to 3.4 (LRU).
    Differs: the factor before `B` follows `a` instead of being learned from there on, the angle is learned itself,
        not its logarithm, and there is no `D x_t`, since a residual carries the input.
    """

    def __init__(self, settings: LinearRecurrenceSettings, dim: int) -> None:
        super().__init__()
        low, high = settings.min_radius**2, settings.max_radius**2
        radius_D = torch.empty(dim).uniform_(low, high).sqrt()
        self.nu_D = nn.Parameter((-radius_D.log()).log())
        self.theta_D = nn.Parameter(torch.empty(dim).uniform_(0, 2 * math.pi))
        self.enter = nn.Linear(dim, 2 * dim)
        self.leave = nn.Linear(2 * dim, dim)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """`y_BLD`."""
        return self._shown(scan(self._entering(x_BLD), self.decay()))

    def newest(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        """`y_BD`: what `forward` gives at each row's newest position."""
        return self._shown(last_state(scan(self._entering(x_BLD), self.decay()), length_B))

    def step(self, state_BD: Tensor, x_BD: Tensor) -> tuple[Tensor, Tensor]:
        """The new state, complex, and `y_BD`."""
        state_BD = self.decay() * state_BD + self._entering(x_BD)
        return state_BD, self._shown(state_BD)

    def decay(self) -> Tensor:
        """`a_D`, complex."""
        return torch.polar(torch.exp(-self.nu_D.exp()), self.theta_D)

    def _entering(self, x: Tensor) -> Tensor:
        scale_D = (-torch.expm1(-2 * self.nu_D.exp())).sqrt()
        parts = self.enter(x).to(self.nu_D.dtype).unflatten(-1, (-1, 2))  # complex numbers exist in full precision only
        return torch.view_as_complex(parts) * scale_D

    def _shown(self, state: Tensor) -> Tensor:
        shown: Tensor = self.leave(torch.view_as_real(state).flatten(-2))
        return shown


def scan(u_BLD: Tensor, decay_D: Tensor) -> Tensor:
    """`s_BLD` with `s_t = decay * s_t-1 + u_t`, all complex, in log2(L) passes over the whole tensor."""
    scanned: Tensor = _Scan.apply(u_BLD, decay_D)  # type: ignore[no-untyped-call]
    return scanned


class _Scan(torch.autograd.Function):
    """The gradient of a linear recurrence is the same recurrence, run backwards: only its result is kept."""

    @staticmethod
    def forward(ctx: Any, u_BLD: Tensor, decay_D: Tensor) -> Tensor:
        s_BLD = u_BLD.clone()
        _doubled(s_BLD, decay_D, back=False)
        ctx.save_for_backward(s_BLD, decay_D)
        return s_BLD

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope_BLD: Tensor) -> tuple[Tensor, Tensor]:
        s_BLD, decay_D = ctx.saved_tensors
        slope_u_BLD = slope_BLD.clone()
        _doubled(slope_u_BLD, decay_D.conj(), back=True)
        slope_decay_D = (slope_u_BLD[:, 1:] * s_BLD[:, :-1].conj()).sum((0, 1))
        return slope_u_BLD, slope_decay_D


def _doubled(s_BLD: Tensor, decay_D: Tensor, *, back: bool) -> None:
    """In place: after each pass a position has gathered twice as many of those before it (`back`: after it)."""
    reach = 1
    while reach < s_BLD.shape[1]:
        early, late = s_BLD[:, :-reach], s_BLD[:, reach:]
        (early if back else late).add_(decay_D * (late if back else early))
        decay_D = decay_D * decay_D
        reach *= 2
