"""How a recommender does where little is known: people with 0, 1, 3, 5 events, and items that came after training.

In: a recommender and a split by time. Out: `ColdStart`: the table of new people and that of new items. No target is an
event that was learned from. This module trains nothing but the simple methods beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from horae.data.split import Split
from horae.errors import DataError
from horae.evaluation.cold_items import NewItems, new_items_of
from horae.evaluation.cold_people import Level, levels_of
from horae.evaluation.opponents import opponents_of, to_strangers
from horae.evaluation.table import cold_text
from horae.recommend.recommender import Recommender

__all__ = ["ColdStart", "check_cold", "evaluate_cold"]

BESIDE: Final = ("popularity", "recent_popularity")
ENOUGH_USERS: Final = 300


@dataclass(frozen=True)
class ColdStart:
    """What a recommender is worth to new people and for new items.

    Attributes:
        run: The recipe's name.
        boundary: Where the test part begins.
        k: Length of the lists.
        levels: By the number of events that are known.
        items: New items.
        notes: What the reader must know to read the numbers.
        seed: Of the resamples, and of the sample of people.
        samples: Resamples behind the intervals.
    """

    run: str
    boundary: str
    k: int
    levels: tuple[Level, ...]
    items: NewItems
    notes: tuple[str, ...]
    seed: int
    samples: int

    def as_dict(self) -> dict[str, Any]:
        """The key `cold_protocol` of `horae evaluate --cold --json`: plain JSON types, stable keys."""
        return {
            "run": self.run,
            "boundary": self.boundary,
            "k": self.k,
            "levels": [level.as_dict() for level in self.levels],
            "items": self.items.as_dict(),
            "notes": list(self.notes),
            "seed": self.seed,
            "bootstrap": self.samples,
        }

    def __str__(self) -> str:
        return cold_text(self.as_dict())


def evaluate_cold(
    recommender: Recommender,
    split: Split,
    *,
    known: Sequence[int] = (0, 1, 3, 5),
    k: int = 10,
    window_days: float = 7.0,
    max_users: int | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> ColdStart:
    """Judge a recommender on new people, event by event, and on items that came after training.

    Args:
        recommender: Trained on nothing of the test part.
        split: By time: elsewhere nobody is new.
        known: Of how many first events the histories are made.
        k: Length of the lists.
        window_days: How long an item is new to `new_popularity`.
        max_users: Ask a sample of this many people, in each of the two tables.
        bootstrap: Resamples for the intervals; 0 for none.
        seed: Of the sample and the resamples.

    Raises:
        DataError: The split is not by time, the log has no items, k or a number of events is impossible, or the
            catalog's `launch_time` cannot be read.
    """
    check_cold(split, known, k)
    own = recommender if recommender.events is split.events else recommender.with_events(split.events)
    found = opponents_of(own, split, BESIDE)
    beside = {name: to_strangers(one) for name, one in found.items() if not isinstance(one, str)}
    levels, num_users = levels_of(own, beside, split, known, k, max_users, bootstrap, seed)
    items = new_items_of(own, split, k, window_days, max_users, bootstrap, seed)
    return ColdStart(
        run=recommender.recipe.name,
        boundary=split.boundary,
        k=k,
        levels=levels,
        items=items,
        notes=tuple(_notes(own, levels, items, num_users, {n: w for n, w in found.items() if isinstance(w, str)})),
        seed=seed,
        samples=bootstrap,
    )


def check_cold(split: Split, known: Sequence[int] = (0,), k: int = 10) -> None:
    """Refuse before anything is computed.

    Raises:
        DataError: As in `evaluate_cold`.
    """
    if split.kind not in ("time", "rolling"):
        raise DataError(
            f"Nobody is new in a {split.kind} split: everybody has a part of their line in training.",
            hint="Split by time: --split time.",
        )
    if not split.events.has_items:
        raise DataError("This log has no items, so nothing is recommended.", hint="Give a log with item_id.")
    if k < 1 or not known or min(known) < 0 or list(known) != sorted(set(known)):
        raise DataError(
            f"k = {k}, known = {list(known)}: expected a length of at least 1 and rising numbers of events from 0.",
            hint="For example k=10, known=(0, 1, 3, 5).",
        )


def _notes(
    own: Recommender, levels: Sequence[Level], items: NewItems, people: int, missing: Mapping[str, str]
) -> Iterator[str]:
    if people < ENOUGH_USERS:
        yield f"Only {people:,} people are new in the test part: read the intervals, not the means."
    if levels and levels[0].events == 0:
        name = str(own.card.get("fallback", {}).get("name", "the fallback")).replace("_", " ")
        told = ", and by profile where it knows one" if own.by_profile is not None and own.profiles is not None else ""
        yield f"With 0 events nobody's history is known: the run answers by {name}, its fallback{told}."
    if len({level.users for level in levels}) > 1:
        yield "Fewer people come to the later rows: read `gained`, which compares each with themselves."
    if items.items and not items.in_table:
        if own.content is None:
            yield f"The model knows ids only: it can list none of the {items.items:,} new items, so its recall is 0."
        else:
            yield (
                f"None of the {items.items:,} new items is in the run's item table, so its recall is 0: "
                "`horae items add` takes them in by their content."
            )
    if not items.items:
        yield "No item of the test part is new."
    for name, reason in missing.items():
        yield f"{name} is not here: {reason}"
