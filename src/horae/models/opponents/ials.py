"""iALS: matrix factorisation of who had what, for implicit feedback; a history is folded in when it asks.

In: the history as a set of items. Out: products of the vector solved for it with the items' vectors. No order is known.
Fitting and folding in are done by the library `implicit` (the extra `classic`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from horae.errors import MissingExtraError
from horae.models.opponents.by_history import ByHistory, FloatArray, in_range
from horae.models.opponents.sparse import history_matrix, user_matrix
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["IALS", "IALSSettings"]


@dataclass(frozen=True)
class IALSSettings:
    """Keys of `[model]` with `opponent = "ials"`.

    Attributes:
        factors: Width of the vectors.
        regularization: Weight of the vectors' squared lengths.
        alpha: Confidence in what was seen, where what was not has 1.
        iterations: Alternations.
        seed: Of the vectors' random start.
    """

    factors: int = 128
    regularization: float = 10.0
    alpha: float = 10.0
    iterations: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        in_range("factors", self.factors, least=1)
        in_range("iterations", self.iterations, least=1)
        in_range("regularization", self.regularization, least=0)
        in_range("alpha", self.alpha, above=0)
        in_range("seed", self.seed, least=0)


class IALS(ByHistory):
    """`score(i) = x . y_i`, x the least squares vector of the history given all y.

    Minimises `sum_ui c_ui (p_ui - x_u . y_i)^2 + regularization (sum |x_u|^2 + sum |y_i|^2)`: p is 1 and c is alpha
    where user u had a target event on item i, else p is 0 and c is 1.

    Source: Hu, Koren & Volinsky, ICDM 2008, eq. 3 to 5.
    Differs: c is alpha, not 1 + alpha r; fitted by three steps of conjugate gradients for each alternation (Takacs,
        Pilaszy & Tikk, RecSys 2011), folded in exactly; users' vectors are not kept.
    """

    def __init__(self, settings: IALSSettings = IALSSettings()) -> None:
        self.settings = settings

    def fit(self, sequences: Sequences) -> Self:
        """Alternate.

        Raises:
            MissingExtraError: `implicit` is not installed.
        """
        factoriser = self._factoriser()
        # column 0 is no item: implicit would take it for one that nobody wanted
        with _one_blas_thread():
            factoriser.fit(sparse.csr_matrix(user_matrix(sequences)[:, 1:]), show_progress=False)
        return self._use(factoriser.item_factors, factoriser)

    def arrays(self) -> dict[str, Tensor]:
        """The items' vectors, without a row for padding."""
        return {"item_IK": torch.from_numpy(self._item_IK)}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`.

        Raises:
            MissingExtraError: `implicit` is not installed.
        """
        factoriser = self._factoriser()
        factoriser.item_factors = arrays["item_IK"].numpy()
        assert len(factoriser.item_factors) == num_items
        return self._use(factoriser.item_factors, factoriser)

    def _use(self, item_IK: FloatArray, factoriser: Any) -> Self:
        self._item_IK, self._fold = item_IK, factoriser
        self.num_items = len(item_IK)
        return self

    def _factoriser(self) -> Any:
        try:
            from implicit.cpu.als import AlternatingLeastSquares
        except ImportError as error:
            raise MissingExtraError(
                "ials needs the library implicit, which is not installed.", hint="pip install 'horae[classic]'"
            ) from error
        s = self.settings
        with _one_blas_thread():  # its constructor warns where there are more, once in a process
            return AlternatingLeastSquares(
                s.factors, s.regularization, s.alpha, iterations=s.iterations, random_state=s.seed
            )

    def _grow(self, num: int) -> None:
        self._item_IK = np.pad(self._item_IK, ((0, num), (0, 0)))
        self._fold.item_factors = self._item_IK

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        history = sparse.csr_matrix(history_matrix(batch, self.num_items)[:, 1:])
        with _one_blas_thread():
            x_BK = self._fold.recalculate_user(np.arange(len(batch)), history)
        scores_BI = np.zeros((len(batch), self.num_items + 1), dtype=np.float32)
        np.matmul(x_BK, self._item_IK.T, out=scores_BI[:, 1:])
        return scores_BI


def _one_blas_thread() -> Any:
    """Implicit runs its own threads, each of which calls BLAS; threads of both kinds slow it tenfold."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # implicit depends on it

    return threadpool_limits(1, user_api="blas")
