"""Losses: states and item vectors in, one number out. Pure functions of tensors.

In: gathered rows only, never padded positions: `h_ND` the states at N positions that have a target, `e_ID` every item's
vector (row 0 is padding and takes no part), `target_N` the item indices that came. Out: a scalar, a mean over the rows.
This module does not know networks, batches or where negatives come from.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = [
    "attribute_loss",
    "binary",
    "binary_pairs",
    "binary_values",
    "calibrated_power",
    "full_softmax",
    "gbce",
    "mean_squared_error",
    "sampled_softmax",
]

LOGITS_IN_BUFFER = 2**22
"""16 MiB of float32, 8 of bfloat16: small enough for the allocator to keep between steps, and mostly for shared caches.
With a quarter of it the loss took a sixth longer at 12,000 items, as each product adds to the whole table."""

CACHED = 2**18
"""Numbers that a core's own cache holds: half a MiB of bfloat16, one of float32."""

LOGITS_IN_BUFFER_ELSEWHERE = 2**26
"""256 MiB of float32: a GPU wants few large products."""

SAFE_LOGIT = 60.0
"""With each row's largest logit within this bound, sums of `exp` over a million items, and their inverses divided by
ten thousand rows, are ordinary float32 numbers."""


def full_softmax(
    h_ND: Tensor,
    e_ID: Tensor,
    target_N: Tensor,
    weight_N: Tensor | None = None,
    *,
    precision: torch.dtype | None = None,
) -> Tensor:
    """Exact cross entropy over all items: the mean of `log sum_i exp(h . e_i) - h . e_target`, i from 1.

    Gradients are made in the forward pass, one chunk of rows after another in one buffer, so logits are formed once
    and never held for all rows. On a CPU the buffer is 16 MiB, or the size of the item table where that is more.

    Args:
        h_ND: States.
        e_ID: Item vectors; row 0 (padding) is not a candidate and gets no gradient.
        target_N: From 1 to I.
        weight_N: Rows' weights; the mean is weighted by them. None: all equal.
        precision: Of the three large products and the probabilities; None: the item vectors' own. With bfloat16 a
            logit is off by a few thousandths of itself (a probability by a percent or so while logits stay in the
            single figures, by more above), sums stay as they were, and the target's own logit is exact.

    Source: Klenitskiy & Vasilev 2023 (arXiv:2309.07602): cross entropy over the whole catalog at every position.
    Differs: the value and the gradients are the formula's; only their order of computation is ours. Twice
        differentiable it is not.
    """
    weight_N = torch.ones_like(h_ND[:, 0]) if weight_N is None else weight_N.to(h_ND.dtype)
    share_N = weight_N / weight_N.sum()
    inner = e_ID.dtype if precision is None else precision
    loss: Tensor = _FullSoftmax.apply(h_ND.to(e_ID.dtype), e_ID, target_N, share_N, inner)  # type: ignore[no-untyped-call]
    return loss


def sampled_softmax(
    h_ND: Tensor,
    e_ID: Tensor,
    target_N: Tensor,
    negative_S: Tensor,
    log_q_I: Tensor | None = None,
    weight_N: Tensor | None = None,
    own_NS: Tensor | None = None,
) -> Tensor:
    """Cross entropy of the target among itself and S negatives that all rows share.

    A negative that happens to be a row's target is masked in that row.

    Args:
        h_ND: States.
        e_ID: Item vectors.
        target_N: From 1 to I.
        negative_S: Item indices from 1, drawn with replacement.
        log_q_I: Log of the chance of each item to be drawn (entry 0 unused). With it the negatives stand for all items:
            `log(S q)` is taken from their logits, so that popularity in the sampler does not become unpopularity in
            the scores. The target was not drawn and keeps its own. None: S equal negatives, as they are.
        weight_N: Rows' weights; the mean is weighted by them. None: all equal.
        own_NS: Further negatives, each row's own; they stand for themselves, so their logits stay as they are.

    Source: Jean et al. 2015 (arXiv:1412.2007), section 3; Bengio & Senecal 2008 (doi:10.1109/TNN.2007.912312) for the
        weights; arXiv:2507.09331 for leaving the target's logit alone.
    Differs: negatives are drawn with replacement and shared by the whole batch.
    """
    positive_N = (h_ND * e_ID[target_N]).sum(-1)
    negative_NS = h_ND @ e_ID[negative_S].T
    if log_q_I is not None:
        negative_NS = negative_NS - log_q_I[negative_S] - math.log(len(negative_S))
    negative_NS = negative_NS.masked_fill(target_N[:, None] == negative_S, -torch.inf)
    if own_NS is not None:
        negative_NS = torch.cat([negative_NS, _own_logits(h_ND, e_ID, target_N, own_NS)], dim=1)
    everything_NS = torch.cat([positive_N[:, None], negative_NS], dim=1)  # logsumexp of -inf alone has no gradient
    return _mean(torch.logsumexp(everything_NS, dim=1) - positive_N, weight_N)


