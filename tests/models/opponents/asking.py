"""Small logs and the requests that stand after brought histories."""

from datetime import UTC, datetime

import numpy as np
import torch
from tests.logs import events_of

from horae.schema import HistoryEvent
from horae.sequences.batch import encode
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary


def log_of(lines, targets=None, items=None):
    """Sequences of `{user: [item or (item, seconds)]}`; items may be named that no event is on."""
    rows = [(user, *((e, None) if isinstance(e, str) else e)) for user, line in lines.items() for e in line]
    events = events_of(rows, targets=targets)
    vocabulary = Vocabulary.of(events.frame["item_id"])
    if items:
        vocabulary.append(items)
    return Sequences.from_events(events, vocabulary)


def random_log(users=60, items=15, length=8, seed=0):
    rng = np.random.default_rng(seed)
    names = [f"i{n:02}" for n in range(items)]
    start = rng.uniform(0, 1e6, users)
    lines = {
        f"u{user:03}": [(names[n], start[user] + 100.0 * k) for k, n in enumerate(rng.integers(0, items, length))]
        for user in range(users)
    }
    return log_of(lines, items=names)


def ask(sequences, *lines, at=None, max_len=None):
    """A batch of histories of `item` or `(item, seconds)`."""
    histories = [
        [
            HistoryEvent(e) if isinstance(e, str) else HistoryEvent(e[0], timestamp=datetime.fromtimestamp(e[1], UTC))
            for e in line
        ]
        for line in lines
    ]
    at_B = None if at is None else np.broadcast_to(np.asarray(at, dtype=np.float64), (len(lines),)).copy()
    return encode(sequences.brought(histories, at_B), max_len)


def scores_of(model, sequences, *lines, **how):
    """One dictionary of scores by item per history."""
    ids = sequences.items.all.to_list()
    with torch.no_grad():
        rows = model.score(ask(sequences, *lines, **how))[:, 1:].tolist()
    return [dict(zip(ids, row, strict=True)) for row in rows]


def loaded(model, num_items):
    """The same model by way of copies of its arrays."""
    arrays = {name: array.clone() for name, array in model.arrays().items()}
    return type(model)(model.settings).load_arrays(arrays, num_items)
