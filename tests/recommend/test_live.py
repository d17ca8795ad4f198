"""A recipe that goes on with the log: what it counts, from when on, and that nothing later reaches an answer."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.logs import events_of

import horae
from horae.evaluation.opponents import opponents_of
from horae.models.opponents.recent_popularity import LiveRecentPopularity
from horae.training.progress import Quiet
from horae.training.train import Options, refit

DAY = 86_400
START = datetime(2024, 1, 1, tzinfo=UTC)
QUIET = Options(progress=Quiet())


def fashions(days=60, users=40):
    """Everybody takes the item of the day; what was the fashion once never comes back."""
    rows = []
    for day in range(days):
        for user in range(users):
            if (user + day) % 3 == 0:
                moment = START.timestamp() + day * DAY + 600 * user
                rows.append((f"u{user:02}", f"i{day // 2 if user % 5 else 90 + user:03}", moment))
    rows += [
        (f"u{user:02}", f"i{item:03}", START.timestamp() - DAY) for item, user in zip(range(30), range(30), strict=True)
    ]
    return events_of(rows)


LOG = fashions()


@pytest.fixture(scope="module")
def split():
    return horae.split_by_time(LOG)


@pytest.fixture(scope="module")
def live(split):
    return horae.train(split, "live-popularity", options=QUIET)


def best(recommender, **asked):
    return recommender.recommend(histories=[["i001"]], k=1, **asked).frame["item_id"][0]


def test_it_is_ahead_of_what_was_popular_when_training_ended(live, split):
    told = horae.evaluate(live, split, opponents=opponents_of(live, split, ["recent_popularity", "popularity"]))
    assert told.against["recent_popularity"]["ndcg@10"].above_zero and told.passed


def test_each_request_sees_the_fashion_of_its_own_day(live):
    for day in (11, 31, 51):
        assert best(live, at=START + timedelta(days=day, hours=12)) == f"i{day // 2:03}"


def test_without_a_time_it_stands_after_everything_known_and_follows_what_is_told(live, tmp_path):
    again = horae.load(live.save(tmp_path / "run"))
    assert best(again) == best(live) == "i029"
    now = START + timedelta(days=61)
    for number in range(60):
        again.append(f"new{number}", "i003", timestamp=now + timedelta(minutes=number))
    assert best(again) == "i003" and best(live) == "i029"
    assert best(again, at=START + timedelta(days=60)) == "i029"
    again.append("somebody", "not in the table", timestamp=now)
    again.append("somebody", "i004")
    assert best(again) == "i003"


def test_a_run_without_its_events_answers_as_training_left_it(live, split, tmp_path):
    bare = horae.load(live.save(tmp_path / "bare", events=False))
    frozen = horae.train(split, "recent-popularity", overrides=overrides_of(live), options=QUIET)
    assert best(bare) == best(frozen)


def overrides_of(recommender):
    table = recommender.recipe.model
    return [f"model.{key}={table[key]}" for key in ("window_days", "half_life_days") if key in table]


def test_an_ensemble_follows_through_its_members_and_so_does_a_refit(split):
    mixed = horae.train(split, "ensemble", overrides=['model.ensemble=["live-popularity", "item-knn"]'], options=QUIET)
    assert best(mixed) == "i029" and horae.evaluate(mixed, split, opponents={}).passed
    again = refit(mixed, options=QUIET)
    for number in range(60):
        again.append(f"new{number}", "i003", timestamp=START + timedelta(days=61, minutes=number))
    assert best(again) == "i003"


def test_a_model_that_counts_beyond_the_request_fails_the_audit(live, split, monkeypatch):
    sweep = LiveRecentPopularity._sweep
    monkeypatch.setattr(LiveRecentPopularity, "_sweep", lambda self, times: sweep(self, times + 2 * DAY))
    assert not horae.evaluate(live, split, opponents={}).passed
