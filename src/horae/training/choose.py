"""`--recipe auto`: a log in, a recipe that suits it out, and why, in plain sentences.

It reads only what may be learned from: of a split, the part before the test. The thresholds stand below as constants,
each with its reason; what a log must look like to get a recipe stands in `_network`. It trains nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from horae.data.checking.measures import Numbers, cold_shares, gap_seconds, history_lengths, repeat_share, resolution
from horae.data.cleaning.order import Array
from horae.data.split import Split
from horae.errors import DataError, RecipeError
from horae.recipe import Recipe, load_recipe
from horae.schema import Events

__all__ = ["AUTO", "Choice", "Facts", "asked", "because_of", "choose_recipe", "facts_of", "settled"]

AUTO: Final = "auto"

FEW_EVENTS: Final = 1_000
"""Below this a network learns its noise; counting what follows what does not."""

SESSION_LENGTH: Final = 6
"""Users with fewer events than this, in the middle, are sessions rather than people, if they are also brief."""

SESSION_HOURS: Final = 6.0
"""A user whose events lie closer together than this came once."""

SHORT_LENGTH: Final = 12
"""Below this, in the middle, a history says little, and a log of them has few positions to learn from."""

LONG_LENGTH: Final = 20
"""From here on there is enough of a history for its gaps and hours to tell something."""

REPEATS: Final = 0.5
"""From this share of repeated items on, the newest events say best what comes again; below it, times say more."""

LARGE_CATALOG: Final = 50_000
"""Above this many items a softmax over all of them is most of the work of a step."""

NEGATIVES: Final = 1_024
"""Drawn per step for a large catalog; more cost more than they bring."""

NEWEST_LENGTH: Final = 50
"""Where items come back, or times are told: on check-ins, films and goods 200 events were worth less than these."""

LENGTHS: Final = (20, 32, 50, 64, 100, 128, 200)
"""`max_len` is the first of these that holds nine of ten histories whole; the last where none does."""

SHORT_TRAIN: Final = {"batch_tokens": 512, "learning_rate": 0.005}
"""Short histories make few positions, so batches are small; the mean of quick steps was best there."""

SESSION_BATCH_TOKENS: Final = 512
"""As small, for sessions."""

NEW_ITEMS: Final = 0.3
"""From this share of the newest events on items that had none before, what was learned of items last week is old: on
such a log what everybody turns to now, mixed with neighbours, was worth two and a half times any network of ids."""

TIMED, REPEATED, SHORT, SESSIONS, USUAL, COUNTED = "hstu", "sasrec", "sasrec", "bsarec", "sasrec", "markov"
REPEATED_IN_TIME: Final = "sasrec-time"
"""Who comes back has hours and days for it: on check-ins, times were worth 2.6% (benchmark `time_ablations`)."""
NEWS: Final = "news"


@dataclass(frozen=True)
class Facts:
    """What the choice looks at.

    Attributes:
        events: Before the test.
        users: With an event.
        items: With an event.
        median_length: Events per user, in the middle.
        long_length: Nine of ten users have no more events than this.
        repeat_share: Events on an item that their user had before.
        resolution: The coarsest unit that holds every time, such as `day`; None where only an order is known.
        median_gap_seconds: Between a user's successive events; None where only an order is known.
        median_span_hours: From a user's first event to the last; None where only an order is known.
        new_item_share: Of the newest tenth of events, those on items without an event before; None as above.
    """

    events: int
    users: int
    items: int
    median_length: float
    long_length: float
    repeat_share: float
    resolution: str | None
    median_gap_seconds: float | None
    median_span_hours: float | None
    new_item_share: float | None


@dataclass(frozen=True)
class Choice:
    """A recipe, and why.

    Attributes:
        recipe: An installed one, with its length, loss and steps set for the log.
        reasons: Plain sentences, the recipe's first.
        facts: What they rest on.
    """

    recipe: Recipe
    reasons: tuple[str, ...]
    facts: Facts

    def as_dict(self) -> dict[str, Any]:
        """What the card keeps under `chosen`."""
        return {"recipe": self.recipe.name, "reasons": list(self.reasons), "facts": asdict(self.facts)}

    def __str__(self) -> str:
        return "\n".join([f"Chosen: {self.recipe.name}", *(f"  {reason}" for reason in self.reasons)])


def choose_recipe(data: Events | Split) -> Choice:
    """The recipe that suits a log.

    Args:
        data: Cleaned events; or a split, whose test part is not looked at.

    Raises:
        DataError: The log has no items.
    """
    facts = facts_of(data)
    name, reason = _network(facts)
    recipe = load_recipe(name)
    if name in (COUNTED, NEWS):
        return Choice(recipe, (reason, *_notes(facts)), facts)
    model, train, reasons = _length(facts, name)
    if facts.median_length < SHORT_LENGTH and name != SESSIONS:
        train |= SHORT_TRAIN
        reasons.append("Batches are small and steps are quick, as short histories make few positions.")
    if name == SESSIONS:
        train |= {"batch_tokens": SESSION_BATCH_TOKENS}
        reasons.append("Batches are small, as sessions make few positions.")
    if facts.items > LARGE_CATALOG and recipe.train.get("loss", "softmax") == "softmax":
        train |= {"loss": "sampled_softmax", "num_negatives": NEGATIVES}
        reasons.append(f"The loss compares with {NEGATIVES:,} drawn items, not with all {facts.items:,}.")
    recipe = replace(recipe, model={**recipe.model, **model}, train={**recipe.train, **train})
    return Choice(recipe, (reason, *reasons, *_notes(facts)), facts)


def facts_of(data: Events | Split) -> Facts:
    """Measure what the choice looks at.

    Raises:
        DataError: The log has no items.
    """
    events = data.train if isinstance(data, Split) else data
    if not events.has_items:
        raise DataError(
            "This log has no items, so there is no recipe to choose.",
            hint="Name the item column with --columns item_id=...",
        )
    log, timed = Numbers.of(events), events.times == "all"
    assert log.item_N is not None
    lengths, cold = history_lengths(log), cold_shares(log) if timed else None
    gaps = gap_seconds(log) if timed else np.zeros(0)
    return Facts(
        events=len(events),
        users=len(lengths),
        items=len(np.unique(log.item_N)),
        median_length=float(np.median(lengths)),
        long_length=float(np.quantile(lengths, 0.9, method="inverted_cdf")),
        repeat_share=repeat_share(log),
        resolution=resolution(log) if timed else None,
        median_gap_seconds=float(np.median(gaps)) if len(gaps) else None,
        median_span_hours=float(np.median(_spans(log))) / 3600e6 if timed else None,
        new_item_share=cold[1] if cold else None,
    )


def asked(recipe: str | Path | Recipe, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe as it was asked for; `auto` stays open, with the overrides alone, until `settled` sees the log."""
    if isinstance(recipe, Recipe):
        return recipe.with_overrides(overrides)
    return Recipe(AUTO).with_overrides(overrides) if str(recipe) == AUTO else load_recipe(recipe, overrides)