def binary(h_ND: Tensor, e_ID: Tensor, target_N: Tensor, negative_NS: Tensor, weight_N: Tensor | None = None) -> Tensor:
    """Came or came not: the mean of `-log sigmoid(h . e_target) - sum_s log(1 - sigmoid(h . e_s))`.

    Args:
        h_ND: States.
        e_ID: Item vectors.
        target_N: From 1 to I.
        negative_NS: Each row's own negatives; one that is the row's target counts nothing.
        weight_N: As in `sampled_softmax`.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III-E.
    Differs: any number of negatives, not one; a negative may be an item of the same user's history.
    """
    positive_N = (h_ND * e_ID[target_N]).sum(-1)
    negative_logit_NS = torch.einsum("nd,nsd->ns", h_ND, e_ID[negative_NS])
    hit_NS = negative_NS == target_N[:, None]
    negative_loss_NS = F.softplus(negative_logit_NS).masked_fill(hit_NS, 0.0)
    return _mean(F.softplus(-positive_N) + negative_loss_NS.sum(1), weight_N)


def binary_pairs(logit_NC: Tensor, behavior_N: Tensor, negative_NSC: Tensor, hit_NS: Tensor) -> Tensor:
    """Of each behavior, whether it was what happened: cross-entropies, summed over behaviors and pairs of a row.

    The mean over rows of `-log p_behavior - sum_{c not it} log(1 - p_c) - sum_s sum_c log(1 - p_sc)`, over `1 + S`.

    Args:
        logit_NC: Of each row's own item.
        behavior_N: What happened with it.
        negative_NSC: Of the items that were drawn for the row: nothing happened with them.
        hit_NS: Draws that are the row's own item, which count nothing.

    Source: He et al. 2017 (arXiv:1708.05031), eq. 7. Differs: several behaviors, each a question of its own.
    """
    came_NC = F.one_hot(behavior_N, logit_NC.shape[1]).to(logit_NC.dtype)
    own_N = F.binary_cross_entropy_with_logits(logit_NC, came_NC, reduction="none").sum(1)
    drawn_NS = F.softplus(negative_NSC).sum(2).masked_fill(hit_NS, 0.0)
    return (own_N + drawn_NS.sum(1)).mean() / (1 + hit_NS.shape[1])


def binary_values(h_ND: Tensor, e_ID: Tensor, target_N: Tensor, value_N: Tensor) -> Tensor:
    """Log-loss of each target's own value: the mean of `-v log p - (1 - v) log(1 - p)`, `p = sigmoid(h . e_target)`.

    Args:
        h_ND: States.
        e_ID: Item vectors.
        target_N: From 1 to I.
        value_N: From 0 to 1: a label, or a share.

    Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.90.
    Differs: values between 0 and 1 are taken as soft labels.
    """
    logit_N = (h_ND * e_ID[target_N]).sum(-1)
    return F.binary_cross_entropy_with_logits(logit_N, value_N.to(logit_N.dtype))


