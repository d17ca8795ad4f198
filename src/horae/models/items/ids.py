"""The item table that knows nothing of an item but its index.

In: item indices. Out: vectors. The same vectors are looked up for a history and met by a state in the dot product. This
module does not know what an item is called, costs or says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.models.items.ridge import beside, ridge

__all__ = ["IdTable"]


class IdTable(nn.Module):
    """One learned vector per item; row 0 is padding, zero for ever.

    The table may hold more rows than there are items, so that new items need no new tensor (and the optimiser's rows
    stay where they are) until the capacity is used up.

    Args:
        num_items: I, without padding.
        dim: D.
        capacity: Items that fit without a new tensor; at least `num_items`. None: just `num_items`.

    Attributes:
        touched_rows: Gradients hold the looked-up rows only: for large tables, most of which a step never sees.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III-A and III-D (one shared table).
    Differs: drawn from N(0, 0.02^2), so that items start almost alike. A wider start (inputs of unit variance) lost a
        quarter of the NDCG@10 on ml-100k, leave-one-out, with one seed.
    """

    def __init__(self, num_items: int, dim: int, capacity: int | None = None) -> None:
        super().__init__()
        capacity = num_items if capacity is None else capacity
        assert num_items >= 1 and capacity >= num_items, (num_items, capacity)
        self.num_items = num_items
        self.touched_rows = False
        self.weight = nn.Parameter(torch.empty(capacity + 1, dim))
        init_id_rows(self.weight)
        with torch.no_grad():
            self.weight[0] = 0.0

    @property
    def dim(self) -> int:
        """D."""
        return self.weight.shape[1]

    @property
    def capacity(self) -> int:
        """Items that fit without a new tensor."""
        return self.weight.shape[0] - 1

    @property
    def rows(self) -> nn.Parameter:
        """What is learned of each item by itself: the whole table."""
        return self.weight

    def vectors(self) -> Tensor:
        """`e_ID`: a view of the rows in use, padding first."""
        return self.weight[: self.num_items + 1]

    def lookup(self, item_BL: Tensor) -> Tensor:
        """`e_BLD`; padding is zero and takes no gradient."""
        return F.embedding(item_BL, self.weight, padding_idx=0, sparse=self.touched_rows)

    def begin_near(self, vector_ID: Tensor) -> None:
        """Begin at the given vectors; items whose vector is zero keep what they were drawn."""
        with torch.no_grad():
            rows_ID = self.vectors()
            given_I1 = (vector_ID != 0).any(dim=1, keepdim=True)
            rows_ID.copy_(torch.where(given_I1, vector_ID, rows_ID.cpu()))

    def grow(self, num: int) -> bool:
        """Take `num` more items in, after the last one, with fresh vectors.

        Returns:
            True where the capacity was used up, so that `weight` is a new parameter, half as large again, with the old
            rows copied: an optimiser has to be told.
        """
        assert num >= 0
        needed = self.num_items + num
        moved = needed > self.capacity
        with torch.no_grad():
            if moved:
                larger = self.weight.new_empty(max(needed, self.capacity * 3 // 2) + 1, self.dim)
                init_id_rows(larger)
                larger[: self.num_items + 1] = self.vectors()
                self.weight = nn.Parameter(larger)
            else:
                init_id_rows(self.weight[self.num_items + 1 : needed + 1])
        self.num_items = needed
        return moved

    def foretell(self, content: Mapping[str, tuple[np.ndarray, np.ndarray]], trained: int) -> None:
        """Write the vectors of the items after the first `trained`: what content foretells by those.

        Args:
            content: Per modality fixed vectors of all items `[I + 1, P]`, and who has one.
            trained: So many items have learned vectors.
        """
        x_IP = beside(content)
        there_N = torch.from_numpy(np.logical_or.reduce([known_I for _, known_I in content.values()]))
        there_N[0], there_N[trained + 1 :] = False, False
        with torch.no_grad():
            rows_ID = self.vectors()
            foretold_ND = x_IP[trained + 1 :] @ ridge(x_IP[there_N], rows_ID.cpu()[there_N].double())
            rows_ID[trained + 1 :] = foretold_ND.to(rows_ID)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Only the rows in use."""
        rows = self.vectors()
        destination[f"{prefix}weight"] = rows if keep_vars else rows.detach()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any) -> None:
        """The inverse; the table keeps its capacity."""
        *_, missing_keys, _, errors = more
        given = state_dict.get(f"{prefix}weight")
        if given is None:
            missing_keys.append(f"{prefix}weight")
        elif given.shape != self.vectors().shape:
            errors.append(f"{prefix}weight: {tuple(given.shape)} in the place of {tuple(self.vectors().shape)}")
        else:
            with torch.no_grad():
                self.vectors().copy_(given)


def init_id_rows(weight: Tensor) -> None:
    """Draw rows as a new table has them."""
    nn.init.normal_(weight, std=0.02)
