"""Item vectors and states to search in, and what a search must find, by scoring everything in double precision."""

import numpy as np
import torch

from horae.recommend.rank import Hidden

KINDS = ("plain", "clustered", "popular", "equal", "copies", "zero", "outlier")


def vectors(kind, num_items, dim, seed=0):
    g = torch.Generator().manual_seed(seed)
    e_ID = torch.randn(num_items + 1, dim, generator=g)
    if kind == "clustered":
        centre = torch.randn(7, dim, generator=g)
        e_ID = centre[torch.randint(7, (num_items + 1,), generator=g)] + 0.1 * e_ID
    elif kind == "popular":  # lengths over three orders of magnitude
        e_ID = e_ID * torch.exp(1.5 * torch.randn(num_items + 1, 1, generator=g))
    elif kind == "equal":
        e_ID = e_ID[:1].expand(num_items + 1, dim).clone()
    elif kind == "copies":
        e_ID = e_ID[torch.arange(num_items + 1) % 40]
    elif kind == "zero":
        e_ID = torch.zeros(num_items + 1, dim)
    elif kind == "outlier":
        e_ID[num_items // 2] *= 1e6
    return e_ID


def states(num, dim, seed=1):
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(seed))


def nothing_hidden():
    return Hidden(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))


def some_hidden(num_requests, num_items, seed=2, allowed=None):
    """Every other request hides up to nine items, some of them twice."""
    rng = np.random.default_rng(seed)
    pairs = [(b, int(i)) for b in range(0, num_requests, 2) for i in rng.integers(1, num_items + 1, 9)]
    request, item = (torch.tensor(column, dtype=torch.int64) for column in zip(*(pairs + pairs[:3]), strict=True))
    order = request.argsort(stable=True)
    return Hidden(request[order], item[order], allowed)


def true_scores(e_ID, h_BD, hidden):
    scores = (h_BD.double() @ e_ID.double().T).float().numpy()
    scores[:, 0] = -np.inf
    scores[hidden.request_P.numpy(), hidden.item_P.numpy()] = -np.inf
    if hidden.allowed_I is not None:
        scores[:, ~hidden.allowed_I.numpy()] = -np.inf
    return scores


def true_top(scores, k):
    """Best first, the lower index among equals, 0 where nothing is left."""
    order = np.stack([np.lexsort((np.arange(len(row)), -row)) for row in scores])[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(best == -np.inf, 0, order), best
