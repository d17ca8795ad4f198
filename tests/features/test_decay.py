import numpy as np
import pytest

from horae.features.compute import compute_features
from horae.features.settings import FeatureSettings
from tests.logs import events_of


def decayed(times, half_life: str) -> list[float]:
    log = events_of([("u", "i", t) for t in times])
    return compute_features(log, settings=FeatureSettings(half_lives=[half_life], groups=["decay"]))[
        f"decayed_count_{half_life}"
    ].to_list()


def test_an_event_counts_half_after_its_half_life():
    assert decayed([0, 3_600, 7_200, 7_200], "1h") == [0, 0.5, 0.75, 1.75]


@pytest.mark.parametrize("half_life", ["1s", "1h", "7d", "1000d"])
def test_years_of_short_half_lives_neither_overflow_nor_lose(half_life: str):
    rng = np.random.default_rng(1)
    gap = rng.choice([0, 1, 3_600, 86_400, 10**7], 500, p=[0.1, 0.3, 0.3, 0.2, 0.1])
    times = np.cumsum(gap) + 1_000_000_000
    seconds = {"1s": 1, "1h": 3_600, "7d": 604_800, "1000d": 86_400_000}[half_life]
    state, expected, before = 0.0, [], times[0]
    for time in times:  # the recurrence itself, one event after the other
        state *= 0.5 ** ((time - before) / seconds)
        expected.append(state)
        state, before = state + 1, time
    assert decayed(times, half_life) == pytest.approx(expected, rel=1e-6, abs=1e-30)
