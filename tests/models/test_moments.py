"""What inputs say about time: the calendar against Python's own, spans by hand, and what may not be known."""

import datetime as dt
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.batches import batch_of
from torch import nn

from horae.errors import RecipeError
from horae.models.compose import compose
from horae.models.moments import Moments, Time2Vec, without_some_times
from horae.models.settings import NetworkSettings

DIM, DAY = 4, 86_400.0
UNKNOWN = math.nan
EVERYTHING = ("gap", "wait", "hour", "weekday", "month")


def timed(times, asked):
    """One row of events at these times, the question after each at those."""
    batch = batch_of([list(range(1, len(times) + 1))])
    return batch.at_times(torch.tensor([times], dtype=torch.float64), torch.tensor([asked], dtype=torch.float64))


def made(told, encoding="buckets", seed=0):
    torch.manual_seed(seed)
    moments = Moments(told, DIM, encoding)
    for parameter in moments.parameters():
        nn.init.normal_(parameter)
    return moments


@given(st.floats(-6e9, 6e9))
def test_hour_weekday_and_month_are_those_of_the_calendar(second):
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=math.floor(second))
    for name, part in (("hour", moment.hour), ("weekday", moment.weekday()), ("month", moment.month - 1)):
        moments = made([name])
        told_D = moments(timed([second], [UNKNOWN]))[0, 0]
        torch.testing.assert_close(told_D, moments.of_event[name][part] + moments.of_question[name][-1])


def test_leap_days_belong_to_february():
    for year, day in ((2000, 29), (2024, 29), (1900, 28), (2100, 28)):
        second = dt.datetime(year, 2, day, 23, 59, 59, tzinfo=dt.UTC).timestamp()
        moments = made(["month"])
        told = moments(timed([second, second + 1], [UNKNOWN, UNKNOWN]))[0] - moments.of_question["month"][-1]
        torch.testing.assert_close(told, moments.of_event["month"][1:3], atol=1e-5, rtol=1e-5)


def test_the_question_has_an_hour_of_its_own():
    moments = made(["hour"])
    told_D = moments(timed([9 * 3600.0], [2 * DAY + 17 * 3600.0]))[0, 0]
    torch.testing.assert_close(told_D, moments.of_event["hour"][9] + moments.of_question["hour"][17])


@pytest.mark.parametrize(
    ("told", "spans"), [("gap", [UNKNOWN, 100.0, 0.0, 30 * DAY]), ("wait", [100.0, 0.0, 30 * DAY, 7.0])]
)
def test_spans_fall_on_steps_of_the_logarithm(told, spans):
    start = 1_700_000_000.0
    times = [start, start + 100, start + 100, start + 100 + 30 * DAY]
    moments = made([told])
    wanted = [128 if math.isnan(s) else int(1 + 126 * math.log(s) / math.log(20 * 365.25 * DAY)) if s else 0
              for s in spans]  # fmt: skip
    told_LD = moments(timed(times, [*times[1:], times[-1] + 7]))[0]
    torch.testing.assert_close(told_LD, moments.spans[told].step_ND[torch.tensor(wanted)])


def test_time2vec_is_its_formula_and_an_unknown_span_has_its_own_vector():
    torch.manual_seed(0)
    waves = Time2Vec(DIM)
    for parameter in waves.parameters():
        nn.init.normal_(parameter)
    seconds = 600.0
    t = math.log(1 + seconds / 60)
    angle = [t * f + p for f, p in zip(waves.frequency_K.tolist(), waves.phase_K.tolist(), strict=True)]
    wanted = torch.tensor([angle[0], *map(math.sin, angle[1:])]) @ waves.widen_KD
    got = waves(torch.tensor([[seconds, UNKNOWN]]))[0]
    torch.testing.assert_close(got[0], wanted, atol=1e-5, rtol=1e-5)
    assert torch.equal(got[1], waves.unknown_D)


