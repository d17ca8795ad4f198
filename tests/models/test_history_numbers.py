"""Numbers of histories at each place: those of `horae.compute_features`, by hand, and never from later."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.features.logs import START, log_of, rows
from tests.logs import events_of
from tests.models.batches import batch_of

import horae
from horae.errors import RecipeError
from horae.models.history_numbers import Pasts, features_of
from horae.sequences.batch import SequenceBatch, encode
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary

HOUR, DAY = 3_600.0, 86_400.0
UNKNOWN = math.nan
WINDOWS = ("1h", "7d", "n3", "all")
KINDS = ("count", "rate", "sum", "mean", "last", "distinct_items", "repeat_share")
EVERYTHING = (
    *(f"{kind}_{window}" for window in WINDOWS for kind in KINDS),
    *("decayed_count_1h", "decayed_count_7d", "session_position", "session_age_seconds", "sessions"),
)


def one_row(times, items=None, values=None, asked=None):
    """A batch of one history; the question after each event is asked at the next event's time unless said."""
    batch = batch_of([items or list(range(1, len(times) + 1))])
    time_BL = torch.tensor([times], dtype=torch.float64)
    asked = [*times[1:], UNKNOWN] if asked is None else asked
    value_BL = torch.tensor([values or [UNKNOWN] * len(times)])
    asked_BL = torch.tensor([asked], dtype=torch.float64)
    return SequenceBatch(batch.item_BL, batch.behavior_BL, time_BL, value_BL, batch.length_B, asked_BL)


def numbers(names, batch, asked_BL=None):
    """`{name: number_BL}` as of the questions unless said."""
    at = Pasts(batch, batch.request_time_BL if asked_BL is None else asked_BL)
    return {feature.name: feature.numbers(at) for feature in features_of(names)}


def as_of_event(names, batch):
    return {name: number_BL[0].tolist() for name, number_BL in numbers(names, batch, batch.time_BL).items()}


def as_of_question(names, batch):
    return {name: number_BL[0].tolist() for name, number_BL in numbers(names, batch).items()}


def test_counts_by_hand_as_of_the_event_and_as_of_the_question():
    batch = one_row([0, HOUR, 2 * HOUR, 3 * DAY], asked=[HOUR, 2 * HOUR, 3 * DAY, 3 * DAY + 2 * HOUR])
    assert as_of_event(["count_1h"], batch)["count_1h"] == [1, 2, 2, 1]  # from an hour ago, included
    assert as_of_question(["count_1h"], batch)["count_1h"] == [1, 1, 0, 0]
    assert as_of_event(["count_n2"], batch) == as_of_question(["count_n2"], batch) == {"count_n2": [1, 2, 2, 2]}


def test_values_by_hand():
    batch = one_row([0, 10, 20, 2 * DAY], values=[4.0, UNKNOWN, -1.0, UNKNOWN])
    told = as_of_event(["sum_1d", "mean_1d", "last_1d", "last_all", "mean_all"], batch)
    assert told["sum_1d"] == [4, 4, 3, 0]
    assert told["mean_1d"][:3] == [4, 4, 1.5] and math.isnan(told["mean_1d"][3])
    assert told["last_1d"][:3] == [4, 4, -1] and math.isnan(told["last_1d"][3])
    assert told["last_all"] == [4, 4, -1, -1] and told["mean_all"] == [4, 4, 1.5, 1.5]


def test_items_that_come_again_by_hand():
    batch = one_row([0, 10, 20, 30, 2 * DAY], items=[1, 2, 1, 1, 2])
    told = as_of_event(["distinct_items_1d", "repeat_share_1d", "repeat_share_n2", "distinct_items_all"], batch)
    assert told["distinct_items_1d"] == [1, 2, 2, 2, 1]
    assert told["repeat_share_1d"] == pytest.approx([0, 0, 1 / 3, 0.5, 0])
    assert told["repeat_share_n2"] == [0, 0, 0, 0.5, 0]
    assert told["distinct_items_all"] == [1, 2, 2, 2, 2]


