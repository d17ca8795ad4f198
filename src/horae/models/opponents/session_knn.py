"""Session neighbours: what past sessions that share the current session's items also held.

In: the events of the current session, newer ones weighing more. Out: summed similarities of the neighbouring sessions
that held each item. A session has no gap over `session_minutes`; where times are unknown or gaps cut nearly everything
apart, a user's whole line is one. It does not know users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from horae.models.opponents.by_history import ByHistory, FloatArray, in_range, item_shares, longer, popular_last
from horae.models.opponents.sparse import (
    Csr,
    from_tensors,
    history_matrix,
    incidence,
    keep_first,
    keep_largest,
    recency_weights,
    scaled,
    to_tensors,
    wider,
)
from horae.sequences.batch import SequenceBatch
from horae.sequences.history import Sequences

__all__ = ["SessionKNN", "SessionKNNSettings"]

ROWS_AT_ONCE = 512
MINUTE_SECONDS = 60.0


@dataclass(frozen=True)
class SessionKNNSettings:
    """Keys of `[model]` with `opponent = "session_knn"`.

    Attributes:
        sessions: `gaps` cuts lines where nothing happened for over `session_minutes`; `users` takes whole lines; `auto`
            cuts unless that leaves most events alone in their session.
        session_minutes: See `sessions`.
        neighbors: Most similar sessions asked.
        recent_sessions: Of each item, only so many of the newest sessions that hold it can be neighbours.
        half_life_events: The weight of a current event halves every so many events back; 0: all weigh 1.
        max_len: Newest events of a history that can be in the current session.
    """

    sessions: Literal["auto", "gaps", "users"] = "auto"
    session_minutes: float = 30.0
    neighbors: int = 100
    recent_sessions: int = 500
    half_life_events: float = 2.0
    max_len: int = 20

    def __post_init__(self) -> None:
        in_range("session_minutes", self.session_minutes, above=0)
        in_range("half_life_events", self.half_life_events, least=0)
        for key in ("neighbors", "recent_sessions", "max_len"):
            in_range(key, getattr(self, key), least=1)


class SessionKNN(ByHistory):
    """`score(j) = idf_j sum_n sim_n [session n held j]` over the sessions n most similar to the current one.

    `sim_n = sum_i w_i [n held i]`, w halving with each `half_life_events` back; only the `recent_sessions` newest
    sessions of each item are looked at, and the newer one wins among equals. `idf_j = log(sessions / sessions with j)`.
    Every event counts, target or not. Items that no neighbour held come last, by popularity.

    Source: Kersbergen, Sprangers & Schelter, SIGMOD 2022 (Serenade: VMIS-kNN), section 3; Garg et al., SIGIR 2019
        (STAN), eq. 4 for the exponential decay in the current session.
    Differs: exponential instead of linear position weights; no weight by the place of the last shared item; the idf is
        `log(1 + S / S_j)`, so that an item of every session still counts; sessions may be whole lines.
    """

    def __init__(self, settings: SessionKNNSettings = SessionKNNSettings()) -> None:
        self.settings = settings
        self.max_len = settings.max_len

    def fit(self, sequences: Sequences) -> Self:
        """Cut everybody's line into sessions, the newest first."""
        flat = sequences.flat
        user_N = sequences.user_of_N()
        gap_N = np.diff(flat.time_N, prepend=np.nan) > self.settings.session_minutes * MINUTE_SECONDS
        newcomer_N = np.diff(user_N, prepend=0) > 0
        self._by_gaps = self._cut_by_gaps(newcomer_N | gap_N, flat.time_N)
        begins_N = newcomer_N | gap_N if self._by_gaps else newcomer_N
        session_N = _newest_first(np.cumsum(begins_N) - 1, flat.time_N)
        shape = (int(begins_N.sum()), sequences.num_items + 1)
        self._share_I = item_shares(sequences)
        self.num_items = sequences.num_items
        return self._index(incidence(session_N, flat.item_N, shape))

    def arrays(self) -> dict[str, Tensor]:
        """The sessions, newest first, and how they were cut."""
        cut = torch.tensor([self._by_gaps])
        return {**to_tensors("sessions", self._sessions), "share_I": torch.from_numpy(self._share_I), "by_gaps": cut}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """See `Opponent.load_arrays`."""
        self._share_I = arrays["share_I"].numpy()
        self._by_gaps = bool(arrays["by_gaps"].item())
        self.num_items = num_items
        return self._index(from_tensors("sessions", arrays, num_items + 1))

    def _index(self, sessions: Csr) -> Self:
        self._sessions = sessions
        held_I = np.bincount(sessions.indices, minlength=sessions.shape[1])
        self._idf_I = np.log1p(sessions.shape[0] / np.maximum(held_I, 1)).astype(np.float32)
        self._by_item = keep_first(Csr(sessions.T.tocsr()), self.settings.recent_sessions)
        return self

    def _cut_by_gaps(self, begins_N: npt.NDArray[np.bool_], time_N: npt.NDArray[np.float64]) -> bool:
        if self.settings.sessions != "auto":
            return self.settings.sessions == "gaps"
        sizes = np.bincount(np.cumsum(begins_N))
        return not np.isnan(time_N).all() and bool(2 * np.count_nonzero(sizes == 1) <= len(begins_N))

    def _grow(self, num: int) -> None:
        self._share_I = longer(self._share_I, num)
        self._index(wider(self._sessions, num))

    def _scores(self, batch: SequenceBatch) -> FloatArray:
        weight_BL = recency_weights(batch, self.settings.half_life_events, self.max_len)
        if self._by_gaps:
            weight_BL *= _in_current_session(batch, self.settings.session_minutes * MINUTE_SECONDS)
        current = history_matrix(batch, self.num_items, weight_BL)
        scores_BI = np.zeros(current.shape, dtype=np.float32)
        for start in range(0, len(batch), ROWS_AT_ONCE):
            alike = keep_largest(Csr(current[start : start + ROWS_AT_ONCE] @ self._by_item), self.settings.neighbors)
            scores_BI[start : start + ROWS_AT_ONCE] = scaled(Csr(alike @ self._sessions), self._idf_I).toarray()
        return popular_last(scores_BI, self._share_I)


def _in_current_session(batch: SequenceBatch, gap_seconds: float) -> npt.NDArray[np.bool_]:
    """True from the event after the history's last gap on; an unknown time is no gap."""
    time_BL = batch.time_BL.cpu().numpy()
    begins_BL = np.zeros(time_BL.shape, dtype=np.bool_)
    begins_BL[:, 1:] = np.diff(time_BL, axis=1) > gap_seconds
    gaps_after_BL = begins_BL[:, ::-1].cumsum(axis=1)[:, ::-1] - begins_BL
    return np.asarray(gaps_after_BL == 0)


def _newest_first(session_N: npt.NDArray[np.int64], time_N: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Number the sessions by their last event, the newest 0; without times, the last of the log is the newest."""
    last_S = np.append(np.flatnonzero(np.diff(session_N)), len(session_N) - 1)
    oldest_first = np.argsort(np.where(np.isnan(time_N[last_S]), -np.inf, time_N[last_S]), kind="stable")
    number_S = np.empty(len(last_S), dtype=np.int64)
    number_S[oldest_first[::-1]] = np.arange(len(last_S))
    return number_S[session_N]
