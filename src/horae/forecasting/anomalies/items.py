"""How odd is it that this item came next? In: cases. Out: a signal, and sentences about what cannot be told.

A network that learned probabilities says how much of its probability lies on items no more probable than the one that
came. Of any other model only the order of items is believed. An item that nobody had an event on before is a class of
its own: as rare as such events are among those that calibrate. Of an event that is no target (another look at the item
just seen, a return) nothing is said, as no model was asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl
import torch
from torch import Tensor

from horae.evaluation.metrics.ranks import BoolArray, FloatArray, IndexArray
from horae.forecasting.anomalies.cases import Cases
from horae.forecasting.anomalies.signals import Signal
from horae.forecasting.anomalies.tails import Side
from horae.models.network import Network
from horae.recommend.answering import SCORES_IN_MEMORY
from horae.recommend.recommender import Recommender
from horae.schema import ITEM, TARGET, TIMESTAMP, USER, Requests
from horae.sequences.batch import bucket, encode
from horae.sequences.history import Histories

__all__ = ["item_signals", "mass_not_above", "rank_of"]

BATCH_TOKENS: Final = 16_384
PROBABILITIES: Final = ("softmax", "sampled_softmax")
"""Losses under which a softmax over the scores is the model's own probability."""
TEMPERATURES: Final = tuple(float(t) for t in np.exp(np.linspace(-0.7, 1.4, 22)))
NEWEST: Final = 5
"""Events that are foretold together, from what stands before all of them."""
ENOUGH: Final = 2_000
"""Calibration events that choose the temperature."""

Odd = Callable[[Tensor, Tensor], Tensor]
"""Of scores `[B, I]` and some items of each request `[B, N]`: how odd each item is, `[B, N]`."""
Pair = tuple[Tensor, Tensor]


def item_signals(cases: Cases) -> tuple[list[Signal], tuple[str, ...]]:
    """What can be told of items: of each by itself, and of the newest few beside everything before them."""
    recommender, frame = cases.recommender, cases.frame
    if len(recommender.items) < 2:
        return [], ("The run knows one item only, so items are not judged.",)
    index_N = recommender.items.indices(frame[ITEM].gather(cases.row_N))
    first_N = _first_ever(cases)
    target_N = frame[TARGET].gather(cases.row_N).to_numpy()
    asked_N = (index_N > 0) & ~first_N & target_N
    histories = recommender.histories(cases.requests)
    stranger_N = histories.lengths == 0
    raw_N, place_N = np.full(len(index_N), np.nan), np.zeros(len(index_N))
    warm, strangers = np.flatnonzero(asked_N & ~stranger_N), np.flatnonzero(asked_N & stranger_N)
    odd = _odd(cases, histories, index_N, warm)

    def one(scores_BI: Tensor, item_B: Tensor, odd: Odd = odd) -> Pair:
        return odd(scores_BI, item_B[:, None])[:, 0], rank_of(scores_BI, item_B[:, None])[:, 0]

    def of_stranger(scores_BI: Tensor, item_B: Tensor) -> Pair:
        return one(scores_BI, item_B, _by_rank)

    raw_N[warm], place_N[warm] = _read(recommender, histories.take(warm), index_N[warm], one)
    raw_N[strangers], place_N[strangers] = _read(
        recommender, histories.take(strangers), index_N[strangers], of_stranger, fallback=True
    )
    known, unknown = Side(np.where(stranger_N, np.nan, raw_N)), Side(np.where(stranger_N, raw_N, np.nan))
    fresh = Side(first_N.astype(np.float64), first_N)
    size = len(recommender.items)

    def words(event: int) -> str:
        item = frame[ITEM][int(cases.row_N[event])]
        if first_N[event]:
            return f"item {item} was never seen before"
        return f"item {item} was expected at rank {round(place_N[event]):,} of {size:,}"

    strange = int(((index_N == 0) & ~first_N).sum())
    notes = (f"{strange:,} events are on items that the run does not know: not judged by item.",) if strange else ()
    return [Signal("item", (known, unknown, fresh), words), _habit(cases, odd)], notes


def _habit(cases: Cases, odd: Odd) -> Signal:
    """Mean oddness of the newest five items, each as if asked just before the first of them.

    A model follows whoever acts: after two events of a thief it expects the thief. So it is asked from before.
    """
    recommender, row_N, user_E = cases.recommender, cases.row_N, cases.user_E
    first_E = np.flatnonzero(np.diff(user_E, prepend=-1))[user_E]
    start_N = row_N - (NEWEST - 1)
    asked = np.flatnonzero(start_N > first_E[row_N])
    index_E = recommender.items.indices(cases.frame[ITEM])
    index_AW = index_E[start_N[asked][:, None] + np.arange(NEWEST)]
    start_A = start_N[asked]
    histories = recommender.histories(Requests(users=cases.frame[USER].gather(start_A), rows=start_A))
    kept = (index_AW > 0).all(1) & (histories.lengths > 0)
    asked, index_AW, histories = asked[kept], index_AW[kept], histories.take(np.flatnonzero(kept))

    def together(scores_BI: Tensor, item_BW: Tensor) -> Pair:
        each_BW = odd(scores_BI, item_BW)
        return each_BW.mean(-1), each_BW[:, 0]

    raw_N = np.full(len(row_N), np.nan)
    raw_N[asked] = _read(recommender, histories, index_AW, together)[0]
    return Signal("habit", (Side(raw_N),), lambda _: f"the newest {NEWEST} items are unlike what this user did before")


