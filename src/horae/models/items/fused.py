"""Item vectors made of what items are called, say and show.

In: item indices, and per modality a fixed vector of each item with a mask of those that have one. Out: vectors, as from
the table of ids: the same ones for histories and for the dot product. It does not know who made the fixed vectors.

All ways of fusing begin as the plain sum, so that what is known of items at the start (`begin_near`) holds for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.items.ids import IdTable
from horae.models.items.ridge import ridge

__all__ = ["Fresh", "FusedTable", "Fusion", "FusionShape"]

Fusion = Literal["ids", "content", "sum", "gate", "concat", "attention"]


@dataclass(frozen=True)
class FusionShape:
    """How the parts are put together.

    Attributes:
        fusion: `content` has no ids at all.
        hidden: Width of a hidden layer beside each modality's linear map; 0 for none.
        id_bound: Longest that an id's vector may be; 0: any length.
        id_dropout: Share of items that are without their id's vector in a training step.
    """

    fusion: Fusion = "sum"
    hidden: int = 0
    id_bound: float = 0.0
    id_dropout: float = 0.0


@dataclass(frozen=True)
class Fresh:
    """Vectors that stand for some items' fixed ones in a training step, with their gradient.

    Attributes:
        name: The modality.
        place_I: Each item's row among them; -1: it has none.
        vector_MP: As wide as the fixed ones.
    """

    name: str
    place_I: Tensor
    vector_MP: Tensor


class FusedTable(nn.Module):
    """`e_i = mix(id_i, f_1(c_i1), ..., f_M(c_iM))`, parts that are missing left out.

    `sum`: added. `gate`: `2 g * id + 2 (1 - g) * sum_m f_m`, `g = sigmoid(U [id, sum_m f_m])`. `concat`: a linear map
    of all parts, beside each other. `attention`: `n sum_p a_p p`, over the n parts that there are, `a = softmax_p(q_p .
    p)`. `content`: as `sum`, without ids. `f_m` is linear, or that plus a hidden layer.

    Args:
        num_items: I, without padding.
        dim: D.
        content: Per modality the items' fixed vectors `[I + 1, P]` and who has one, `[I + 1]`.
        shape: See `FusionShape`.

    Attributes:
        fresh: What stands for fixed vectors while somebody trains who makes them; None else.

    Source: sum and concatenation as in Hidasi et al. 2016 (RecSys, doi:10.1145/2959100.2959167), the gate as in
        Arevalo et al. 2017 (arXiv:1702.01992); a bounded part that is learned beside frozen content: "Let It Go?"
        (arXiv:2507.19473); items without their ids in training: Volkovs, Yu & Poutanen 2017 (DropoutNet, NeurIPS 30).
    Differs: every way begins as the sum; what is missing is masked, not zero.
    """

    known_IM: Tensor

    def __init__(
        self,
        num_items: int,
        dim: int,
        content: Mapping[str, tuple[np.ndarray, np.ndarray]],
        shape: FusionShape = FusionShape(),
    ) -> None:
        super().__init__()
        assert content and shape.fusion != "ids"
        self.dim = dim
        self.num_items = num_items
        self.shape = shape
        self.fresh: Fresh | None = None
        self.names = list(content)
        self.ids = None if shape.fusion == "content" else IdTable(num_items, dim)
        maps = [_Map(fixed_IP.shape[1], dim, shape.hidden) for fixed_IP, _ in content.values()]
        self.maps = nn.ModuleList(maps)
        self.missing_D = nn.Parameter(0.02 * torch.randn(dim)) if self.ids is None else None
        parts = len(self.names) + (self.ids is not None)
        self.gate: nn.Linear | None = nn.Linear(2 * dim, dim) if shape.fusion == "gate" else None
        self.mix: nn.Linear | None = nn.Linear(parts * dim, dim, bias=False) if shape.fusion == "concat" else None
        self.query_PD = nn.Parameter(torch.zeros(parts, dim)) if shape.fusion == "attention" else None
        self._set_content(content)
        self._begin_as_sum()
        self._made: tuple[object, Tensor] | None = None

    @property
    def touched_rows(self) -> bool:
        """See `IdTable`."""
        return self.ids is not None and self.ids.touched_rows

    @touched_rows.setter
    def touched_rows(self, touched: bool) -> None:
        if self.ids is not None:
            self.ids.touched_rows = touched

    @property
    def rows(self) -> nn.Parameter | None:
        """What is learned of each item by itself; None where nothing is."""
        return None if self.ids is None else self.ids.rows

    def vectors(self) -> Tensor:
        """`e_ID`, padding first; kept from call to call while nothing is learned."""
        if self.training or torch.is_grad_enabled():
            return self._fused(None)
        key = [(tensor.data_ptr(), tensor._version) for tensor in (*self.parameters(), *self.buffers())]
        if self._made is None or self._made[0] != key:
            self._made = (key, self._fused(None))
        return self._made[1]

    def lookup(self, item_BL: Tensor) -> Tensor:
        """`e_BLD`; padding is zero and takes no gradient."""
        if self.training or torch.is_grad_enabled():
            return self._fused(item_BL.flatten()).view(*item_BL.shape, self.dim)
        return F.embedding(item_BL, self.vectors())

    def begin_near(self, vector_ID: Tensor) -> None:
        """Begin near the given vectors, zero where there is none.

        Content foretells them as well as a linear map can (a ridge regression); ids are what is left.
        """
        near_I = (vector_ID != 0).any(dim=1)
        x_IP = torch.cat([fixed * self.known_IM[:, [m]] for m, fixed in enumerate(self._fixed())], dim=1).cpu().double()
        weight_PD = ridge(x_IP[near_I], vector_ID[near_I].cpu().double())
        weights = torch.split(weight_PD, [fixed.shape[1] for fixed in self._fixed()])
        with torch.no_grad():
            for one, part_PD in zip(self.maps, weights, strict=True):
                cast(_Map, one).linear.weight.copy_(part_PD.T)
            if self.ids is not None:
                left_ID = torch.where(near_I[:, None], vector_ID.cpu() - (x_IP @ weight_PD).float(), 0.0)
                self.ids.begin_near(left_ID)

    def grow(self, num: int, content: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None) -> bool:
        """Take `num` more items in, after the last; of their ids nothing is learned yet.

        Args:
            num: How many.
            content: Of all items, the old ones included; None: nothing is known of the new ones.

        Returns:
            True where `rows` is a new parameter.
        """
        moved = False
        if self.ids is not None:
            moved = self.ids.grow(num)
            with torch.no_grad():
                self.ids.vectors()[self.num_items + 1 :] = 0.0
        self.num_items += num
        if content is None:
            content = {
                name: (
                    np.pad(fixed.cpu().numpy(), ((0, num), (0, 0))),
                    np.pad(self.known_IM[:, m].cpu().numpy(), (0, num)),
                )
                for m, (name, fixed) in enumerate(zip(self.names, self._fixed(), strict=True))
            }
        self._set_content(content)
        self._made = None
        return moved

    def told(self, name: str) -> np.ndarray:
        """The fixed vectors of a modality."""
        return self.get_buffer(f"fixed_{self.names.index(name)}").cpu().numpy().copy()

    def retell(self, name: str, fixed_IP: np.ndarray) -> None:
        """Other fixed vectors of a modality, of the same items."""
        buffer = f"fixed_{self.names.index(name)}"
        old = self.get_buffer(buffer)
        assert fixed_IP.shape == old.shape, (fixed_IP.shape, old.shape)
        self.register_buffer(buffer, torch.tensor(fixed_IP, dtype=old.dtype, device=old.device), persistent=False)
        self._made = None

    def _set_content(self, content: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        assert list(content) == self.names
        device = next(self.parameters()).device
        for m, (fixed_IP, _) in enumerate(content.values()):
            assert len(fixed_IP) == self.num_items + 1, (len(fixed_IP), self.num_items)
            self.register_buffer(f"fixed_{m}", torch.as_tensor(fixed_IP, device=device), persistent=False)
        known = np.stack([known_I for _, known_I in content.values()], axis=1)
        self.register_buffer("known_IM", torch.as_tensor(known, device=device), persistent=False)

    def _fixed(self) -> list[Tensor]:
        return [self.get_buffer(f"fixed_{m}") for m in range(len(self.names))]

    def _begin_as_sum(self) -> None:
        with torch.no_grad():
            if self.gate is not None:
                self.gate.weight.zero_()
                self.gate.bias.zero_()
            if self.mix is not None:
                self.mix.weight.copy_(torch.eye(self.dim).repeat(1, self.mix.in_features // self.dim))

    def _fused(self, items_N: Tensor | None) -> Tensor:
        """Vectors of all items, or of the given ones; item 0's are zero."""
        known_NM = self.known_IM if items_N is None else self.known_IM[items_N]
        parts = []
        for one, fixed_NP, known_N in zip(self.maps, self._said(items_N), known_NM.unbind(1), strict=True):
            part_ND: Tensor = one(fixed_NP)
            parts.append(part_ND * known_N[:, None])
        there = list(known_NM.unbind(1))
        if self.ids is not None:
            id_ND = self._bounded(self.ids.vectors() if items_N is None else self.ids.lookup(items_N))
            kept_N = torch.ones_like(known_NM[:, 0])
            if self.training and self.shape.id_dropout:
                kept_N = (torch.rand(len(kept_N), device=kept_N.device) >= self.shape.id_dropout) | ~known_NM.any(1)
                id_ND = id_ND * kept_N[:, None]
            parts, there = [id_ND, *parts], [kept_N, *there]
        mixed_ND = self._mixed(torch.stack(parts, dim=1), torch.stack(there, dim=1))
        if self.missing_D is not None:
            mixed_ND = torch.where(known_NM.any(dim=1, keepdim=True), mixed_ND, self.missing_D)
        if items_N is None:
            return torch.cat([torch.zeros_like(mixed_ND[:1]), mixed_ND[1:]])
        return mixed_ND * (items_N > 0)[:, None]

    def _said(self, items_N: Tensor | None) -> list[Tensor]:
        """Per modality what is known of all items, or of the given ones; fresh where it is."""
        said = [fixed_IP if items_N is None else fixed_IP[items_N] for fixed_IP in self._fixed()]
        if self.fresh is not None:
            m, place_I = self.names.index(self.fresh.name), self.fresh.place_I
            place_N = place_I if items_N is None else place_I[items_N]
            fresh_NP = F.embedding(place_N.clamp(min=0), self.fresh.vector_MP)
            said[m] = torch.where(place_N[:, None] >= 0, fresh_NP, said[m])
        return said

    def _bounded(self, id_ND: Tensor) -> Tensor:
        if not self.shape.id_bound:
            return id_ND
        length_N1: Tensor = id_ND.norm(dim=1, keepdim=True).clamp(min=1e-12)
        return id_ND * (self.shape.id_bound / length_N1).clamp(max=1.0)

    def _mixed(self, part_NPD: Tensor, there_NP: Tensor) -> Tensor:
        """The parts of each item, those that are not there being zero, in one vector."""
        if self.query_PD is not None:
            logit_NP = (part_NPD * self.query_PD).sum(dim=2).masked_fill(~there_NP, -1e9)
            share_NP = logit_NP.softmax(dim=1) * there_NP.sum(dim=1, keepdim=True)
            return (part_NPD * share_NP[..., None]).sum(dim=1)
        if self.mix is not None:
            concatenated: Tensor = self.mix(part_NPD.flatten(1))
            return concatenated
        if self.gate is not None:
            id_ND, said_ND = part_NPD[:, 0], part_NPD[:, 1:].sum(dim=1)
            share_ND = self.gate(torch.cat([id_ND, said_ND], dim=1)).sigmoid()
            both = (there_NP[:, 0] & there_NP[:, 1:].any(dim=1))[:, None]
            return torch.where(both, 2 * (share_ND * id_ND + (1 - share_ND) * said_ND), id_ND + said_ND)
        return part_NPD.sum(dim=1)


class _Map(nn.Module):
    """A modality's fixed vector to D numbers: `A c`, or `A c + V gelu(U c)`, which begins as the former."""

    def __init__(self, width: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, dim, bias=False)
        nn.init.normal_(self.linear.weight, std=0.02)  # fixed vectors are about 1 long: items start almost alike
        self.inner = nn.Linear(width, hidden) if hidden else None
        self.outer = nn.Linear(hidden, dim, bias=False) if hidden else None
        if self.outer is not None:
            nn.init.zeros_(self.outer.weight)

    def forward(self, c_NP: Tensor) -> Tensor:
        x_ND: Tensor = self.linear(c_NP)
        if self.inner is not None and self.outer is not None:
            x_ND = x_ND + self.outer(F.gelu(self.inner(c_NP)))
        return x_ND
