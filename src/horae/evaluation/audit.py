"""Does anything after a request reach its answer? A recommender and its requests in, a verdict out.

The log is copied, and everything at or after the place of a seeded sample of requests is replaced, shuffled, shifted
to later times or removed, for the users asked about and for everybody else. No score and no list may move. A second
check asks whether test events were trained on. A model that reads features is covered twice: what it makes of the log
moves its scores, and functions that make features are audited by themselves (`horae.evaluation.feature_audit`). The
audit proves nothing about requests that it did not draw, nor about attributes written into the log afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.evaluation.cut import Cut
from horae.evaluation.feature_audit import FeatureAudit, Features, audit_features
from horae.evaluation.futures import Change, Copy, changes_of, copy_of
from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.evaluation.opponents import without_language_model
from horae.evaluation.table import audit_text
from horae.models.base import Following
from horae.recommend.recommender import Recommender
from horae.schema import EVENT_ORDER, ITEM, TIMESTAMP, USER

__all__ = ["Audit", "Finding", "audit"]

MOMENTS = 3
DEPTH = 20
ALONE = 2
"""Requests at each moment where each is asked by itself."""

LOOK_BACK = 50
TOLERANCE = 1e-4
"""Relative, on scores: the same input in another batch differs by less, a leak by more."""


@dataclass(frozen=True)
class Finding:
    """What one change of the future did.

    Attributes:
        change: What was done to the future.
        requests: Requests asked before and after.
        changed: How many of them got another list or another score.
        largest: The largest change of a score, relative to the spread of the scores.
        examples: Up to three requests that changed: user and row.
    """

    change: str
    requests: int
    changed: int
    largest: float
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """The verdict.

    Attributes:
        findings: One for each change of the future.
        trained_on: Test events that were among those trained on; None where the run does not hold its events.
        features: The verdict on each function that makes features, by name.
    """

    findings: tuple[Finding, ...]
    trained_on: int | None
    features: Mapping[str, FeatureAudit] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Nothing moved, and nothing tested was trained on."""
        moved = any(finding.changed for finding in self.findings)
        return not moved and not self.trained_on and all(one.passed for one in self.features.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        findings = [vars(finding) | {"examples": list(finding.examples)} for finding in self.findings]
        features = {name: one.as_dict() for name, one in self.features.items()}
        document = {"passed": self.passed, "findings": findings, "test_events_trained_on": self.trained_on}
        return document | {"features": features}

    def __str__(self) -> str:
        return audit_text(self.as_dict())


def audit(
    recommender: Recommender,
    split: Split,
    cut: Cut,
    *,
    requests: int = 60,
    features: Mapping[str, Features] | None = None,
    seed: int = 0,
) -> Audit:
    """Change the future of a sample of requests and ask them again.

    A language model that orders the lists is left out: it is told nothing but a list and a history.

    Args:
        recommender: The one to judge.
        split: The log.
        cut: Requests cut from it.
        requests: How many to draw, spread over three moments.
        features: Functions that make the features which the model reads, by name: audited too.
        seed: Of the sample and of the changes.
    """
    recommender = without_language_model(recommender)
    rng = np.random.default_rng(seed)
    alone = isinstance(recommender.model, Following)
    copies = list(_copies(split, cut, requests, rng, recommender.told, alone))
    before = [(copy, _lists(recommender, copy)) for copy in copies]
    findings = [_finding(name, change, recommender, before, rng) for name, change in changes_of(split.events).items()]
    made = {name: audit_features(one, split.events, seed=seed) for name, one in (features or {}).items()}
    return Audit(tuple(findings), _trained_on(recommender, split), made)


_Lists = tuple[IndexArray, FloatArray]


def _copies(
    split: Split, cut: Cut, requests: int, rng: np.random.Generator, told: tuple[str, ...], alone: bool
) -> Iterator[Copy]:
    """Three moments of the test part; at each, the last requests before it of different users.

    Where a model knows what others did up to each request (`alone`), one's future is another's past: then only a few
    are asked, each by itself.
    """
    frame = split.events.frame
    time = frame[TIMESTAMP].to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy()
    user_of = frame[USER].rle_id().to_numpy().astype(np.int64)
    moment_B = time[cut.row_B]
    order = rng.permutation(len(cut))
    order = order[np.argsort(moment_B[order], kind="stable")] if not np.isnan(moment_B).any() else order
    each = max(1, requests // MOMENTS)
    for end in np.unique(np.linspace(len(order) / MOMENTS, len(order), MOMENTS).astype(np.int64)):
        drawn = cut.row_B[order[max(0, end - LOOK_BACK * each) : end]][::-1]
        _, first = np.unique(user_of[drawn], return_index=True)
        rows = drawn[np.sort(first)][:each]
        for asked in rows[:ALONE, None] if alone else [rows]:
            yield copy_of(split.events, asked, user_of, time, rng, told)


def _finding(
    name: str, change: Change, recommender: Recommender, before: list[tuple[Copy, _Lists]], rng: np.random.Generator
) -> Finding:
    changed, asked, largest = 0, 0, 0.0
    examples: list[str] = []
    for copy, lists in before:
        moved, size = _moved(lists, _lists(recommender, change(copy, rng)))
        requests = copy.requests()
        assert requests.users is not None and requests.rows is not None
        examples += [f"user {requests.users[int(i)]!r}, row {requests.rows[i]}" for i in np.flatnonzero(moved)]
        changed, asked, largest = changed + int(moved.sum()), asked + len(moved), max(largest, size)
    return Finding(name, asked, changed, largest, tuple(examples[:3]))


def _lists(recommender: Recommender, copy: Copy) -> _Lists:
    requests = copy.requests()
    asked = recommender.with_events(copy.events)
    items: IndexArray = np.zeros((len(requests), DEPTH), dtype=np.int64)
    scores: FloatArray = np.full((len(requests), DEPTH), -np.inf)
    for answer in asked.answer(requests, depth=DEPTH):
        items[answer.rows, : answer.items_BK.shape[1]] = answer.items_BK
        scores[answer.rows, : answer.items_BK.shape[1]] = answer.scores_BK
    return items, scores


def _moved(before: _Lists, after: _Lists) -> tuple[BoolArray, float]:
    """Which answers differ, and by how much; items may change places only where their scores are as good as equal."""
    (items, scores), (new_items, new_scores) = before, after
    finite = np.isfinite(scores) & np.isfinite(new_scores)
    old, new = np.where(finite, scores, 0.0), np.where(finite, new_scores, 0.0)
    change = np.abs(new - old)
    change[np.isfinite(scores) != np.isfinite(new_scores)] = np.inf
    spread = np.maximum(np.ptp(old, axis=1), 1e-3 * np.abs(old).max(axis=1) + 1e-12)
    relative = (change / spread[:, None]).max(axis=1)
    moved: BoolArray = (relative > TOLERANCE) | ((relative == 0) & (items != new_items).any(axis=1))
    return moved, float(min(relative.max(initial=0.0), 1e9))


def _trained_on(recommender: Recommender, split: Split) -> int | None:
    """Test events that the recommender learned from; a refitted run has seen all of its log."""
    own = recommender.split
    if own is None:
        return None
    refit = bool(recommender.card.get("refit"))
    if own.events is split.events:
        learned = pl.repeat(refit, len(own.part), eager=True) | own.part.is_in(["train", "validation"])
        return int((learned & (split.part == "test")).sum())
    keys = [USER, ITEM, TIMESTAMP, EVENT_ORDER]
    as_keys = (pl.col(USER, ITEM).cast(pl.String), TIMESTAMP, EVENT_ORDER)
    known = (own.events if refit else own.train).frame.select(*as_keys)
    return split.test.frame.select(*as_keys).join(known, on=keys, how="semi", nulls_equal=True).height
