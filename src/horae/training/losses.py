"""Losses: states and item vectors in, one number out. Pure functions of tensors.

In: gathered rows only, never padded positions: `h_ND` the states at N positions that have a target, `e_ID` every item's
vector (row 0 is padding and takes no part), `target_N` the item indices that came. Out: a scalar, a mean over the rows.
This module does not know networks, batches or where negatives come from.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ["binary", "binary_values", "full_softmax", "mean_squared_error", "sampled_softmax"]

LOGITS_IN_BUFFER = 2**20
"""4 MiB of float32: small enough for a processor's caches and for the allocator to keep between steps."""

LOGITS_IN_BUFFER_ELSEWHERE = 2**26
"""256 MiB of float32: a GPU wants few large products."""

SAFE_LOGIT = 60.0
"""With each row's largest logit within this bound, sums of `exp` over a million items, and their inverses divided by
ten thousand rows, are ordinary float32 numbers."""


def full_softmax(h_ND: Tensor, e_ID: Tensor, target_N: Tensor, weight_N: Tensor | None = None) -> Tensor:
    """Exact cross entropy over all items: the mean of `log sum_i exp(h . e_i) - h . e_target`, i from 1.

    Gradients are made in the forward pass, one chunk of rows after another in one buffer, so logits are formed once
    and never held for all rows. On a CPU the buffer is 4 MiB, or the size of the item table where that is more.

    Args:
        h_ND: States.
        e_ID: Item vectors; row 0 (padding) is not a candidate and gets no gradient.
        target_N: From 1 to I.
        weight_N: Rows' weights; the mean is weighted by them. None: all equal.

    Source: Klenitskiy & Vasilev 2023 (arXiv:2309.07602): cross entropy over the whole catalog at every position.
    Differs: the value and the gradients are the formula's; only their order of computation is ours. Twice
        differentiable it is not.
    """
    weight_N = torch.ones_like(h_ND[:, 0]) if weight_N is None else weight_N.to(h_ND.dtype)
    loss: Tensor = _FullSoftmax.apply(h_ND.to(e_ID.dtype), e_ID, target_N, weight_N / weight_N.sum())  # type: ignore[no-untyped-call]
    return loss


def sampled_softmax(
    h_ND: Tensor, e_ID: Tensor, target_N: Tensor, negative_S: Tensor, log_q_I: Tensor | None = None
) -> Tensor:
    """Cross entropy of the target among itself and S negatives that all rows share.

    A negative that happens to be a row's target is masked in that row.

    Args:
        h_ND: States.
        e_ID: Item vectors.
        target_N: From 1 to I.
        negative_S: Item indices from 1, drawn with replacement.
        log_q_I: Log of the chance of each item to be drawn (entry 0 unused), taken from every logit, so that
            popularity in the sampler does not become unpopularity in the scores. None: no correction, as for a
            uniform sampler, where it would cancel.

    Source: Jean et al. 2015 (arXiv:1412.2007), section 3; Yi et al. 2019 (RecSys, doi:10.1145/3298689.3346996) for
        the correction.
    Differs: negatives are drawn with replacement and shared by the whole batch.
    """
    positive_N = (h_ND * e_ID[target_N]).sum(-1)
    negative_NS = h_ND @ e_ID[negative_S].T
    if log_q_I is not None:
        positive_N = positive_N - log_q_I[target_N]
        negative_NS = negative_NS - log_q_I[negative_S]
    negative_NS = negative_NS.masked_fill(target_N[:, None] == negative_S, -torch.inf)
    everything_NS = torch.cat([positive_N[:, None], negative_NS], dim=1)  # logsumexp of -inf alone has no gradient
    return (torch.logsumexp(everything_NS, dim=1) - positive_N).mean()


