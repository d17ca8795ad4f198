"""Heads: what a network's states are asked. A head turns states and item vectors so that one dot product answers.

In: the encoder's states and the item table's vectors. Out: states and vectors, perhaps one column wider, with
`score = state . vector`. So every loss, every ranking and every search in a large catalog needs the dot product only.
One head is no dot product and says so (`by_product`): then every item is scored, and nothing is searched.
Heads do not know encoders.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Head", "NextItem", "Pair", "Value"]

NUMBERS_AT_ONCE = 2**19
"""Of a hidden layer over pairs: 2 MB. Over 100,000 items of width 128 a request took 12 ms; in one piece, 50."""


class Head(nn.Module):
    """What the dot product of a state and an item's vector means.

    Attributes:
        by_product: `scores` is that product, so that vectors can be searched.
    """

    by_product = True

    def states(self, h_BLD: Tensor) -> Tensor:
        """States to meet `vectors`."""
        raise AssertionError("a head defines its states")

    def vectors(self, e_ID: Tensor, items_N: Tensor | None = None) -> Tensor:
        """Item vectors to meet `states`: of all items, or of those that `items_N` names."""
        raise AssertionError("a head defines its vectors")

    def scores(self, h_BD: Tensor, e_ND: Tensor) -> Tensor:
        """`[B, N]`: of what `states` and `vectors` made."""
        return h_BD @ e_ND.T

    def grow(self, num: int) -> None:
        """Take `num` more items in, after the last."""


class NextItem(Head):
    """A logit per item: how likely it comes next, up to the softmax.

    Args:
        num_items: I.
        bias: Learn one number per item beside its vector.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), eq. 6, with the shared item table of section III-D.
    Differs: the optional bias, which the paper does not have.
    """

    def __init__(self, num_items: int, bias: bool) -> None:
        super().__init__()
        self.bias_I = nn.Parameter(torch.zeros(num_items + 1)) if bias else None

    def states(self, h_BLD: Tensor) -> Tensor:
        """As they are, or with a 1 that meets the bias."""
        return h_BLD if self.bias_I is None else _with_ones(h_BLD)

    def vectors(self, e_ID: Tensor, items_N: Tensor | None = None) -> Tensor:
        """As they are, or with the bias as a last column."""
        return e_ID if self.bias_I is None else torch.cat([e_ID, _of(self.bias_I, items_N)[:, None]], dim=1)

    def grow(self, num: int) -> None:
        """New items start without bias."""
        if self.bias_I is not None:
            self.bias_I = nn.Parameter(torch.cat([self.bias_I.data, self.bias_I.new_zeros(num)]))


class Value(Head):
    """The value expected of an event on an item: `mean + scale * (h . e + bias)`.

    `mean` and `scale` are facts of the training values, set once (`set_range`), so that the network learns about
    numbers near 0 and 1 whatever the unit of the values. For values that are labels they stay 0 and 1, and the answer
    is the logit of the label.

    Source: Koren, Bell & Volinsky 2009 (Computer 42(8), doi:10.1109/MC.2009.263), eq. 4 (mean, item bias, product).
    Differs: no bias per user: the state of the history stands for the user.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.bias_I = nn.Parameter(torch.zeros(num_items + 1))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def set_range(self, mean: float, scale: float) -> None:
        """Say where the training values lie; a scale of 0 (all equal) counts as 1."""
        self.mean.fill_(mean)
        self.scale.fill_(scale or 1.0)

    def states(self, h_BLD: Tensor) -> Tensor:
        """With a 1 that meets the mean and the bias."""
        return _with_ones(h_BLD)

    def vectors(self, e_ID: Tensor, items_N: Tensor | None = None) -> Tensor:
        """In the unit of the values, with mean and bias as a last column."""
        bias_N = _of(self.bias_I, items_N)
        return torch.cat([e_ID * self.scale, (self.mean + self.scale * bias_N)[:, None]], dim=1)

    def grow(self, num: int) -> None:
        """New items start at the mean."""
        self.bias_I = nn.Parameter(torch.cat([self.bias_I.data, self.bias_I.new_zeros(num)]))


