import numpy as np
import pytest

from horae.training.calibrate import fit_logistic


def test_the_logistic_that_made_the_labels_is_found():
    rng = np.random.default_rng(0)
    scores = rng.normal(3.0, 2.0, 200_000)
    labels = (rng.random(len(scores)) < 1 / (1 + np.exp(-(0.7 * scores - 1.5)))).astype(float)
    assert fit_logistic(scores, labels) == pytest.approx((0.7, -1.5), abs=0.03)


def test_separable_and_constant_scores_stay_finite():
    slope, intercept = fit_logistic(np.array([0.0, 1.0] * 50), np.array([0.0, 1.0] * 50))
    assert np.isfinite([slope, intercept]).all() and slope > 0
    assert np.isfinite(fit_logistic(np.ones(10), np.array([0.0, 1.0] * 5))).all()
