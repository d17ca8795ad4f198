"""Lists in, the same items in the order of a language model out; what it cost, and what could not be asked.

    list -> titles of its top and of the history -> cache, or the model -> the top in another order

Whatever fails, the list stays as it was, with a note. Only places change: no item enters or leaves a list, and an item
without a title keeps its place. A request of whose history nothing is known is not asked about.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from horae.errors import DataError, HoraeError, RemoteError, StoreError
from horae.features.content.cache import ContentCache, cache_folder
from horae.features.content.texts import plain_text
from horae.recommend.rank import Answer
from horae.recommend.rerank.endpoint import Endpoint
from horae.recommend.rerank.local import LocalModel
from horae.recommend.rerank.question import FloatArray, Judge, Question, Verdict
from horae.recommend.strategy.interests import TITLES
from horae.recommend.strategy.settings import RecommendSettings
from horae.schema import ITEM, IndexArray
from horae.sequences.history import Histories
from horae.sequences.vocabulary import Vocabulary

__all__ = ["Purse", "Reranker", "Reranking", "Spent", "reranker_of", "titles_of"]

TITLE_CHARS: Final = 200
REMEMBERED: Final = 20_000
"""Answers kept in memory, so that a question is asked once though nothing is kept on disk."""
GIVE_UP_AFTER: Final = 3
"""Failures one after another; then nothing is asked for a while."""
PAUSE_SECONDS: Final = 60.0


@dataclass
class Spent:
    """What a language model was asked, and what it cost.

    Attributes:
        lists: That were to be put in order.
        requests: That the model answered.
        cached: Lists answered from what was kept.
        tokens: Read and written, together.
        seconds: Of asking, summed over questions asked at the same time.
        strange: Numbers of no candidate, or said twice.
        left: Lists that stayed as they were, by why.
    """

    lists: int = 0
    requests: int = 0
    cached: int = 0
    tokens: int = 0
    seconds: float = 0.0
    strange: int = 0
    left: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, int | float | dict[str, int]]:
        """Plain JSON."""
        return {**vars(self), "seconds": round(self.seconds, 3), "left": dict(self.left)}

    def add(self, other: Spent) -> None:
        """Both together."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def told(self, name: str) -> list[str]:
        """Notes."""
        if not self.lists:
            return []
        ordered = self.requests + self.cached
        said = [
            f"{name} put {ordered:,} of {self.lists:,} lists in order: {self.requests:,} requests, "
            f"{self.cached:,} from the cache, {self.tokens:,} tokens, {self.seconds:.1f} s."
        ]
        if self.strange:
            said.append(f"It named {self.strange:,} numbers of no candidate, or twice: they were left out.")
        said += [f"{n:,} lists stayed as they were: {why}." for why, n in self.left.items()]
        return said


