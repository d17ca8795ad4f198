"""What a recipe's `[recommend]` and a request ask beyond the model's scores in; the plan of their lists out.

    scores -> what may be shown -> strategy -> floor -> boosts, freshness -> pins, quotas, shares, variety -> new items

In this order, always; what is hidden (seen, `exclude`, outside `only`) was hidden before. Where nothing is asked, there
is no plan, and lists are the model's own, bit for bit. Rules are checked against the catalog once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import DataError, HoraeError, RecipeError
from horae.features.content.of_items import ItemContent
from horae.models.opponents.recent_popularity import LiveRecentPopularity
from horae.recipe import settings
from horae.recommend.calibration import Calibration
from horae.recommend.diversity.choose import Taste
from horae.recommend.diversity.exposure import Exposure, due
from horae.recommend.diversity.likeness import Likeness, of_entries, of_users, of_vectors
from horae.recommend.rerank.reranker import Reranker, Reranking, reranker_of
from horae.recommend.rules.columns import Columns, Lists, Numbers
from horae.recommend.rules.ruleset import RuleSet
from horae.recommend.rules.syntax import parse_rule
from horae.recommend.strategy.interests import TITLES, Interests, columns_of
from horae.recommend.strategy.learned import Learned
from horae.recommend.strategy.plan import Floor, Plan
from horae.recommend.strategy.settings import STRATEGIES, RecommendSettings
from horae.recommend.strategy.slot import Slot
from horae.schema import Requests
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Shaper"]

FloatArray = npt.NDArray[np.float64]
USUAL_WEIGHTS = {"model": 1.0, "interest": 0.3, "context": 0.3}
LAUNCHES = ("launch_time", "launched", "launch_date", "released", "release_date", "published", "created_at")
GIVEN_PLACES = "pins, quotas, variety, shares or a floor give places that another order would undo"
REMEMBERED = 256
"""Rule sets kept, compiled: so many different filters are asked again and again."""


class Shaper:
    """Makes plans; holds what they share.

    Args:
        table: The recipe's `[recommend]`.
        items: The item table.
        catalog: Attributes by `item_id`.
        learned: What the training part says.
        vectors: Gives a network's item vectors [I + 1, D]; None where the model has none.
        calibration: Makes probabilities of scores; None where it was not fitted.
        blend: Weights that were learned on validation; None for none.
        content: What items say, where the run knows.
        trained: Items that were there in training; those after them are new. None: all were.
        live: Gives counts, up to each request, of a log that goes on, whose weight halves every so many days; None
            where nothing is known of times.
    """

    def __init__(
        self,
        table: Mapping[str, Any],
        items: Vocabulary,
        catalog: pl.DataFrame | None,
        learned: Learned,
        vectors: Callable[[], npt.NDArray[np.float32]] | None = None,
        calibration: Calibration | None = None,
        blend: Mapping[str, float] | None = None,
        content: ItemContent | None = None,
        trained: int | None = None,
        live: Callable[[float], LiveRecentPopularity | None] | None = None,
    ) -> None:
        self.settings = settings(RecommendSettings, table, "[recommend]")
        self.items, self.learned = items, learned
        self._catalog, self._vectors, self._calibration, self._blend = catalog, vectors, calibration, blend
        self._content, self._trained = content, len(items) if trained is None else trained
        self._live = live
        self._rule_set = lru_cache(REMEMBERED)(self._compiled)

    @cached_property
    def columns(self) -> Columns:
        """The catalog's columns."""
        return Columns(self.items, self._catalog)

    @cached_property
    def interests(self) -> Interests:
        """What items are like.

        Raises:
            DataError: The catalog does not say.
        """
        own = self.settings
        count_I = self.learned.count_I if self.learned.has_events else np.ones(self.columns.size)
        return Interests.of(self.columns, own.interest_columns, count_I, own.half_life_days)

    def check(self) -> None:
        """Find what can never work, before an hour of training.

        Raises:
            DataError: A rule or a key names what the catalog or the log does not have.
        """
        own = self.settings
        self.check_rules()
        asks = {"interest": {"interest"}, "context": {"context"}, "combined": set(own.weights or USUAL_WEIGHTS)}
        parts = asks.get(own.strategy, set())
        if "interest" in parts and (own.strategy == "interest" or own.blend == "declared"):
            columns_of(self.columns, own.interest_columns)
        if "context" in parts and self.learned.has_events:
            self._context_by()
        if own.diversity != "none" and own.diversity_by == "catalog":
            columns_of(self.columns, own.interest_columns)
        assert self._groups is None or self._groups.names is not None
        assert own.rerank == "none" or self.reranker.titles
        if own.new_items and self._content is None:
            raise RecipeError(
                "[recommend] new_items needs to know what items say.",
                hint='Write [content] text = "auto" and give a catalog.',
            )

    def check_rules(self) -> None:
        """Read the recipe's own rules.

        Raises:
            DataError: One names what the catalog does not have, or compares what cannot be compared.
        """
        if self.settings.rules:
            self._rule_set(self.settings.rules, None)

    def plan(self, requests: Requests) -> Plan | None:
        """What is to be done with the scores of these requests; None: nothing.

        Args:
            requests: What was asked; its own strategy and rules stand in place of the recipe's, its filter beside them.

        Raises:
            DataError: A filter or rule that cannot be used, an unknown strategy, or one that this run cannot follow.
        """
        own = self.settings
        strategy = requests.strategy or own.strategy
        if strategy not in STRATEGIES:
            raise DataError(f"There is no strategy {strategy!r}.", hint=f"Strategies are {', '.join(STRATEGIES)}.")
        rules = own.rules if requests.rules is None else requests.rules
        asks_rules = bool(rules) or requests.filter is not None
        shapes = own.diversity != "none" or own.freshness > 0 or bool(own.exposure_by) or own.new_items > 0
        if strategy == "model" and not asks_rules and not shapes:
            return None
        weights = self._weights(strategy)
        return Plan(
            rules=self._rule_set(tuple(rules), requests.filter) if asks_rules else None,
            weights=weights,
            interests=self.interests if weights.get("interest") else None,
            learned=self.learned,
            context_by=self._context_by() if weights.get("context") else (),
            floor=self._floor() if strategy == "confidence" else None,
            slope=self._calibration.slope if self._calibration and strategy in ("model", "confidence") else None,
            fresh=(own.freshness, own.freshness_days * 86_400.0, self._launched) if own.freshness > 0 else None,
            taste=self._taste,
            exposure=None if self._groups is None else Exposure(self._groups),
            if_none=own.if_none,
            slot=self._slot,
            k=requests.k,
        )

    def reranking(self, plan: Plan | None) -> Reranking | None:
        """What puts the lists of one call in order; None where no language model is asked.

        Raises:
            DataError: No titles, or a folder that cannot be used.
        """
        if self.settings.rerank == "none":
            return None
        return Reranking(self.reranker, GIVEN_PLACES if plan is not None and plan.gives_places else "")

    @cached_property
    def reranker(self) -> Reranker:
        """Asks the language model that the recipe names.

        Raises:
            DataError: No titles, or a folder that cannot be used.
        """
        return reranker_of(self.settings, self.items, self._catalog)

    def parts(self, wanted: Sequence[str]) -> Plan:
        """A plan that only serves to look at the parts of a blend."""
        return Plan(
            weights=dict.fromkeys(wanted, 1.0),
            interests=self.interests if "interest" in wanted else None,
            learned=self.learned,
            context_by=self._context_by() if "context" in wanted else (),
        )

    def possible_parts(self) -> list[str]:
        """The parts that this run can blend."""
        found = ["model"]
        try:
            columns_of(self.columns, self.settings.interest_columns)
            found.append("interest")
        except DataError:
            pass
        return [*found, "context"]

    def _compiled(self, rules: tuple[str, ...], wanted: str | None) -> RuleSet:
        return RuleSet([parse_rule(text) for text in rules], wanted, self.columns, self.items)

    def _weights(self, strategy: str) -> dict[str, float]:
        """How much each part of the blend counts; empty where scores stay as they are."""
        own = self.settings
        if strategy == "interest":
            return {"model": 1.0, "interest": own.interest_weight}
        if strategy == "context":
            return {"model": 1.0, "context": own.context_weight}
        if strategy != "combined":
            return {}
        if own.blend == "learned":
            if self._blend is None:
                raise HoraeError(
                    "This run has not learned how to blend the parts of its scores.",
                    hint="Train with --set recommend.strategy=combined --set recommend.blend=learned.",
                )
            return dict(self._blend)
        return dict(own.weights) or USUAL_WEIGHTS

    def _context_by(self) -> tuple[str, ...]:
        for name in self.settings.context_by:
            if not self.learned.has(name):
                raise DataError(
                    f"[recommend] context_by names {name!r}, which the log does not have.",
                    hint="Name hour, weekday, or a column of the log.",
                )
        return self.settings.context_by

    def _floor(self) -> Floor:
        if self._calibration is None:
            raise HoraeError(
                "This run's scores are no chances, so there is no floor to hold them to.",
                hint="Train with a longer validation part, so that scores can be calibrated; or use strategy=model.",
            )
        return Floor(self._calibration.score_of(self.settings.floor), self.settings.below_floor)

    @cached_property
    def _launched(self) -> FloatArray:
        """When each item came: as the catalog says, else its first event; infinity where neither does."""
        for name in LAUNCHES:
            column = self.columns[name] if name in self.columns.names else None
            if isinstance(column, Numbers) and column.kind == "time":
                first_I = self.learned.first_I if self.learned.has_events else np.full(self.columns.size, np.inf)
                return np.where(np.isnan(column.value_I), first_I, column.value_I)
        return self.learned.first_I

    @cached_property
    def _slot(self) -> Slot | None:
        own = self.settings
        if not own.new_items or self._content is None:
            return None
        new_I = np.arange(len(self.items) + 1) > self._trained
        if self.learned.has_events:
            new_I |= self.learned.count_I <= own.new_items_events
        new_I[0] = False
        live = self._live(own.new_items_days) if self._live is not None and own.new_items_live else None
        by = (own.new_items_half_life, own.new_items_model, live, own.new_items_live)
        return Slot(own.new_items, self._content, new_I, *by)

    @cached_property
    def _groups(self) -> Lists | None:
        name = self.settings.exposure_by
        if not name:
            return None
        if name not in self.columns.names:
            raise DataError(f"[recommend] exposure_by names {name!r}.", hint=self.columns.near(name))
        return self.columns.lists(name)

    @cached_property
    def _taste(self) -> Taste:
        own = self.settings
        taste = Taste(pool=own.pool)
        if own.diversity != "none":
            taste = replace(taste, method=own.diversity, likeness=self._likeness(), trade_off=own.trade_off)
        if self._groups is not None and own.exposure_shares:
            strange = [name for name in own.exposure_shares if name not in self._groups.code_of]
            if strange:
                raise DataError(
                    f"[recommend] exposure_shares names {strange[0]!r}, a group that no item has.",
                    hint=f"Groups of {own.exposure_by} are {', '.join(self._groups.names[:20])}.",
                )
            taste = replace(taste, groups=self._groups, shares=due(own.exposure_shares, self._groups))
        return taste

    def _likeness(self) -> Likeness:
        by = self.settings.diversity_by
        if by == "auto":
            by = "catalog" if "interest" in self.possible_parts() else "vectors" if self._vectors else "together"
        if by == "together":
            return of_users(self.learned.item_N, self.learned.user_N, len(self.items))
        if by == "vectors":
            if self._vectors is None:
                raise DataError("This run's model has no item vectors.", hint="diversity_by = together, or catalog.")
            return of_vectors(self._vectors())
        names = columns_of(self.columns, self.settings.interest_columns)
        kinds = [name for name in names if name not in TITLES] or names
        return of_entries([self.columns.lists(name) for name in kinds])
