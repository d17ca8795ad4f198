import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.forecasting.series.lines import table_of, weekly

from horae.forecasting.series.windows import Windows


def batch_of(table, series, end, length=8, horizon=4, asinh=False):
    windows = Windows(table, length, horizon, asinh)
    batch, scale = windows.batch(np.array([series]), np.array([end]))
    return windows, batch, scale


def test_a_window_by_hand():
    table = table_of([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10], season=3)
    _, batch, scale = batch_of(table, 0, 6, length=4, horizon=3)
    assert scale.tolist() == [[4.5, 1.0]]  # 3, 4, 5, 6
    assert batch.past_BLF[0, :, 0].tolist() == [-1.5, -0.5, 0.5, 1.5]
    assert batch.past_BLF[0, :, 1].tolist() == [1, 1, 1, 1]
    assert batch.past_BLF[0, :, 2].tolist() == [0, -3.5, -2.5, -1.5]  # unknown, 1, 2, 3
    assert batch.asked_BHG[0, :, 0].tolist() == [-0.5, 0.5, 1.5]  # 4, 5, 6: the last season
    assert batch.asked_BHG[0, :, 1].tolist() == [-2, -1, 0]  # means of it and the season before
    assert batch.target_BH[0].tolist() == [2.5, 3.5, 4.5]


def test_scaling_is_undone():
    for asinh in (False, True):
        windows, batch, scale = batch_of(weekly(), 3, 60, asinh=asinh)
        target = batch.target_BH[:, :, None].numpy().astype(float)
        back = windows.unscaled(target, scale)[0, :, 0]
        assert back == pytest.approx(weekly().value_ST[3, 60:64], rel=1e-5)


def test_the_first_days_of_a_series_are_padded_at_the_right():
    table = table_of([np.nan, np.nan, 1, 2, 3, 4])
    _, batch, _ = batch_of(table, 0, 5, length=5, horizon=1)
    assert batch.length_B.tolist() == [3]
    assert batch.past_BLF[0, :, 1].tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("values", "middle", "spread"),
    [
        ([5.0] * 12, 5, 5),  # constant
        ([0.0] * 12, 0, 1),  # nothing ever
        ([-4.0, 4] * 6, 0, 4),  # negative values
        ([3.0, 9.0, *[np.nan] * 10], 9, 3),  # a gap longer than the window: the newest value, the spread of all before
    ],
)
def test_windows_in_which_nothing_varies_have_a_scale(values, middle, spread):
    _, batch, scale = batch_of(table_of(values), 0, 12)
    assert scale.tolist() == [[middle, spread]]
    assert bool(torch.isfinite(batch.past_BLF).all()) and bool(torch.isfinite(batch.asked_BHG).all())


@settings(max_examples=40)
@given(st.integers(10, 50), st.integers(0, 11), st.randoms(use_true_random=False))
def test_a_window_knows_nothing_of_its_end_or_later(end, series, random):
    table, other = weekly(), weekly()
    other.value_ST[:, end:] = [[random.uniform(-1e4, 1e4)] for _ in range(len(other))]
    _, one, scale = batch_of(table, series, end, asinh=True)
    _, same, scale_too = batch_of(other, series, end, asinh=True)
    assert torch.equal(one.past_BLF, same.past_BLF) and torch.equal(one.asked_BHG, same.asked_BHG)
    assert scale.tolist() == scale_too.tolist()
