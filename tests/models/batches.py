"""Small batches for the tests of networks."""

import torch

from horae.sequences.batch import SequenceBatch
from horae.sequences.framing import Framed


def batch_of(histories, behavior=1):
    """Histories as lists of item indices."""
    length_B = torch.tensor([len(history) for history in histories])
    width = max(1, int(length_B.max()))
    item_BL = torch.tensor([[*history, *[0] * (width - len(history))] for history in histories])
    unknown_BL = torch.full(item_BL.shape, float("nan"))
    behavior_BL = torch.where(item_BL > 0, behavior, 0)
    return SequenceBatch(item_BL, behavior_BL, unknown_BL.double(), unknown_BL, length_B, unknown_BL.double())


def framed(lines, values=None):
    """Each line's last item is a target only; values stand beside the targets."""
    batch = batch_of([line[:-1] for line in lines])
    target_BL = torch.zeros_like(batch.item_BL)
    value_BL = torch.full(target_BL.shape, float("nan"))
    for row, line in enumerate(lines):
        target_BL[row, : len(line) - 1] = torch.tensor(line[1:])
        if values is not None:
            value_BL[row, : len(line) - 1] = torch.tensor(values[row])
    return Framed(batch, target_BL, (target_BL > 0).long(), value_BL)
