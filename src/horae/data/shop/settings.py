"""What a simulated shop may be like, and what it may not.

In: numbers from a caller or a recipe. Out: `ShopSettings`, which has checked itself. It knows nothing of how they act.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from horae.data.shop.words import CATEGORIES
from horae.errors import RecipeError

__all__ = ["DAY", "ShopSettings"]

DAY: Final = 86_400


@dataclass(frozen=True)
class ShopSettings:
    """What the shop is like. Shares lie between 0 and 1.

    Attributes:
        users: Everybody who comes at least once (where there are sessions enough).
        items: Size of the catalog.
        events: Rows of the log before dirt; exact.
        days: Length of the log.
        start: Its first midnight, an ISO date in UTC.
        categories: Up to 12.
        hour_amplitude: Visits swing by this share around their mean, once a day.
        weekday_amplitude: The same, once a week.
        season_amplitude: Each category's odds swing by up to this share, once a year.
        trend_per_year: Standard deviation of the categories' slopes, as change of log odds in a year.
        taste_strength: Odds of a user's favourite category against an ordinary one.
        taste_half_life_days: After so long, half of the users have changed their favourite category.
        style_share: How often a user insists on the own style: among two items, and among complements.
        chain_share: How often the next item is a complement of the one just seen, and not the category's.
        repeat_share: How often a user returns to something seen before.
        session_items: Mean number of items looked at in one session.
        cart_rate: Share of views followed by a cart.
        purchase_rate: Share of carts followed by a purchase.
        launch_share: Share of items launched after the first day.
        join_share: Share of users who come for the first time after the first day.
        promotions: How many campaigns of a week there are.
        promotion_lift: Odds of a promoted item against its ordinary ones.
        discount: How much cheaper it is meanwhile.
        gaps: Dirt: share of the days that the log has lost.
        outliers: Dirt: share of purchases whose value is a thousandfold.
        duplicates: Dirt: share of rows that are there twice.
        shuffles: Dirt: share of rows that stand in another row's line of the file.
        missing: Dirt: share of rows in which `item_id`, `price` or `device` is empty.
    """

    users: int = 2_000
    items: int = 800
    events: int = 100_000
    days: int = 180
    start: str = "2024-01-01"
    categories: int = 8
    hour_amplitude: float = 0.7
    weekday_amplitude: float = 0.3
    season_amplitude: float = 0.4
    trend_per_year: float = 0.8
    taste_strength: float = 20.0
    taste_half_life_days: float = 60.0
    style_share: float = 0.8
    chain_share: float = 0.5
    repeat_share: float = 0.08
    session_items: float = 5.0
    cart_rate: float = 0.18
    purchase_rate: float = 0.45
    launch_share: float = 0.3
    join_share: float = 0.4
    promotions: int = 8
    promotion_lift: float = 4.0
    discount: float = 0.2
    gaps: float = 0.0
    outliers: float = 0.0
    duplicates: float = 0.0
    shuffles: float = 0.0
    missing: float = 0.0

    def __post_init__(self) -> None:
        for name in ("users", "items", "events", "days", "categories"):
            _demand(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        most = min(len(CATEGORIES), self.items)
        _demand(self.categories <= most, "categories", self.categories, f"at most {most}")
        for name in SHARES:
            _demand(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share between 0 and 1")
        _demand(self.chain_share + self.repeat_share <= 1, "chain_share", self.chain_share, "at most 1 - repeat_share")
        for name in ("taste_strength", "taste_half_life_days", "promotion_lift"):
            _demand(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        _demand(1 <= self.session_items <= 20, "session_items", self.session_items, "between 1 and 20")
        _demand(self.promotions >= 0, "promotions", self.promotions, "0 or more")
        daily = self.events / (self.users * self.days)
        _demand(daily <= 20, "events", self.events, "at most 20 events a day for each user")
        self.first_date()

    def first_date(self) -> date:
        """The log's first day.

        Raises:
            RecipeError: `start` is not a date between 1971 and 2200.
        """
        try:
            first = date.fromisoformat(self.start)
        except ValueError as error:
            raise RecipeError(
                f"The shop's start = {self.start!r}: expected a date.", hint="Write it as 2024-01-01."
            ) from error
        _demand(1971 <= first.year <= 2200, "start", self.start, "a year between 1971 and 2200")
        return first

    def start_seconds(self) -> int:
        """The first midnight (UTC) in seconds since 1970."""
        return (self.first_date() - date(1970, 1, 1)).days * DAY


SHARES: Final = (
    *("hour_amplitude", "weekday_amplitude", "season_amplitude", "style_share", "chain_share", "repeat_share"),
    *("cart_rate", "purchase_rate", "launch_share", "join_share", "discount"),
    *("gaps", "outliers", "duplicates", "shuffles", "missing"),
)


def _demand(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise RecipeError(f"The shop's {name} = {value!r}: expected {expected}.", hint=f"Change {name}.")