class Purse:
    """What one language model may still cost in this process, and whether it is being asked at all."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self._failures, self._paused_until = 0, 0.0
        self._lock = threading.Lock()

    def take(self, tokens: int) -> str:
        """Set so many tokens aside; else, why not."""
        with self._lock:
            if time.monotonic() < self._paused_until:
                return "it failed several times, and is left alone for a minute"
            if tokens > self.tokens:
                return "rerank_tokens are spent"
            self.tokens -= tokens
            return ""

    def settle(self, aside: int, spent: int, failed: bool) -> None:
        """Give back what was not spent; several failures in a row end asking for a while."""
        with self._lock:
            self.tokens += aside - spent
            self._failures = self._failures + 1 if failed else 0
            if self._failures >= GIVE_UP_AFTER:
                self._paused_until, self._failures = time.monotonic() + PAUSE_SECONDS, 0


class Reranker:
    """Asks one model about the lists of one run.

    Args:
        judge: The model.
        titles: By item index; empty where there is none.
        depth: So many of a list's items are put in order.
        recent: So many titles of the history are told.
        purse: What it may cost.
        cache: Answers kept on disk; None: in memory alone.
    """

    def __init__(
        self,
        judge: Judge,
        titles: Sequence[str],
        depth: int,
        recent: int,
        purse: Purse,
        cache: ContentCache | None = None,
    ) -> None:
        self.judge, self.titles, self.depth, self.recent, self.purse = judge, titles, depth, recent, purse
        self.cache = cache
        self._remembered: OrderedDict[str, FloatArray] = OrderedDict()
        self._lock = threading.Lock()

    def orders(self, questions: Sequence[Question]) -> tuple[list[FloatArray | None], Spent]:
        """Each question's scores, None where there are none; and what it cost."""
        spent = Spent(lists=len(questions))
        found: dict[str, FloatArray] = {}
        keys = [question.key() for question in questions]
        for key, question in zip(keys, questions, strict=True):
            known = self._known(key, len(question.candidates))
            if known is not None:
                found[key] = known
        spent.cached = sum(key in found for key in keys)
        new = {key: question for key, question in zip(keys, questions, strict=True) if key not in found}
        if self.judge.at_once > 1 and len(new) > 1:
            with ThreadPoolExecutor(self.judge.at_once) as several:
                answers = list(several.map(self._asked, new.values()))
        else:
            answers = [self._asked(question) for question in new.values()]
        for key, (verdict, cost) in zip(new, answers, strict=True):
            spent.add(cost)
            if verdict is not None:
                found[key] = verdict.score_K
                self._keep(key, verdict.score_K)
        spent.cached += sum(key in found for key in keys) - spent.cached - spent.requests  # asked twice in one go
        return [found.get(key) for key in keys], spent

    def _asked(self, question: Question) -> tuple[Verdict | None, Spent]:
        aside = self.judge.tokens_at_most(question)
        refusal = self.purse.take(aside)
        if refusal:
            return None, Spent(left=Counter({refusal: 1}))
        started = time.monotonic()
        try:
            verdict = self.judge.ask(question)
        except RemoteError as error:
            self.purse.settle(aside, aside, failed=True)  # what a failure cost nobody knows
            return None, Spent(seconds=time.monotonic() - started, left=Counter({error.message: 1}))
        except HoraeError:
            self.purse.settle(aside, 0, failed=False)
            raise
        self.purse.settle(aside, verdict.tokens, failed=False)
        seconds = time.monotonic() - started
        return verdict, Spent(requests=1, tokens=verdict.tokens, seconds=seconds, strange=verdict.strange)

    def _known(self, key: str, many: int) -> FloatArray | None:
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        if self.cache is None:
            return None
        try:
            kept = self.cache.known(self.judge.fingerprint, [bytes.fromhex(key)], many).get(0)
        except StoreError:
            self.cache = None
            return None
        if kept is not None:
            self._remember(key, kept)
        return kept

    def _keep(self, key: str, score_K: FloatArray) -> None:
        self._remember(key, score_K)
        if self.cache is not None:
            try:
                self.cache.keep(self.judge.fingerprint, [bytes.fromhex(key)], score_K[None])
            except StoreError:  # an answer that is not kept is still one
                self.cache = None

    def _remember(self, key: str, score_K: FloatArray) -> None:
        with self._lock:
            self._remembered[key] = score_K
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)


class Reranking:
    """One call's lists put in order, and what that took.

    Args:
        reranker: Does it.
        refusal: Why nothing is to be put in order; empty: it is.
    """

    def __init__(self, reranker: Reranker, refusal: str = "") -> None:
        self.reranker = reranker
        self.refusal = refusal
        self.spent = Spent()

    def depth(self, asked: int) -> int:
        """How long lists are to be before they are put in order."""
        return asked if self.refusal else max(asked, self.reranker.depth)

    def of(self, answer: Answer, histories: Histories, depth: int) -> Answer:
        """A block's answer with its lists in order, cut to `depth`; ranks of targets follow.

        Args:
            answer: Of `self.depth(depth)` items.
            histories: Of its requests.
            depth: Items wanted.
        """
        if self.refusal:
            self.spent.add(Spent(lists=len(answer.rows), left=Counter({self.refusal: len(answer.rows)})))
            return answer
        order_BK = np.tile(np.arange(answer.items_BK.shape[1]), (len(answer.rows), 1))
        places, questions = [], []
        for row in np.flatnonzero(~answer.fallback_B):
            place_C = self._candidates(answer.items_BK[row])
            recent = self._recent(histories, int(row))
            if len(place_C) > 1 and recent:
                titles = (self.reranker.titles[item] for item in answer.items_BK[row, place_C])
                places.append((row, place_C))
                questions.append(Question(recent, tuple(titles)))
        scores, spent = self.reranker.orders(questions)
        self.spent.add(spent)
        for (row, place_C), score_C in zip(places, scores, strict=True):
            if score_C is not None:
                order_BK[row, place_C] = place_C[np.argsort(-score_C, kind="stable")]
        return _reordered(answer, order_BK, depth)

    def told(self) -> list[str]:
        """Notes."""
        return self.spent.told(self.reranker.judge.name)

    def _candidates(self, item_K: IndexArray) -> IndexArray:
        """Places of the top's items that have a title."""
        titles = self.reranker.titles
        top = item_K[: self.reranker.depth].tolist()
        return np.array([place for place, item in enumerate(top) if 0 < item < len(titles) and titles[item]], dtype=int)

    def _recent(self, histories: Histories, row: int) -> tuple[str, ...]:
        """Titles of what was chosen, newest first, each once."""
        found: dict[str, None] = {}
        begin, end = int(histories.start_B[row]), int(histories.end_B[row])
        for item in histories.flat.item_N[begin:end][::-1].tolist():
            title = self.reranker.titles[item] if item < len(self.reranker.titles) else ""
            if title:
                found[title] = None
            if len(found) == self.reranker.recent:
                break
        return tuple(found)


