import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs import events_of

from horae.sequences.framing import frame_next, num_targets, windows
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary


def sequences_of(lengths, targets=None):
    rows = [(f"u{user:03}", f"i{n:03}", 100 * n) for user, length in enumerate(lengths) for n in range(length)]
    log = events_of(rows, targets=targets)
    return Sequences.from_events(log, Vocabulary.of(log.frame["item_id"]))


@given(st.lists(st.integers(1, 25), min_size=1, max_size=8), st.integers(1, 7), st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_all_windows_hold_every_target_once_and_only_their_own_past(lengths, max_len, seed):
    sequences = sequences_of(lengths)
    cut = windows(sequences, max_len, "all", np.random.default_rng(seed))
    assert (cut.lengths <= max_len + 1).all()
    seen = np.concatenate([np.arange(s + 1, e) for s, e in zip(cut.start_B, cut.end_B, strict=True)] or [[]])
    first = set(sequences.offset_U1[:-1].tolist())
    assert sorted(seen.tolist()) == [row for row in range(len(sequences.flat)) if row not in first]
    user = np.searchsorted(sequences.offset_U1, cut.start_B, side="right")
    assert (user == np.searchsorted(sequences.offset_U1, cut.end_B - 1, side="right")).all()


def test_last_windows_are_the_newest_events():
    cut = windows(sequences_of([5, 1, 2]), 3, "last")
    assert list(zip(cut.start_B.tolist(), cut.end_B.tolist(), strict=True)) == [(1, 5), (6, 8)]


def test_targets_are_the_next_items_and_history_only_events_are_no_targets():
    sequences = sequences_of([4], targets=[True, True, False, True])
    framed = frame_next(windows(sequences, 9, "all"))
    assert framed.batch.item_BL.tolist() == [[1, 2, 3]]
    assert framed.target_BL.tolist() == [[2, 0, 4]]
    assert framed.batch.request_time_BL.tolist() == [[100, 200, 300]]
    assert num_targets(windows(sequences, 9, "all")).tolist() == [2]


def test_windows_without_any_target_are_left_out():
    assert len(windows(sequences_of([3], targets=[True, False, False]), 5, "all")) == 0
