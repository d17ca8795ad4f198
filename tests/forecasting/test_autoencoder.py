"""The autoencoder learns what straight lines cannot say, from nothing that is hidden; and its edges."""

import numpy as np
import pytest

import horae
from horae.data.filling.tables import matrix_lines
from horae.data.impute import ImputeSettings
from horae.errors import DataError
from horae.forecasting.autoencoder import AutoencoderSettings
from horae.forecasting.imputing import fit_imputer, impute

NAN = float("nan")
QUICK = AutoencoderSettings(window=16, dim=8, epochs=2, batch_windows=8)


def hidden(values, share=0.2, seed=0):
    gaps = np.random.default_rng(seed).random(values.shape) < share
    return np.where(gaps, NAN, values), gaps


def rmse(result, values, gaps):
    return float(np.sqrt(np.mean((result - values)[gaps] ** 2)))


def test_a_coupled_series_tells_what_the_line_between_cannot():
    rng = np.random.default_rng(0)
    first = rng.normal(size=600)
    values = np.stack([first, 5 - 20 * first + 0.5 * rng.normal(size=600)], 1)
    shown, gaps = hidden(values)
    gaps[:, 0] &= ~gaps[:, 1]  # judged where the other is known
    gaps[:, 1] &= ~np.isnan(shown[:, 0])
    settings = AutoencoderSettings(window=12, dim=16, epochs=15)
    result, lines = impute(shown, settings), impute(shown, ImputeSettings("linear"))
    for column in (0, 1):
        ratio = rmse(result[:, column], values[:, column], gaps[:, column]) / rmse(
            lines[:, column], values[:, column], gaps[:, column]
        )
        assert ratio < 0.35


def test_one_series_that_swings_is_learned_from_what_is_on_both_sides():
    rng = np.random.default_rng(0)
    swing = np.where(np.arange(800) % 2, 1, -1) * (3 + np.sin(np.arange(800) / 40))
    values = (swing + 0.3 * rng.normal(size=800))[:, None]
    shown, gaps = hidden(values)
    result = impute(shown, AutoencoderSettings(window=12, dim=16, epochs=15))
    assert rmse(result, values, gaps) < 0.35 * rmse(impute(shown, ImputeSettings("linear")), values, gaps)


def test_with_a_period_a_sharp_week_is_known_before_any_training():
    rng = np.random.default_rng(0)
    values = (np.tile([0.0, 0, 0, 0, 0, 5, 9], 60) + 0.1 * rng.normal(size=420))[:, None]
    shown, gaps = hidden(values)
    result = impute(shown, AutoencoderSettings(window=16, dim=8, epochs=2, period=7))
    seasonal = impute(shown, ImputeSettings("seasonal", period=7))
    assert rmse(result, values, gaps) < 1.1 * rmse(seasonal, values, gaps)


def test_on_a_random_walk_it_is_no_worse_than_straight_lines():
    values = np.random.default_rng(0).normal(size=(600, 1)).cumsum(0)
    shown, gaps = hidden(values)
    settings = AutoencoderSettings(window=16, dim=8, epochs=4)
    assert rmse(impute(shown, settings), values, gaps) < 1.03 * rmse(
        impute(shown, ImputeSettings("linear")), values, gaps
    )


@pytest.fixture(scope="module")
def walk():
    return hidden(np.random.default_rng(2).normal(size=(120, 2)).cumsum(0))


def test_same_seed_same_guesses_and_known_values_stay(walk):
    shown, gaps = walk
    result = impute(shown, QUICK)
    np.testing.assert_array_equal(result, impute(shown, QUICK))
    np.testing.assert_array_equal(result[~gaps], shown[~gaps])
    assert np.isfinite(result).all()
    assert (result != impute(shown, AutoencoderSettings(window=16, dim=8, epochs=2, batch_windows=8, seed=1))).any()


def test_training_leaves_torchs_own_random_numbers_alone(walk):
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    impute(walk[0], QUICK)
    assert torch.equal(torch.rand(1), expected)


def test_later_values_change_nothing_before_them(walk):
    shown, _ = walk
    edited = shown.copy()
    edited[100:] = 1000.0
    result, other = (impute(one, QUICK, until=80) for one in (shown, edited))
    np.testing.assert_array_equal(result[:100], other[:100])
    at = np.isnan(shown[100])
    edited[100] = shown[100]  # what is missing at a moment is guessed without the others of that moment
    edited[100, ~at] = -1000.0
    np.testing.assert_array_equal(result[100, at], impute(edited, QUICK, until=80)[100, at])


def test_held_out_values_are_in_no_input(walk, monkeypatch):
    from horae.forecasting import autoencoder

    lines = matrix_lines(walk[0], None).lines
    known = np.flatnonzero(lines.known_N)[::7]
    held = np.isin(np.arange(len(lines.value_N)), known)
    monkeypatch.setattr(autoencoder, "_held_out", lambda *_: held)
    boards = []
    original = autoencoder._train
    monkeypatch.setattr(autoencoder, "_train", lambda network, board, *rest: boards.append(board) or original(
        network, board, *rest))  # fmt: skip
    for factor in (1.0, -50.0):
        QUICK.fit(lines.with_values(np.where(held, lines.value_N * factor, lines.value_N)))
    for part in ("value_N", "others_N", "seen_N", "mean_N", "spread_N"):
        np.testing.assert_array_equal(*(getattr(board, part) for board in boards))