def _reordered(answer: Answer, order_BK: IndexArray, depth: int) -> Answer:
    place_BK = np.argsort(order_BK, axis=1)  # where each place has gone
    size = np.diff(answer.target_offsets)
    request_P = np.repeat(np.arange(len(answer.rows)), size)
    listed_P = (answer.target_ranks > 0) & (answer.target_ranks <= order_BK.shape[1])
    ranks = answer.target_ranks.copy()
    ranks[listed_P] = 1 + place_BK[request_P[listed_P], answer.target_ranks[listed_P] - 1]
    cut = order_BK[:, :depth]
    why = answer.why
    if why is not None:
        why = [
            [names[place] for place in order if place < len(names)]
            for names, order in zip(why, cut.tolist(), strict=True)
        ]
    return replace(
        answer,
        items_BK=np.take_along_axis(answer.items_BK, cut, axis=1),
        scores_BK=np.take_along_axis(answer.scores_BK, cut, axis=1),
        target_ranks=ranks,
        why=why,
    )


def titles_of(items: Vocabulary, catalog: pl.DataFrame | None, column: str = "") -> list[str]:
    """A title by item index, plain and on one line; empty where there is none.

    Raises:
        DataError: There is no catalog, or no such column.
    """
    if catalog is None:
        raise DataError("[recommend] rerank needs titles, and the run has no catalog.", hint="Train with --catalog.")
    name = column or next((name for name in TITLES if name in catalog.columns), "")
    if name not in catalog.columns:
        named = f"[recommend] rerank_titles names {name!r}, which" if name else "[recommend] rerank needs titles, which"
        raise DataError(
            f"{named} the catalog does not have.",
            hint=f"Name a column, rerank_titles = ...; there are {', '.join(catalog.columns[:10])}.",
        )
    titles = [""] * (len(items) + 1)
    for index, value in zip(items.indices(catalog[ITEM]).tolist(), catalog[name], strict=True):
        if index:
            titles[index] = plain_text(value, TITLE_CHARS)
    return titles


def reranker_of(own: RecommendSettings, items: Vocabulary, catalog: pl.DataFrame | None) -> Reranker:
    """What a recipe asks for.

    Raises:
        DataError: No titles, or a folder that cannot be used.
    """
    titles = titles_of(items, catalog, own.rerank_titles)
    remote = (own.rerank_url, own.rerank_key_env, own.rerank_timeout, own.rerank_retries)
    judge, purse = _judge_of(own.rerank_model, remote if own.rerank == "endpoint" else None, own.rerank_tokens)
    kept = None if own.rerank_cache == "none" else ContentCache(own.rerank_cache or cache_folder().parent / "rerank")
    return Reranker(judge, titles, own.rerank_depth, own.rerank_history, purse, kept)


@lru_cache(maxsize=4)
def _judge_of(model: str, remote: tuple[str, str, float, int] | None, tokens: int) -> tuple[Judge, Purse]:
    """A model and its purse: one for all runs and copies in this process."""
    judge: Judge
    if remote is None:
        judge = LocalModel(Path(model).expanduser())
    else:
        url, key_env, timeout, retries = remote
        judge = Endpoint(url, model, key_env, timeout, retries)
    return judge, Purse(tokens)
