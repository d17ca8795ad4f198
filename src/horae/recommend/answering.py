"""Requests and their histories in, answers out, block by block: the middle of the path.

    histories -> blocks of about the same length -> scores, or a search by vectors -> constraints -> the best, the ranks
                                                    or: strategy, rules, variety; a language model's order

Which requests are answered together, and what is hidden from them, is decided here and nowhere else. This module does
not know how a history is cut, nor what a list looks like to people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from horae.errors import DataError, UnknownIdError
from horae.recommend.pairs import ranks_in
from horae.recommend.rank import MINUS_INFINITY, Answer, Hidden, Targets, ranks_of, top
from horae.recommend.rerank.reranker import Reranking
from horae.recommend.rules.meaning import Moment
from horae.recommend.search import Finder, Vectors
from horae.recommend.strategy.plan import Plan
from horae.schema import USER, IndexArray, Requests
from horae.sequences.batch import bucket, encode
from horae.sequences.history import Histories

if TYPE_CHECKING:
    from horae.recommend.recommender import Recommender

__all__ = ["NO_COUNTS", "NO_RANKS", "SCORES_IN_MEMORY", "Answering"]

BATCH_TOKENS: Final = 32_768
SCORES_IN_MEMORY: Final = 6_000_000
"""Scores held at once (24 MB): blocks of requests are cut so that users x items never stands in memory. Allocators keep
pieces of up to 32 MB for reuse; larger ones they fetch from the system, page by page, every time."""
SEARCHED_AT_ONCE: Final = 4_096
LISTED: Final = 20
"""Where ranks are asked for, lists that a strategy makes are made so long: a rank in one of them is its place."""
NO_COUNTS: Final = np.empty(0, dtype=np.int64)
NO_RANKS: Final = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


class Answering:
    """How a recommender answers.

    Args:
        of: Whose model, log and recipe these are.
    """

    def __init__(self, of: Recommender) -> None:
        self.of = of

    def finder(self) -> Finder | None:
        """What finds the model's best items by their vectors; None where every item is to be scored."""
        return self.of.search.finder(self.of.model, self.of.recipe.recommend.get("index", "exact"))

    def answers(
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
            yield from self._plain(requests, histories, targets, depth, plan)
            return
        for answer in self._plain(requests, histories, targets, reranking.depth(depth), plan):
            yield reranking.of(answer, histories.take(answer.rows), depth)

    def _plain(
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
        seen = self.of.include_seen if requests.seen is None else requests.seen
        told_BA = self.profiles(requests, histories)
        for rows, finder in self.blocks(histories, dense=shapes):
            block, told = histories.take(rows), None if told_BA is None else told_BA[rows]
            hidden = self.hidden(block, allowed_I, seen)
            mine = Targets.none(len(rows)) if targets is None else targets.take(rows)
            request_P = np.repeat(np.arange(len(rows)), np.diff(mine.offsets))
            with torch.inference_mode():
                if plan is not None and shapes:
                    yield self._shaped(plan, requests, rows, block, hidden, request_P, mine, depth, told)
                    continue
                if finder is None:
                    scores_BI = hidden.mask(self.scores(block, told))
                    best = top(scores_BI, depth)
                    ranked = ranks_of(scores_BI.cpu().numpy(), request_P, mine.item) if len(mine.item) else NO_RANKS
                else:
                    h_BD = self.states(block)
                    best = finder.top(h_BD, depth, hidden)
                    ranked = ranks_in(finder.e_ID, h_BD, request_P, mine.item, hidden) if len(mine.item) else NO_RANKS
            candidates_B = NO_COUNTS if targets is None else hidden.candidates(len(rows), len(self.of.items))
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
            scores_BI = self.of.fallback.score(encode(block, self.of.fallback.max_len)).to(self.of.device)
            return hidden.mask(scores_BI).float().cpu().numpy()

        scores_BI = hidden.mask(self.scores(block, told)).float().cpu().numpy().copy()
        moments = self.moments(requests, rows, block)
        name = str(self.of.card.get("fallback", {}).get("name", "fallback")).replace("_", " ")
        length = depth if not len(mine.item) else max(depth, LISTED)
        length = length if plan.slot is None else max(length, plan.k)
        shaped = plan.shape(scores_BI, block, moments, fallback, length, fallback_name=name)
        candidates_B = (shaped.scores_BI > MINUS_INFINITY).sum(axis=1)
        ranked = shaped.ranks(request_P, mine.item) if len(mine.item) else NO_RANKS
        lists = (shaped.items_BK[:, :depth], shaped.scores_BK[:, :depth])
        content_BK = None if shaped.content_BK is None else shaped.content_BK[:, :depth]
        return Answer(rows, *lists, candidates_B, shaped.fallback_B, *ranked, mine.offsets, shaped.why, content_BK)

    def moments(self, requests: Requests, rows: IndexArray, block: Histories) -> list[Moment]:
        """When and in what context each request asks; one that is not cut from a log asks at the log's end."""
        now_B = block.request_time_B
        if requests.rows is None and np.isnan(now_B).any():
            now_B = np.where(np.isnan(now_B), self.of.sequences.newest, now_B)
        nothing: Mapping[str, Any] = {}
        contexts = [nothing] * len(rows) if requests.context is None else [requests.context[row] for row in rows]
        return [Moment(now, context) for now, context in zip(now_B.tolist(), contexts, strict=True)]

    def blocks(self, histories: Histories, *, dense: bool = False) -> Iterator[tuple[IndexArray, Finder | None]]:
        """Requests to answer together, and what finds their items; strangers are never among others."""
        finder = None if dense else self.finder()
        strange_B = histories.lengths == 0
        known, strange = (np.flatnonzero(mask_B) for mask_B in (~strange_B, strange_B))
        for block in self.buckets(histories.take(known), finder):
            yield known[block], finder
        for block in self.pieces(strange):
            yield block, None

    def buckets(self, histories: Histories, finder: Finder | None = None) -> Iterator[IndexArray]:
        """Requests whose histories are of about the same length."""
        lengths = histories.lengths
        if self.of.model.max_len is not None:
            lengths = np.minimum(lengths, self.of.model.max_len)
        for batch in bucket(lengths, BATCH_TOKENS):
            yield from self.pieces(batch) if finder is None else self.pieces(batch, SEARCHED_AT_ONCE)

    def pieces(self, rows: IndexArray, most: int | None = None) -> Iterator[IndexArray]:
        """At most so many rows at once; as many as their scores fit in memory where it is not said."""
        most = most or max(1, SCORES_IN_MEMORY // (len(self.of.items) + 1))
        yield from (rows[start : start + most] for start in range(0, len(rows), most))

    def scores(self, block: Histories, told_BA: IndexArray | None = None) -> Tensor:
        """Scores of a block, ours to change; a block of strangers is scored by the fallback, and by their profiles."""
        if not block.lengths.any():
            scores_BI = self.of.fallback.score(encode(block, self.of.fallback.max_len)).to(self.of.device)
            by_profile = self.of.by_profile
            return scores_BI if told_BA is None or by_profile is None else by_profile.lifted(scores_BI, told_BA)
        return self.of.model.score(encode(block, self.of.model.max_len, self.of.device))

    def profiles(self, requests: Requests, histories: Histories) -> IndexArray | None:
        """What profiles say of each request, for `ByProfile`; None where nobody has one, or nobody is a stranger.

        Raises:
            DataError: A profile that this run cannot read.
        """
        if self.of.by_profile is None:
            if requests.profile is not None:
                raise DataError(
                    "This run was trained without profiles, so a profile tells it nothing.",
                    hint="Train it with profiles: horae train EVENTS --profiles FILE.",
                )
            return None
        if requests.profile is not None:
            return self.of.by_profile.told(requests.profile)
        strange_B = histories.lengths == 0
        if self.of.profiles is None or requests.users is None or not strange_B.any():
            return None
        return self._looked_up(requests.users, strange_B)

    def _looked_up(self, users: pl.Series, strange_B: npt.NDArray[np.bool_]) -> IndexArray:
        """The same of strangers in the table of profiles."""
        assert self.of.by_profile is not None and self.of.profiles is not None
        names = [attribute.name for attribute in self.of.by_profile.attributes]
        table = self.of.profiles.select(pl.col(USER).cast(pl.String), *names)
        asked = users.filter(pl.Series(strange_B)).cast(pl.String).rename(USER).to_frame()
        found = asked.join(table, on=USER, how="left", maintain_order="left").drop(USER)
        told_BA = np.full((len(users), len(names)), -1, dtype=np.int64)
        told_BA[strange_B] = self.of.by_profile.told(found.to_dicts())
        return told_BA

    def states(self, block: Histories) -> Tensor:
        """What a network makes of a block of histories, to meet its item vectors."""
        assert isinstance(self.of.model, Vectors)
        return self.of.model.last(encode(block, self.of.model.max_len, self.of.device)).float()

    def hidden(self, block: Histories, allowed_I: Tensor | None, seen: bool) -> Hidden:
        """What may not be listed: what constraints forbid and, unless it may come again, what was seen."""
        if seen:
            nothing = torch.empty(0, dtype=torch.int64, device=self.of.device)
            return Hidden(nothing, nothing, allowed_I)
        request_P, item_P = (torch.from_numpy(column.astype(np.int64)) for column in block.pairs())
        return Hidden(request_P.to(self.of.device), item_P.to(self.of.device), allowed_I)

    def _allowed(self, requests: Requests, gate_I: npt.NDArray[np.bool_] | None = None) -> Tensor | None:
        """The items that constraints and, where that is all they do, rules allow; None for all."""
        if not requests.exclude and requests.only is None:
            return None if gate_I is None else torch.from_numpy(gate_I).to(self.of.device)
        allowed_I = np.full(len(self.of.items) + 1, requests.only is None)
        if requests.only is not None:
            known = self.of.items.indices(requests.only)
            if not known.any():
                raise UnknownIdError(
                    f"None of the {len(requests.only)} items in `only` is in the run's item table.",
                    hint="Give item ids as they stand in the log; `horae runs show` lists examples.",
                )
            allowed_I[known] = True
        allowed_I[self.of.items.indices(requests.exclude)] = False
        allowed_I[0] = False
        if not allowed_I.any():
            raise DataError("`exclude` and `only` together leave no item to recommend.", hint="Allow at least one.")
        if gate_I is not None:
            allowed_I &= gate_I
        return torch.from_numpy(allowed_I).to(self.of.device)
