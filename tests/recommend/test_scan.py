import numpy as np
import pytest
import torch
from tests.recommend.vectors import KINDS, nothing_hidden, some_hidden, states, true_scores, true_top, vectors

from horae.errors import HoraeError
from horae.recommend import scan
from horae.recommend.scan import Scan


def agrees(items, best, scores, k):
    """The list of a full sort; two items may change places where double precision itself rounds either way."""
    true_items, true_best = true_top(scores, k)
    assert np.allclose(best, true_best, rtol=2e-7, atol=1e-30)
    differs = items != true_items
    assert differs.mean() < 0.01
    own = np.take_along_axis(scores, items, axis=1)
    assert np.allclose(own[differs], true_best[differs], rtol=2e-7)


@pytest.fixture(params=[4_096, 1 << 20])
def pieces(request, monkeypatch):
    """Several pieces of rows even in a small catalog, and one."""
    monkeypatch.setattr(scan, "FIRST_ROWS", min(request.param, 1_024))
    monkeypatch.setattr(scan, "CODES_AT_ONCE", request.param)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [7, 64, 65])
def test_the_scan_finds_what_scoring_everything_finds(kind, dim, pieces):
    e_ID, h_BD = vectors(kind, 5_000, dim), states(9, dim)
    hidden = some_hidden(9, 5_000)
    items, best = Scan(e_ID).top(h_BD, 10, hidden)
    agrees(items, best, true_scores(e_ID, h_BD, hidden), 10)


@pytest.mark.parametrize("num", [1, 2, 3, 64, 65, 130])
def test_many_requests_get_what_each_gets_alone(num, pieces):
    e_ID, h_BD = vectors("clustered", 3_000, 16), states(num, 16)
    hidden = some_hidden(num, 3_000)
    found = Scan(e_ID)
    items, best = found.top(h_BD, 5, hidden)
    for b in range(num):
        alone, own = found.top(h_BD[b : b + 1], 5, hidden.part(b, b + 1))
        assert alone[0].tolist() == items[b].tolist()
        assert own[0].tolist() == best[b].tolist()


def test_equal_items_stand_in_the_order_of_their_indices(pieces):
    items, _ = Scan(vectors("equal", 5_000, 8)).top(states(3, 8), 4, nothing_hidden())
    assert items.tolist() == [[1, 2, 3, 4]] * 3
    items, _ = Scan(vectors("copies", 5_000, 8)).top(states(3, 8), 6, nothing_hidden())
    assert ((np.diff(items, axis=1) == 40).all(axis=1)).all()


def test_only_what_is_allowed_is_found_and_fewer_where_fewer_are(pieces):
    e_ID, h_BD = vectors("popular", 2_000, 16), states(6, 16)
    allowed = torch.zeros(2_001, dtype=torch.bool)
    allowed[torch.tensor([3, 5, 900, 1_999])] = True
    hidden = some_hidden(6, 2_000, allowed=allowed)
    hidden.item_P[0] = 900
    items, best = Scan(e_ID).top(h_BD, 6, hidden)
    agrees(items, best, true_scores(e_ID, h_BD, hidden), 6)
    assert 900 not in items[0] and (items[:, 4:] == 0).all()


def test_everything_hidden_leaves_nothing(pieces):
    allowed = torch.zeros(301, dtype=torch.bool)
    hidden = some_hidden(3, 300, allowed=allowed)
    items, best = Scan(vectors("plain", 300, 8)).top(states(3, 8), 5, hidden)
    assert (items == 0).all() and (best == -np.inf).all()


@pytest.mark.parametrize(("num_items", "k"), [(1, 1), (1, 10), (63, 100), (64, 10), (65, 66), (700, 699)])
def test_small_catalogs_and_long_lists(num_items, k):
    e_ID, h_BD = vectors("plain", num_items, 12), states(3, 12)
    hidden = nothing_hidden()
    items, best = Scan(e_ID).top(h_BD, k, hidden)
    assert items.shape == (3, min(k, num_items + 1))
    agrees(items, best, true_scores(e_ID, h_BD, hidden), k)


