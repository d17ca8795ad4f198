import math

import numpy as np
import pytest
import torch

from horae.models.upcoming.gaps import Gaps
from horae.models.upcoming.heads import Told, Upcoming
from horae.models.upcoming.mixing import Heads, mixed

SECONDS = torch.tensor([0.0, 30.0, 4_000.0, 90_000.0], dtype=torch.float64)


def upcoming_of(*also, scale="standard", values=(0.0, 4.0)):
    upcoming = Upcoming(also, 4, 2, 2, 1, scale)
    upcoming.facts.has_times.fill_(True)
    if "value" in also:
        upcoming.scale.look_at(np.array(values))
    return upcoming


def gaps_of(same, mean, spread, components=1):
    columns = (
        [math.log(same / (1 - same))],
        [[-math.log(components)] * components],
        [[mean + 0.5 * n for n in range(components)]],
        [[spread] * components],
    )
    return Gaps(*(torch.tensor(column, dtype=torch.float64).repeat_interleave(len(SECONDS), 0) for column in columns))


def told_of(gaps=None, logits=None, value=None):
    rows = len(SECONDS)
    both = (None if one is None else torch.tensor([one]).double().expand(rows, -1) for one in (logits, value))
    behavior, amount = both
    return Told(behavior, gaps, amount)


def test_gaps_are_the_mean_of_the_members_densities_and_survivals():
    first, second = gaps_of(0.3, 6.0, 0.5), gaps_of(0.05, 9.0, 1.5, components=3)
    time = upcoming_of("time")
    both = mixed([(time, told_of(first)), (time, told_of(second))]).gaps
    for name in ("log_density", "log_survival"):
        mean = (getattr(first, name)(SECONDS).exp() + getattr(second, name)(SECONDS).exp()) / 2
        assert torch.allclose(getattr(both, name)(SECONDS).exp(), mean)
    assert both.log_weight_NK.exp().sum(-1).tolist() == pytest.approx([1.0] * len(SECONDS))


def test_chances_are_means_of_chances_and_values_means_in_the_values_own_unit():
    told = [told_of(logits=(math.log(0.9), math.log(0.1))), told_of(logits=(math.log(0.5) + 7, math.log(0.5) + 7))]
    behavior = upcoming_of("behavior")
    chance = mixed([(behavior, one) for one in told]).behavior_NC.softmax(-1)
    assert chance[0].tolist() == pytest.approx([0.7, 0.3])
    members = [upcoming_of("value", values=(0.0, 4.0)), upcoming_of("value", values=(10.0, 30.0))]
    both = mixed([(one, told_of(value=(-1.0, 0.0, 1.0))) for one in members])
    restored = Heads.of(members).scale.restored(both.value_N3)[0]
    assert restored.tolist() == pytest.approx([5.0, 11.0, 17.0])  # of 0, 2, 4 and 10, 20, 30


def test_each_question_is_answered_by_the_members_that_do():
    members = [upcoming_of("behavior"), upcoming_of("time", "value")]
    gaps = gaps_of(0.3, 6.0, 0.5)
    both = mixed([(members[0], told_of(logits=(0.0, 1.0))), (members[1], told_of(gaps, value=(-1.0, 0.0, 1.0)))])
    assert torch.allclose(both.gaps.log_survival(SECONDS), gaps.log_survival(SECONDS))
    assert both.behavior_NC is not None and both.value_N3[0].tolist() == pytest.approx([-1.0, 0.0, 1.0])
    heads = Heads.of(members)
    assert heads.asked == heads.answered == ("behavior", "time", "value") and heads.scale is members[1].scale
    timeless = upcoming_of("time")
    timeless.facts.has_times.fill_(False)
    assert Heads.of([timeless, members[0]]).answered == ("behavior",)
    assert mixed([(timeless, told_of(gaps)), (members[0], told_of(logits=(0.0, 1.0)))]).gaps is None
