"""New popularity: what the newest events were on, among the items that nobody had turned to before a short while ago.

In: target events with a known time, in a log that goes on after training. Out: the same scores for every request of
the same time. It does not know histories, nor when an item was launched before its first event.
"""

from __future__ import annotations

from dataclasses import dataclass

from horae.models.opponents.by_history import in_range
from horae.models.opponents.recent_popularity import RecentPopularity

__all__ = ["NewPopularity", "NewPopularitySettings"]


@dataclass(frozen=True)
class NewPopularitySettings:
    """Keys of `[model]` with `opponent = "new_popularity"`.

    Attributes:
        window_days: An item is new for so long after its first event.
    """

    window_days: float = 7.0

    def __post_init__(self) -> None:
        in_range("window_days", self.window_days, above=0)

    @property
    def half_life_days(self) -> float | None:
        """Nothing decays inside the window."""
        return None

    @property
    def live(self) -> bool:
        """Frozen, it would soon know nothing new."""
        return True

    @property
    def new_only(self) -> bool:
        """What sets it apart from recent popularity."""
        return True


class NewPopularity(RecentPopularity):
    """`score(i) = sum_n 1 + p_i` over i's target events n before the request, if all lie in its last `window_days`.

    Items seen before the window have `p_i` only, their share of all target events: they stand below every new item.
    The window ends at each request (`Following`); for requests of unknown time, where training ended.

    Source: Ji, Sun, Zhang & Li, SIGIR 2020 (A Re-visit of the Popularity Baseline, RecentPop), among new items.
    Differs: only items whose first event lies in the window count.
    """

    def __init__(self, settings: NewPopularitySettings = NewPopularitySettings()) -> None:
        super().__init__(settings)