def binary(h_ND: Tensor, e_ID: Tensor, target_N: Tensor, negative_NS: Tensor) -> Tensor:
    """Came or came not: the mean of `-log sigmoid(h . e_target) - sum_s log(1 - sigmoid(h . e_s))`.

    Args:
        h_ND: States.
        e_ID: Item vectors.
        target_N: From 1 to I.
        negative_NS: Each row's own negatives; one that is the row's target counts nothing.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III-E.
    Differs: any number of negatives, not one; a negative may be an item of the same user's history.
    """
    positive_N = (h_ND * e_ID[target_N]).sum(-1)
    negative_logit_NS = torch.einsum("nd,nsd->ns", h_ND, e_ID[negative_NS])
    hit_NS = negative_NS == target_N[:, None]
    negative_loss_NS = F.softplus(negative_logit_NS).masked_fill(hit_NS, 0.0)
    return (F.softplus(-positive_N) + negative_loss_NS.sum(1)).mean()


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


def mean_squared_error(h_ND: Tensor, e_ID: Tensor, target_N: Tensor, value_N: Tensor) -> Tensor:
    """The mean of `(h . e_target - value)^2`.

    Source: Koren, Bell & Volinsky 2009 (Computer 42(8), doi:10.1109/MC.2009.263), eq. 2.
    Differs: the user's factor is a state of the history; no penalty here, since weight decay is the optimiser's.
    """
    return F.mse_loss((h_ND * e_ID[target_N]).sum(-1), value_N.to(h_ND.dtype))


def _chunk_rows(num_items: int, dim: int, on_cpu: bool = True) -> int:
    """Rows of logits held at once: a buffer full, but never fewer than make the buffer as big as the item table."""
    return max(dim, (LOGITS_IN_BUFFER if on_cpu else LOGITS_IN_BUFFER_ELSEWHERE) // num_items)


def _shift_where_needed(logit_NI: Tensor) -> None:
    """Move each row, in place, so that its largest logit is 0. On a CPU a look saves most batches the move."""
    top_N1 = logit_NI.amax(dim=1, keepdim=True)
    if logit_NI.device.type != "cpu" or bool(top_N1.abs().max() >= SAFE_LOGIT):
        logit_NI.sub_(top_N1)


class _FullSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, h_ND: Tensor, e_ID: Tensor, target_N: Tensor, weight_N: Tensor) -> Tensor:
        items_ID, index_N = e_ID[1:], target_N - 1
        grads, on_cpu = any(ctx.needs_input_grad), h_ND.device.type == "cpu"  # type: ignore[attr-defined]
        grad_h_ND = torch.empty_like(h_ND) if grads else None
        grad_e_ID = torch.zeros_like(e_ID) if grads else None
        rows = min(len(h_ND), _chunk_rows(len(items_ID), h_ND.shape[1], on_cpu))
        buffer_NI = h_ND.new_empty(rows, len(items_ID))
        safe = on_cpu and bool(h_ND.norm(dim=1).max() * items_ID.norm(dim=1).max() < SAFE_LOGIT)  # Cauchy-Schwarz
        loss = h_ND.new_zeros(())
        for start in range(0, len(h_ND), rows):
            part = slice(start, start + rows)
            x_ND, w_N1 = h_ND[part], weight_N[part, None]
            p_NI = torch.mm(x_ND, items_ID.T, out=buffer_NI[: len(x_ND)])
            if not safe:
                _shift_where_needed(p_NI)
            picked_N1 = p_NI.gather(1, index_N[part, None])
            total_N1 = p_NI.exp_().sum(dim=1, keepdim=True)
            loss += (w_N1 * (total_N1.log() - picked_N1)).sum()
            if grad_h_ND is not None and grad_e_ID is not None:
                share_N1 = w_N1 / total_N1  # normalise the D-wide factors, not the I-wide probabilities
                torch.mm(p_NI, items_ID, out=grad_h_ND[part]).mul_(share_N1)
                grad_e_ID[1:].addmm_(p_NI.T, x_ND * share_N1)
        if grad_h_ND is not None and grad_e_ID is not None:
            grad_h_ND.addcmul_(weight_N[:, None], items_ID[index_N], value=-1)
            grad_e_ID.index_add_(0, target_N, h_ND * weight_N[:, None], alpha=-1)
            ctx.save_for_backward(grad_h_ND, grad_e_ID)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_h_ND, grad_e_ID = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad_h_ND * grad, grad_e_ID * grad, None, None
