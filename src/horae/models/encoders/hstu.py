"""HSTU: attention without softmax, gated, that knows how long ago each event was when the question is asked.

In: one vector per event, the events' times, and when the question after each is asked. Out: one state per event that
has looked at it and at the events before it. Does not know items.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.errors import RecipeError
from horae.models.encoders import last_state
from horae.models.encoders.dropout import Dropout
from horae.models.encoders.recompute import through
from horae.models.encoders.time_bias import NUM_BUCKETS, Gaps, RelativeBias, gap_buckets

__all__ = ["HSTU", "HSTUSettings"]


@dataclass(frozen=True)
class HSTUSettings:
    """Keys of `[model]` with `encoder = "hstu"`."""

    num_layers: int = field(default=2, metadata={"doc": "Layers of gated attention."})
    num_heads: int = field(default=2, metadata={"doc": "Attention heads; must divide dim."})
    position_bias: bool = field(
        default=True, metadata={"doc": "Learn how much an event counts by how many places before it stands."}
    )
    time_bias: Literal["none", "event", "request"] = field(
        default="request",
        metadata={
            "doc": "Learn how much an event counts by how long before it was: before the question is asked (request), "
            "before the newest event (event), or not at all (none)."
        },
    )
    num_buckets: int = field(
        default=NUM_BUCKETS, metadata={"doc": "Steps of the logarithmic scale of time, from a second to 20 years."}
    )

    def __post_init__(self) -> None:
        for key, least in (("num_layers", 1), ("num_heads", 1), ("num_buckets", 3)):
            if getattr(self, key) < least:
                raise RecipeError(
                    f"[model] {key} = {getattr(self, key)}: expected at least {least}.", hint=f"Raise {key}."
                )
        if self.time_bias == "none" and self.num_buckets != NUM_BUCKETS:
            raise RecipeError(
                '[model] num_buckets has no effect with time_bias = "none".',
                hint='Remove num_buckets, or choose time_bias = "request".',
            )

    @property
    def timed(self) -> bool:
        """See `EncoderSettings`."""
        return self.time_bias != "none"

    def check_dim(self, dim: int) -> None:
        """See `EncoderSettings`."""
        if dim % self.num_heads:
            raise RecipeError(
                f"[model] dim = {dim} cannot be divided among num_heads = {self.num_heads}.",
                hint=f"Choose num_heads from {', '.join(str(n) for n in range(1, 17) if dim % n == 0)}.",
            )


class HSTU(nn.Module):
    """Layers of gated pointwise attention, then a last LayerNorm.

    With `time_bias = "request"` the state after an event depends on when the next question is asked: the next event's
    time in training, the request's at inference; where that is unknown, a bias learned for unknown times stands in.

    Shape:
        x_BLD -> h_BLD, L at most `max_len`. Padding at the right needs no mask: no real position looks to its right.

    Source: Zhai et al. 2024 (arXiv:2402.17152), section 3.
    Differs: no vectors of absolute positions; a LayerNorm at the end.
    """

    causal = True
    recomputes = True

    def __init__(self, settings: HSTUSettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__()
        settings.check_dim(dim)
        self.max_len = max_len
        self.settings = settings
        self.timed = settings.timed
        self.input_dropout = Dropout(dropout, of_inputs=True)
        self.layers = nn.ModuleList(Layer(settings, dim, max_len, dropout) for _ in range(settings.num_layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """See `Encoder`."""
        gaps = self._gaps(time_BL, request_time_BL)
        h_BLD = self.input_dropout(x_BLD)
        for layer in self.layers:
            h_BLD = through(self, layer, h_BLD, gaps)
        normed: Tensor = self.norm(h_BLD)
        return normed

    def newest(self, x_BLD: Tensor, time_BL: Tensor, length_B: Tensor, request_time_BL: Tensor) -> Tensor:
        """`h_BD`: `last` of `forward`, but the last layer computes no state that nobody asks for."""
        gaps = self._gaps(time_BL, request_time_BL)
        h_BLD = self.input_dropout(x_BLD)
        for number in range(len(self.layers) - 1):
            h_BLD = self.layers[number](h_BLD, gaps)
        normed: Tensor = self.norm(cast(Layer, self.layers[-1]).newest(h_BLD, gaps, length_B).squeeze(1))
        return normed

    def last(self, h_BLD: Tensor, length_B: Tensor) -> Tensor:
        """See `Encoder`."""
        return last_state(h_BLD, length_B)

    def _gaps(self, time_BL: Tensor, request_time_BL: Tensor) -> Gaps:
        length = time_BL.shape[1]
        assert length <= self.max_len, f"{length} positions, {self.max_len} at most"
        return Gaps.between(length, self.max_len, self._buckets(time_BL, request_time_BL), time_BL.device)

    def _buckets(self, time_BL: Tensor, request_time_BL: Tensor) -> Tensor | None:
        if not self.timed:
            return None
        asked_BL = request_time_BL if self.settings.time_bias == "request" else time_BL
        return gap_buckets(asked_BL, time_BL, self.settings.num_buckets)


class Layer(nn.Module):
    """`h + W (u * norm(a))`, with `a` the attention that is made and gated from one projection of `norm(h)`.

        u, q, k, v = split(silu(P norm(h)))
        a_i = 1/i sum_j<=i silu(q_i . k_j + bias_ij) v_j         per head; i counts from 1

    Source: Zhai et al. 2024 (arXiv:2402.17152), eq. 1 to 3.
    Differs: the sum is divided by the events seen so far, not by the length of the padded window, so that neither
        padding nor `max_len` can change a score; `P` and `W` have biases.
    """

    def __init__(self, settings: HSTUSettings, dim: int, max_len: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = settings.num_heads
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, 4 * dim)
        num_buckets = 0 if settings.time_bias == "none" else settings.num_buckets
        self.bias = RelativeBias(settings.num_heads, max_len if settings.position_bias else 0, num_buckets)
        self.attended_norm = nn.LayerNorm(dim)
        self.mix = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)
        for linear in (self.project, self.mix):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, h_BLD: Tensor, gaps: Gaps) -> Tensor:
        """One layer."""
        u_BLD, q_BLD, k_BLD, v_BLD = F.silu(self.project(self.norm(h_BLD))).chunk(4, dim=-1)
        return h_BLD + self._gated(u_BLD, self._attended(q_BLD, k_BLD, v_BLD, gaps))

    def newest(self, h_BLD: Tensor, gaps: Gaps, length_B: Tensor) -> Tensor:
        """`h_B1D`: what `forward` gives at each row's newest position, at a fraction of the cost."""
        x_BLD, half = self.norm(h_BLD), 2 * h_BLD.shape[-1]
        weight, bias = self.project.weight, self.project.bias
        asking_B1D = last_state(x_BLD, length_B)[:, None]
        u_B1D, q_B1D = F.silu(F.linear(asking_B1D, weight[:half], bias[:half])).chunk(2, dim=-1)
        k_BLD, v_BLD = F.silu(F.linear(x_BLD, weight[half:], bias[half:])).chunk(2, dim=-1)
        attended_B1D = self._attended(q_B1D, k_BLD, v_BLD, gaps.newest(length_B))
        return last_state(h_BLD, length_B)[:, None] + self._gated(u_B1D, attended_B1D)

    def _attended(self, q_BQD: Tensor, k_BLD: Tensor, v_BLD: Tensor, gaps: Gaps) -> Tensor:
        (batch, queries, _), length = q_BQD.shape, k_BLD.shape[1]
        q, k, v = (self._by_head(x) for x in (q_BQD, k_BLD, v_BLD))
        bias_HBQL = self.bias(gaps).to(q.dtype).expand(self.num_heads, batch, queries, length)
        weight = F.silu(torch.baddbmm(bias_HBQL.flatten(0, 1), q, k.transpose(1, 2)))
        summed_BQD = (weight @ v).view(self.num_heads, batch, queries, -1).permute(1, 2, 0, 3).flatten(2)
        return summed_BQD / gaps.seen()

    def _gated(self, u_BQD: Tensor, attended_BQD: Tensor) -> Tensor:
        mixed: Tensor = self.mix(self.dropout(u_BQD * self.attended_norm(attended_BQD)))
        return mixed

    def _by_head(self, x_BLD: Tensor) -> Tensor:
        batch, length, dim = x_BLD.shape
        x_HBLK = x_BLD.view(batch, length, self.num_heads, -1).permute(2, 0, 1, 3)
        return x_HBLK.reshape(-1, length, dim // self.num_heads)