def attribute_loss(logit_NA: Tensor, label_NA: Tensor) -> Tensor:
    """Binary cross-entropy of having each attribute, summed over attributes, the mean over rows.

    Source: Zhou et al. 2020 (arXiv:2008.07873), as their code has it. Differs: see `pretrain.PretrainingObjective`.
    """
    return F.binary_cross_entropy_with_logits(logit_NA, label_NA, reduction="sum") / len(label_NA)


def mean_squared_error(h_ND: Tensor, e_ID: Tensor, target_N: Tensor, value_N: Tensor) -> Tensor:
    """The mean of `(h . e_target - value)^2`.

    Source: Koren, Bell & Volinsky 2009 (Computer 42(8), doi:10.1109/MC.2009.263), eq. 2.
    Differs: the user's factor is a state of the history; no penalty here, since weight decay is the optimiser's.
    """
    return F.mse_loss((h_ND * e_ID[target_N]).sum(-1), value_N.to(h_ND.dtype))


def _own_logits(h_ND: Tensor, e_ID: Tensor, target_N: Tensor, own_NS: Tensor) -> Tensor:
    """Of negatives that each row has for itself; minus infinity where one is the row's target."""
    logit_NS = torch.einsum("nd,nsd->ns", h_ND, e_ID[own_NS])
    return logit_NS.masked_fill(own_NS == target_N[:, None], -torch.inf)


def _mean(loss_N: Tensor, weight_N: Tensor | None) -> Tensor:
    return loss_N.mean() if weight_N is None else (weight_N * loss_N).sum() / weight_N.sum()


