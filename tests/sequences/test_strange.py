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
