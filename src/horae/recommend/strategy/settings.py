"""The `[recommend]` table: what a list is made of beyond the model's scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from horae.errors import DataError, RecipeError
from horae.recommend.rerank.endpoint import checked_url
from horae.recommend.rules.syntax import parse_rule

__all__ = ["PARTS", "STRATEGIES", "RecommendSettings", "StrategyName", "without_rerank"]

StrategyName = Literal["model", "confidence", "interest", "context", "combined"]
STRATEGIES: Final = ("model", "confidence", "interest", "context", "combined")
PARTS: Final = ("model", "interest", "context")
"""What `combined` blends."""
CONTEXTS: Final = ("hour", "weekday")


@dataclass(frozen=True)
class RecommendSettings:
    """The `[recommend]` table."""

    seen: Literal["auto", "include", "exclude"] = field(
        default="auto",
        metadata={"doc": "May an item of the history be recommended again? `auto` decides by the data's repeat share."},
    )
    index: Literal["exact", "approximate"] = field(
        default="exact",
        metadata={
            "doc": "How a network's best items are found: `exact` misses none; `approximate` (extra `ann`) reads "
            "a part of the catalog, worth it from millions of items."
        },
    )
    strategy: StrategyName = field(
        default="model",
        metadata={
            "doc": "What orders the items: the model's score; the same with a floor of `confidence`; with the user's "
            "`interest` in what items are like; with the `context` of the request; or all of them `combined`."
        },
    )
    rules: tuple[str, ...] = field(
        default=(), metadata={"doc": "Business rules over the catalog's columns; see docs/strategies.md."}
    )
    if_none: Literal["fallback", "nothing"] = field(
        default="fallback",
        metadata={
            "doc": "What is shown where the allow rules leave no item: the fallback's items that no rule denies."
        },
    )
    calibration: Literal["temperature", "isotonic", "auto"] = field(
        default="temperature",
        metadata={
            "doc": "What makes probabilities of scores, fitted on validation: a slope and a shift; a rising staircase; "
            "or the one of them that tells held-out validation pairs better."
        },
    )
    floor: float = field(
        default=0.5, metadata={"doc": "Of `confidence`: the least probability that an item may be shown with."}
    )
    below_floor: Literal["fallback", "nothing"] = field(
        default="fallback",
        metadata={
            "doc": "Of `confidence`: places that no item is sure enough for go to the fallback's items, so that there "
            "are always k; or to nothing."
        },
    )
    weights: dict[str, float] = field(
        default_factory=dict,
        metadata={
            "doc": "Of `combined`: how much each part counts; empty: `{model = 1, interest = 0.3, context = 0.3}`."
        },
    )
    blend: Literal["declared", "learned"] = field(
        default="declared", metadata={"doc": "Of `combined`: `weights`, or weights learned on validation."}
    )
    interest_weight: float = field(
        default=0.3, metadata={"doc": "Of `interest`: standard deviations of the score that one of the match counts."}
    )
    context_weight: float = field(
        default=0.3, metadata={"doc": "Of `context`: standard deviations of the score that a factor of e counts."}
    )
    context_by: tuple[str, ...] = field(
        default=CONTEXTS,
        metadata={
            "doc": "Of `context`: `hour`, `weekday` (UTC), or columns of the log that requests name in `context`."
        },
    )
    interest_columns: tuple[str, ...] = field(
        default=(), metadata={"doc": "Columns that say what items are like; empty: categories, brands and the like."}
    )
    half_life_days: float = field(
        default=30.0, metadata={"doc": "After so many days an event counts half as an interest."}
    )
    diversity: Literal["none", "mmr", "dpp"] = field(
        default="none",
        metadata={
            "doc": "Keep lists from being all alike: maximal marginal relevance, or a determinantal point process."
        },
    )
    diversity_by: Literal["auto", "vectors", "together", "catalog"] = field(
        default="auto",
        metadata={
            "doc": "What makes items alike: the network's vectors, the users that they share, or the catalog's "
            "categories; `auto` takes the first that there is, of catalog, vectors, together."
        },
    )
    trade_off: float = field(
        default=0.7, metadata={"doc": "Of diversity: 1 minds the score alone, 0 the variety alone."}
    )
    pool: int = field(default=100, metadata={"doc": "Of diversity and exposure: the best so many items are looked at."})
    freshness: float = field(
        default=0.0, metadata={"doc": "Standard deviations of the score that a brand-new item gains; 0: none."}
    )
    freshness_days: float = field(default=14.0, metadata={"doc": "After so many days the gain is half."})
    new_items: float = field(
        default=0.0,
        metadata={
            "doc": "Share of each list kept for new items, at least one place of two or more and never all: the best "
            "by content (`[content]`) for the newest events, and by what others turned to lately; 0: none."
        },
    )
    new_items_events: int = field(
        default=0, metadata={"doc": "Items with at most so many events in training are new; added ones always are."}
    )
    new_items_half_life: float = field(
        default=2.0,
        metadata={"doc": "Of new_items: an event's weight halves every so many events back; 0: all weigh 1."},
    )
    new_items_model: float = field(
        default=0.0,
        metadata={
            "doc": "Of new_items: weight of the model's own score of a new item beside its content, both in standard "
            "deviations."
        },
    )
    new_items_live: float = field(
        default=2.0,
        metadata={
            "doc": "Of new_items: weight of the events that new items had up to the request, from anybody, in a log "
            "that goes on: their logarithm, in standard deviations as content is; 0: content alone."
        },
    )
    new_items_days: float = field(
        default=3.0, metadata={"doc": "Of new_items_live: after so many days an event counts half."}
    )
    exposure_by: str = field(
        default="", metadata={"doc": "A column: exposure is measured for its groups, before and after; empty: none."}
    )
    exposure_shares: dict[str, float] = field(
        default_factory=dict, metadata={"doc": "The least share of the places that a group of `exposure_by` is due."}
    )

    rerank: Literal["none", "local", "endpoint"] = field(
        default="none",
        metadata={
            "doc": "A language model puts the top of each list in order, by titles: one from a `local` folder, or one "
            "behind an `endpoint`, to which titles are sent; see docs/large-models.md."
        },
    )
    rerank_model: str = field(
        default="", metadata={"doc": "Of rerank: the folder of a causal model, or its name as the endpoint has it."}
    )
    rerank_url: str = field(
        default="", metadata={"doc": "Of `endpoint`: the URL up to `/v1`; nothing is sent anywhere else."}
    )
    rerank_key_env: str = field(
        default="", metadata={"doc": "Of `endpoint`: the environment variable that holds the key; empty: none is sent."}
    )
    rerank_titles: str = field(
        default="", metadata={"doc": "Of rerank: the catalog's column; empty: title, name and the like."}
    )
    rerank_depth: int = field(default=50, metadata={"doc": "Of rerank: so many items of a list are put in order."})
    rerank_history: int = field(default=10, metadata={"doc": "Of rerank: so many of the newest titles are told."})
    rerank_timeout: float = field(
        default=20.0, metadata={"doc": "Of `endpoint`: seconds for an answer; then the list stays as it was."}
    )
    rerank_retries: int = field(
        default=1, metadata={"doc": "Of `endpoint`: further tries where the server is busy, broken or silent."}
    )
    rerank_tokens: int = field(
        default=1_000_000,
        metadata={"doc": "Of rerank: the most tokens in one process; then lists stay as they were."},
    )
    rerank_cache: str = field(
        default="", metadata={"doc": "Of rerank: the folder of kept answers; empty: the user's cache; `none`: none."}
    )

    def __post_init__(self) -> None:
        self._check_rerank()
        for text in self.rules:
            try:
                parse_rule(text)
            except DataError as error:
                raise RecipeError(f"[recommend] rules: {error.message}", hint=error.hint) from error
        for name, low, high in _RANGES:
            if not low <= getattr(self, name) <= high:
                raise RecipeError(
                    f"[recommend] {name} = {getattr(self, name)}: expected {low} to {high}.", hint=f"Change {name}."
                )
        for key in (one.name for one in fields(self) if one.name.startswith("new_items_")):
            if self.new_items == 0 and getattr(self, key) != getattr(type(self), key):
                raise RecipeError(
                    f"[recommend] {key} has no effect with new_items = 0.", hint="Write new_items = 0.1, or remove it."
                )
        for part, weight in self.weights.items():
            if part not in PARTS or abs(weight) > 1e6:
                raise RecipeError(f"[recommend] weights.{part} = {weight}.", hint=f"Parts are {', '.join(PARTS)}.")
        if self.weights and self.blend == "learned":
            raise RecipeError("[recommend] weights have no effect where blend is learned.", hint="Give one of them.")
        if self.exposure_shares and not self.exposure_by:
            raise RecipeError("[recommend] exposure_shares needs exposure_by.", hint='Add exposure_by = "brand".')
        if sum(self.exposure_shares.values()) > 1 + 1e-9 or min(self.exposure_shares.values(), default=0.0) < 0:
            raise RecipeError(
                "[recommend] exposure_shares: expected at least 0 each, at most 1 together.", hint="Lower them."
            )

    def _check_rerank(self) -> None:
        usual = {one.name: one.default for one in fields(self) if one.name.startswith("rerank_")}
        given = [name for name, default in usual.items() if getattr(self, name) != default]
        used = {"none": (), "local": [name for name in usual if name not in OF_ENDPOINTS], "endpoint": list(usual)}
        for name in given:
            if name not in used[self.rerank]:
                raise RecipeError(f'[recommend] {name} has no effect with rerank = "{self.rerank}".', hint="Remove it.")
        if self.rerank == "none":
            return
        if not self.rerank_model:
            what = "the folder of a causal model" if self.rerank == "local" else "the model as the endpoint calls it"
            raise RecipeError(f'[recommend] rerank = "{self.rerank}" needs rerank_model.', hint=f"Name {what}.")
        if self.rerank == "endpoint":
            checked_url(self.rerank_url, self.rerank_key_env)
        keeps = [text for text in self.rules if text.split()[:1] in (["pin"], ["quota"])]
        others = [key for key in ("diversity", "exposure_by") if getattr(self, key) not in ("none", "")]
        if self.strategy == "confidence" or keeps or others:
            what = "rules" if keeps else others[0] if others else "strategy"
            raise RecipeError(
                f"[recommend] rerank would undo the places that {what} gives.", hint=f"Remove rerank, or {what}."
            )


OF_ENDPOINTS: Final = ("rerank_url", "rerank_key_env", "rerank_timeout", "rerank_retries")


def without_rerank(table: Mapping[str, Any]) -> dict[str, Any]:
    """A `[recommend]` table that asks no language model."""
    return {key: value for key, value in table.items() if not key.startswith("rerank")}


_RANGES: Final = (
    ("floor", 0.0, 1.0),
    ("interest_weight", 0.0, 1e3),
    ("context_weight", 0.0, 1e3),
    ("half_life_days", 1e-3, 1e5),
    ("trade_off", 0.0, 1.0),
    ("pool", 1, 10_000),
    ("freshness", 0.0, 1e3),
    ("freshness_days", 1e-3, 1e5),
    ("rerank_depth", 2, 200),
    ("rerank_history", 1, 100),
    ("rerank_timeout", 0.1, 600.0),
    ("rerank_retries", 0, 5),
    ("rerank_tokens", 1, 10**12),
    ("new_items", 0.0, 1.0),
    ("new_items_events", 0, 1_000_000),
    ("new_items_half_life", 0.0, 1e3),
    ("new_items_model", 0.0, 1e3),
    ("new_items_live", 0.0, 1e3),
    ("new_items_days", 1e-3, 1e5),
)
