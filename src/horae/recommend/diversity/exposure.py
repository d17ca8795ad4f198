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
        self._share_I = 1.0 / np.maximum(np.diff(groups.offset_I1), 1)
        self.before_G = np.zeros(len(groups.names) + 1)
        self.after_G = np.zeros(len(groups.names) + 1)

    def note(self, before_BK: npt.NDArray[np.int64], after_BK: npt.NDArray[np.int64]) -> None:
        """Add lists as the scores had them, and as they are shown; 0 where they are shorter."""
        self.before_G += self._attention(before_BK)
        self.after_G += self._attention(after_BK)

    def _attention(self, item_BK: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        weight_K = 1.0 / np.log2(np.arange(2, item_BK.shape[1] + 2))
        weight_I = np.zeros(len(self._share_I))
        np.add.at(weight_I, item_BK, np.broadcast_to(weight_K, item_BK.shape))
        weight_I[0] = 0.0
        lists, size = self._groups, len(self._groups.names)
        of_groups = np.bincount(lists.code_E, weights=(weight_I * self._share_I)[lists.item_E], minlength=size)
        without = weight_I[np.diff(lists.offset_I1) == 0].sum()
        return np.append(of_groups, without)

    def shares(self) -> dict[str, tuple[float, float]]:
        """Each group's share before and after, the largest first."""
        names = [*self._groups.names, UNKNOWN]
        before_G, after_G = (g / max(g.sum(), 1e-12) for g in (self.before_G, self.after_G))
        order = np.argsort(-np.maximum(before_G, after_G), kind="stable")
        return {names[g]: (float(before_G[g]), float(after_G[g])) for g in order if before_G[g] or after_G[g]}


def due(shares: dict[str, float], groups: Lists) -> dict[int, float]:
    """The least share of each group, by its code; groups that no item has are left out."""
    return {groups.code_of[name]: share for name, share in shares.items() if name in groups.code_of and share > 0}