class Pair(Head):
    """The probability of each behavior with a candidate: a dense layer over the state, joined with the candidate.

        z = relu(S h + C e + a),    p_c = sigmoid(v_c . z + b_c),    score = log sum_c worth_c p_c

    The first layer of a joined vector `[h, e]` is a sum of what the state alone decides (`states`: `S h + a`) and what
    the item alone decides (`vectors`: `C e`). The second is computed once for all requests, so an answer costs I x K,
    not I x 2 D x K. It stays dense: no dot product orders items as this does, hence no search by vectors.

    Args:
        dim: D.
        hidden: K.
        num_behaviors: Behaviors of the log; output 0 is an event whose behavior is unknown.

    Source: He et al. 2017 (NeuMF, arXiv:1708.05031), section 3.3: a dense layer over user and item side by side,
        trained by binary cross-entropy.
    Differs: one output per behavior; the state of a history stands for the user. Rendle et al. 2020 (arXiv:2005.09683)
        found that such a layer learns a dot product with difficulty: expect `next_item` to rank better.
    """

    by_product = False
    worth_C: Tensor

    def __init__(self, dim: int, hidden: int, num_behaviors: int) -> None:
        super().__init__()
        self.dim = dim
        self.state = nn.Linear(dim, hidden)
        self.candidate = nn.Linear(dim, hidden, bias=False)
        self.out = nn.Linear(hidden, num_behaviors + 1)
        nn.init.constant_(self.out.bias, -3.0)  # of all pairs few come: the first steps need not find that out
        self.register_buffer("worth_C", torch.ones(num_behaviors + 1))

    def set_worth(self, worth_C: Tensor) -> None:
        """Say what each behavior counts in the score; 0: nothing. One at least counts."""
        assert worth_C.shape == self.worth_C.shape and bool((worth_C > 0).any()) and bool((worth_C >= 0).all())
        self.worth_C.copy_(worth_C)

    def states(self, h_BLD: Tensor) -> Tensor:
        """The state's half of the hidden layer, K wide."""
        half_BLK: Tensor = self.state(h_BLD)
        return half_BLK

    def vectors(self, e_ID: Tensor, items_N: Tensor | None = None) -> Tensor:
        """The candidate's half, K wide; item vectors are short, and are brought to the length that encoders see."""
        half_IK: Tensor = self.candidate(e_ID * self.dim**0.5)
        return half_IK

    def logits(self, joined_NK: Tensor) -> Tensor:
        """`logit_NC` of what happens, of pairs whose two halves have been added."""
        logit_NC: Tensor = self.out(F.relu(joined_NK))
        return logit_NC

    def scores(self, h_BD: Tensor, e_ND: Tensor) -> Tensor:
        """Piece by piece, so that B x N hidden layers never stand in memory."""
        counts = torch.nonzero(self.worth_C > 0).flatten()
        weight_CK, bias_C, log_worth_C = self.out.weight[counts], self.out.bias[counts], self.worth_C[counts].log()
        pairs = max(1, NUMBERS_AT_ONCE // h_BD.shape[1])
        few = max(1, pairs // max(1, len(e_ND)))
        score_BN = h_BD.new_empty(len(h_BD), len(e_ND))
        for row in range(0, len(h_BD), few):
            for item in range(0, len(e_ND), pairs):
                hidden_BNK = F.relu(h_BD[row : row + few, None] + e_ND[item : item + pairs])
                log_chance_BNC = F.logsigmoid(F.linear(hidden_BNK, weight_CK, bias_C))
                score_BN[row : row + few, item : item + pairs] = torch.logsumexp(log_chance_BNC + log_worth_C, dim=2)
        return score_BN


def _of(bias_I: Tensor, items_N: Tensor | None) -> Tensor:
    return bias_I if items_N is None else bias_I[items_N]


def _with_ones(h: Tensor) -> Tensor:
    return torch.cat([h, h.new_ones(*h.shape[:-1], 1)], dim=-1)