def settled(recipe: Recipe, data: Events | Split) -> tuple[Recipe, Choice | None]:
    """For `auto` the recipe that suits the log, under what was set by hand, and the choice; others as they are."""
    if recipe.name != AUTO:
        return recipe, None
    choice = choose_recipe(data)
    best = choice.recipe
    return replace(
        best,
        data={**best.data, **recipe.data},
        content={**best.content, **recipe.content},
        model={**best.model, **recipe.model},
        train={**best.train, **recipe.train},
        recommend={**best.recommend, **recipe.recommend},
        tune={**best.tune, **recipe.tune},
    ), choice


@contextmanager
def because_of(choice: Choice | None) -> Iterator[None]:
    """What a recipe refuses in here says that nobody named it: `auto` chose it, and why.

    Raises:
        RecipeError: As raised in here, the choice before it where there is one.
    """
    try:
        yield
    except RecipeError as error:
        if choice is None:
            raise
        counts = "encoder" not in choice.recipe.model
        network = f"Or name a network in the place of auto, such as --recipe {USUAL}." if counts else ""
        raise RecipeError(
            f"auto chose {choice.reasons[0]} As it was asked for, that cannot be: {error.message}",
            hint=f"{error.hint or ''} {network}".strip(),
        ) from error


def _network(facts: Facts) -> tuple[str, str]:
    """Which recipe, and the sentence that says why."""
    median = f"{facts.median_length:g} events"
    brief = facts.median_span_hours is None or facts.median_span_hours <= SESSION_HOURS
    if facts.events < FEW_EVENTS:
        return COUNTED, f"{COUNTED}: {facts.events:,} events are too few for a network, so it counts what follows what."
    if facts.new_item_share is not None and facts.new_item_share >= NEW_ITEMS:
        share = f"{facts.new_item_share:.0%} of the newest events are on items that had none before"
        return NEWS, f"{NEWS}: {share}, so it asks what everybody turns to now."
    if facts.median_length < SESSION_LENGTH and brief:
        return SESSIONS, f"{SESSIONS}: the users are sessions, {median} long in the middle and soon over."
    timed = facts.resolution not in (None, "day")
    if facts.repeat_share >= REPEATS:
        what = f"{facts.repeat_share:.0%} of the events repeat an item, and the newest events say which comes again"
        if timed:
            return REPEATED_IN_TIME, f"{REPEATED_IN_TIME}: {what}; times are finer than a day, and habits have hours."
        return REPEATED, f"{REPEATED}: {what}."
    if timed and facts.median_length >= LONG_LENGTH:
        return TIMED, f"{TIMED}: histories are long ({median} in the middle) and times are finer than a day."
    if facts.median_length < SHORT_LENGTH:
        return SHORT, f"{SHORT}: histories are short ({median} in the middle), and their order is what there is."
    why = "only their order is known" if facts.resolution is None else f"times are by the {facts.resolution}"
    return USUAL, f"{USUAL}: histories have {median} in the middle, and {why}."


def _length(facts: Facts, name: str) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """`max_len`, `windows`, and why."""
    most = NEWEST_LENGTH if facts.repeat_share >= REPEATS or name == TIMED else LENGTHS[-1]
    max_len = next((length for length in LENGTHS if length >= min(facts.long_length, most)), most)
    if max_len >= facts.long_length:
        why = f"It looks at {max_len} events: nine of ten histories have {facts.long_length:g} or fewer."
    else:
        why = f"It looks at the newest {max_len} events, and learns from longer histories window by window."
    return {"max_len": max_len}, {"windows": "all"}, [why]


def _notes(facts: Facts) -> list[str]:
    if facts.new_item_share is None or facts.new_item_share < NEW_ITEMS:
        return []
    return [
        f"Note: {facts.new_item_share:.0%} of the newest events are on items that had none before; who knows ids only "
        "must miss them, so train again often."
    ]


def _spans(log: Numbers) -> Array:
    """Microseconds from each user's first event to the last."""
    first = np.flatnonzero(log.first_N)
    last = np.append(first[1:], len(log.first_N)) - 1
    spans: Array = log.time_N[last] - log.time_N[first]
    return spans