def _chunk_rows(num_items: int, dim: int, on_cpu: bool = True) -> int:
    """Rows of logits held at once: a buffer full, but never fewer than make the buffer as big as the item table."""
    return max(dim, (LOGITS_IN_BUFFER if on_cpu else LOGITS_IN_BUFFER_ELSEWHERE) // num_items)


def _shifted_where_needed(logit_NI: Tensor) -> Tensor | None:
    """Move each row, in place, so that its largest logit is 0; what was taken away. On CPUs a look saves most moves."""
    top_N1 = logit_NI.amax(dim=1, keepdim=True)
    if logit_NI.device.type != "cpu" or bool(top_N1.abs().max() >= SAFE_LOGIT):
        logit_NI.sub_(top_N1)
        return top_N1
    return None


class _FullSoftmax(torch.autograd.Function):
    """Here `p_NI` is a chunk of unnormalised probabilities: the D-wide factors are normalised, not the I-wide rows."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, h_ND: Tensor, e_ID: Tensor, target_N: Tensor, weight_N: Tensor, precision: torch.dtype
    ) -> Tensor:
        grads, on_cpu = any(ctx.needs_input_grad), h_ND.device.type == "cpu"  # type: ignore[attr-defined]
        grad_h_ND = torch.empty_like(h_ND) if grads else None
        grad_e_ID = torch.zeros_like(e_ID) if grads else None
        items_ID = e_ID[1:].to(precision)
        rows = min(len(h_ND), _chunk_rows(len(items_ID), h_ND.shape[1], on_cpu))
        buffer_NI = h_ND.new_empty(rows, len(items_ID), dtype=precision)
        safe = on_cpu and bool(h_ND.norm(dim=1).max() * e_ID[1:].norm(dim=1).max() < SAFE_LOGIT)  # Cauchy-Schwarz
        loss = -(weight_N * (h_ND * e_ID[target_N]).sum(1)).sum()
        for start in range(0, len(h_ND), rows):
            part = slice(start, start + rows)
            x_ND, w_N1 = h_ND[part], weight_N[part, None]
            p_NI = torch.mm(x_ND.to(precision), items_ID.T, out=buffer_NI[: len(x_ND)])
            top_N1 = None if safe else _shifted_where_needed(p_NI)
            few = max(1, CACHED // len(items_ID)) if on_cpu else len(p_NI)  # summed while still in a core's own cache
            parts = (p_NI[at : at + few] for at in range(0, len(p_NI), few))
            total_N1 = torch.cat([p.exp_().sum(dim=1, keepdim=True, dtype=h_ND.dtype) for p in parts])
            loss += (w_N1 * (total_N1.log() if top_N1 is None else total_N1.log() + top_N1)).sum()
            if grad_h_ND is not None and grad_e_ID is not None:
                share_N1 = w_N1 / total_N1
                grad_h_ND[part] = torch.mm(p_NI, items_ID).mul_(share_N1)
                _add_product(grad_e_ID[1:], p_NI.T, x_ND * share_N1)
        if grad_h_ND is not None and grad_e_ID is not None:
            grad_h_ND.addcmul_(weight_N[:, None], e_ID[target_N], value=-1)
            grad_e_ID.index_add_(0, target_N, h_ND * weight_N[:, None], alpha=-1)
            ctx.save_for_backward(grad_h_ND, grad_e_ID)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        grad_h_ND, grad_e_ID = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad_h_ND * grad, grad_e_ID * grad, None, None, None


def _add_product(sum_ID: Tensor, left_IN: Tensor, right_ND: Tensor) -> None:
    """`sum += left @ right`; the sum keeps its own precision."""
    if left_IN.dtype == sum_ID.dtype:
        sum_ID.addmm_(left_IN, right_ND)
    else:
        sum_ID.add_(left_IN @ right_ND.to(left_IN.dtype))


def calibrated_power(num_negatives: int, num_items: int, calibration: float) -> float:
    """`beta = alpha (t (1 - 1 / alpha) + 1 / alpha)`, `alpha = negatives / (items - 1)`, at most 1.

    Args:
        num_negatives: S, of each positive.
        num_items: I.
        calibration: t; 0 gives 1 (plain binary cross entropy), 1 gives alpha (scores calibrated as if all were seen).

    Source: Petrov & Macdonald 2023 (arXiv:2308.07192), section 5, the equation of beta.
    Differs: more negatives than other items count as all of them.
    """
    alpha = min(1.0, num_negatives / max(1, num_items - 1))
    return alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)


def gbce(
    h_ND: Tensor,
    e_ID: Tensor,
    target_N: Tensor,
    negative_S: Tensor,
    power: float,
    weight_N: Tensor | None = None,
    own_NS: Tensor | None = None,
) -> Tensor:
    """Came or came not, the former raised to a power below 1, so that a few negatives do not make scores too sure.

    The mean of `-(power log sigmoid(h . e_target) + sum_s log(1 - sigmoid(h . e_s))) / (S + 1)`.

    Args:
        h_ND: States.
        e_ID: Item vectors.
        target_N: From 1 to I.
        negative_S: Item indices from 1, shared by all rows; one that is a row's target counts nothing there.
        power: beta; see `calibrated_power`.
        weight_N: As in `sampled_softmax`.
        own_NS: As in `sampled_softmax`; they are in the sum, and not in S + 1.

    Source: Petrov & Macdonald 2023 (arXiv:2308.07192), section 5 (gBCE) and 6 (gSASRec).
    Differs: negatives are shared by the whole batch: with 2,000 positions, 256 negatives and dim 64 a step of the loss
        takes 6 ms on one core, against 400 ms with every position's own. `power log sigmoid` is computed as it stands,
        where the authors turn the logit in double precision: the same number.
    """
    positive_N = (h_ND * e_ID[target_N]).sum(-1)
    hit_NS = target_N[:, None] == negative_S
    negative_loss_NS = F.softplus(h_ND @ e_ID[negative_S].T).masked_fill(hit_NS, 0.0)
    loss_N = power * F.softplus(-positive_N) + negative_loss_NS.sum(1)
    if own_NS is not None:
        loss_N = loss_N + F.softplus(_own_logits(h_ND, e_ID, target_N, own_NS)).sum(1)
    return _mean(loss_N, weight_N) / (len(negative_S) + 1)
