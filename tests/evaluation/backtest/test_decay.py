"""What is lost without retraining, by hand; and the rule that makes an answer of it."""

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of

from horae.data.split import PARTS, Split
from horae.evaluation.backtest.decay import Decay, DecayRow, Pair, _rule, ages_of, decay_of
from horae.evaluation.backtest.pooling import Crowd
from horae.evaluation.cut import requests_of
from horae.evaluation.intervals import Interval


def crowd(users: int, samples: int = 300) -> Crowd:
    log = events_of([(f"u{user}", f"i{n}", 10 * n) for user in range(users) for n in range(2)])
    part = pl.Series("part", ["train", "test"] * users, dtype=pl.Enum(PARTS))
    split = Split(log, part, "time", "")
    return Crowd(split, [requests_of(split)], samples, 0)


def pair(age: int, old: list[float], fresh: list[float], beside: float = 0.0) -> Pair:
    users = np.arange(len(old))
    return Pair(age, users, np.array(old), np.array(fresh), {"recent": np.full(len(old), beside)})


def test_the_loss_is_one_minus_the_ratio_of_pooled_means() -> None:
    pairs = [pair(1, [0.4, 0.2], [0.5, 0.3]), pair(1, [0.1, 0.3], [0.1, 0.7]), pair(2, [0.2, 0.2], [0.5, 0.5], 0.1)]
    decay = decay_of(crowd(2), pairs, "ndcg@10")
    first, second = decay.rows
    assert (first.age, first.windows, first.users) == (1, 2, 2)
    assert first.old.mean == pytest.approx(0.25) and first.fresh.mean == pytest.approx(0.4)
    assert first.loss.mean == pytest.approx(1 - 1.0 / 1.6)
    assert first.difference.mean == pytest.approx(-0.15)
    assert (second.windows, second.loss.mean) == (1, pytest.approx(0.6))
    assert second.against["recent"].mean == pytest.approx(0.1)
    assert decay.loss_per_window.mean == pytest.approx(0.375)  # the first age is lost: the second tells no more
    kept = decay_of(crowd(2), pairs, "ndcg@10", tolerated=0.7)
    # least squares through zero, both ages with two users: (1 * 0.375 + 2 * 0.6) / (1 + 4)
    assert kept.loss_per_window.mean == pytest.approx((0.375 + 2 * 0.6) / 5)


def test_the_same_loss_for_everybody_is_certain() -> None:
    fresh = list(np.linspace(0.1, 0.9, 50))
    decay = decay_of(crowd(50), [pair(age, [f * (1 - 0.02 * age) for f in fresh], fresh) for age in (1, 2, 3, 4)], "m")
    for row in decay.rows:
        assert row.loss.low == pytest.approx(0.02 * row.age) == row.loss.high
    assert decay.loss_per_window.low == pytest.approx(0.02) and decay.loss_per_window.high == pytest.approx(0.02)
    assert [row.verdict for row in decay.rows] == ["kept", "kept", "lost", "lost"]
    assert (decay.retrain_every, decay.longer_untested) == (3, False)


def test_what_comes_after_all_is_lost_does_not_flatten_the_slope() -> None:
    fresh = [0.5] * 20
    found = decay_of(
        crowd(20), [pair(1, [0.05] * 20, fresh), *(pair(age, [0.0] * 20, fresh) for age in (2, 3, 4))], "m"
    )
    assert found.loss_per_window.mean == pytest.approx(0.9) and found.retrain_every == 1


def test_a_fresh_model_that_hits_nothing_has_nothing_to_lose() -> None:
    decay = decay_of(crowd(3), [pair(1, [0.0, 0.0, 0.1], [0.0, 0.0, 0.0])], "m")
    assert decay.rows[0].loss == Interval(None) and decay.rows[0].verdict == "unclear"
    assert decay.loss_per_window == Interval(None) and decay.retrain_every is None


def test_few_users_who_differ_leave_it_unclear() -> None:
    decay = decay_of(crowd(6), [pair(1, [0.0, 1, 0, 1, 1, 0.5], [1.0, 0, 0, 1, 1, 0.5])], "m")
    assert decay.rows[0].loss.mean == 0.0 and decay.rows[0].verdict == "unclear" and decay.retrain_every is None


def rows(*verdicts: str) -> list[DecayRow]:
    nothing = Interval(0.1)
    ages = [1, 2, 4, 8][: len(verdicts)]
    return [
        DecayRow(age, 1, 9, nothing, nothing, nothing, nothing, {}, verdict)  # type: ignore[arg-type]
        for age, verdict in zip(ages, verdicts, strict=True)
    ]


@pytest.mark.parametrize(
    ("verdicts", "every", "untested"),
    [
        ((), None, False),
        (("kept",), 2, True),
        (("kept", "kept", "kept"), 5, True),  # kept at age 4: it serves the fifth window too
        (("kept", "lost"), 2, False),
        (("kept", "unclear", "kept"), 2, False),  # a lucky later age does not mend an unclear one
        (("lost",), 1, False),
        (("unclear",), None, False),
        (("unclear", "lost"), 1, False),
        (("unclear", "kept"), None, False),
    ],
)
def test_a_model_may_serve_until_the_first_age_that_is_not_kept(verdicts, every, untested) -> None:
    assert _rule(rows(*verdicts)) == (every, untested)


def test_many_ages_are_thinned() -> None:
    assert ages_of([3, 1, 2, 1]) == [1, 2, 3]
    assert ages_of(range(1, 21)) == [1, 2, 4, 8, 16, 20]


def test_the_document_is_plain() -> None:
    document = decay_of(crowd(2), [pair(1, [0.1, 0.2], [0.2, 0.2])], "ndcg@10").as_dict()
    assert set(document) == {
        "metric", "tolerated", "rows", "loss_per_window", "retrain_every", "longer_untested",
    }  # fmt: skip
    assert set(document["rows"][0]) == {
        "age", "windows", "users", "fresh", "old", "difference", "loss", "against", "verdict",
    }  # fmt: skip
    assert Decay("m", 0.05, (), Interval(None), None, False).as_dict()["rows"] == []
