import math

import numpy as np
import pytest
import torch
from tests.logs import events_of

from horae.models.upcoming.facts import Facts, gaps_of
from horae.models.upcoming.scale import ValueScale
from horae.sequences.batch import SequenceBatch, encode
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

DAY = 86_400
LINE = [
    ("u", "a", 0, "view"),
    ("u", "b", DAY, "view"),
    ("u", "a", DAY, "buy", 4.0),
    ("u", "b", 11 * DAY, "view", 8.0),
]


def sequences_of(rows):
    events = events_of(rows, behaviors=("view", "buy"))
    return Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))


def facts_of(sequences, train=None):
    facts = Facts(2, ValueScale())
    facts.look_at(train or sequences)
    facts.values.look_at((train or sequences).flat.value_N)
    return facts


def test_gaps_end_with_their_users_and_never_run_backwards():
    rows = [*LINE, ("v", "a", 5), ("v", "a", None), ("v", "a", 9)]
    gaps = gaps_of(sequences_of(rows))
    np.testing.assert_array_equal(gaps, [DAY, 0, 10 * DAY, np.nan, np.nan, np.nan, np.nan])


@pytest.mark.parametrize("strength", [1.0, 4.0])
def test_what_is_usual_is_counted_and_drawn_to_everybody(strength):
    sequences = sequences_of(LINE)
    facts = facts_of(sequences)
    facts.strength_3.fill_(strength)
    usual = facts.usual(facts(encode(sequences.all()))[0])
    z = [(math.log(gap) - facts.center.item()) / facts.spread.item() for gap in (DAY, 10 * DAY)]
    gaps = [0.0, z[0] / (1 + strength), z[0] / (1 + strength), sum(z) / (2 + strength)]
    assert usual.gap_N.tolist() == pytest.approx(gaps, abs=1e-5)
    share = facts.share_C.tolist()  # of 3 views and 1 buy, one more of each
    assert share == pytest.approx([4 / 6, 2 / 6])
    last = [(n + strength * of_all) / (4 + strength) for n, of_all in zip((3, 1), share, strict=True)]
    assert usual.behavior_NC[3].exp().tolist() == pytest.approx(last)
    values = [0, 0, -1 / (1 + strength), 0]  # 4 and 8 lie one spread off their mean
    assert usual.value_N.tolist() == pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize(("alike", "own"), [(True, 64.0), (False, 0.5)])
def test_a_users_own_past_counts_as_much_as_it_tells(alike, own):
    rng, rows = np.random.default_rng(0), []
    for user in range(100):
        taste = 0.5 if alike else float(user % 2)
        for n in range(10):
            kind, gap = (
                ("buy" if rng.random() < taste else "view"),
                rng.normal(0, 1) if alike else rng.normal(user % 2 * 9, 0.1),
            )
            rows.append(
                (
                    f"u{user}",
                    "a",
                    (rows[-1][2] if n else 0) + 3600 * math.exp(gap),
                    kind,
                    rng.normal(0, 1) if alike else user,
                )
            )
    assert set(facts_of(sequences_of(rows)).strength_3.tolist()) == {own}


def test_facts_know_no_later_event_and_no_padding():
    sequences = sequences_of([*LINE, ("v", "b", 3), ("v", "a", 2 * DAY, "buy", 2.0)])
    facts, batch = facts_of(sequences), encode(sequences.all())
    whole = facts(batch)
    for length in range(1, 4):
        alone = sequences.all().take(slice(0, 1))
        cut = encode(type(alone)(alone.flat, alone.start_B, alone.start_B + length, alone.request_time_B))
        torch.testing.assert_close(facts(cut)[0], whole[0, :length])
    asked_later = SequenceBatch(*(vars(batch) | {"request_time_BL": batch.request_time_BL + 1e6}).values())
    torch.testing.assert_close(facts(asked_later), whole)


def test_unknown_times_and_values_leave_finite_facts():
    sequences = sequences_of([("u", "a", None), ("u", "b", None), ("u", "b", None, "buy")])
    facts = facts_of(sequences)
    assert not facts.has_times and not facts.values.has_values
    assert torch.isfinite(facts(encode(sequences.all()))).all()