def test_the_weights_of_the_best_epoch_stay_and_losses_are_told(walk):
    filler = fit_imputer(walk[0], QUICK).filler
    assert len(filler.losses) == 3 and all(np.isfinite(filler.losses))
    noise = np.random.default_rng(0).normal(size=(300, 1)).cumsum(0)
    patient = AutoencoderSettings(window=16, dim=8, epochs=40, patience=1, learning_rate=0.5)
    stopped = fit_imputer(noise, patient).filler
    assert 1 < len(stopped.losses) < 41


def test_edges():
    short = np.array([[NAN, 1.0], [2.0, NAN], [NAN, NAN], [8.0, 4.0], [NAN, NAN]])
    np.testing.assert_allclose(
        impute(short, QUICK), np.array([[2, 1], [2, 2], [5, 3], [8, 4], [8, 4]]), rtol=1e-6
    )  # too few to learn from: straight lines
    rng = np.random.default_rng(0)
    columns = [np.full(60, NAN), np.where(np.arange(60) == 9, 7.1, NAN), np.full(60, 0.1), rng.normal(size=60)]
    values = np.stack(columns, 1)
    values[::5, 2:] = NAN
    result = impute(values, QUICK)
    assert np.isnan(result[:, 0]).all()
    assert (result[:, 1] == 7.1).all() and (result[:, 2] == 0.1).all() and np.isfinite(result[:, 3]).all()
    assert impute(np.empty((0, 2)), QUICK).shape == (0, 2)
    assert np.isnan(impute(np.full((50, 1), NAN), QUICK)).all()


def test_a_gap_longer_than_the_window_is_filled():
    values = np.sin(np.arange(200.0))[:, None]
    values[60:140] = NAN
    result = impute(values, QUICK)
    assert np.isfinite(result).all() and np.abs(result).max() < 5


def test_a_new_series_stays_missing_and_a_known_one_is_found(walk):
    import polars as pl

    times = pl.datetime_range(pl.date(2024, 1, 1), pl.date(2024, 4, 29), "1d", eager=True)
    frame = pl.DataFrame({"series_id": "a", "timestamp": times, "value": walk[0][:, 0]})
    later = pl.DataFrame({"series_id": ["b", "a"], "timestamp": [times[-1], times[-1]], "value": [None, None]})
    values = fit_imputer(frame, QUICK).transform(later)["value"]
    assert values[0] is None and np.isfinite(values[1])


@pytest.mark.parametrize(
    "values",
    [
        {"window": 2},
        {"epochs": 0},
        {"dropout": 1.0},
        {"held_out": -0.1},
        {"companions": -1},
        {"period": 48},
        {"learning_rate": 0.0},
    ],
)
def test_impossible_settings_are_refused(values):
    with pytest.raises(DataError):
        AutoencoderSettings(**values)


def test_events_have_no_period():
    from tests.logs import events_of

    events = events_of([("a", "x", n, "view", float(n)) for n in range(9)] + [("a", "x", 9, "view", None)])
    with pytest.raises(DataError, match="period"):
        impute(events, AutoencoderSettings(period=7), until="2024-01-01")
    assert horae.AutoencoderSettings is AutoencoderSettings


def test_when_all_series_break_off_together_lines_are_still_drawn():
    rng = np.random.default_rng(0)
    walk = rng.normal(size=(500, 1)).cumsum(0)
    values = np.concatenate([walk, 3 * walk + 0.1 * rng.normal(size=(500, 1))], 1)
    gaps = np.zeros(values.shape, dtype=bool)
    for start in range(20, 480, 40):
        gaps[start : start + 8] = True
    shown = np.where(gaps, NAN, values)
    result = impute(shown, AutoencoderSettings(window=24, dim=8, epochs=4))
    assert rmse(result, values, gaps) < 1.15 * rmse(impute(shown, ImputeSettings("linear")), values, gaps)


def test_held_out_values_are_the_asked_share_of_the_known_and_of_all_three_kinds():
    from horae.forecasting.autoencoder import _held_out

    lines = matrix_lines(np.random.default_rng(0).normal(size=(400, 5)), None).lines
    usable = lines.step_N < 300
    held = _held_out(lines, usable, 0.1, np.random.default_rng(0))
    assert not (held & ~usable).any() and 150 <= held.sum() < 150 + 14 * 5
    table = held.reshape(5, 400)
    assert (table.sum(0) == 5).any() and (table.sum(0) == 1).any()  # outages, and gaps of one series


def test_series_are_filled_by_it_where_nobody_names_a_way(walk):
    small = walk[0][:60, :2].copy()
    small[10:13] = np.nan
    assert np.array_equal(impute(small), impute(small, AutoencoderSettings()))
    assert np.array_equal(fit_imputer(small).transform(small, until=60), impute(small, AutoencoderSettings()))
