"""A split of ours as arrays that any peer can read: the same users, items, order and targets on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from horae.data.split import Split
from horae.schema import ITEM, USER
from horae.sequences.vocabulary import Vocabulary

PARTS = {"train": 0, "validation": 1, "test": 2, "unused": 3}


def hand_over(split: Split, file: Path) -> Path:
    """Write everybody's events in order; items as numbers from 0, -1 where no training knows them."""
    frame = split.events.frame
    items = Vocabulary.of(split.train.frame[ITEM])
    user_N = frame[USER].rle_id().to_numpy()
    np.savez(
        file,
        item_N=items.indices(frame[ITEM]).astype(np.int64) - 1,
        part_N=split.part.cast(pl.String).replace_strict(PARTS).to_numpy().astype(np.int8),
        offset_U=np.concatenate([[0], np.cumsum(np.bincount(user_N))]).astype(np.int64),
        num_items=np.int64(len(items)),
    )
    return file
