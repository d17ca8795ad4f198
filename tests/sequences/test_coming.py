import numpy as np
import pytest
from tests.logs import events_of

from horae.sequences.framing import Next, windows
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

BEHAVIORS = ("view", "buy")
ROWS = [
    ("u", "a", 0, "view"),
    ("u", "b", 10, "buy", 3.0),
    ("u", "c", 10, "view"),
    ("u", "a", 40, "buy", 7.0),
    ("v", "b", 25, "view"),
    ("w", "a", None, "view"),
    ("w", "b", None, "buy"),
]
TARGETS = [True, True, False, True, True, True, True]


def sequences_of(rows=ROWS, targets=TARGETS):
    events = events_of(rows, behaviors=BEHAVIORS, targets=targets)
    return Sequences.from_events(events, Vocabulary(events.frame["item_id"].unique().sort()))


def framed(max_len=5, which="all", watched_until=100.0):
    cut = windows(sequences_of(), max_len, which, np.random.default_rng(0), watched_until)
    return cut, Next(coming=True).frame(cut, np.random.default_rng(0))


@pytest.mark.parametrize("which", ["all", "last"])
def test_the_next_event_of_any_kind_stands_beside_the_next_target(which):
    _, data = framed(which=which)
    assert data.target_BL[0].tolist() == [2, 0, 1, 0]  # the third event is no target ...
    assert data.coming.behavior_BL[0].tolist() == [2, 1, 2, 0]  # ... but it comes next
    np.testing.assert_array_equal(data.coming.gap_BL[0], [10, 0, 30, np.nan])
    np.testing.assert_array_equal(data.coming.value_BL[0], [3, np.nan, 7, np.nan])


@pytest.mark.parametrize("which", ["all", "last"])
def test_the_last_event_of_everybody_waits_until_the_log_ends(which):
    _, data = framed(which=which)
    np.testing.assert_array_equal(data.coming.silent_BL[0], [np.nan, np.nan, np.nan, 60])
    np.testing.assert_array_equal(data.coming.silent_BL[1], [75, np.nan, np.nan, np.nan])  # came once
    assert data.batch.length_B.tolist() == [4, 1, 2]
    assert data.coming.gap_BL[2].isnan().all() and data.coming.silent_BL[2].isnan().all()  # of unknown times
    assert data.coming.behavior_BL[2].tolist() == [2, 0, 0, 0]


def test_where_nobody_watched_until_the_end_a_line_ends_in_silence_that_says_nothing():
    cut, data = framed(watched_until=float("nan"))
    assert data.batch.length_B.tolist() == [3, 1] and data.coming.silent_BL.isnan().all()
    plain = Next().frame(cut, np.random.default_rng(0))
    assert plain.coming is None and (plain.target_BL == data.target_BL).all()


@pytest.mark.parametrize("which", ["all", "last"])
def test_an_open_window_is_never_longer_than_the_network_looks(which):
    for max_len in (1, 2, 3):
        cut, data = framed(max_len, which)
        assert data.batch.item_BL.shape[1] <= max_len
        open_B = ~np.isnan(cut.request_time_B)
        assert open_B.sum() == 3  # one for everybody
        assert np.isfinite(data.coming.silent_BL.numpy()).sum() == 2


def test_over_a_line_cut_into_windows_every_gap_is_asked_for_at_most_once():
    rows = [("u", "a", 10 * n * n) for n in range(23)]
    events = sequences_of(rows, [True] * 23)
    for seed in range(6):
        cut = windows(events, 4, "all", np.random.default_rng(seed), 9_000.0)
        gaps = Next(coming=True).frame(cut, np.random.default_rng(0)).coming.gap_BL.numpy()
        asked = np.sort(gaps[np.isfinite(gaps)]).tolist()
        whole = [10.0 * (2 * n + 1) for n in range(22)]
        assert set(asked) <= set(whole) and len(asked) == len(set(asked)) >= 21  # a full open window loses its oldest
