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
from torch import Tensor

from horae.errors import DataError, HoraeError, UnknownIdError
from horae.features.content.of_items import ItemContent
from horae.models.base import Following, Model
from horae.models.compose import context_of
from horae.recipe import Recipe
from horae.recommend.adding import Added, add_items, num_trained
from horae.recommend.approximate import recall
from horae.recommend.by_profile import ByProfile
from horae.recommend.calibration import Calibration
from horae.recommend.context import asked_in, context_notes
from horae.recommend.listing import FALLBACKS, frame_of, notes_of
from horae.recommend.pairs import exact_scores, ranks_in
from horae.recommend.rank import MINUS_INFINITY, Answer, Hidden, Targets, ranks_of, top
from horae.recommend.requests import HistoryLike, names_of, requests_of
from horae.recommend.rerank.reranker import Reranking, Spent
from horae.recommend.rules.meaning import Moment
from horae.recommend.scan import Scan
from horae.recommend.search import Finder, Search, Vectors
from horae.recommend.strategy.learned import Learned
from horae.recommend.strategy.plan import Plan
from horae.recommend.strategy.settings import RecommendSettings
from horae.recommend.strategy.shaper import Shaper
from horae.schema import ITEM, USER, Events, HistoryEvent, Id, IndexArray, Recommendations, Requests
from horae.sequences.batch import bucket, encode
from horae.sequences.clock import to_seconds
from horae.sequences.history import Histories, Sequences
from horae.sequences.vocabulary import Vocabulary

if TYPE_CHECKING:
    from horae.data.split import Split

__all__ = ["Calibration", "RecommendSettings", "Recommender"]

