import numpy as np
import pytest

from horae.forecasting.series.measures import measured, scale_of

LEVELS = (0.1, 0.5, 0.9)


def test_the_scale_of_mase_by_hand():
    value = np.array([[1.0, 2, 3, 5, 4, 9], [1, np.nan, 3, 5, np.nan, 9]])
    true = np.full((2, 1), 100.0)
    assert scale_of(value, 3, true).tolist() == pytest.approx([(4 + 2 + 6) / 3, (4 + 6) / 2])
    assert scale_of(value, 1, true)[0] == pytest.approx((1 + 1 + 2 + 1 + 5) / 5)


def test_the_scale_is_defined_where_nothing_varies():
    value = np.array([[5.0, 5, 5, 5], [1, 2, 1, 2], [np.nan, np.nan, np.nan, 3], [0, 0, 0, 0], [0, 0, 0, 0]])
    true = np.array([[9.0, 9], [9, 9], [9, 9], [8, 0], [0, np.nan]])
    # the constant and the single point by their size, the alternating one (season 2) by its step, zeros by what came
    assert scale_of(value, 2, true).tolist() == [5, 1, 3, 4, 1]


def test_measures_by_hand():
    found = measured(np.array([10.0, 2.0]), np.array([[6.0, 8, 12], [3, 4, 5]]), np.array([2.0]), LEVELS)
    assert found["mae"].tolist() == [2, 2] and found["mse"].tolist() == [4, 4] and found["mase"].tolist() == [1, 1]
    assert found["coverage"].tolist() == [1, 0] and found["width"].tolist() == [3, 1]
    assert found["pinball"][0] == pytest.approx((0.1 * 4 + 0.5 * 2 + 0.1 * 2) / 3 / 2)
    assert found["pinball"][1] == pytest.approx((0.9 * 1 + 0.5 * 2 + 0.1 * 3) / 3 / 2)


def test_what_is_unknown_is_not_measured():
    found = measured(np.array([np.nan, 1.0]), np.array([[1.0, 2, 3], [np.nan] * 3]), np.array([1.0]), LEVELS)
    assert all(np.isnan(one).all() for one in found.values())


def test_the_median_of_a_sample_has_the_least_pinball_loss_and_mase():
    sample = np.random.default_rng(0).lognormal(size=501)

    def cost(q):
        return measured(sample, np.repeat([[q[0], q[1], q[2]]], 501, 0), np.array([1.0]), LEVELS)

    best = np.quantile(sample, LEVELS)
    for shift in ([0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1], [0, -0.1, 0]):
        assert cost(best)["pinball"].mean() < cost(best + np.array(shift))["pinball"].mean()
