"""Requests in, recommendations out: THE path. Evaluation, the command line, HTTP and online learning all come here.

    request -> history as of its place -> encode -> model.score -> constraints -> rank -> the caller's ids

What a history is: `horae.sequences.history`; what a batch is: `horae.sequences.batch`; how ties fall:
`horae.recommend.rank`. This module knows no model by name and reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor

from horae.errors import DataError, HoraeError, UnknownIdError
from horae.models.base import Model
from horae.recipe import Recipe
from horae.recommend.rank import MINUS_INFINITY, Answer, Targets, ranks_of, top
from horae.recommend.requests import HistoryLike, names_of, requests_of
from horae.schema import ITEM, USER, Events, HistoryEvent, Id, IndexArray, Recommendations, Requests
from horae.sequences.batch import bucket, encode
from horae.sequences.clock import to_seconds
from horae.sequences.history import Histories, Sequences
from horae.sequences.vocabulary import Vocabulary

if TYPE_CHECKING:
    from horae.data.split import Split

__all__ = ["Calibration", "RecommendSettings", "Recommender"]

BATCH_TOKENS = 32_768
SCORES_IN_MEMORY = 16_000_000
"""Scores held at once (64 MB): blocks of requests are cut so that users x items never stands in memory."""


@dataclass(frozen=True)
class RecommendSettings:
    """The `[recommend]` table."""

    seen: Literal["auto", "include", "exclude"] = field(
        default="auto",
        metadata={"doc": "May an item of the history be recommended again? `auto` decides by the data's repeat share."},
    )


@dataclass(frozen=True)
class Calibration:
    """Turns a score into the probability that this item, rather than a random one, comes next: a fitted logistic."""

    slope: float
    intercept: float

    def probability(self, scores: pl.Series) -> pl.Series:
        """Probabilities of scores."""
        return 1.0 / (1.0 + (-(scores.cast(pl.Float64) * self.slope + self.intercept)).exp())


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
        card: What this run is: data facts, metrics, cost, versions. Plain JSON.
        device: Where the model computes.
        log: What training wrote, one mapping per line of `log.jsonl`.
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
    card: dict[str, Any] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    log: list[Mapping[str, Any]] = field(default_factory=list)

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

        Raises:
            DataError: Neither users nor histories, or both; k below 1; nothing allowed.
            UnknownIdError: None of the items in `only` is known.

        Example:
            ```python
            recommender.recommend(users=["u1"], k=10)
            recommender.recommend(histories=[["i7", "i9"]], k=10)
            ```
        """
        asked = requests if requests is not None else requests_of(users, histories, k, at, exclude, only, seen)
        answers = list(self.answer(asked, depth=asked.k))
        return Recommendations(self._frame(asked, answers), tuple(self._notes(asked)))

    def answer(self, requests: Requests, targets: Targets | None = None, *, depth: int = 10) -> Iterator[Answer]:
        """Score every request once, block by block: the best `depth` items, and where the targets stand.

        Evaluation reads ranks from here and `recommend` reads lists, so that both are the same list.
        """
        allowed_I = self._allowed(requests)
        histories = self._histories(requests)
        for rows in self._blocks(histories):
            block = histories.take(rows)
            scores_BI, fallback_B = self._scores(block)
            if not (self.include_seen if requests.seen is None else requests.seen):
                request_of, item = block.pairs()
                scores_BI[torch.from_numpy(request_of), torch.from_numpy(item.astype(np.int64))] = MINUS_INFINITY
            if allowed_I is not None:
                scores_BI[:, ~allowed_I] = MINUS_INFINITY
            yield _answered(rows, scores_BI, fallback_B, targets, depth)

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
        histories = self._histories(requests)
        for rows in self._blocks(histories):
            scores_BI, _ = self._scores(histories.take(rows))
            mine = pairs.take(rows)
            request_P = torch.from_numpy(np.repeat(np.arange(len(rows)), counts[rows]))
            where = np.concatenate([np.arange(pairs.offsets[row], pairs.offsets[row + 1]) for row in rows])
            scores[where] = scores_BI[request_P, torch.from_numpy(mine.item)].cpu().numpy()
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
            answers.append(_answered(rows, scores_BI, np.zeros(len(rows), dtype=np.bool_), None, k))
        asked = Requests(histories=[[HistoryEvent(item)] for item in wanted], k=k, request_ids=[str(i) for i in wanted])
        return Recommendations(self._frame(asked, answers))

    def append(
        self,
        user_id: Id,
        item_id: Id,
        behavior: str | None = None,
        timestamp: datetime | None = None,
        value: float | None = None,
    ) -> None:
        """Make an event part of its user's history; the user's very next request sees it."""
        self.sequences.append(user_id, HistoryEvent(item_id, behavior, timestamp, value))

    def with_events(self, events: Events) -> Recommender:
        """The same trained model over another log's histories (same ids); what was split was the old log.

        Raises:
            DataError: That log has no items.
        """
        if not events.has_items:
            raise DataError("This log has no items, so it makes no history.", hint="Give a log with item_id.")
        sequences = Sequences.from_events(events, self.items, self.sequences.behaviors)
        return replace(self, sequences=sequences, events=events, split=None)

    def save(self, path: str | Path, *, events: bool = True, overwrite: bool = False) -> Path:
        """Write the run folder; see `horae.recommend.run`."""
        from horae.recommend.run import save

        return save(self, Path(path), events=events, overwrite=overwrite)

    def _histories(self, requests: Requests) -> Histories:
        if requests.rows is not None:
            return self.sequences.before_rows(requests.rows)
        at = None if requests.at is None else np.array([to_seconds(time) for time in requests.at], dtype=np.float64)
        if requests.histories is not None:
            return self.sequences.brought(requests.histories, at)
        assert requests.users is not None
        return self.sequences.of_users(self.sequences.users.indices(requests.users), at)

    def _blocks(self, histories: Histories) -> Iterator[IndexArray]:
        lengths = histories.lengths
        if self.model.max_len is not None:
            lengths = np.minimum(lengths, self.model.max_len)
        for batch in bucket(lengths, BATCH_TOKENS):
            yield from self._pieces(batch)

    def _pieces(self, rows: IndexArray) -> Iterator[IndexArray]:
        """As many rows at once as their scores fit in memory."""
        most = max(1, SCORES_IN_MEMORY // (len(self.items) + 1))
        yield from (rows[start : start + most] for start in range(0, len(rows), most))

    def _scores(self, block: Histories) -> tuple[Tensor, np.ndarray]:
        """Scores of a block, ours to change; empty histories are scored by the fallback."""
        with torch.no_grad():
            batch = encode(block, self.model.max_len, self.device)
            scores_BI = self.model.score(batch)
            empty_B = block.lengths == 0
            if empty_B.any():
                strangers = encode(block.take(np.flatnonzero(empty_B)), self.fallback.max_len)
                scores_BI[torch.from_numpy(empty_B)] = self.fallback.score(strangers).to(scores_BI)
            return scores_BI, empty_B

    def _allowed(self, requests: Requests) -> Tensor | None:
        if not requests.exclude and requests.only is None:
            return None
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
        return torch.from_numpy(allowed_I)

    def _known_items(self, items: Sequence[Id]) -> IndexArray:
        index = self.items.indices(items)
        if (index == 0).any():
            unknown = items[int(np.flatnonzero(index == 0)[0])]
            raise UnknownIdError(f"The item {unknown!r} is not in the run's item table.", hint="Check its spelling.")
        return index

    def _frame(self, requests: Requests, answers: list[Answer]) -> pl.DataFrame:
        answers = answers or [_nobody_asked()]
        rows = np.concatenate([answer.rows for answer in answers])
        order = np.argsort(rows, kind="stable")
        items_BK = np.concatenate([answer.items_BK for answer in answers])[order]
        scores_BK = np.concatenate([answer.scores_BK for answer in answers])[order]
        fallback_B = np.concatenate([answer.fallback_B for answer in answers])[order]
        request_P, place_P = np.nonzero(items_BK)
        columns: dict[str, Any] = {}
        if requests.users is not None:
            columns[USER] = requests.users[request_P]
        columns[ITEM] = self.items.ids(items_BK[request_P, place_P])
        columns["score"] = scores_BK[request_P, place_P]
        columns["rank"] = place_P + 1
        columns["request_id"] = pl.Series(names_of(requests), dtype=pl.String)[request_P]
        source_B = np.where(fallback_B, "fallback", self.recipe.name)
        columns["source"] = pl.Series(source_B.tolist(), dtype=pl.String)[request_P]
        return pl.DataFrame(columns)

    def _notes(self, requests: Requests) -> Iterator[str]:
        if requests.users is not None and requests.rows is None:
            unknown = requests.users.filter(pl.Series(self.sequences.users.indices(requests.users) == 0))
            if len(unknown):
                yield f"{len(unknown):,} users were never seen (e.g. {unknown[0]!r}): answered by the fallback."
        if requests.histories is not None:
            brought = [event.item_id for history in requests.histories for event in history]
            lost = [item for item, index in zip(brought, self.items.indices(brought), strict=True) if not index]
            if lost:
                yield f"{len(lost):,} items of the histories are unknown (e.g. {lost[0]!r}): left out."
        if requests.at is not None and self.sequences.has_unknown_times:
            yield "Some events have no known time: where `at` cannot be told from times, the log's order decided."


def _answered(
    rows: IndexArray,
    scores_BI: Tensor,
    fallback_B: np.ndarray,
    targets: Targets | None,
    depth: int,
) -> Answer:
    items_BK, best_BK = top(scores_BI, depth)
    mine = Targets(np.empty(0, dtype=np.int64), np.zeros(len(rows) + 1, dtype=np.int64))
    ranks, scores = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    if targets is not None:
        mine = targets.take(rows)
        request_P = np.repeat(np.arange(len(rows)), np.diff(mine.offsets))
        ranks, scores = ranks_of(scores_BI.cpu().numpy(), request_P, mine.item)
    return Answer(
        rows,
        items_BK.cpu().numpy(),
        best_BK.cpu().numpy(),
        (scores_BI > MINUS_INFINITY).sum(dim=1).cpu().numpy(),
        fallback_B,
        ranks,
        scores,
        mine.offsets,
    )


def _nobody_asked() -> Answer:
    """The answer to no request."""
    scores_BI = torch.empty((0, 1))
    return _answered(np.empty(0, dtype=np.int64), scores_BI, np.empty(0, dtype=np.bool_), None, 1)
