"""A backtest fits on the past alone, judges as `evaluate` does, and sees drift where there is drift, and only there."""

import json

import numpy as np
import polars as pl
import pytest
from tests.evaluation.backtest.drifting import DAY, fit, judged, log

from horae.data.split import Split, split_rolling
from horae.errors import DataError
from horae.evaluation.backtest.results import Spread
from horae.evaluation.backtest.rolling import backtest
from horae.evaluation.backtest.settings import BacktestSettings
from horae.evaluation.opponents import opponents_of
from horae.evaluation.protocol import evaluate
from horae.recommend.recommender import Recommender
from horae.schema import Events


def test_who_fits_is_handed_the_past_alone() -> None:
    handed = []

    def watched(past: Split) -> Recommender:
        handed.append(past)
        return fit(past)

    found = backtest(log(), watched, BacktestSettings(folds=3, window="3d", bootstrap=0))
    for past, result in zip(handed, found.folds, strict=True):
        assert past.events.frame["timestamp"].max() < result.fold.boundary
        assert not (past.part == "test").any() and (past.part == "validation").any()
        assert result.leak_audit.passed and result.leak_audit.trained_on == 0
    assert found.passed


def test_a_fold_is_judged_as_evaluate_judges_it() -> None:
    split = split_rolling(log(), 5, "3d")[3]
    own = fit(split)
    beside = opponents_of(own, split, ("recent_popularity", "recent_popularity_live"))
    there = evaluate(own, split, opponents=beside, ks=(1, 10), bootstrap=0)
    result = judged().folds[3]
    assert (result.users, len(result.fold.cut)) == (there.users, there.requests)
    for metric in ("ndcg@10", "recall@1", "mrr@10"):
        assert result.metrics[metric].mean == pytest.approx(there.metrics[metric].mean)
        for name in beside:
            assert result.against[name][metric].mean == pytest.approx(there.against[name][metric].mean)


def test_an_old_model_is_judged_as_evaluate_judges_it_on_later_windows() -> None:
    splits = split_rolling(log(), 5, "3d")
    old = [evaluate(fit(splits[n]), splits[n + 2], opponents={}, bootstrap=0).metrics["ndcg@10"].mean for n in range(3)]
    row = judged().decay.rows[1]
    assert (row.age, row.windows) == (2, 3)
    assert row.old.mean == pytest.approx(np.mean(old))  # the same 60 users in each window
    assert row.fresh.mean == pytest.approx(np.mean([fold.metrics["ndcg@10"].mean for fold in judged().folds[2:]]))


def test_pooled_numbers_are_those_of_the_folds() -> None:
    found = judged()
    means = [fold.metrics["ndcg@10"].mean for fold in found.folds]
    assert found.metrics["ndcg@10"].mean == pytest.approx(np.mean(means))
    spread = found.spreads()["ndcg@10"]
    assert (spread.worst, spread.best) == (min(means), max(means))
    assert found.users == 60
    difference = found.against["recent_popularity_live"]["ndcg@10"].mean
    theirs = found.opponents["recent_popularity_live"]["ndcg@10"].mean
    assert difference == pytest.approx(found.metrics["ndcg@10"].mean - theirs)


def test_drift_is_seen_and_its_answer_says_so() -> None:
    found = judged()
    losses = [row.loss.mean for row in found.decay.rows]
    assert losses == sorted(losses) and losses[-1] > 0.08
    assert found.decay.rows[-1].verdict == "lost" and found.decay.retrain_every is not None
    assert found.answer.startswith("A model loses") and "every 3 days" in found.answer
    since = {row.name: row.metrics["ndcg@10"].mean for row in found.lead_time.since_boundary}
    assert since["day 1"] > since["days 8 to 30"]


def test_without_drift_no_loss_is_seen() -> None:
    found = judged(drift=False)
    assert all(row.verdict == "kept" and row.loss.mean == 0 for row in found.decay.rows)
    assert found.decay.longer_untested and found.answer.startswith("No loss of NDCG@10 seen in 12 days")


def test_the_same_seed_gives_the_same_document() -> None:
    again, first = (
        backtest(log(), fit, BacktestSettings(folds=2, window="3d", bootstrap=50)).as_dict() for _ in range(2)
    )
    for document in (again, first):
        document.pop("seconds")
        for fold in document["folds"]:
            fold.pop("fit_seconds")
    assert again == first


def test_the_document_has_the_keys_that_others_read() -> None:
    document = judged().as_dict()
    assert set(document) == {
        "backtest", "answer", "folds", "pooled", "lead_time", "decay", "passed", "notes", "seed", "bootstrap",
        "seconds",
    }  # fmt: skip
    assert set(document["folds"][0]) == {
        "fold", "boundary", "until", "train_from", "train_events", "users", "requests", "cold_requests", "fit_seconds",
        "metrics", "opponents", "reasons", "against", "leak_audit",
    }  # fmt: skip
    assert set(document["pooled"]) == {"users", "metrics", "opponents", "against", "spread"}
    assert set(document["lead_time"]) == {"once", "since_boundary", "since_event"}
    assert set(document["lead_time"]["once"][0]) == {
        "name", "from_days", "to_days", "models", "users", "requests", "metrics", "against", "reason",
    }  # fmt: skip
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_text_fits_a_terminal() -> None:
    text = str(judged())
    assert max(len(line) for line in text.splitlines()) <= 80
    for said in ("minus recent", "minus live", "asked once", "within 7 days", "3 days", "Retrain every", "leak audit"):
        assert said in text


