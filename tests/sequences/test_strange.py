from datetime import UTC, datetime

import numpy as np
from tests.logs import events_of

from horae.schema import HistoryEvent
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

LOG = events_of([("u", "a", 0), ("u", "new", 10), ("u", "b", 20), ("v", "new", 5)])
KNOWN = Vocabulary(LOG.frame["item_id"].filter(LOG.frame["item_id"] != "new").unique().sort())


def test_events_on_unknown_items_stay_where_they_were_as_item_0():
    sequences = Sequences.from_events(LOG, KNOWN)
    whole = sequences.with_strange(LOG)
    assert sequences.flat.item_N.tolist() == [1, 2] and whole.flat.item_N.tolist() == [1, 0, 2, 0]
    before = whole.before_rows(np.array([2]))
    assert before.flat.time_N[before.end_B - 1].tolist() == [10.0]
    assert whole.of_users(np.array([2])).lengths.tolist() == [1]
    assert whole.brought([[HistoryEvent("a"), HistoryEvent("odd")]]).lengths.tolist() == [2]


def test_what_is_appended_is_known_to_both():
    sequences = Sequences.from_events(LOG, KNOWN)
    whole = sequences.with_strange(LOG)
    sequences.append("v", HistoryEvent("a"))
    sequences.append("x", HistoryEvent("b"))
    assert whole.of_users(whole.users.indices(["v", "x"])).lengths.tolist() == [2, 1]


def test_what_is_appended_on_an_unknown_item_is_known_to_the_whole_lines_alone():
    sequences = Sequences.from_events(LOG, KNOWN)
    for whole in (sequences.with_strange(LOG), sequences.with_strange(None)):
        sequences.append("u", HistoryEvent("odd", timestamp=to_time(30)))
        line = whole.of_users(whole.users.indices(["u"]))
        assert line.flat.time_N[line.end_B - 1].tolist() == [30.0] and line.flat.item_N[line.end_B - 1].tolist() == [0]
        assert sequences.of_users(sequences.users.indices(["u"])).lengths.tolist() == [2]
        early = whole.of_users(whole.users.indices(["u"]), np.array([30.0]))
        assert 30.0 not in early.flat.time_N[early.start_B[0] : early.end_B[0]]
    sequences.append("new", HistoryEvent("odd"))
    assert sequences.of_users(sequences.users.indices(["new"])).lengths.tolist() == [0]


def test_without_the_log_its_own_strange_events_are_gone_and_brought_ones_stay():
    whole = Sequences.from_events(LOG, KNOWN).with_strange(None)
    assert whole.of_users(np.array([1, 2])).lengths.tolist() == [2, 0]
    assert whole.brought([[HistoryEvent("a"), HistoryEvent("odd")]]).lengths.tolist() == [2]


def to_time(seconds):
    return datetime.fromtimestamp(seconds, UTC)