BATCH_TOKENS = 32_768
SCORES_IN_MEMORY = 6_000_000
"""Scores held at once (24 MB): blocks of requests are cut so that users x items never stands in memory. Allocators keep
pieces of up to 32 MB for reuse; larger ones they fetch from the system, page by page, every time."""
SEARCHED_AT_ONCE = 4_096
LISTED = 20
"""Where ranks are asked for, lists that a strategy makes are made so long: a rank in one of them is its place."""
NO_COUNTS = np.empty(0, dtype=np.int64)
NO_RANKS = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


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
            known_items = (self.content, num_trained(self))
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
        told_BA = self._told(asked, cut)
        profiled_B = None if told_BA is None else np.asarray((told_BA >= 0).any(axis=1))
        reranking = self.shaper.reranking(plan)
        answers = list(self._in_order(asked, cut, None, asked.k, plan, reranking))
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
        yield from self._in_order(requests, self.histories(requests), targets, depth, plan, reranking)
        if reranking is not None and spent is not None:
            spent.add(reranking.spent)

    def parts(
        self, requests: Requests, wanted: Sequence[str]
    ) -> Iterator[tuple[IndexArray, npt.NDArray[np.float32], dict[str, npt.NDArray[np.float64]]]]:
        """What a blend is made of, block by block: which requests, their scores (hidden: minus infinity), the parts."""
        plan, histories = self.shaper.parts(wanted), self.histories(requests)
        seen = self.include_seen if requests.seen is None else requests.seen
        for rows, _ in self._parts(histories, dense=True):
            block = histories.take(rows)
            with torch.inference_mode():
                scores_BI = self._hidden(block, None, seen).mask(self._scores(block)).float().cpu().numpy()
            yield rows, scores_BI, plan.parts(scores_BI, block, self._moments(requests, rows, block))

    def index_recall(self, k: int = 10, users: int = 1_000) -> float:
        """The share of the exact best k that the run's index finds, over the first users; 1 where it is exact.

        Raises:
            MissingExtraError: The index is approximate and `faiss` is not installed.
        """
        finder = self._finder()
        cut = self.sequences.all()
        known = cut.take(np.flatnonzero(cut.lengths)[:users])
        if finder is None or isinstance(finder, Scan) or not len(known):
            return 1.0
        with torch.inference_mode():
            h_BD = torch.cat([self._states(known.take(rows)) for rows in self._blocks(known, finder)])
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
        for rows, finder in self._parts(histories):
            block = histories.take(rows)
            request_P = torch.from_numpy(np.repeat(np.arange(len(rows)), counts[rows])).to(self.device)
            item_P = torch.from_numpy(pairs.take(rows).item).to(self.device)
            where = np.concatenate([np.arange(pairs.offsets[row], pairs.offsets[row + 1]) for row in rows])
            with torch.inference_mode():
                if finder is None:
                    score_P = self._scores(block)[request_P, item_P]
                else:
                    score_P = exact_scores(finder.e_ID, self._states(block), request_P, item_P)
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
        for rows in self._pieces(np.arange(len(index))):
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
        if isinstance(self.model, Following):
            self.model.note(self.items.index(item_id), to_seconds(timestamp))

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

    def _finder(self) -> Finder | None:
        return self.search.finder(self.model, self.recipe.recommend.get("index", "exact"))

    def _in_order(
        self,
        requests: Requests,
        histories: Histories,
        targets: Targets | None,
        depth: int,
        plan: Plan | None,
        reranking: Reranking | None,
    ) -> Iterator[Answer]:
        """The answers; where a recipe asks, their tops in a language model's order."""
        if reranking is None:
            yield from self._answers(requests, histories, targets, depth, plan)
            return
        for answer in self._answers(requests, histories, targets, reranking.depth(depth), plan):
            yield reranking.of(answer, histories.take(answer.rows), depth)

    def _answers(
        self,
        requests: Requests,
        histories: Histories,
        targets: Targets | None,
        depth: int,
        plan: Plan | None = None,
    ) -> Iterator[Answer]:
        gate_I = None if plan is None else plan.gate()
        shapes = plan is not None and gate_I is None
        allowed_I = self._allowed(requests, gate_I)
        seen = self.include_seen if requests.seen is None else requests.seen
        told_BA = self._told(requests, histories)
        for rows, finder in self._parts(histories, dense=shapes):
            block, told = histories.take(rows), None if told_BA is None else told_BA[rows]
            hidden = self._hidden(block, allowed_I, seen)
            mine = Targets.none(len(rows)) if targets is None else targets.take(rows)
            request_P = np.repeat(np.arange(len(rows)), np.diff(mine.offsets))
            with torch.inference_mode():
                if plan is not None and shapes:
                    yield self._shaped(plan, requests, rows, block, hidden, request_P, mine, depth, told)
                    continue
                if finder is None:
                    scores_BI = hidden.mask(self._scores(block, told))
                    best = top(scores_BI, depth)
                    ranked = ranks_of(scores_BI.cpu().numpy(), request_P, mine.item) if len(mine.item) else NO_RANKS
                else:
                    h_BD = self._states(block)
                    best = finder.top(h_BD, depth, hidden)
                    ranked = ranks_in(finder.e_ID, h_BD, request_P, mine.item, hidden) if len(mine.item) else NO_RANKS
            candidates_B = NO_COUNTS if targets is None else hidden.candidates(len(rows), len(self.items))
            yield Answer(rows, *best, candidates_B, block.lengths == 0, *ranked, mine.offsets)

    def _shaped(
        self,
        plan: Plan,
        requests: Requests,
        rows: IndexArray,
        block: Histories,
        hidden: Hidden,
        request_P: IndexArray,
        mine: Targets,
        depth: int,
        told: IndexArray | None,
    ) -> Answer:
        """A block's answer where more than the model's scores decides."""

        def fallback() -> npt.NDArray[np.float32]:
            scores_BI = self.fallback.score(encode(block, self.fallback.max_len)).to(self.device)
            return hidden.mask(scores_BI).float().cpu().numpy()

        scores_BI = hidden.mask(self._scores(block, told)).float().cpu().numpy().copy()
        moments = self._moments(requests, rows, block)
        name = str(self.card.get("fallback", {}).get("name", "fallback")).replace("_", " ")
        length = depth if not len(mine.item) else max(depth, LISTED)
        length = length if plan.slot is None else max(length, plan.k)
        shaped = plan.shape(scores_BI, block, moments, fallback, length, fallback_name=name)
        candidates_B = (shaped.scores_BI > MINUS_INFINITY).sum(axis=1)
        ranked = shaped.ranks(request_P, mine.item) if len(mine.item) else NO_RANKS
        lists = (shaped.items_BK[:, :depth], shaped.scores_BK[:, :depth])
        content_BK = None if shaped.content_BK is None else shaped.content_BK[:, :depth]
        return Answer(rows, *lists, candidates_B, shaped.fallback_B, *ranked, mine.offsets, shaped.why, content_BK)

    def _moments(self, requests: Requests, rows: IndexArray, block: Histories) -> list[Moment]:
        """When and in what context each request asks; one that is not cut from a log asks at the log's end."""
        now_B = block.request_time_B
        if requests.rows is None and np.isnan(now_B).any():
            now_B = np.where(np.isnan(now_B), self.sequences.newest, now_B)
        nothing: Mapping[str, Any] = {}
        contexts = [nothing] * len(rows) if requests.context is None else [requests.context[row] for row in rows]
        return [Moment(now, context) for now, context in zip(now_B.tolist(), contexts, strict=True)]

    def _item_vectors(self) -> npt.NDArray[np.float32]:
        assert isinstance(self.model, Vectors)
        with torch.no_grad():
            return self.model.item_vectors().float().cpu().numpy()

    def _parts(self, histories: Histories, *, dense: bool = False) -> Iterator[tuple[IndexArray, Finder | None]]:
        """Requests to answer together, and what finds their items; strangers are never among others."""
        finder = None if dense else self._finder()
        strange_B = histories.lengths == 0
        known, strange = (np.flatnonzero(mask_B) for mask_B in (~strange_B, strange_B))
        for block in self._blocks(histories.take(known), finder):
            yield known[block], finder
        for block in self._pieces(strange):
            yield block, None

    def _blocks(self, histories: Histories, finder: Finder | None = None) -> Iterator[IndexArray]:
        lengths = histories.lengths
        if self.model.max_len is not None:
            lengths = np.minimum(lengths, self.model.max_len)
        for batch in bucket(lengths, BATCH_TOKENS):
            yield from self._pieces(batch) if finder is None else self._pieces(batch, SEARCHED_AT_ONCE)

    def _pieces(self, rows: IndexArray, most: int | None = None) -> Iterator[IndexArray]:
        """At most so many rows at once; as many as their scores fit in memory where it is not said."""
        most = most or max(1, SCORES_IN_MEMORY // (len(self.items) + 1))
        yield from (rows[start : start + most] for start in range(0, len(rows), most))

    def _scores(self, block: Histories, told_BA: IndexArray | None = None) -> Tensor:
        """Scores of a block, ours to change; a block of strangers is scored by the fallback, and by their profiles."""
        if not block.lengths.any():
            scores_BI = self.fallback.score(encode(block, self.fallback.max_len)).to(self.device)
            return (
                scores_BI if told_BA is None or self.by_profile is None else self.by_profile.lifted(scores_BI, told_BA)
            )
        return self.model.score(encode(block, self.model.max_len, self.device))

    def _told(self, requests: Requests, histories: Histories) -> IndexArray | None:
        """What profiles say of each request, for `ByProfile`; None where nobody has one, or nobody is a stranger.

        Raises:
            DataError: A profile that this run cannot read.
        """
        if self.by_profile is None:
            if requests.profile is not None:
                raise DataError(
                    "This run was trained without profiles, so a profile tells it nothing.",
                    hint="Train it with profiles: horae train EVENTS --profiles FILE.",
                )
            return None
        if requests.profile is not None:
            return self.by_profile.told(requests.profile)
        strange_B = histories.lengths == 0
        if self.profiles is None or requests.users is None or not strange_B.any():
            return None
        return self._looked_up(requests.users, strange_B)

    def _looked_up(self, users: pl.Series, strange_B: npt.NDArray[np.bool_]) -> IndexArray:
        """The same of strangers in the table of profiles."""
        assert self.by_profile is not None and self.profiles is not None
        names = [attribute.name for attribute in self.by_profile.attributes]
        table = self.profiles.select(pl.col(USER).cast(pl.String), *names)
        asked = users.filter(pl.Series(strange_B)).cast(pl.String).rename(USER).to_frame()
        found = asked.join(table, on=USER, how="left", maintain_order="left").drop(USER)
        told_BA = np.full((len(users), len(names)), -1, dtype=np.int64)
        told_BA[strange_B] = self.by_profile.told(found.to_dicts())
        return told_BA

    def _states(self, block: Histories) -> Tensor:
        """What a network makes of a block of histories, to meet its item vectors."""
        assert isinstance(self.model, Vectors)
        return self.model.last(encode(block, self.model.max_len, self.device)).float()

    def _hidden(self, block: Histories, allowed_I: Tensor | None, seen: bool) -> Hidden:
        if seen:
            nothing = torch.empty(0, dtype=torch.int64, device=self.device)
            return Hidden(nothing, nothing, allowed_I)
        request_P, item_P = (torch.from_numpy(column.astype(np.int64)) for column in block.pairs())
        return Hidden(request_P.to(self.device), item_P.to(self.device), allowed_I)

    def _allowed(self, requests: Requests, gate_I: npt.NDArray[np.bool_] | None = None) -> Tensor | None:
        """The items that constraints and, where that is all they do, rules allow; None for all."""
        if not requests.exclude and requests.only is None:
            return None if gate_I is None else torch.from_numpy(gate_I).to(self.device)
        allowed_I = np.full(len(self.items) + 1, requests.only is None)
        if requests.only is not None:
            known = self.items.indices(requests.only)
            if not known.any():
                raise UnknownIdError(
                    f"None of the {len(requests.only)} items in `only` is in the run's item table.",
                    hint="Give item ids as they stand in the log; `horae runs show` lists examples.",
                )
            allowed_I[known] = True
        allowed_I[self.items.indices(requests.exclude)] = False
        allowed_I[0] = False
        if not allowed_I.any():
            raise DataError("`exclude` and `only` together leave no item to recommend.", hint="Allow at least one.")
        if gate_I is not None:
            allowed_I &= gate_I
        return torch.from_numpy(allowed_I).to(self.device)

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