def test_next_days_are_asked_once_per_user_and_window() -> None:
    found = backtest(log(), fit, BacktestSettings(folds=3, window="3d", targets="next-3d", bootstrap=0))
    assert all(len(fold.fold.cut) == fold.users == 60 for fold in found.folds)
    assert found.lead_time.since_boundary == () and found.lead_time.once[0].users == 60
    within = backtest(log(), fit, BacktestSettings(folds=3, window="7d", targets="next-7d", bootstrap=0))
    week = next(row for row in within.lead_time.once if row.name == "within 7 days")
    assert within.metrics["ndcg@10"].mean == pytest.approx(week.metrics["ndcg@10"].mean)


def test_each_fold_is_told_when_it_begins_and_ends() -> None:
    told: list[str] = []
    backtest(log(), fit, BacktestSettings(folds=2, window="3d", bootstrap=0), progress=told.append)
    assert [sentence[:5] for sentence in told] == ["[1/2]", "[1/2]", "[2/2]", "[2/2]"]
    assert "learning from" in told[0] and "windowed popularity" in told[1]


def test_a_leak_in_one_fold_fails_the_whole() -> None:
    class Peeking(Recommender):
        def with_events(self, events: Events) -> Recommender:
            over = super().with_events(events)
            return Peeking(**{**vars(over), "model": fit_popularity(over)})

    def fit_popularity(over: Recommender):
        from horae.models.opponents import make_opponent

        return make_opponent("popularity").fit(over.sequences)

    def leaking(past: Split) -> Recommender:
        honest = fit(past)
        return Peeking(**{name: getattr(honest, name) for name in honest.__dataclass_fields__})

    found = backtest(log(), leaking, BacktestSettings(folds=1, window="3d", bootstrap=0))
    assert not found.passed and "leak audit of fold 1 FAILED" in str(found)


def test_missing_opponents_are_told_and_do_no_harm() -> None:
    found = backtest(
        log(),
        fit,
        BacktestSettings(folds=2, window="3d", bootstrap=20),
        opponents=lambda run, split: {"ease": "too many"},
    )
    assert found.folds[0].reasons == {"ease": "too many"} and found.opponents == {}
    assert any("missing" in note for note in found.notes)
    assert "-" in str(found) and found.lead_time.once[0].against == {}


def test_one_fold_has_no_decay_to_show() -> None:
    found = backtest(log(), fit, BacktestSettings(folds=1, window="3d", bootstrap=20))
    assert found.decay.rows == () and "two folds or more" in found.answer and "two folds or more" in str(found)
    assert found.spreads()["ndcg@10"].deviation is None


def test_a_share_of_the_events_is_a_window_too() -> None:
    found = backtest(log(), fit, BacktestSettings(folds=3, window=0.1, bootstrap=100))
    assert "10% of the events" in str(found) and "window" in found.answer
    assert found.as_dict()["backtest"]["window_days"] is None


def test_a_sliding_window_is_told_where_it_is_none() -> None:
    found = backtest(log(), fit, BacktestSettings(folds=2, window="3d", training="sliding", train_days=90, bootstrap=0))
    assert any("sliding is expanding" in note for note in found.notes)
    short = backtest(log(), fit, BacktestSettings(folds=2, window="3d", training="sliding", train_days=10, bootstrap=0))
    assert not any("sliding is expanding" in note for note in short.notes)
    assert "the last 10 days" in str(short)
    assert short.folds[0].train_events == 60 * 10


def test_a_sample_of_users_is_judged_and_told() -> None:
    found = backtest(log(), fit, BacktestSettings(folds=2, window="3d", max_users=10, bootstrap=0))
    assert all(fold.users == 10 for fold in found.folds) and any("sample" in note for note in found.notes)


@pytest.mark.parametrize("how", [{"tolerated": 0}, {"tolerated": 1.5}, {"ks": ()}, {"ks": (0,)}, {"folds": 40}])
def test_impossible_wishes_are_refused(how) -> None:
    with pytest.raises(DataError) as refused:
        backtest(log(), fit, BacktestSettings(window="3d", **how))
    assert refused.value.hint


def test_unknown_items_and_users_of_later_windows_do_no_harm() -> None:
    frame = log().frame
    late = frame.with_columns(
        item_id=pl.when(pl.col("timestamp").dt.epoch("s") > 38 * DAY).then(pl.lit("new")).otherwise("item_id")
    )
    found = backtest(Events(late), fit, BacktestSettings(folds=2, window="3d", bootstrap=0))
    assert found.passed and found.folds[1].metrics["ndcg@10"].mean < found.folds[0].metrics["ndcg@10"].mean


def test_the_spread_of_one_fold_is_unknown() -> None:
    assert Spread.of([0.5]) == Spread(0.5, None, 0.5, 0.5)
    assert Spread.of([0.4, 0.6]).deviation == pytest.approx(0.1414, abs=1e-4)
