import math

import pytest
import torch
import torch.nn.functional as F

from horae.training import losses
from horae.training.losses import (
    binary,
    binary_values,
    calibrated_power,
    full_softmax,
    gbce,
    mean_squared_error,
    sampled_softmax,
)

ONE_STATE = torch.tensor([[1.0, 2.0]])
THREE_ITEMS = torch.tensor([[9.0, 9.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # logits 1, 2, 3; row 0 is padding


def random_rows(rows=7, items=11, dim=3, scale=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    h_ND = (torch.randn(rows, dim, generator=generator, dtype=dtype) * scale).requires_grad_()
    e_ID = torch.randn(items + 1, dim, generator=generator, dtype=dtype).requires_grad_()
    target_N = torch.randint(1, items + 1, (rows,), generator=generator)
    return h_ND, e_ID, target_N


def reference_softmax(h_ND, e_ID, target_N, weight_N=None):
    loss_N = F.cross_entropy(h_ND @ e_ID[1:].T, target_N - 1, reduction="none")
    return loss_N.mean() if weight_N is None else (loss_N * weight_N).sum() / weight_N.sum()


def test_full_softmax_of_three_logits_is_worked_by_hand():
    expected = math.log(math.e + math.e**2 + math.e**3) - 2  # 1.4076
    assert full_softmax(ONE_STATE, THREE_ITEMS, torch.tensor([2])).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("buffer", [1, 33, 10**6], ids=["one chunk per dim rows", "three rows", "one chunk"])
@pytest.mark.parametrize("scale", [1.0, 100.0], ids=["bounded logits", "logits that need the shift"])
@pytest.mark.parametrize("weighted", [False, True])
def test_full_softmax_equals_cross_entropy_in_value_and_gradients(monkeypatch, buffer, scale, weighted):
    monkeypatch.setattr(losses, "LOGITS_IN_BUFFER", buffer)
    h_ND, e_ID, target_N = random_rows(scale=scale)
    weight_N = torch.linspace(0.1, 2.0, len(h_ND), dtype=torch.float64) if weighted else None
    ours = full_softmax(h_ND, e_ID, target_N, weight_N)
    theirs = reference_softmax(h_ND, e_ID, target_N, weight_N)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    our_grads = torch.autograd.grad(3 * ours, (h_ND, e_ID))
    their_grads = torch.autograd.grad(3 * theirs, (h_ND, e_ID))
    torch.testing.assert_close(our_grads, their_grads, rtol=1e-10, atol=1e-12)


def test_full_softmax_passes_gradcheck():
    h_ND, e_ID, target_N = random_rows(rows=4, items=5)
    assert torch.autograd.gradcheck(lambda h, e: full_softmax(h, e, target_N), (h_ND, e_ID))


def test_full_softmax_survives_logits_that_would_overflow_float32():
    h_ND, e_ID, target_N = random_rows(scale=1000.0, dtype=torch.float32)
    loss = full_softmax(h_ND, e_ID, target_N)
    loss.backward()
    torch.testing.assert_close(loss, reference_softmax(h_ND, e_ID, target_N))
    assert h_ND.grad.isfinite().all() and e_ID.grad.isfinite().all()


def test_full_softmax_gives_padding_no_gradient_and_works_without_gradients():
    h_ND, e_ID, target_N = random_rows()
    full_softmax(h_ND, e_ID, target_N).backward()
    assert (e_ID.grad[0] == 0).all()
    with torch.inference_mode():
        value = full_softmax(h_ND, e_ID, target_N)
    torch.testing.assert_close(value, reference_softmax(h_ND, e_ID, target_N).detach())


def test_logits_held_at_once_never_exceed_the_buffer_or_the_item_table():
    for num_items in (1, 1_000, 12_101, 1_000_000):
        held = losses._chunk_rows(num_items, 64) * num_items
        assert held <= max(losses.LOGITS_IN_BUFFER, 64 * num_items)


def test_sampled_softmax_of_two_negatives_is_worked_by_hand_and_masks_the_accidental_hit():
    target_N = torch.tensor([2])
    expected = math.log(math.e**2 + math.e + math.e**3) - 2
    loss = sampled_softmax(ONE_STATE, THREE_ITEMS, target_N, torch.tensor([1, 3]))
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert sampled_softmax(ONE_STATE, THREE_ITEMS, target_N, torch.tensor([1, 2, 3])).item() == pytest.approx(
        expected, rel=1e-6
    )


def test_sampled_softmax_over_every_other_item_is_the_full_softmax():
    h_ND, e_ID, target_N = random_rows()
    everything = torch.arange(1, len(e_ID))
    torch.testing.assert_close(
        sampled_softmax(h_ND, e_ID, target_N, everything), reference_softmax(h_ND, e_ID, target_N)
    )


def test_log_q_is_taken_from_the_drawn_and_not_from_the_target():
    log_q_I = torch.tensor([-math.inf, 0.5, 0.2, 0.3]).log()
    weights = [math.exp(1) / (2 * 0.5), math.exp(2), math.exp(3) / (2 * 0.3)]
    loss = sampled_softmax(ONE_STATE, THREE_ITEMS, torch.tensor([2]), torch.tensor([1, 3]), log_q_I)
    assert loss.item() == pytest.approx(math.log(sum(weights) / weights[1]), rel=1e-6)


def test_with_log_q_many_drawn_negatives_stand_for_all_items():
    torch.manual_seed(0)
    h_ND, e_ID, target_N = torch.randn(6, 8), torch.randn(41, 8), torch.randint(1, 41, (6,))
    share_I = torch.cat([torch.zeros(1), torch.rand(40).pow(2) + 0.01])
    drawn = torch.multinomial(share_I, 200_000, replacement=True)
    loss = sampled_softmax(h_ND, e_ID, target_N, drawn, (share_I / share_I.sum()).log())
    assert loss.item() == pytest.approx(reference_softmax(h_ND, e_ID, target_N).item(), rel=0.01)


def test_sampled_softmax_of_hits_only_is_zero_with_a_finite_gradient():
    h_ND = ONE_STATE.clone().requires_grad_()
    loss = sampled_softmax(h_ND, THREE_ITEMS, torch.tensor([2]), torch.tensor([2, 2]))
    loss.backward()
    assert loss.item() == 0.0 and h_ND.grad.isfinite().all()


def test_binary_is_worked_by_hand_and_a_hit_counts_nothing():
    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    expected = -math.log(sigmoid(2)) - math.log(1 - sigmoid(1)) - math.log(1 - sigmoid(3))
    loss = binary(ONE_STATE, THREE_ITEMS, torch.tensor([2]), torch.tensor([[1, 2, 3]]))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_power_of_gbce_goes_from_one_to_the_sampling_rate():
    assert calibrated_power(256, 3417, 0.0) == pytest.approx(1.0)
    assert calibrated_power(256, 3417, 1.0) == pytest.approx(256 / 3416)
    assert calibrated_power(256, 3417, 0.75) == pytest.approx(0.25 + 0.75 * 256 / 3416)  # 0.3062, linear in t
    assert calibrated_power(256, 100, 0.75) == pytest.approx(1.0)  # every other item is a negative
    assert calibrated_power(1, 1, 0.75) == pytest.approx(1.0)


def test_gbce_is_worked_by_hand_and_a_hit_counts_nothing():
    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    positive, negatives = math.log(sigmoid(2) ** 0.3), math.log(1 - sigmoid(1)) + math.log(1 - sigmoid(3))
    loss = gbce(ONE_STATE, THREE_ITEMS, torch.tensor([2]), torch.tensor([1, 2, 3]), 0.3)
    assert loss.item() == pytest.approx(-(positive + negatives) / 4, rel=1e-6)


def test_gbce_without_calibration_is_binary_cross_entropy_over_positive_and_negatives():
    h_ND, e_ID, target_N = random_rows()
    negative_S = torch.tensor([1, 4, 4, 9])
    own_NS = negative_S.expand(len(h_ND), -1)
    uncalibrated = gbce(h_ND, e_ID, target_N, negative_S, calibrated_power(4, len(e_ID) - 1, 0.0))
    torch.testing.assert_close(uncalibrated * 5, binary(h_ND, e_ID, target_N, own_NS))


def test_gbce_of_a_hopeless_positive_keeps_its_gradient():
    h_ND = (ONE_STATE * -500).requires_grad_()  # sigmoid(-1000)^beta is 0 in any precision
    loss = gbce(h_ND, THREE_ITEMS, torch.tensor([2]), torch.tensor([1]), 0.3)
    loss.backward()
    assert loss.item() == pytest.approx(0.3 * 1000 / 2) and torch.equal(h_ND.grad, torch.tensor([[0.0, -0.15]]))


def test_binary_values_is_the_log_loss_of_labels_and_shares():
    p = 1 / (1 + math.exp(-2))
    for value in (0.0, 1.0, 0.25):
        expected = -value * math.log(p) - (1 - value) * math.log(1 - p)
        loss = binary_values(ONE_STATE, THREE_ITEMS, torch.tensor([2]), torch.tensor([value]))
        assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_mean_squared_error_is_worked_by_hand():
    states = torch.tensor([[1.0, 2.0], [0.0, 1.0]])  # predictions 2 and 1
    loss = mean_squared_error(states, THREE_ITEMS, torch.tensor([2, 3]), torch.tensor([5.0, 0.0]))
    assert loss.item() == pytest.approx((9 + 1) / 2)
