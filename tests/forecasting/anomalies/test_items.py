import math

import pytest
import torch

from horae.forecasting.anomalies.items import mass_not_above, rank_of


def test_the_mass_of_items_no_more_probable():
    scores = torch.tensor([[0.5, 0.3, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]]).log()
    mass = mass_not_above(scores, torch.tensor([[1, 0], [2, 0]])).exp()
    assert mass.tolist() == [pytest.approx([1 / 0.5, 1.0]), pytest.approx([1.0, 1.0])]
    hot = mass_not_above(scores[:1], torch.tensor([[3]]), temperature=2.0)
    weights = [math.sqrt(p) for p in (0.5, 0.3, 0.1, 0.1)]
    assert hot.item() == pytest.approx(-math.log(2 * weights[3] / sum(weights)))


def test_equal_items_share_the_middle_rank():
    scores = torch.tensor([[3.0, 1.0, 1.0, 1.0, 0.0]])
    assert rank_of(scores, torch.tensor([[0, 1, 2, 3, 4]])).tolist() == [[1.0, 3.0, 3.0, 3.0, 5.0]]
