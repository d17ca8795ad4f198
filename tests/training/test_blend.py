import numpy as np
import polars as pl
import pytest
from tests.logs import chain_log

import horae
from horae.evaluation.validation import validation_cut
from horae.recommend.calibration import Calibration
from horae.training.blend import fit_weights, learn_blend
from horae.training.calibrate import fit_isotonic


def test_weights_are_found_again():
    rng = np.random.default_rng(0)
    true = np.array([2.0, 0.5, 0.0])
    parts = rng.normal(size=(40_000, 3))
    signs = np.where(rng.random(len(parts)) < 1 / (1 + np.exp(-parts @ true)), 1.0, -1.0)
    assert np.allclose(fit_weights(parts * signs[:, None]), true, atol=0.06)


def test_a_blend_gives_weight_to_the_part_that_tells():
    split = horae.split_by_time(chain_log(users=60, items=12, length=10))
    catalog = pl.DataFrame({"item_id": [f"i{n:03}" for n in range(12)], "category": ["x", "y", "z"] * 4})
    one = horae.train(
        split, "markov", catalog=catalog, overrides=["recommend.strategy=combined", "recommend.blend=learned"]
    )
    blend = one.card["blend"]
    assert set(blend) == {"model", "interest", "context"} and blend["model"] > max(abs(blend["interest"]), 0.5)
    known = one.learned
    again = learn_blend(one, split, validation_cut(split, limit=2_000, seed=0), 0)
    assert set(again) == set(blend) and one.learned is known
    assert len(one.recommend(users=["u0001"], k=5)) == 5


def test_a_staircase_is_the_nearest_rising_one():
    scores, labels = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.array([0.0, 1.0, 0.0, 0.0, 1.0, 1.0])
    knots = fit_isotonic(scores, labels)
    least = 1 / 8
    assert knots == (
        (1.0, least),
        (2.0, pytest.approx(1 / 3)),
        (4.0, pytest.approx(1 / 3)),
        (5.0, 1 - least),
        (6.0, 1 - least),
    )
    one = Calibration(1.0, 0.0, knots)
    assert one.probability(pl.Series([0.0, 3.0, 4.5, 9.0])).to_list() == pytest.approx(
        [least, 1 / 3, (1 / 3 + 1 - least) / 2, 1 - least]
    )
    assert one.score_of(1 / 3) == pytest.approx(2.0) and one.score_of(0.99) == np.inf and one.score_of(0.1) == -np.inf
    plain = Calibration(2.0, -1.0)
    assert plain.probability(pl.Series([plain.score_of(0.7)]))[0] == pytest.approx(0.7)


@pytest.mark.parametrize("how", ["isotonic", "auto"])
def test_a_run_is_calibrated_as_it_asks_and_keeps_it(tmp_path, how):
    split = horae.split_by_time(chain_log(users=150, items=12, length=10))
    one = horae.train(split, "markov", overrides=[f"recommend.calibration={how}"])
    assert how == "auto" or one.calibration.knots
    again = horae.load(one.save(tmp_path / "run"))
    assert again.calibration == one.calibration
    assert horae.evaluate(again, split, opponents={}, bootstrap=0).pointwise.calibration
