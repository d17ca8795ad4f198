import sys

import numpy as np
import pytest
import torch
from tests.models.opponents.asking import ask, loaded, log_of, random_log

from horae.errors import MissingExtraError, RecipeError
from horae.models.opponents.ials import IALS, IALSSettings

SMALL = IALSSettings(factors=8, regularization=0.1, alpha=5.0, iterations=10)


@pytest.fixture
def _implicit():
    pytest.importorskip("implicit")


@pytest.mark.usefixtures("_implicit")
def test_a_history_is_folded_in_by_least_squares():
    sequences = random_log()
    model = IALS(SMALL).fit(sequences)
    y_IK = model.arrays()["item_IK"].numpy().astype(np.float64)
    mine = y_IK[[2, 5]]
    left = y_IK.T @ y_IK + (SMALL.alpha - 1) * mine.T @ mine + SMALL.regularization * np.eye(SMALL.factors)
    expected = y_IK @ np.linalg.solve(left, SMALL.alpha * mine.sum(0))
    scores = model.score(ask(sequences, ["i02", "i05", "i02"]))[0, 1:].numpy()
    assert np.allclose(scores, expected, atol=1e-4)


@pytest.mark.usefixtures("_implicit")
def test_it_finds_which_items_go_together():
    even, odd = ["a", "c", "e", "g"], ["b", "d", "f", "h"]
    lines = {f"u{n:02}": [kind[k] for k in range(4) if k != n % 4] for n in range(40) for kind in [(even, odd)[n % 2]]}
    sequences = log_of(lines)
    factors = IALSSettings(factors=2, regularization=0.01, alpha=10.0)
    scores = IALS(factors).fit(sequences).score(ask(sequences, ["a", "c"], ["d", "f"]))
    assert min(scores[0, [5, 7]]) > max(scores[0, [2, 4, 6, 8]])
    assert min(scores[1, [2, 8]]) > max(scores[1, [1, 3, 5, 7]])


@pytest.mark.usefixtures("_implicit")
def test_the_same_seed_gives_the_same_scores_and_another_does_not():
    sequences = random_log()
    batch = ask(sequences, ["i01", "i02"])
    first, second = (IALS(SMALL).fit(sequences).score(batch) for _ in range(2))
    other = IALS(IALSSettings(8, 0.1, 5.0, 10, seed=1)).fit(sequences).score(batch)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.usefixtures("_implicit")
def test_an_empty_history_scores_zero_and_loading_changes_nothing():
    sequences = random_log()
    model = IALS(SMALL).fit(sequences)
    batch = ask(sequences, [], ["i01", "i02"])
    scores = model.score(batch)
    assert (scores[0, 1:] == 0).all()
    assert torch.equal(scores, loaded(model, sequences.num_items).score(batch))


@pytest.mark.parametrize("verb", ["fit", "load"])
def test_without_the_library_the_extra_is_named(verb, monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(MissingExtraError, match="implicit") as caught:
        IALS().fit(random_log()) if verb == "fit" else IALS().load_arrays({"item_IK": torch.zeros(3, 2)}, 3)
    assert "horae[classic]" in caught.value.hint


@pytest.mark.parametrize(
    "keys", [{"factors": 0}, {"iterations": 0}, {"alpha": 0.0}, {"regularization": -1.0}, {"seed": -1}]
)
def test_impossible_settings_are_refused(keys):
    with pytest.raises(RecipeError, match=next(iter(keys))):
        IALSSettings(**keys)