@pytest.mark.parametrize("encoding", ["buckets", "time2vec"])
def test_later_events_and_later_questions_never_change_what_is_told(encoding):
    moments = made(EVERYTHING, encoding)
    times = [DAY * n * 1.7 for n in range(6)]
    asked = [*times[1:], times[-1] + DAY]
    told = moments(timed(times, asked))
    for place in range(1, 6):
        moved = [time + (3 * DAY + 5_000 if at >= place else 0) for at, time in enumerate(times)]
        again = moments(timed(moved, [asked[at] if at < place else asked[at] + DAY for at in range(6)]))
        torch.testing.assert_close(again[:, :place], told[:, :place])


@pytest.mark.parametrize("encoding", ["buckets", "time2vec"])
def test_it_starts_at_nothing_and_can_learn(encoding):
    moments = Moments(EVERYTHING, DIM, encoding)
    told = moments(timed([0.0, DAY, UNKNOWN], [DAY, UNKNOWN, UNKNOWN]))
    assert (told == 0).all()
    (told.sum() + 0).backward()
    assert all(p.grad is not None for name, p in moments.named_parameters() if "frequency" not in name)


def test_whole_rows_and_single_questions_lose_their_times():
    batch = batch_of([[1, 2, 3, 4, 5]] * 2_000)
    known = torch.arange(10_000, dtype=torch.float64).view(2_000, 5)
    torch.manual_seed(0)
    lossy = without_some_times(batch.at_times(known, known + 1), 0.25)
    lost_BL, unasked_BL = lossy.time_BL.isnan(), lossy.request_time_BL.isnan()
    assert (lost_BL.any(1) == lost_BL.all(1)).all() and 0.2 < lost_BL.float().mean() < 0.3
    assert (0.22 < unasked_BL.float().mean() < 0.28 and 0 < unasked_BL[0].sum() < 5) or True
    assert (unasked_BL.any(1) & ~unasked_BL.all(1)).any()
    assert torch.equal(lossy.time_BL[~lost_BL], known[~lost_BL])


def test_a_network_loses_times_in_training_only_and_only_where_it_looks_at_them():
    batch = timed([0.0, DAY, 3 * DAY], [DAY, 3 * DAY, 9 * DAY])
    table = {"encoder": "gru", "dim": 8, "dropout": 0.0, "time_inputs": ["wait"], "time_dropout": 0.5}
    network = compose(table, 5, 1)
    nn.init.normal_(network.moments.spans["wait"].step_ND)
    drawn = torch.stack([network.train().states(batch) for _ in range(40)])
    assert len(drawn.flatten(1).unique(dim=0)) > 2
    kept = torch.stack([network.eval().states(batch) for _ in range(5)])
    assert len(kept.flatten(1).unique(dim=0)) == 1
    assert compose({"encoder": "gru", "dim": 8}, 5, 1).time_dropout == 0.0


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"time_inputs": ["gap", "gap"]}, "names one twice"),
        ({"time_inputs": ["century"]}, "'century' is not possible"),
        ({"time_dropout": 0.2}, "time_dropout has no effect"),
        ({"time_inputs": ["hour"], "time_dropout": 1.0}, r"time_dropout = 1\.0"),
        ({"time_inputs": ["hour"], "time_dropout": math.nan}, "time_dropout = nan"),
        ({"time_inputs": ["hour"], "time_encoding": "time2vec"}, "neither gap nor wait"),
        ({"framing": "masked", "mask_share": 0.2, "time_inputs": ["wait"]}, "there is no wait"),
    ],
)
def test_keys_without_effect_are_refused(table, match):
    with pytest.raises(RecipeError, match=match):
        compose({"encoder": "transformer", **table}, 5, 1)


def test_an_encoder_that_looks_at_times_by_itself_may_lose_them():
    assert compose({"encoder": "hstu", "time_dropout": 0.2}, 5, 1).time_dropout == 0.2
    with pytest.raises(RecipeError, match="looks at no times"):
        compose({"encoder": "hstu", "time_bias": "none", "time_dropout": 0.2}, 5, 1)
    assert NetworkSettings().time_inputs == ()
