import numpy as np
import pytest
from tests.logs import events_of

from horae.data.split import split_by_time, split_leave_one_out
from horae.evaluation.forecasts.asked import asked_of
from horae.evaluation.forecasts.returning import moments_of, returning_of, returns_by_counting

DAY = 86_400.0
# Ten days of everybody; u is silent over the boundary, v comes often, w never comes back, x is new.
ROWS = [
    ("u", "a", 1 * DAY, "view"),
    ("u", "b", 9 * DAY, "buy", 5.0),
    *[("v", "a", day * DAY, "view") for day in range(11)],
    ("w", "a", 2 * DAY, "view"),
    ("x", "a", 9.5 * DAY, "view"),
    ("x", "a", 9.5 * DAY, "odd"),
]


@pytest.fixture
def split():
    log = events_of(ROWS, behaviors=("view", "buy", "odd"))
    return split_by_time(log, test="1970-01-09", validation="1970-01-07")  # from day 8, from day 6


def test_every_event_of_the_part_with_one_before_it_is_asked_for(split):
    asked = asked_of(split, behaviors=("view", "buy"))
    assert asked.users.to_list() == ["u", "v", "v", "v", "x"]
    np.testing.assert_array_equal(asked.gap_N / DAY, [8, 1, 1, 1, 0])
    np.testing.assert_array_equal(asked.silent_N / DAY, [7, 1, 0, 0, 0])  # from the last event to the boundary
    np.testing.assert_array_equal(asked.left_N / DAY, [2, 2, 2, 1, 0.5])  # to the end of the log
    assert asked.behavior_N.tolist() == [2, 1, 1, 1, 0]
    np.testing.assert_array_equal(asked.value_N, [5, np.nan, np.nan, np.nan, np.nan])


def test_a_part_ends_where_the_next_begins(split):
    asked = asked_of(split, "validation")
    np.testing.assert_array_equal(asked.left_N / DAY, [1, 1])  # v on day 6 and on day 7, the last of the part


def test_without_a_boundary_in_time_everybody_is_asked_right_after_their_last_event():
    asked = asked_of(split_leave_one_out(events_of(ROWS, behaviors=("view", "buy", "odd"))))
    assert not np.nan_to_num(asked.silent_N).any() and np.isnan(asked.left_N).all()


def test_a_sample_is_drawn_by_its_seed(split):
    some = [asked_of(split, most=2, seed=seed).row_N.tolist() for seed in (0, 0, 1, 2, 3)]
    assert some[0] == some[1] and len(some[0]) == 2 and len({tuple(rows) for rows in some}) > 1


def test_everybody_who_was_here_is_asked_whether_they_return(split):
    asked = returning_of(split, 8 * DAY, 2 * DAY)
    assert asked.users.to_list() == ["u", "v", "w"] and asked.at.timestamp() == 8 * DAY
    assert asked.came_U.tolist() == [True, True, False]
    np.testing.assert_array_equal(asked.silent_U / DAY, [7, 1, 6])
    assert asked.share_before == pytest.approx((1 + 1) / (3 + 2))  # two days before, v alone came again
    told = returns_by_counting(asked)
    rate = 10 / (7 + 8 + 6)  # events in all over days in all
    by_hand = [1 - np.exp(-2 * (n + 1) / (days + 1 / rate)) for n, days in ((1, 7), (8, 8), (1, 6))]
    assert told["poisson"].tolist() == pytest.approx(by_hand)
    # Days 6-7, 4-5, 2-3 lie after the two days with u's or v's first event, days 6-7 and 4-5 after those with w's.
    assert asked.windows_U.tolist() == [3, 3, 2] and asked.active_U.tolist() == [0, 3, 0]
    own = [(active + 0.5 * 0.4) / (windows + 0.5) for active, windows in ((0, 3), (3, 3), (0, 2))]
    assert told["user_frequency"].tolist() == pytest.approx(own)


def test_later_events_never_change_what_is_asked_and_counted(split):
    """Only whether they came."""
    fewer = split_by_time(events_of([row for row in ROWS if row[2] < 8 * DAY]), test="1970-01-06", validation=0)
    whole, early = (returning_of(one, 8 * DAY, 2 * DAY) for one in (split, fewer))
    for name in ("silent_U", "events_U", "known_U", "windows_U", "active_U", "newest_U"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(early, name))
    assert whole.share_before == early.share_before and not early.came_U.any()


def test_nobody_is_asked_what_the_log_cannot_tell(split):
    """The test part has two days, the validation part one day until its last event."""
    assert moments_of(split, "test", 2 * DAY) == [8 * DAY]
    assert moments_of(split, "test", 2.1 * DAY) == [] == moments_of(split, "validation", 2 * DAY)
    assert moments_of(split, "validation", DAY) == [6 * DAY]
    assert moments_of(split, "test", DAY) == pytest.approx([8 * DAY, 8 * DAY + DAY / 3, 8 * DAY + 2 * DAY / 3, 9 * DAY])
    assert moments_of(split_leave_one_out(split.events), "test", DAY) == []
