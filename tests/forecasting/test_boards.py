"""Scales, companions and windows hold what may be seen, and no more."""

import numpy as np
import pytest

from horae.data.filling.tables import matrix_lines
from horae.forecasting.boards import Board, Scales

NAN = float("nan")


def board_of(values, until=None, companions=2):
    lines = matrix_lines(np.array(values, dtype=float), until).lines
    scales = Scales.fit(lines.training(), lines.training().known_N, companions)
    return Board.of(lines, scales, lines.known_N), scales


def test_scales_come_from_the_training_part():
    _, scales = board_of([[1.0], [3.0], [500.0]], until=2)
    assert scales.mean_G.tolist() == [2.0] and scales.spread_G.tolist() == [1.0]


def test_companions_are_the_strongest_few_with_their_sign():
    rng = np.random.default_rng(0)
    first = rng.normal(size=100)
    values = np.stack([first, -first, first + rng.normal(size=100), rng.normal(size=100)], 1)
    board, scales = board_of(values, companions=1)
    assert scales.weight_GG[0, 1] == pytest.approx(-1) and not scales.weight_GG[0, 2:].any()
    np.testing.assert_allclose(board.others_N[:100], board.value_N[:100])  # the second, turned round


def test_a_correlation_over_common_moments_is_numpys():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(80, 2)) @ np.array([[1.0, 0.7], [0, 1]])
    values[rng.random(values.shape) < 0.3] = NAN
    both = ~np.isnan(values).any(1)
    _, scales = board_of(values)
    assert scales.weight_GG[0, 1] == pytest.approx(np.corrcoef(values[both].T)[0, 1])


def test_each_place_is_in_its_window_and_as_central_as_can_be():
    board, _ = board_of(np.arange(50.0)[:, None])
    places = np.arange(50)
    cut = board.around(places, 8)
    assert (cut.row_BL[cut.window_M, cut.place_M] == places).all()
    inner = (places >= 4) & (places < 46)
    assert (np.minimum(cut.place_M, 7 - cut.place_M)[inner] >= 2).all()
    short, _ = board_of(np.arange(3.0)[:, None])
    assert short.around(np.arange(3), 8).row_BL.tolist() == [[0, 1, 2, -1, -1, -1, -1, -1]]


def test_a_window_that_ends_at_a_place_shows_nothing_of_it_or_after_it():
    values = np.arange(40.0).reshape(20, 2)
    board, _ = board_of(values)
    cut = board.ending(np.array([0, 5, 19, 25]), 6)
    assert cut.row_BL[1].tolist() == [0, 1, 2, 3, 4, 5] and cut.row_BL[0].tolist() == [0] + [-1] * 5
    assert cut.row_BL[3].tolist() == [20, 21, 22, 23, 24, 25]  # not into the series before
    shown = board.windows(cut.row_BL, past=True)
    assert not shown.seen_BL[np.arange(4), cut.place_M].any() and shown.length_B.tolist() == [1, 6, 6, 6]
    assert not shown.others_seen_BL[np.arange(4), cut.place_M].any()


def test_windows_to_learn_from_stay_in_their_line():
    board, _ = board_of(np.random.default_rng(0).normal(size=(13, 5)))
    row_BL = board.random(6, 40, np.random.default_rng(0))
    assert row_BL.shape == (40, 6)
    assert (board.line_N[row_BL] == board.line_N[row_BL[:, :1]]).all()
