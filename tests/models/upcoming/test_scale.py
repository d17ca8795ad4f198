import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.models.upcoming.scale import ValueScale


def fitted(values, kind="auto"):
    scale = ValueScale(kind)
    scale.look_at(np.array(values, dtype=np.float32))
    return scale


def test_ratings_stay_on_their_own_scale_and_amounts_are_seen_by_factors():
    ratings, amounts = fitted([1, 2, 3, 4, 5, 5, np.nan]), fitted(np.exp(np.random.default_rng(0).normal(3, 1.5, 500)))
    assert not ratings.logged and amounts.logged
    assert ratings.scaled(torch.tensor([10 / 3, 5.0])).tolist() == pytest.approx(
        [0.0, (5 - 10 / 3) / np.std([1, 2, 3, 4, 5, 5])]
    )


def test_what_cannot_be_logged_is_not():
    assert not fitted([-5.0, 1.0, 2.0, 900.0], "log").logged
    assert not fitted([np.nan]).has_values
    assert fitted([7.0, 7.0]).spread == 1.0


@settings(deadline=None, max_examples=50)
@given(value=st.floats(0, 1e4), kind=st.sampled_from(["standard", "log"]))
def test_restored_undoes_scaled(value, kind):
    scale = fitted([0.0, 1.0, 3.0, 10.0, 50.0, 2_000.0], kind)
    assert scale.restored(scale.scaled(torch.tensor(value))).item() == pytest.approx(value, rel=1e-3, abs=1e-2)