def test_what_nobody_knows_is_each_time_something_new():
    batch = one_row([0, 10, 20], items=[1, 0, 0])
    assert as_of_event(["distinct_items_all"], batch)["distinct_items_all"] == [1, 2, 3]


def test_sessions_by_hand():
    batch = one_row([0, 1_800, 3_601, 3_700], asked=[1_800, 3_601, 3_700, 9_000])
    told = as_of_question(["session_position", "session_age_seconds", "sessions"], batch)
    assert told["session_position"] == [1, 0, 1, 0]  # after 30 minutes nothing goes on
    assert told["session_age_seconds"][::2] == [1_800, 99] and math.isnan(told["session_age_seconds"][1])
    assert told["sessions"] == [1, 1, 2, 2]


def test_a_decayed_count_halves_and_survives_decades_of_hours():
    batch = one_row([0, HOUR, 3 * HOUR, 40 * 365 * DAY], asked=[HOUR, 3 * HOUR, 4 * HOUR, 40 * 365 * DAY + HOUR])
    assert as_of_event(["decayed_count_1h"], batch)["decayed_count_1h"] == pytest.approx([1, 1.5, 1.375, 1])
    assert as_of_question(["decayed_count_1h"], batch)["decayed_count_1h"] == pytest.approx([0.5, 0.375, 0.6875, 0.5])


@settings(max_examples=12, deadline=None)
@given(rows(unknown_times=True))
def test_numbers_are_those_of_compute_features_just_before_the_next_event(made):
    events = log_of(made, own_sessions=False)
    assume(events.times != "none" and events.frame["value"].count())
    groups = ["windows", "distinct", "extremes", "decay", "session"]
    wanted = horae.compute_features(
        events, settings=horae.FeatureSettings(groups=groups, windows=WINDOWS, half_lives=("1h", "7d"))
    )
    sequences = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
    row_B = np.arange(len(events))
    cut = sequences.before_rows(row_B)
    met = np.flatnonzero(cut.lengths)
    assume(len(met))
    batch = encode(cut.take(met))
    newest_B = batch.length_B - 1
    for name, number_BL in numbers(EVERYTHING, batch).items():
        got_B = number_BL.gather(1, newest_B[:, None]).squeeze(1).numpy()
        want_B = wanted[name].fill_null(np.nan).to_numpy()[met]
        np.testing.assert_allclose(got_B, want_B, rtol=2e-5, atol=1e-6, err_msg=name)


@settings(max_examples=12, deadline=None)
@given(rows(unknown_times=True))
def test_training_places_are_told_what_requests_there_would_be(made):
    """Whole lines side by side against the history cut before each of their events."""
    events = log_of(made, own_sessions=False)
    sequences = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
    cut = sequences.before_rows(np.arange(len(events)))
    met = np.flatnonzero(cut.lengths)
    assume(len(met))
    alone, lines = encode(cut.take(met)), encode(sequences.all())
    user_B, newest_B = torch.from_numpy(sequences.user_of_N()[met] - 1), alone.length_B - 1
    whole = numbers(EVERYTHING, lines)
    for name, number_BL in numbers(EVERYTHING, alone).items():
        asked_B = number_BL.gather(1, newest_B[:, None]).squeeze(1)
        torch.testing.assert_close(whole[name][user_B, newest_B], asked_B, rtol=0, atol=0, equal_nan=True, msg=name)


