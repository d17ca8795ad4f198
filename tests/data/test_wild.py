"""Each rule by hand; no rule where there is nothing to judge by."""

import numpy as np
import pytest

from horae.data.wild import bounds_of

NAN = float("nan")


def judged(values, rule, groups=None, learn=None, **settings):
    values = np.array(values, dtype=float)
    groups = np.zeros(len(values), dtype=np.int64) if groups is None else np.array(groups)
    learn = np.ones(len(values), dtype=bool) if learn is None else np.array(learn)
    return bounds_of(values, groups, learn, rule, **settings)


def test_mad_by_hand():
    found = judged([1, 2, 3, 4, 100, NAN], "mad", deviations=3)  # median 3, deviations 2 1 0 1 97: their median 1
    assert found.wild_N.tolist() == [False] * 4 + [True, False]
    assert found.near_N[4] == pytest.approx(3 + 3 * 1.4826) and np.isnan(found.near_N[5])


def test_iqr_by_hand():
    found = judged([1, 2, 3, 4, 100], "iqr", fences=1.5)  # quartiles 2 and 4
    assert found.wild_N.tolist() == [False] * 4 + [True] and found.near_N[4] == 4 + 1.5 * 2
    found = judged([-95, 2, 3, 4, 5], "iqr", fences=1.5)
    assert found.near_N[0] == 2 - 1.5 * 2


def test_where_most_are_equal_the_mean_deviation_stands_in():
    values = [5.0] * 99 + [6.0]
    for rule, one in (("mad", {"deviations": 20.0}), ("iqr", {"fences": 20.0})):
        assert judged(values, rule, **one).wild_N.sum() == 1, rule  # 1.2533 / 100 is one deviation


@pytest.mark.parametrize("rule", ["mad", "iqr", "isolation_forest"])
@pytest.mark.parametrize("values", [[], [7], [NAN, NAN], [1, 2, 9e9], [3] * 50, [0.1] * 9 + [NAN]])
def test_tiny_samples_and_constants_are_not_judged(rule, values):
    found = judged(values, rule)
    assert not found.wild_N.any()
    np.testing.assert_array_equal(found.near_N, np.array(values, dtype=float))


@pytest.mark.parametrize("rule", ["mad", "iqr", "isolation_forest"])
def test_a_constant_in_training_judges_nothing_later(rule):
    assert not judged([3.0] * 9 + [50.0], rule, learn=[True] * 9 + [False]).wild_N.any()


@pytest.mark.parametrize("rule", ["mad", "iqr", "isolation_forest"])
def test_what_is_not_learned_from_moves_no_bound_and_is_judged(rule):
    rng = np.random.default_rng(0)
    values = np.append(rng.normal(size=200), [60.0] * 100)
    found = judged(values, rule, learn=np.arange(300) < 200)
    assert found.wild_N[200:].all() and found.wild_N[:200].mean() <= 0.02
    again = judged(np.append(values[:200], [-7.0] * 100), rule, learn=np.arange(300) < 200)
    np.testing.assert_array_equal(found.near_N[:200], again.near_N[:200])


def test_groups_are_judged_by_themselves():
    values = [1, 2, 3, 4, 900, 901, 902, 3, 903]
    assert judged(values, "mad", groups=[0] * 4 + [1] * 5).wild_N.tolist() == [False] * 7 + [True, False]


def test_a_forest_finds_the_share_that_lies_alone_and_clips_to_the_nearest_other():
    rng = np.random.default_rng(1)
    values = np.append(rng.normal(size=198), [40.0, -30.0])
    found = judged(values, "isolation_forest", share=0.01)
    assert np.flatnonzero(found.wild_N).tolist() == [198, 199]
    assert found.near_N[198] == values[:198].max() and found.near_N[199] == values[:198].min()


def test_values_near_the_end_of_all_floats_give_no_warning():
    assert not judged([1e308, -1e308, 1e307, 0.0, 5.0], "mad").wild_N.any()


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    import sys

    from horae.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MissingExtraError) as caught:
        judged(range(9), "isolation_forest")
    assert "horae[series]" in caught.value.hint
