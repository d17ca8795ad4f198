"""What a log's columns of context say of an event and of the question after it, as vectors to add to a network's input.

In: a batch, whose context may be unknown. Out: one vector per event. Each event tells its own context, itself counted;
the question tells only what the recipe says is known when asking. Starts at zero, so that it changes nothing until it
helps. Does not know names of values, items or encoders.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from horae.errors import RecipeError
from horae.models.bins import LOOKED_AT, NUM_BINS, edges_of, rows_of
from horae.sequences.batch import SequenceBatch
from horae.sequences.context import MOST_VALUES
from horae.sequences.history import Sequences

__all__ = ["ContextInputs", "without_some_context"]


class ContextInputs(nn.Module):
    """The sum of a learned vector for each column's value, or for the bin that a number falls into.

    A value has a bin of its own; what is unknown has a vector of its own. Every column has room for `MOST_VALUES`.

    Args:
        at_events: Names of columns that events tell.
        at_questions: Names of columns that questions tell.
        dim: Width of the vectors.

    Shape:
        batch -> x_BLD.

    Source: Covington et al. 2016 (doi:10.1145/2959100.2959190), section 4.1: embedded categories, numbers by quantiles.
    Differs: a number has the vector of its bin; vectors are added to those of events, not put beside them.
    """

    edge_TE: Tensor
    column_T: Tensor

    def __init__(self, at_events: Sequence[str], at_questions: Sequence[str], dim: int) -> None:
        super().__init__()
        self.told = (*at_events, *at_questions)
        self.num_events = len(at_events)
        self.register_buffer("column_T", torch.arange(len(self.told)))
        self.register_buffer("edge_TE", torch.full((len(self.told), MOST_VALUES - 1), torch.inf))
        self.vector_ND = nn.Parameter(torch.zeros(len(self.told) * (MOST_VALUES + 1), dim))

    def look_at(self, sequences: Sequences) -> None:
        """Learn where the columns stand among those of the log, and where bins end, before the first step.

        Raises:
            RecipeError: The log was laid out without one of them.
        """
        feature_NF, context = sequences.flat.feature_NF, sequences.context
        step = max(1, len(feature_NF) // LOOKED_AT)
        for place, name in enumerate(self.told):
            if name not in context.values:
                raise RecipeError(
                    f'[model] context: the log was prepared without the column "{name}".',
                    hint=f"It has {', '.join(context.names) or 'none'}. Prepare it again, with --context {name}.",
                )
            column = context.names.index(name)
            self.column_T[place] = column
            if context.values[name] is not None:
                self.edge_TE[place] = torch.arange(1, MOST_VALUES) + 0.5  # between the codes
            else:
                self.edge_TE[place] = torch.inf
                self.edge_TE[place, : NUM_BINS - 1] = edges_of(feature_NF[::step, column])

    def forward(self, batch: SequenceBatch) -> Tensor:
        """One vector per event."""
        of_event_F, of_question_F = self.column_T[: self.num_events], self.column_T[self.num_events :]
        told = (batch.feature_BLF[..., of_event_F], batch.request_feature_BLF[..., of_question_F])
        number_TN = torch.cat(told, dim=-1).flatten(0, 1).T.contiguous()
        x_ND: Tensor = F.embedding_bag(rows_of(number_TN, self.edge_TE), self.vector_ND, mode="sum")
        return x_ND.view(*batch.item_BL.shape, -1)


def without_some_context(batch: SequenceBatch, share: float) -> SequenceBatch:
    """The batch as it is learned from: some histories lose their context, and some questions theirs."""
    if share == 0:
        return batch
    feature_BLF, asked_in_BLF = batch.feature_BLF, batch.request_feature_BLF
    lost_B11 = torch.rand(len(feature_BLF), 1, 1, device=feature_BLF.device) < share
    unasked_BL1 = torch.rand(feature_BLF.shape[:2], device=feature_BLF.device)[..., None] < share
    unasked_BLF = asked_in_BLF.masked_fill(unasked_BL1, torch.nan)
    return batch.in_context(feature_BLF.masked_fill(lost_B11, torch.nan), unasked_BLF)
