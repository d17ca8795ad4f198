"""The audit passes the honest and catches, each in its own way, four kinds of leaks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from tests.evaluation.shop import recommender, split
from tests.logs import events_of

from horae.data.split import split_leave_one_out
from horae.evaluation.audit import Audit, audit
from horae.evaluation.cut import requests_of
from horae.evaluation.protocol import evaluate
from horae.models.opponents import make_opponent
from horae.recipe import Recipe
from horae.recommend.rank import Answer, Targets
from horae.recommend.recommender import Recommender
from horae.schema import Events, Requests
from horae.training.train import train


@dataclass(eq=False)
class _Looks(Recommender):
    """Answers honestly, then adds to the scores whatever `peek` sees in the log from a request's row on."""

    def peek(self, rows: np.ndarray) -> np.ndarray:
        raise AssertionError("a leak overrides this")

    def answer(self, requests: Requests, targets: Targets | None = None, *, depth: int = 10) -> Iterator[Answer]:
        assert requests.rows is not None
        for answer in super().answer(requests, targets, depth=depth):
            seen = self.peek(requests.rows[answer.rows])
            yield replace(answer, scores_BK=answer.scores_BK + seen[:, None].astype(np.float32))


@dataclass(eq=False)
class _LooksAtItsTarget(_Looks):
    def peek(self, rows: np.ndarray) -> np.ndarray:
        assert self.events is not None
        return self.items.indices(self.events.frame["item_id"].gather(rows)).astype(float)


@dataclass(eq=False)
class _LooksAtTheNextTime(_Looks):
    """Knows how long until the event after: nothing but a shift shows it."""

    def peek(self, rows: np.ndarray) -> np.ndarray:
        assert self.events is not None
        time = self.events.frame["timestamp"].to_physical().to_numpy()
        return (time[np.minimum(rows + 1, len(time) - 1)] - time[rows]) / 1e9


@dataclass(eq=False)
class _CountsTheFuture(Recommender):
    """Popularity over the whole log: other people's future counts."""

    def with_events(self, events: Events) -> Recommender:
        over = super().with_events(events)
        return replace(over, model=make_opponent("popularity").fit(over.sequences))


@dataclass(eq=False)
class _ReadsFeatures(Recommender):
    """Adds a feature of the log, made anew for each log that it is laid over: `honest` or not."""

    honest: bool = True

    def answer(self, requests: Requests, targets: Targets | None = None, *, depth: int = 10) -> Iterator[Answer]:
        assert requests.rows is not None and self.events is not None
        frame = self.events.frame.with_row_index("row")
        asked = frame["timestamp"].gather(requests.rows)
        counted = [len(frame.filter(frame["timestamp"] < at)) if self.honest else len(frame) for at in asked]
        for answer in super().answer(requests, targets, depth=depth):
            feature_B = np.log(np.array(counted))[answer.rows]
            yield replace(answer, scores_BK=answer.scores_BK * feature_B[:, None].astype(np.float32))


def as_kind(kind: type[Recommender]) -> Recommender:
    honest = recommender()
    return kind(**{name: getattr(honest, name) for name in honest.__dataclass_fields__})


def verdict(run: Recommender) -> Audit:
    return audit(run, split(), requests_of(split()), requests=20)


@pytest.mark.parametrize("name", ["markov", "popularity", "session_knn"])
def test_an_honest_model_passes(name: str) -> None:
    found = verdict(recommender(name))
    assert found.passed
    assert {one.change for one in found.findings} == {"replaced", "shuffled", "removed", "shifted"}
    assert all(one.requests >= 15 and one.changed == 0 and one.largest == 0 for one in found.findings)
    assert "passed" in str(found)


def test_a_model_that_sees_its_target_is_caught() -> None:
    found = verdict(as_kind(_LooksAtItsTarget))
    assert not found.passed
    replaced = next(one for one in found.findings if one.change == "replaced")
    assert replaced.changed > replaced.requests / 2
    assert replaced.examples and "user" in replaced.examples[0]
    assert "FAILED" in str(found)


def test_a_model_that_counts_other_peoples_future_is_caught() -> None:
    assert not verdict(as_kind(_CountsTheFuture)).passed


def test_a_model_that_knows_when_the_next_event_comes_is_caught() -> None:
    changed = {one.change: one.changed for one in verdict(as_kind(_LooksAtTheNextTime)).findings}
    assert changed["shifted"] > 0
    assert changed["shuffled"] == 0


@pytest.mark.parametrize("honest", [True, False])
def test_a_model_that_reads_features_is_judged_by_what_they_know(honest: bool) -> None:
    assert verdict(replace(as_kind(_ReadsFeatures), honest=honest)).passed is honest


def test_functions_that_make_features_are_audited_with_the_model() -> None:
    def past(events: Events, at: datetime) -> pl.DataFrame:
        return events.frame.filter(pl.col("timestamp") < at).group_by("user_id").len("events")

    def whole(events: Events, at: datetime) -> pl.DataFrame:
        return events.frame.group_by("user_id").agg(pl.col("item_id").n_unique().alias("items"))

    made = {"past": past, "whole": whole}
    found = audit(recommender(), split(), requests_of(split()), requests=6, features=made)
    assert {name: one.passed for name, one in found.features.items()} == {"past": True, "whole": False}
    assert not found.passed and "features 'whole' moved" in str(found)
    assert found.as_dict()["features"]["whole"]["findings"]
    judged = evaluate(recommender(), split(), opponents={}, ks=(5,), bootstrap=0, features={"past": past})
    assert judged.passed and judged.as_dict()["leak_audit"]["features"]["past"]["passed"]


def test_a_log_without_times_is_audited_by_order() -> None:
    log = events_of([(f"u{user:02}", f"i{(user + n) % 7}", None) for user in range(20) for n in range(6)])
    data = split_leave_one_out(log)
    run = train(data, Recipe("markov", model={"opponent": "markov"}))
    found = audit(run, data, requests_of(data), requests=12)
    assert found.passed
    assert {one.change for one in found.findings} == {"replaced", "shuffled", "removed"}


def test_a_run_without_its_events_cannot_be_checked_for_training_on_the_test() -> None:
    found = verdict(replace(recommender(), split=None))
    assert found.trained_on is None
    assert found.passed


def test_a_run_on_a_copy_of_the_log_is_checked_by_its_events() -> None:
    copy = replace(split(), events=replace(split().events, frame=split().events.frame.clone()))
    for refit, expected in ((False, 0), (True, split().test.frame.height)):
        run = replace(recommender(), card={**recommender().card, "refit": refit})
        assert audit(run, copy, requests_of(copy), requests=6).trained_on == expected


def test_the_same_seed_gives_the_same_audit() -> None:
    assert verdict(as_kind(_LooksAtItsTarget)) == verdict(as_kind(_LooksAtItsTarget))