def mass_not_above(scores_BI: Tensor, item_BN: Tensor, temperature: float = 1.0) -> Tensor:
    """`-log` of the probability of all items that are no more probable than the one that came.

    Shape:
        scores_BI: without the padding item; item_BN: columns of it. Out: float64 `[B, N]`.

    The p value of an exact test: 1 for the most probable item however improbable each is, unlike `-log P(item)`, which
    calls whatever comes surprising where many things may come.
    """
    log_BI = (scores_BI.double() / temperature).log_softmax(-1)
    own_BN = log_BI.gather(1, item_BN)
    masses = [torch.where(log_BI <= own_B[:, None], log_BI, -torch.inf).logsumexp(-1) for own_B in own_BN.unbind(1)]
    return -torch.stack(masses, dim=1)


def rank_of(scores_BI: Tensor, item_BN: Tensor) -> Tensor:
    """Rank from 1 of each item among all, the middle one among equals; float64 `[B, N]`."""
    ranks = []
    for own_B in scores_BI.gather(1, item_BN).unbind(1):
        own_B1 = own_B[:, None]
        above_B, equal_B = (scores_BI > own_B1).sum(-1), (scores_BI == own_B1).sum(-1)
        ranks.append(above_B.double() + (equal_B.double() + 1) / 2)
    return torch.stack(ranks, dim=1)


def _odd(cases: Cases, histories: Histories, index_N: IndexArray, warm: IndexArray) -> Odd:
    """How scores of the run's model are read: as probabilities, where they were learned as such."""
    recommender = cases.recommender
    loss = recommender.recipe.train.get("loss", "softmax")
    if not isinstance(recommender.model, Network) or loss not in PROBABILITIES:
        return _by_rank
    chosen = warm[cases.calibration_N[warm]]
    chosen = chosen[:: max(1, len(chosen) // ENOUGH)]
    return _by_mass(_temperature(recommender, histories.take(chosen), index_N[chosen]))


def _by_rank(scores_BI: Tensor, item_BN: Tensor) -> Tensor:
    return rank_of(scores_BI, item_BN).log()


def _by_mass(temperature: float) -> Odd:
    return lambda scores_BI, item_BN: mass_not_above(scores_BI, item_BN, temperature)


def _temperature(recommender: Recommender, histories: Histories, index_N: IndexArray) -> float:
    """Under which the items that came were most probable (Guo et al. 2017, arXiv:1706.04599)."""
    if not len(index_N):
        return 1.0

    def losses(scores_BI: Tensor, item_B: Tensor) -> Pair:
        own_B = scores_BI.gather(1, item_B[:, None]).squeeze(1)
        loss_BT = torch.stack([(scores_BI / t).logsumexp(-1) - own_B / t for t in TEMPERATURES], dim=-1)
        return loss_BT, loss_BT

    loss_NT, _ = _read(recommender, histories, index_N, losses)
    return TEMPERATURES[int(np.argmin(loss_NT.mean(0)))]


def _read(
    recommender: Recommender,
    histories: Histories,
    index_N: IndexArray,
    read: Callable[[Tensor, Tensor], Pair],
    *,
    fallback: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Read two numbers of each event from the scores of all items, in blocks that fit in memory."""
    if not len(index_N):
        return np.empty(0), np.empty(0)
    model, device = (recommender.fallback, "cpu") if fallback else (recommender.model, recommender.device)
    most = max(1, SCORES_IN_MEMORY // (len(recommender.items) + 1))
    lengths = histories.lengths if model.max_len is None else np.minimum(histories.lengths, model.max_len)
    batches = [batch[at : at + most] for batch in bucket(lengths, BATCH_TOKENS) for at in range(0, len(batch), most)]
    if isinstance(model, Network):
        model.eval()
    parts = []
    with torch.inference_mode():
        for rows in batches:
            scores_BI = model.score(encode(histories.take(rows), model.max_len, device))[:, 1:]
            parts.append(read(scores_BI, torch.from_numpy(index_N[rows] - 1).to(scores_BI.device)))
    order = np.argsort(np.concatenate(batches))
    first, second = (torch.cat(column).cpu().double().numpy()[order] for column in zip(*parts, strict=True))
    return first, second


def _first_ever(cases: Cases) -> BoolArray:
    """Events on items that nobody had an event on before, by the clock; False where times are unknown."""
    times = cases.frame.select(
        (pl.col(TIMESTAMP) == pl.col(TIMESTAMP).min().over(ITEM)).fill_null(False).alias("first"),
        pl.col(TIMESTAMP).is_null().any().over(ITEM).alias("unknown"),
    )
    return (times["first"] & ~times["unknown"]).gather(cases.row_N).to_numpy()
