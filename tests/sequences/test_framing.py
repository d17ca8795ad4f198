import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs import events_of

from horae.sequences.batch import encode
from horae.sequences.framing import LAST_ALONE, Masked, Next, num_targets, windows
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
    framed = Next().frame(windows(sequences, 9, "all"), np.random.default_rng(0))
    assert framed.batch.item_BL.tolist() == [[1, 2, 3]]
    assert framed.target_BL.tolist() == [[2, 0, 4]]
    assert framed.batch.request_time_BL.tolist() == [[100, 200, 300]]
    assert num_targets(windows(sequences, 9, "all")).tolist() == [2]


def test_windows_without_any_target_are_left_out():
    assert len(windows(sequences_of([3], targets=[True, False, False]), 5, "all")) == 0


def masked(lengths, max_len=6, share=0.4, seed=0, **keys):
    cut = windows(sequences_of(lengths, **keys), max_len, "all")
    return Masked(max_len, share).frame(cut, np.random.default_rng(seed))


@given(st.lists(st.integers(2, 25), min_size=1, max_size=8), st.integers(2, 7), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_a_masked_event_is_a_target_and_nothing_of_it_is_shown_but_its_time(lengths, max_len, seed):
    framed = masked(lengths, max_len, seed=seed)
    batch, hidden_BL = framed.batch, framed.target_BL > 0
    real_BL = torch.arange(batch.item_BL.shape[1]) < batch.length_B[:, None]
    assert batch.item_BL.shape[1] <= max_len and hidden_BL.any(dim=1).all()
    assert torch.equal(batch.item_BL == 0, hidden_BL | ~real_BL)
    assert (batch.behavior_BL[hidden_BL] == 0).all() and batch.value_BL[hidden_BL].isnan().all()
    assert torch.equal(batch.time_BL.isnan(), ~real_BL)
    whole_BL = batch.item_BL + framed.target_BL  # item n comes at 100 (n - 1)
    assert torch.equal(whole_BL[real_BL], (batch.time_BL[real_BL] / 100).long() + 1)


def test_an_event_that_may_be_no_target_is_never_masked():
    hidden_L = sum((masked([4], targets=[True, True, False, True], seed=n).target_BL > 0).long() for n in range(60))
    assert hidden_L.flatten().tolist()[2] == 0 and (hidden_L.flatten()[[0, 1, 3]] > 0).all()


def test_the_shares_of_masked_events_are_those_asked_for():
    target_BL = masked([20] * 4000, max_len=20, share=0.3).target_BL
    hidden_BL = target_BL > 0
    alone_B = hidden_BL[:, -1] & (hidden_BL.sum(dim=1) == 1)
    assert alone_B.float().mean().item() == pytest.approx(LAST_ALONE, abs=0.02)
    assert hidden_BL[~alone_B].float().mean().item() == pytest.approx(0.3, abs=0.01)


def test_masks_are_drawn_anew_by_the_generator_and_the_same_by_the_same():
    one, again, other = (masked([9, 12, 5], seed=seed).target_BL for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_a_masked_request_is_the_newest_events_and_a_slot_at_its_time():
    sequences = sequences_of([5, 2, 1])
    histories = sequences.of_users(np.array([1, 2, 0]), np.array([900.0, 150.0, 7.0]))
    asked = Masked(4, 0.2).asked(encode(histories, 4))
    assert asked.item_BL.tolist() == [[3, 4, 5, 0], [1, 2, 0, 0], [0, 0, 0, 0]]
    assert asked.length_B.tolist() == [4, 3, 1]
    nan = float("nan")
    expected = [[200.0, 300.0, 400.0, 900.0], [0.0, 100.0, 150.0, nan], [7.0, nan, nan, nan]]
    np.testing.assert_array_equal(asked.time_BL.numpy(), expected)
    np.testing.assert_array_equal(asked.request_time_BL.numpy(), expected)
    assert asked.behavior_BL.tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]


def test_a_request_is_put_as_training_masks_the_last_event():
    sequences = sequences_of([5])
    frames = [Masked(9, 0.2).frame(windows(sequences, 9, "all"), np.random.default_rng(n)) for n in range(40)]
    trained = next(f.batch for f in frames if (f.target_BL > 0).tolist() == [[False] * 4 + [True]])
    asked = Masked(9, 0.2).asked(encode(sequences.before_rows(np.array([4])), 9))
    for name in ("item_BL", "behavior_BL", "time_BL", "value_BL", "length_B", "request_time_BL"):
        torch.testing.assert_close(getattr(asked, name), getattr(trained, name), equal_nan=True, msg=name)


def test_the_next_framing_leaves_a_request_as_it_is():
    batch = encode(sequences_of([3]).all())
    assert Next().asked(batch) is batch