@settings(max_examples=12, deadline=None)
@given(rows(unknown_times=False, most=8), st.integers(1, 7), st.booleans())
def test_nothing_later_and_no_company_changes_a_number(made, place, question):
    times, values = [row.seconds for row in made], [UNKNOWN if row.value is None else row.value for row in made]
    items = ["xyz".index(row.item) + 1 for row in made]
    place = min(place, len(times))
    batch = one_row(times, items, values)
    short = one_row(times[:place], items[:place], values[:place], asked=batch.request_time_BL[0, :place].tolist())
    later = one_row(
        [*times[:place], *(time + 5 * DAY for time in times[place:])],
        [*items[:place], *(3 for _ in items[place:])],
        [*values[:place], *(9.0 for _ in values[place:])],
        asked=[*batch.request_time_BL[0, :place].tolist(), *(UNKNOWN for _ in times[place:])],
    )
    two = [torch.cat([getattr(batch, name), getattr(later, name)]) for name in vars(batch)]
    others = [numbers(EVERYTHING, o, None if question else o.time_BL) for o in (short, later, SequenceBatch(*two))]
    for name, number_BL in numbers(EVERYTHING, batch, None if question else batch.time_BL).items():
        for other in others:
            torch.testing.assert_close(other[name][0, :place], number_BL[0, :place], rtol=0, atol=0, equal_nan=True)


def test_a_later_question_changes_nothing_before_it():
    times = [0, HOUR, 5 * HOUR, 2 * DAY]
    one = as_of_question(EVERYTHING, one_row(times, items=[1, 2, 1, 2], asked=[*times[1:], 3 * DAY]))
    two = as_of_question(EVERYTHING, one_row(times, items=[1, 2, 1, 2], asked=[*times[1:3], 30 * DAY, 60 * DAY]))
    for name, told in one.items():
        assert told[:2] == pytest.approx(two[name][:2], nan_ok=True), name


def test_times_unknown_or_running_backwards_leave_what_needs_none():
    for times in ([0, UNKNOWN, 20, 30], [0, -5, 20, 30]):
        told = as_of_event(["count_1d", "session_position", "rate_n3", "count_n3", "repeat_share_all"], one_row(times))
        for name in ("count_1d", "session_position"):
            assert told[name][0] == 1 and all(map(math.isnan, told[name][1:])), name
        assert told["count_n3"] == [1, 2, 3, 3] and told["repeat_share_all"] == [0, 0, 0, 0]
        assert all(map(math.isnan, told["rate_n3"][1:]))


def test_a_question_before_its_event_and_one_without_time_are_unknown():
    told = as_of_question(["count_1d", "count_all"], one_row([0, 10, 20], asked=[10, 5, UNKNOWN]))
    assert told["count_1d"][0] == 1 and all(map(math.isnan, told["count_1d"][1:]))
    assert told["count_all"] == [1, 2, 3]


def test_one_event_and_no_event():
    told = as_of_event(EVERYTHING, one_row([START]))
    assert told["count_7d"] == told["count_all"] == told["sessions"] == [1] and math.isnan(told["rate_7d"][0])
    empty = batch_of([[]])
    assert all(number_BL.isnan().all() for number_BL in numbers(EVERYTHING, empty).values())


def test_a_log_by_the_microsecond_is_cut_to_the_microsecond():
    start = 1_700_000_000.0
    events = events_of([("u", "a", start), ("u", "b", start + HOUR), ("u", "c", start + HOUR + 1e-6)])
    sequences = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
    line = encode(sequences.all())
    assert as_of_event(["count_1h"], line)["count_1h"] == [1, 2, 2]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("cuont_7d", 'there is no "cuont_7d"', "Did you mean count_7d"),
        ("count", 'there is no "count"', "Known: count_{window}"),
        ("minimum_7d", 'there is no "minimum_7d"', "session_age_seconds"),
        ("recency_seconds", "there is no", 'time_inputs = \\["wait"\\]'),
        ("count_0d", "Window '0d' is not possible", "more than nothing"),
        ("count_n0", "holds no event", "n1 or more"),
        ("count_-7d", "is negative", "7d"),
        ("mean_soon", "not a length of time", "30min"),
        ("decayed_count_n5", "a half-life is a time", "decayed_count_7d"),
    ],
)
def test_a_wrong_name_is_refused_with_those_that_there_are(name, message, hint):
    with pytest.raises(RecipeError, match=message) as caught:
        features_of([name])
    assert re.search(hint, caught.value.hint)


def test_a_feature_named_twice_is_refused():
    with pytest.raises(RecipeError, match="names one twice"):
        features_of(["count_7d", "count_7d"])
