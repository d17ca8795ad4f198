"""Requests in, recommendations out: THE path. Evaluation, the command line, HTTP and online learning all come here.

    request -> history as of its place -> encode -> model -> constraints -> rank, or search by vectors -> ids
                                                                        or: strategy, rules, diversity -> rank

What is done with scores beyond ranking them: `horae.recommend.strategy.plan`, only where a recipe or a request asks.
What a history is: `horae.sequences.history`; what a batch is: `horae.sequences.batch`; how ties fall:
`horae.recommend.rank`. This module knows no model by name and reads no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from horae.errors import DataError, HoraeError, UnknownIdError
from horae.features.content.of_items import ItemContent
from horae.models.base import Following, Model
from horae.models.compose import context_of
from horae.models.opponents.recent_popularity import LiveRecentPopularity, everybody_lately
from horae.recipe import Recipe
from horae.recommend.adding import Added, add_items, num_trained
from horae.recommend.answering import NO_COUNTS, NO_RANKS, Answering
from horae.recommend.approximate import recall
from horae.recommend.by_profile import ByProfile
from horae.recommend.calibration import Calibration
from horae.recommend.context import asked_in, context_notes
from horae.recommend.listing import FALLBACKS, frame_of, notes_of
from horae.recommend.pairs import exact_scores
from horae.recommend.rank import MINUS_INFINITY, Answer, Hidden, Targets, top
from horae.recommend.requests import HistoryLike, names_of, requests_of
from horae.recommend.rerank.reranker import Spent
from horae.recommend.scan import Scan
from horae.recommend.search import Search, Vectors
from horae.recommend.strategy.learned import Learned
from horae.recommend.strategy.settings import RecommendSettings
from horae.recommend.strategy.shaper import Shaper
from horae.schema import ITEM, Events, HistoryEvent, Id, IndexArray, Recommendations, Requests
from horae.sequences.clock import to_seconds
from horae.sequences.history import Histories, Sequences
from horae.sequences.vocabulary import Vocabulary

if TYPE_CHECKING:
    from horae.data.split import Split

__all__ = ["Calibration", "RecommendSettings", "Recommender"]


@dataclass(eq=False)
class Recommender:
    """A trained model, the log that it knows and the rules of recommending.

    Attributes:
        model: Scores a batch; see `horae.models.base.Model`.
        fallback: Answers requests of whose history nothing is known.
        sequences: Everybody's events, over the model's item vocabulary.
        recipe: How all this was made.
        include_seen: May items of the history be recommended again? Decided from the data unless the recipe says.
        events: The cleaned log behind `sequences`; None where a run was saved without it.
        split: Which of those events were for training, validation and test.
        calibration: Makes probabilities of scores, where it was fitted.
        catalog: Items' attributes by `item_id`, where given.
        content: What items say and show, as vectors, where the recipe asks for it.
        card: What this run is: data facts, metrics, cost, versions. Plain JSON.
        device: Where the model computes.
        log: What training wrote, one mapping per line of `log.jsonl`.
        learned: What the log's training part says of items, for strategies; made from `split` unless given.
        by_profile: What profiles say of items, where the run was trained with profiles.
        profiles: Users' profiles, asked where a request brings none; never saved with the run.
    """

    model: Model
    fallback: Model
    sequences: Sequences
    recipe: Recipe
    include_seen: bool
    events: Events | None = None
    split: Split | None = None
    calibration: Calibration | None = None
    catalog: pl.DataFrame | None = None
    content: ItemContent | None = None
    card: dict[str, Any] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    log: list[Mapping[str, Any]] = field(default_factory=list)
    learned: Learned | None = None
    by_profile: ByProfile | None = None
    profiles: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        self.follow()
        self.learned = self.learned or Learned(self.items, _training_part(self.split, self.events))

    def follow(self) -> None:
        """Let a model that goes on with the log go on with this one; once after its fit, and for another log."""
        if isinstance(self.model, Following):
            self.model = self.model.following(self.sequences)

    @property
    def _answering(self) -> Answering:
        return Answering(self)

    @cached_property
    def search(self) -> Search:
        """Finds items by vectors; `forget` makes it lay them out anew."""
        return Search()

    @property
    def shaper(self) -> Shaper:
        """Plans what is done with scores; made anew where what it stands on is another."""
        parts = (self.learned, self.recipe, self.catalog, self.calibration, self.model, self.content)
        stands_on = (*parts, self.card.get("blend"))
        known = self.__dict__.get("_shaper")
        if known is None or any(a is not b for a, b in zip(known[0], stands_on, strict=True)):
            assert self.learned is not None
            vectors = self._item_vectors if hasattr(self.model, "item_vectors") else None
            table, blend = self.recipe.recommend, self.card.get("blend")
            known_items = (self.content, num_trained(self), self._live)
            shaper = Shaper(
                table, self.items, self.catalog, self.learned, vectors, self.calibration, blend, *known_items
            )
            known = self.__dict__["_shaper"] = (stands_on, shaper)
        found: Shaper = known[1]
        return found

    @cached_property
    def whole_lines(self) -> Sequences:
        """`sequences`, with events on items that the model does not know; without the log, those appended since.

        Forecasts of the next event are made from these: such an event, too, says how long somebody has been silent.
        """
        return self.sequences.with_strange(self.events)

    @cached_property
    def strangers(self) -> set[Id]:
        """Items of the log that the model does not know."""
        if self.events is None:
            return set()
        ids = self.events.frame[ITEM].unique()
        return set(ids.filter(pl.Series(self.items.indices(ids) == 0)).to_list())

    def forget(self) -> None:
        """Lay out anew, when asked next, what stands on the items."""
        for name in ("_shaper", "whole_lines", "strangers"):
            self.__dict__.pop(name, None)
        self._counts.clear()
        self.search.forget()

    @property
    def told(self) -> tuple[str, ...]:
        """Columns of context that the model is told of a question."""
        return context_of(self.recipe.model, "request_context")

    @property
    def items(self) -> Vocabulary:
        """The items that can be recommended."""
        return self.sequences.items

    def recommend(
        self,
        requests: Requests | None = None,
        *,
        users: Iterable[Id] | pl.Series | None = None,
        histories: Sequence[HistoryLike] | None = None,
        k: int = 10,
        at: datetime | None = None,
        exclude: Iterable[Id] = (),
        only: Iterable[Id] | None = None,
        seen: bool | None = None,
        filter: str | None = None,
        rules: Iterable[str] | None = None,
        strategy: str | None = None,
        context: Mapping[str, Any] | None = None,
        profile: Mapping[str, Any] | None = None,
    ) -> Recommendations:
        """Rank items for each request; always k of them where k items are allowed.

        Args:
            requests: Requests made elsewhere; instead of all the other arguments.
            users: Ids of users. One that was never seen is answered by the fallback.
            histories: Lists of item ids, or of `HistoryEvent`, oldest first, of people the model need not know.
            k: How many.
            at: Recommend as of this time: only events strictly before it count. None: everything known counts.
            exclude: Items not to recommend.
            only: Nothing but these items.
            seen: May items of the history be in the list? None: as the run has it from its data.
            filter: A condition on the catalog's columns that every item has to meet, such as `price < 20`.
            rules: Business rules in place of the run's; see docs/strategies.md.
            strategy: `model`, `confidence`, `interest`, `context` or `combined`, in place of the run's.
            context: What is known when asking, such as `{"device": "phone"}`: for a model that is told it, by `[model]
                request_context`, for rules and strategies. What nobody looks at is noted; what is left out is unknown.
            profile: What is known of people without events, such as `{"age": 31}`, by a run that was trained with
                profiles.

        Raises:
            DataError: Neither users nor histories, or both; k below 1; nothing allowed; a context that is none; a
                filter or rule that does not parse or names a column that there is not; a strategy that this run cannot
                follow.
            UnknownIdError: None of the items in `only` is known.

        Example:
            ```python
            recommender.recommend(users=["u1"], k=10)
            recommender.recommend(histories=[["i7", "i9"]], k=10)
            ```
        """
        asked = requests
        if asked is None:
            asked = requests_of(users, histories, k, at, exclude, only, seen, filter, rules, strategy, context, profile)
        cut = self.histories(asked)
        plan = self.shaper.plan(asked)
        told_BA = self._answering.profiles(asked, cut)
        profiled_B = None if told_BA is None else np.asarray((told_BA >= 0).any(axis=1))
        reranking = self.shaper.reranking(plan)
        answers = list(self._answering.answers(asked, cut, None, asked.k, plan, reranking))
        looked_at = plan is not None and plan.uses_context
        notes = [
            *notes_of(asked, cut, self.sequences, str(self.card.get("fallback", {}).get("name", "")), profiled_B),
            *context_notes(asked, self.sequences.context, self.told, looked_at),
            *(() if reranking is None else reranking.told()),
        ]
        if plan is None:
            frame = frame_of(asked, answers, self.items, self.recipe.name, profiled_B=profiled_B)
            return Recommendations(frame, tuple(notes))
        says_why = plan.says_why
        frame = frame_of(asked, answers, self.items, self.recipe.name, profiled_B=profiled_B, says_why=says_why)
        if plan.floor is not None and self.calibration is not None:
            chance = self.calibration.probability(frame["score"])
            sure = ~frame["source"].is_in(FALLBACKS) & (frame["score"] >= plan.floor.score)
            frame = frame.with_columns(probability=pl.select(pl.when(sure).then(chance)).to_series())
        return Recommendations(frame, (*notes, *plan.told()))

    def answer(
        self,
        requests: Requests,
        targets: Targets | None = None,
        *,
        depth: int = 10,
        raw: bool = False,
        spent: Spent | None = None,
    ) -> Iterator[Answer]:
        """Answer every request once, block by block: the best `depth` items, and where the targets stand.

        Evaluation reads ranks from here and `recommend` reads lists, so that both are the same list. With `raw`, the
        model's own ranking: what training looks at, before strategies and rules. What a language model that orders the
        lists costs is added to `spent`.
        """
        plan = None if raw else self.shaper.plan(requests)
        reranking = None if raw else self.shaper.reranking(plan)
        yield from self._answering.answers(requests, self.histories(requests), targets, depth, plan, reranking)
        if reranking is not None and spent is not None:
            spent.add(reranking.spent)

    def parts(
        self, requests: Requests, wanted: Sequence[str]
    ) -> Iterator[tuple[IndexArray, npt.NDArray[np.float32], dict[str, npt.NDArray[np.float64]]]]:
        """What a blend is made of, block by block: which requests, their scores (hidden: minus infinity), the parts."""
        plan, histories, answering = self.shaper.parts(wanted), self.histories(requests), self._answering
        seen = self.include_seen if requests.seen is None else requests.seen
        for rows, _ in answering.blocks(histories, dense=True):
            block = histories.take(rows)
            with torch.inference_mode():
                scores_BI = answering.hidden(block, None, seen).mask(answering.scores(block)).float().cpu().numpy()
            yield rows, scores_BI, plan.parts(scores_BI, block, answering.moments(requests, rows, block))

    def index_recall(self, k: int = 10, users: int = 1_000) -> float:
        """The share of the exact best k that the run's index finds, over the first users; 1 where it is exact.

        Raises:
            MissingExtraError: The index is approximate and `faiss` is not installed.
        """
        answering, cut = self._answering, self.sequences.all()
        finder = answering.finder()
        known = cut.take(np.flatnonzero(cut.lengths)[:users])
        if finder is None or isinstance(finder, Scan) or not len(known):
            return 1.0
        with torch.inference_mode():
            h_BD = torch.cat([answering.states(known.take(rows)) for rows in answering.buckets(known, finder)])
            nothing = torch.empty(0, dtype=torch.int64, device=self.device)
            return recall(finder.top, Scan(finder.e_ID), h_BD, k, Hidden(nothing, nothing))

    def score(self, requests: Requests, items: Sequence[Iterable[Id]]) -> pl.DataFrame:
        """Scores of chosen pairs: for each request, its own list of items.

        Returns:
            `request_id`, `item_id`, `score` and `probability` (null where the model is not calibrated). Constraints
            and seen items play no part here.

        Raises:
            DataError: Not one list per request.
            UnknownIdError: An item outside the run's item table.
        """
        if len(items) != len(requests):
            raise DataError(
                f"Expected one list of items for each of {len(requests)} requests, got {len(items)} lists.",
                hint="Give items=[[...], [...]], in the order of the requests.",
            )
        chosen = [list(these) for these in items]
        counts = np.array([len(these) for these in chosen], dtype=np.int64)
        wanted = self._known_items([item for these in chosen for item in these])
        pairs = Targets(wanted, np.concatenate([[0], np.cumsum(counts)]))
        scores = np.full(len(wanted), np.nan, dtype=np.float32)
        histories = self.histories(requests)
        for rows, finder in self._answering.blocks(histories):
            block = histories.take(rows)
            request_P = torch.from_numpy(np.repeat(np.arange(len(rows)), counts[rows])).to(self.device)
            item_P = torch.from_numpy(pairs.take(rows).item).to(self.device)
            where = np.concatenate([np.arange(pairs.offsets[row], pairs.offsets[row + 1]) for row in rows])
            with torch.inference_mode():
                if finder is None:
                    score_P = self._answering.scores(block)[request_P, item_P]
                else:
                    score_P = exact_scores(finder.e_ID, self._answering.states(block), request_P, item_P)
            scores[where] = score_P.cpu().numpy()
        score = pl.Series("score", scores)
        probability = self.calibration.probability(score) if self.calibration else pl.Series([None] * len(score))
        names = pl.Series("request_id", np.repeat(np.array(names_of(requests), dtype=object), counts), dtype=pl.String)
        columns = {"request_id": names, ITEM: self.items.ids(wanted), "score": score}
        return pl.DataFrame({**columns, "probability": probability.cast(pl.Float64)})

    def similar(self, items: Iterable[Id], k: int = 10) -> Recommendations:
        """The items whose learned vectors point most nearly the same way (cosine).

        Raises:
            HoraeError: The model has no item vectors.
            UnknownIdError: An item outside the run's item table.
        """
        wanted = list(items)
        vectors = getattr(self.model, "item_vectors", None)
        if vectors is None:
            raise HoraeError(f"The model of {self.recipe.name} has no item vectors.", hint="Train a network: sasrec.")
        index = torch.from_numpy(self._known_items(wanted))
        with torch.no_grad():
            unit_ID = torch.nn.functional.normalize(vectors().float(), dim=1)
        answers = []
        for rows in self._answering.pieces(np.arange(len(index))):
            scores_BI = unit_ID[index[rows]] @ unit_ID.T
            scores_BI[:, 0] = MINUS_INFINITY
            scores_BI[torch.arange(len(rows)), index[rows]] = MINUS_INFINITY
            nobody_B = np.zeros(len(rows), dtype=np.bool_)
            offsets = Targets.none(len(rows)).offsets
            answers.append(Answer(rows, *top(scores_BI, k), NO_COUNTS, nobody_B, *NO_RANKS, offsets))
        asked = Requests(histories=[[HistoryEvent(item)] for item in wanted], k=k, request_ids=[str(i) for i in wanted])
        return Recommendations(frame_of(asked, answers, self.items, self.recipe.name))

    def append(
        self,
        user_id: Id,
        item_id: Id,
        behavior: str | None = None,
        timestamp: datetime | None = None,
        value: float | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Make an event part of its user's history; the user's very next request sees it.

        An item that the model does not know is no part of what lists are made from; forecasts of the next event see
        when it was and of which behavior.
        """
        self.sequences.append(user_id, HistoryEvent(item_id, behavior, timestamp, value, context or {}))
        for one in (self.model, *self._counts.values()):
            if isinstance(one, Following):
                one.note(self.items.index(item_id), to_seconds(timestamp))

    def add_items(self, catalog: pl.DataFrame | None = None, vectors: Any = None, *, change: bool = False) -> Added:
        """Take new items in, without training: what is known of their content says where they belong.

        All or nothing: a row that is wrong changes nothing. Copies made by `with_events` share the model, so add first.

        Args:
            catalog: One row per item, `item_id` and the columns of the run's catalog; what is missing is unknown.
            vectors: Made elsewhere, as `[content] vectors` of the run: a file or frame (`horae.read_vectors`), or
                `ContentVectors`.
            change: Items that the run has already take the attributes and content given here; otherwise they stay as
                they are. What was learned of an item by itself stays in either case.

        Returns:
            Which items were added, changed, or there already.

        Raises:
            DataError: No `item_id`, an id twice, a value of another type than the catalog's, vectors of another width,
                or an item of whose content a network knows nothing.
            HoraeError: A model that takes no new items.

        Example:
            ```python
            recommender.add_items(pl.DataFrame({"item_id": ["i99"], "title": ["Red running shoes"]}))
            ```
        """
        return add_items(self, catalog, vectors, change=change)

    def with_events(self, events: Events) -> Recommender:
        """The same trained model over another log's histories (same ids); what was split was the old log.

        Raises:
            DataError: That log has no items.
        """
        if not events.has_items:
            raise DataError("This log has no items, so it makes no history.", hint="Give a log with item_id.")
        return replace(self, sequences=self.sequences.alike(events), events=events, split=None)

    def save(self, path: str | Path, *, events: bool = True, overwrite: bool = False) -> Path:
        """Write the run folder; see `horae.recommend.run`."""
        from horae.recommend.run import save

        return save(self, Path(path), events=events, overwrite=overwrite)

    def histories(self, requests: Requests, *, whole: bool = False) -> Histories:
        """What each request's answer is made from; with `whole`, of `whole_lines`."""
        sequences = self.whole_lines if whole else self.sequences
        if requests.rows is not None:
            return sequences.before_rows(requests.rows)
        cut = self._before_times(requests, sequences)
        asked_in_BF = asked_in(requests, sequences.context, self.told)
        return cut if asked_in_BF is None else replace(cut, request_feature_BF=asked_in_BF)

    def _before_times(self, requests: Requests, sequences: Sequences) -> Histories:
        at = None if requests.at is None else np.array([to_seconds(time) for time in requests.at], dtype=np.float64)
        if requests.histories is not None:
            return sequences.brought(requests.histories, at)
        assert requests.users is not None
        return sequences.of_users(sequences.users.indices(requests.users), at)

    @cached_property
    def _counts(self) -> dict[float, LiveRecentPopularity | None]:
        """Of this log, by half-life in days; they follow it."""
        return {}

    def _live(self, half_life_days: float) -> LiveRecentPopularity | None:
        """Counts of everybody's events up to each request; None where no event has a time."""
        if half_life_days not in self._counts:
            self._counts[half_life_days] = everybody_lately(self.sequences, half_life_days)
        return self._counts[half_life_days]

    def _item_vectors(self) -> npt.NDArray[np.float32]:
        assert isinstance(self.model, Vectors)
        with torch.no_grad():
            return self.model.item_vectors().float().cpu().numpy()

    def _known_items(self, items: Sequence[Id]) -> IndexArray:
        index = self.items.indices(items)
        if (index == 0).any():
            unknown = items[int(np.flatnonzero(index == 0)[0])]
            raise UnknownIdError(f"The item {unknown!r} is not in the run's item table.", hint="Check its spelling.")
        return index


def _training_part(split: Split | None, events: Events | None) -> Callable[[], Events] | None:
    """What reads the events that may be learned from: before the test; all where nothing was split."""
    if split is not None:
        return lambda: split.train
    return None if events is None else lambda: events
