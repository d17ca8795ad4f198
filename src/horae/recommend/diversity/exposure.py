"""Lists and groups of items in; the share of people's attention that each group has out.

A place's attention is `1 / log2(1 + rank)`. An item of several groups shares its place among them.

Source: Singh and Joachims 2018, Fairness of exposure in rankings, section 3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from horae.recommend.rules.columns import Lists

__all__ = ["Exposure", "due"]

UNKNOWN = "(unknown)"


class Exposure:
    """Attention by group, added up over lists."""

    def __init__(self, groups: Lists) -> None:
        self._groups = groups
        self.before_G = np.zeros(len(groups.names) + 1)
        self.after_G = np.zeros(len(groups.names) + 1)

    def note(self, before_BK: npt.NDArray[np.int64], after_BK: npt.NDArray[np.int64]) -> None:
        """Add lists as the scores had them, and as they are shown; 0 where they are shorter."""
        self.before_G += self._attention(before_BK)
        self.after_G += self._attention(after_BK)

    def _attention(self, item_BK: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        weight_K = 1.0 / np.log2(np.arange(2, item_BK.shape[1] + 2))
        there_BK = item_BK > 0
        weight_N = np.broadcast_to(weight_K, item_BK.shape)[there_BK]
        place_E, code_E = self._groups.among(item_BK[there_BK])
        entries_N = np.bincount(place_E, minlength=len(weight_N))
        shared_N = weight_N / np.maximum(entries_N, 1)
        of_groups = np.bincount(code_E, weights=shared_N[place_E], minlength=len(self._groups.names))
        return np.append(of_groups, weight_N[entries_N == 0].sum())

    def shares(self) -> dict[str, tuple[float, float]]:
        """Each group's share before and after, the largest first."""
        names = [*self._groups.names, UNKNOWN]
        before_G, after_G = (g / max(g.sum(), 1e-12) for g in (self.before_G, self.after_G))
        order = np.argsort(-np.maximum(before_G, after_G), kind="stable")
        return {names[g]: (float(before_G[g]), float(after_G[g])) for g in order if before_G[g] or after_G[g]}


def due(shares: dict[str, float], groups: Lists) -> dict[int, float]:
    """The least share of each group, by its code; groups that no item has are left out."""
    return {groups.code_of[name]: share for name, share in shares.items() if name in groups.code_of and share > 0}
