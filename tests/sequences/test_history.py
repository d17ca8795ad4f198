from datetime import UTC, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs import events_of

from horae.schema import HistoryEvent
from horae.sequences.batch import encode
from horae.sequences.clock import to_seconds
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

LOG = events_of(
    [("a", "x", 10), ("a", "y", 20), ("a", "z", 20), ("a", "x", 30), ("b", "z", 5), ("b", "q", 6), ("b", "x", 7)]
)
ALL = Vocabulary.of(LOG.frame["item_id"])


def items_of(sequences, histories):
    return [
        sequences.items.ids(histories.flat.item_N[start:end]).to_list()
        for start, end in zip(histories.start_B, histories.end_B, strict=True)
    ]


def test_a_request_cut_from_the_log_sees_what_stood_before_its_row_even_at_the_same_time():
    sequences = Sequences.from_events(LOG, ALL)
    cut = sequences.before_rows(np.array([0, 2, 3, 4, 6]))
    assert items_of(sequences, cut) == [[], ["x", "y"], ["x", "y", "z"], [], ["z", "q"]]
    assert cut.request_time_B.tolist() == [10, 20, 30, 5, 7]


def test_at_means_strictly_before():
    sequences = Sequences.from_events(LOG, ALL)
    users = sequences.users.indices(["a", "a", "b", "nobody"])
    cut = sequences.of_users(users, np.array([20.0, 20.000001, 100.0, 100.0]))
    assert items_of(sequences, cut) == [["x"], ["x", "y", "z"], ["z", "q", "x"], []]


def test_unknown_items_are_left_out_and_rows_still_find_their_place():
    sequences = Sequences.from_events(LOG, Vocabulary.of(LOG.frame["item_id"].filter(LOG.frame["item_id"] != "q")))
    assert items_of(sequences, sequences.before_rows(np.array([3, 5, 6]))) == [["x", "y", "z"], ["z"], ["z"]]
    assert sequences.before_rows(np.array([5])).request_time_B.tolist() == [6]


def test_where_a_time_is_unknown_order_decides_and_nothing_known_to_be_later_is_seen():
    log = events_of([("a", "x", 10), ("a", "y", None), ("a", "z", 30), ("a", "x", None)])
    sequences = Sequences.from_events(log, Vocabulary.of(log.frame["item_id"]))
    user = sequences.users.indices(["a"])
    assert items_of(sequences, sequences.of_users(user, np.array([25.0]))) == [["x", "y"]]
    assert items_of(sequences, sequences.of_users(user)) == [["x", "y", "z", "x"]]


def test_appended_events_are_in_the_next_history_at_their_place():
    sequences = Sequences.from_events(LOG, ALL)
    sequences.append("a", HistoryEvent("q", timestamp=datetime.fromtimestamp(25, UTC)))
    sequences.append("new", HistoryEvent("y"))
    sequences.append("new", HistoryEvent("never seen"))
    users = sequences.users.indices(["a", "new", "b"])
    assert items_of(sequences, sequences.of_users(users)) == [["x", "y", "z", "q", "x"], ["y"], ["z", "q", "x"]]
    assert items_of(sequences, sequences.of_users(users, np.full(3, 25.0)))[0] == ["x", "y", "z"]


times = st.lists(st.integers(0, 6), min_size=2, max_size=12)


@given(times=times, cut=st.integers(1, 11), max_len=st.sampled_from([None, 1, 3]))
@settings(max_examples=60, deadline=None)
def test_log_then_append_gives_the_batch_of_the_whole_log(times, cut, max_len):
    rows = [("u", f"i{number % 5}", time) for number, time in enumerate(times)]
    items = Vocabulary.of(events_of([("u", f"i{n}", 0) for n in range(5)]).frame["item_id"])
    whole = Sequences.from_events(events_of(rows), items)
    cut = min(cut, len(rows) - 1)
    grown = Sequences.from_events(events_of(rows[:cut]), items)
    for _, item, time in rows[cut:]:
        grown.append("u", HistoryEvent(item, "view", datetime.fromtimestamp(time, UTC)))
    for at in (None, np.array([3.0])):
        one, other = (encode(s.of_users(np.array([1]), at), max_len) for s in (whole, grown))
        assert one.item_BL.tolist() == other.item_BL.tolist()
        assert one.behavior_BL.tolist() == other.behavior_BL.tolist()
        assert np.array_equal(one.time_BL.numpy(), other.time_BL.numpy(), equal_nan=True)


@given(times=times, at=st.integers(0, 7), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_events_at_or_after_a_time_never_change_the_history_before_it(times, at, seed):
    rng = np.random.default_rng(seed)
    rows = [("u", f"i{number % 5}", time) for number, time in enumerate(times)]
    edited = [row if row[2] < at else ("u", f"i{rng.integers(5)}", int(rng.integers(at, 9))) for row in rows]
    items = Vocabulary.of(events_of([("u", f"i{n}", 0) for n in range(5)]).frame["item_id"])
    one, other = (
        encode(Sequences.from_events(events_of(log), items).of_users(np.array([1]), np.array([float(at)])))
        for log in (rows, edited)
    )
    assert one.item_BL.tolist() == other.item_BL.tolist()


def test_brought_histories_go_the_same_way_as_the_log():
    sequences = Sequences.from_events(LOG, ALL)
    mine = [HistoryEvent(i, "view", datetime.fromtimestamp(t, UTC)) for i, t in (("x", 10), ("y", 20), ("z", 20))]
    one = encode(sequences.brought([mine, [], [HistoryEvent("?"), HistoryEvent("z")]]))
    assert one.length_B.tolist() == [3, 0, 1]
    other = encode(sequences.before_rows(np.array([3])))
    assert one.item_BL[0].tolist() == other.item_BL[0].tolist()
    assert one.time_BL[0].tolist() == other.time_BL[0].tolist()


def test_microseconds_survive_the_way_to_seconds():
    early = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    late = early.replace(microsecond=123457)
    assert to_seconds(early) < to_seconds(late)
    assert np.isnan(to_seconds(None))


def test_an_appended_behavior_is_known_or_unknown_as_it_would_be_in_the_log():
    behaviors = ("view",)
    rebuilt = events_of([("a", "x", 10, "buy"), ("a", "y", 20, "view")], behaviors=("buy", "view"))
    whole = Sequences.from_events(rebuilt, ALL, behaviors)
    grown = Sequences.from_events(events_of([("b", "z", 5)]), ALL, behaviors)
    for item, behavior, time in (("x", "buy", 10), ("y", "view", 20), ("z", None, 30)):
        grown.append("a", HistoryEvent(item, behavior, datetime.fromtimestamp(time, UTC)))
    user = grown.users.indices(["a"])
    assert whole.flat.behavior_N.tolist() == [0, 1]
    assert encode(grown.of_users(user)).behavior_BL[0].tolist() == [0, 1, 1]