def test_a_state_of_zeros_ranks_by_index():
    items, best = Scan(vectors("plain", 500, 8)).top(torch.zeros(2, 8), 3, nothing_hidden())
    assert items.tolist() == [[1, 2, 3]] * 2 and (best == 0).all()


def test_the_bound_holds_for_every_item():
    e_ID, h_BD = vectors("popular", 2_000, 33), states(4, 33)
    found = Scan(e_ID)
    asked = scan._coded(h_BD, found.code_RD.shape[1])
    code_BR = scan._products(asked.code_BD, found.code_RD).numpy()
    block_R = np.arange(len(found.item_R)) // scan.BLOCK
    middle_BR = code_BR * (asked.scale_B[:, None] * found.step_C).numpy()[:, block_R]
    error_BC = asked.rest_B[:, None] * found.code_norm_C + asked.norm_B[:, None] * found.rest_C
    true_BR = (h_BD.double() @ e_ID.double().T).numpy()[:, found.item_R.numpy()]
    off_BR = np.abs(true_BR - middle_BR)
    assert (off_BR <= error_BC.numpy()[:, block_R] * (1 + 1e-5) + 1e-5).all()
    assert off_BR.max() > 0.01 * error_BC.numpy().max()  # and it is a bound of this, not of anything


def test_where_the_bound_leaves_too_much_open_every_item_is_scored(monkeypatch):
    monkeypatch.setattr(scan, "OPEN_AT_MOST", 100)
    e_ID, h_BD = vectors("equal", 3_000, 8), states(3, 8)
    hidden = some_hidden(3, 3_000)
    items, best = Scan(e_ID).top(h_BD, 4, hidden)
    agrees(items, best, true_scores(e_ID, h_BD, hidden), 4)
    assert items[1].tolist() == [1, 2, 3, 4]


def test_few_items_are_scored_again(monkeypatch):
    scored = []
    inner = scan.best_of
    monkeypatch.setattr(scan, "best_of", lambda *given: scored.append(len(given[3])) or inner(*given))
    Scan(vectors("plain", 40_000, 64)).top(states(8, 64), 10, nothing_hidden())
    assert 80 <= scored[0] < 8 * 200


def test_short_vectors_are_not_read_at_all(monkeypatch):
    rows = []
    inner = scan._products
    monkeypatch.setattr(scan, "_products", lambda code, codes: rows.append(len(codes)) or inner(code, codes))
    e_ID = vectors("plain", 80_000, 16)
    e_ID[1_000:] *= 0.01
    Scan(e_ID).top(states(2, 16), 10, nothing_hidden())
    assert sum(rows) == scan.FIRST_ROWS


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused_in_words(broken):
    e_ID, h_BD = vectors("plain", 100, 8), states(2, 8)
    found = Scan(e_ID.clone())
    e_ID[50, 3] = broken
    with pytest.raises(HoraeError, match="item vector"):
        Scan(e_ID)
    h_BD[1, 0] = broken
    with pytest.raises(HoraeError, match="state"):
        found.top(h_BD, 3, nothing_hidden())


def test_hidden_vectors_of_no_length_do_not_push_what_is_allowed_out(pieces):
    e_ID, h_BD = torch.zeros(3_001, 8), torch.ones(2, 8)
    e_ID[1:101] = -1.0  # their scores are below those of everything that is hidden
    allowed = torch.zeros(3_001, dtype=torch.bool)
    allowed[torch.tensor([5, 40, 90])] = True
    items, best = Scan(e_ID).top(h_BD, 3, some_hidden(2, 4, allowed=allowed))
    assert items[1].tolist() == [5, 40, 90] and (best[1] == -8).all()


def test_a_processor_that_does_not_multiply_int8_exactly_gets_the_same_list(monkeypatch):
    e_ID, h_BD = vectors("popular", 3_000, 33), states(5, 33)
    items, best = Scan(e_ID).top(h_BD, 10, nothing_hidden())
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: (a.int() @ b.int()).clamp(-(2**15), 2**15 - 1))
    scan._multiplies_int8_exactly.cache_clear()
    try:
        assert not scan._multiplies_int8_exactly()
        again, own = Scan(e_ID).top(h_BD, 10, nothing_hidden())
    finally:
        scan._multiplies_int8_exactly.cache_clear()
    assert (again == items).all() and (own == best).all()
