import numpy as np
import pytest
from tests.models.opponents.asking import ask, log_of, random_log, scores_of

from horae.errors import RecipeError
from horae.models.opponents.new_popularity import NewPopularity, NewPopularitySettings

DAY = 86_400.0
LOG = {"u1": [("old", 0.0), ("old", 9 * DAY), ("new", 9 * DAY)], "u2": [("new", 10 * DAY), ("old", 10 * DAY)]}


def test_only_items_first_seen_in_the_window_count():
    sequences = log_of(LOG)
    model = NewPopularity(NewPopularitySettings(window_days=2)).fit(sequences)
    assert scores_of(model, sequences, [])[0] == pytest.approx({"new": 2 + 2 / 5, "old": 3 / 5})


def test_it_follows_the_log_and_sees_what_is_strictly_before():
    sequences = log_of(LOG)
    model = NewPopularity(NewPopularitySettings(window_days=2)).fit(sequences).following(sequences)
    times = [9 * DAY, 9 * DAY + 1, 10 * DAY + 1, 11 * DAY + 1]
    at = scores_of(model, sequences, *[[("old", 0.0)]] * 4, at=times)
    assert [scores["new"] for scores in at] == pytest.approx([0, 1 + 1 / 3, 2 + 2 / 5, 2 / 5])
    assert all(scores["old"] < 1 for scores in at[1:])


def test_an_event_that_is_told_makes_its_item_new():
    sequences = log_of(LOG, items=["newer"])
    model = NewPopularity(NewPopularitySettings(window_days=2)).fit(sequences).following(sequences)
    model.note(sequences.items.index("newer"), 20 * DAY)
    asked = scores_of(model, sequences, [("old", 0.0)], [("old", 0.0)], at=[20 * DAY, 21 * DAY])
    assert asked[0]["newer"] == 0 and asked[1]["newer"] > 1


def test_it_equals_counting_afresh_for_each_request():
    sequences = random_log(users=8, items=40)
    model = NewPopularity(NewPopularitySettings(window_days=3)).fit(sequences).following(sequences)
    flat = sequences.flat
    times = np.random.default_rng(1).choice(np.append(flat.time_N, [2e5, 5e5, 5e5, 3e6]), 30)
    scores = model.score(ask(sequences, *[[("i00", -1.0)]] * 30, at=times))[:, 1:]
    for row, time in enumerate(times):
        before = flat.time_N < time
        first = [min(flat.time_N[flat.item_N == item], default=np.inf) for item in range(41)]
        new = np.array([time - 3 * DAY <= one < time for one in first])
        counts = np.bincount(flat.item_N[before], minlength=41)
        expected = np.where(new, counts, 0) + counts / max(1, before.sum())
        assert np.allclose(scores[row].numpy(), expected[1:], rtol=1e-5)


def test_an_impossible_window_is_refused():
    with pytest.raises(RecipeError, match="above 0"):
        NewPopularitySettings(window_days=0.0)
