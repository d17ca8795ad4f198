"""What a history says in numbers, such as `count_7d`, as vectors to add to what a network sees of each event.

In: a batch, whose times and values may be unknown. Out: one vector per event. Each number is told as of the event,
itself counted, and, where time changes it, as of the question after it; never from anything later. It is about what the
network sees, at most its newest `max_len` events. Starts at zero, so that it changes nothing until it helps. Does not
know items or encoders.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.errors import RecipeError
from horae.models.bins import LOOKED_AT, NUM_BINS, edges_of, rows_of
from horae.models.history_numbers import WHERE, HistoryFeature, Pasts
from horae.sequences.batch import SequenceBatch
from horae.sequences.framing import Next, windows
from horae.sequences.history import BLOCK, Sequences

__all__ = ["HistoryFeatures"]


class HistoryFeatures(nn.Module):
    """The sum of a learned vector for the bin (`horae.models.bins`) that each number falls into.

    Args:
        features: Which, from `features_of`.
        dim: Width of the vectors.

    Shape:
        batch -> x_BLD.

    Source: Gorishniy et al. 2022 (arXiv:2203.05556), section 3.2, for bins by quantiles.
    Differs: see `horae.models.bins`; added to the inputs of a network over events.
    """

    edge_FE: Tensor

    def __init__(self, features: Sequence[HistoryFeature], dim: int) -> None:
        super().__init__()
        self.features = tuple(features)
        self.timed_F = [feature.timed for feature in self.features]
        told = len(self.features) + sum(self.timed_F)
        self.register_buffer("edge_FE", torch.full((len(self.features), NUM_BINS - 1), torch.inf))
        self.vector_ND = nn.Parameter(torch.zeros(told * (NUM_BINS + 1), dim))

    @property
    def timed(self) -> bool:
        """Does any need times?"""
        return any(self.timed_F)

    def look_at(self, sequences: Sequences, max_len: int) -> None:
        """Set where the bins lie, from the training events, before the first step.

        Raises:
            RecipeError: A feature of values or times of which the log has none.
        """
        self._check(sequences)
        cut = windows(sequences, max_len, "all")
        rows = np.linspace(0, len(cut) - 1, min(len(cut), max(1, LOOKED_AT // max_len))).astype(np.int64)
        batch = Next().frame(cut.take(rows), np.random.default_rng(0)).batch
        event_FN, question_FN = torch.full((2, len(self.features), batch.item_BL.numel()), torch.nan)
        event_FN[:], question_FN[self.timed_F] = (number_FBL.flatten(1) for number_FBL in self._numbers(batch))
        for place, number_N in enumerate(torch.cat([event_FN, question_FN], dim=1).numpy()):
            self.edge_FE[place] = edges_of(number_N)

    def forward(self, batch: SequenceBatch) -> Tensor:
        """One vector per event."""
        x_ND: Tensor = F.embedding_bag(self._bins(batch), self.vector_ND, mode="sum")
        return x_ND.view(*batch.item_BL.shape, -1)

    def _bins(self, batch: SequenceBatch) -> Tensor:
        """Rows of `vector_ND`: for all features as of the event, then for the timed ones as of the question."""
        number_TN = torch.cat(self._numbers(batch)).flatten(1)
        return rows_of(number_TN, torch.cat([self.edge_FE, self.edge_FE[self.timed_F]]))

    def _numbers(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """All features as of each event, and the timed ones as of the question after it; NaN where unknown."""
        event, question = Pasts(batch, batch.time_BL), Pasts(batch, batch.request_time_BL)
        number_FBL = [feature.numbers(event) for feature in self.features]
        asked_TBL = [feature.numbers(question) for feature in self.features if feature.timed]
        nothing_TBL = batch.value_BL.new_empty(0, *batch.value_BL.shape)
        return torch.stack(number_FBL), torch.stack(asked_TBL) if asked_TBL else nothing_TBL

    def _check(self, sequences: Sequences) -> None:
        values = [feature.name for feature in self.features if feature.of_values]
        times = [feature.name for feature in self.features if feature.timed]
        for names, what, column_N in (
            (values, "values", sequences.flat.value_N),
            (times, "times", sequences.flat.time_N),
        ):
            if names and all(np.isnan(column_N[at : at + BLOCK]).all() for at in range(0, len(column_N), BLOCK)):
                raise RecipeError(f"{WHERE}: {names[0]} needs {what}, which the log does not have.", hint="Remove it.")
