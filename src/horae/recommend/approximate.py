"""States in, the probably best items of a large catalog out, through an inverted-file index of the library `faiss`.

The catalog is cut into cells of near vectors and only the cells nearest to a state are read, so some of the best may
be missed: `recall` measures how many. What was found is scored exactly, so its order and scores are the exact scan's.
Hidden items are honoured by asking for as many more; a request that then has too few, or one that may be answered with
chosen items only, is answered by the exact scan. The optional library comes with the extra `ann`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from horae.errors import MissingExtraError
from horae.recommend.pairs import best_of
from horae.recommend.rank import Hidden, Scores
from horae.recommend.scan import Scan, must_be_finite
from horae.schema import IndexArray

__all__ = ["Approximate", "recall"]

CELL_ITEMS = 1_000
"""About this many items in a cell."""
CELLS_READ = 1 / 32
"""Share of the cells that is read for a request; at least eight of them."""
TRAIN_PER_CELL = 64
SEED = 7


class Approximate:
    """The catalog of one version of the item vectors, in an index of faiss.

    Args:
        e_ID: float32 item vectors, row 0 padding.

    Raises:
        HoraeError: A vector holds a number that is not finite.
        MissingExtraError: `faiss` is not installed.
    """

    def __init__(self, e_ID: Tensor) -> None:
        faiss = _faiss()
        self.exact = Scan(e_ID)
        self.e_ID = e_ID
        self.num_items = len(e_ID) - 1
        vectors_ID = np.ascontiguousarray(e_ID[1:].detach().cpu().numpy())
        cells = max(1, self.num_items // CELL_ITEMS)
        quantizer = faiss.IndexFlatIP(e_ID.shape[1])
        self.index = faiss.IndexIVFFlat(quantizer, e_ID.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        self.index.cp.seed = SEED
        self.index.cp.min_points_per_centroid = 1  # small catalogs are no reason to print a warning
        self.index.nprobe = min(cells, max(8, round(cells * CELLS_READ)))
        chosen = np.random.default_rng(SEED).permutation(self.num_items)[: cells * TRAIN_PER_CELL]
        self.index.train(vectors_ID[np.sort(chosen)])
        self.index.add(vectors_ID)

    def top(self, h_BD: Tensor, k: int, hidden: Hidden) -> tuple[IndexArray, Scores]:
        """As `Scan.top`, but items may be missed.

        Raises:
            HoraeError: A state holds a number that is not finite.
        """
        must_be_finite(h_BD, "The state of a history")
        if hidden.allowed_I is not None:
            return self.exact.top(h_BD, k, hidden)
        width = min(k, self.num_items + 1)
        more = int(torch.bincount(hidden.request_P).max()) if len(hidden.request_P) else 0
        _, found = self.index.search(np.ascontiguousarray(h_BD.float().cpu().numpy()), min(k + more, self.num_items))
        request_P, place_P = np.nonzero(found >= 0)
        item_P = found[request_P, place_P] + 1
        shown_P = hidden.shows(request_P, item_P, self.num_items)
        request_P, item_P = request_P[shown_P], item_P[shown_P]
        requests, items = (torch.from_numpy(column).to(h_BD.device) for column in (request_P, item_P))
        items_BK, best_BK = best_of(self.e_ID, h_BD, requests, items, width)
        for row in np.flatnonzero((items_BK == 0).any(axis=1)):
            alone, own = self.exact.top(h_BD[row : row + 1], k, hidden.part(int(row), int(row) + 1))
            items_BK[row], best_BK[row] = alone[0], own[0]
        return items_BK, best_BK


def recall(found: Callable[..., tuple[IndexArray, Scores]], exact: Scan, h_BD: Tensor, k: int, hidden: Hidden) -> float:
    """The share of the exact best k that a search finds, over some requests."""
    mine, _ = found(h_BD, k, hidden)
    best, _ = exact.top(h_BD, k, hidden)
    hits = [len(set(a[a > 0].tolist()) & set(b[b > 0].tolist())) for a, b in zip(mine, best, strict=True)]
    return sum(hits) / max(1, int((best > 0).sum()))


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("An approximate index needs faiss.", hint="pip install 'horae[ann]'") from error
    return faiss
