"""Before the training proper: guess hidden items from both sides, and attributes from items and from their places.

    network -> Pretraining (its own items and encoder, looking both ways) -> the one loop -> the same network, wiser

In: a network that looks back only, and what its items are. Out: the same network, its items and its encoder moved. What
was only needed to ask (the mask, the attributes' heads) is gone afterwards. This module does not know recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor, nn

from horae.errors import DataError
from horae.features.content.attributes import attributes_of
from horae.features.content.encode import ids_of
from horae.models.encoders import Encoder
from horae.models.network import Network
from horae.schema import IndexArray
from horae.sequences.framing import Framed, Masked
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.loop import LoopSettings, Trained, train_network
from horae.training.losses import attribute_loss, full_softmax
from horae.training.objectives import Step
from horae.training.options import Options
from horae.training.progress import Progress

__all__ = ["Labels", "Pretraining", "PretrainingObjective", "labels_of", "pretrain"]

SHARE = 0.2
"""Of the events, hidden."""

ATTRIBUTES_WEIGH = 0.2
"""What each of both attribute losses counts against the hidden item's."""

MOST = 2_048
"""Attributes kept, those of most items first."""

FEWEST = 3
"""Items that an attribute is of, at least: one that is of fewer says no more than the item itself."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Which item has which attribute.

    Attributes:
        names: `column=value`, by number.
        label_IA: Row 0 is padding; a row without any is an item of which nothing is known.
    """

    names: list[str]
    label_IA: sparse.csr_array

    def of(self, items_N: IndexArray) -> Tensor:
        """`label_NA`, of zeros and ones."""
        return torch.from_numpy(self.label_IA[items_N].toarray())


def labels_of(items: Vocabulary, catalog: pl.DataFrame | None, columns: Sequence[str]) -> Labels:
    """The attributes of a run's items.

    Raises:
        DataError: There is no catalog, no such column, or no attribute that three items share and not all have.
    """
    if catalog is None:
        raise DataError(
            "[train] pretrain_attributes asks for what items are, but there is no catalog.",
            hint="Add --catalog items.csv; or in Python catalog=frame.",
        )
    index_N = items.indices(ids_of(catalog))
    pairs = [
        (int(index), name)
        for index, names in zip(index_N, attributes_of(catalog, columns), strict=True)
        if index > 0
        for name in names
    ]
    counted = pl.Series("name", [name for _, name in pairs], dtype=pl.String).value_counts(name="items")
    useful = counted.filter(pl.col("items").is_between(FEWEST, len(items) - 1))
    names = useful.sort(["items", "name"], descending=[True, False]).head(MOST)["name"].to_list()
    if not names:
        raise DataError(
            f"No value of {', '.join(columns)} is shared by {FEWEST} items of the log or more, but not by all.",
            hint="Name columns that group items, such as categories; compare item_id in the catalog with the log's.",
        )
    number = {name: place for place, name in enumerate(names)}
    kept = [(index, number[name]) for index, name in pairs if name in number]
    cells = np.array(kept, dtype=np.int64)
    ones = np.ones(len(cells), dtype=np.float32)
    return Labels(names, sparse.csr_array((ones, (cells[:, 0], cells[:, 1])), shape=(len(items) + 1, len(names))))


class Pretraining(Network):
    """A network's own items, behaviors, encoder and head, looking both ways, with heads for attributes.

    Times, features and context are left out: hidden events are asked about without them.
    """

    def __init__(self, network: Network, labels: Labels) -> None:
        encoder, framing = cast(Encoder, network.encoder), Masked(network.max_len, SHARE)
        super().__init__(network.items, encoder, network.head, network.max_len, framing=framing)
        self.behavior_vectors = network.behavior_vectors
        dim, device = network.items.dim, network.item_vectors().device
        share_A = torch.from_numpy(labels.label_IA.mean(axis=0)).float()
        self.attribute_AD = nn.Parameter(0.02 * torch.randn(len(labels.names), dim))
        self.bias_A = nn.Parameter(share_A.clamp(1e-6, 1 - 1e-6).logit())
        self.of_item = nn.Linear(dim, dim, bias=False)
        self.of_place = nn.Linear(dim, dim, bias=False)
        self.to(device)

    def attributes_of_items(self, items_N: Tensor) -> Tensor:
        """`logit_NA`, from the item's own vector."""
        return F.linear(self.of_item(self.items.lookup(items_N) * self.items.dim**0.5), self.attribute_AD, self.bias_A)

    def attributes_of_places(self, h_ND: Tensor) -> Tensor:
        """`logit_NA`, from what stands around."""
        return F.linear(self.of_place(h_ND), self.attribute_AD, self.bias_A)


class PretrainingObjective:
    """`L = L_item + 0.2 (L_attributes of the item + L_attributes of the place)`.

    Source: Zhou et al. 2020 (S3-Rec, arXiv:2008.07873), section 4.2: associated attribute prediction (eq. 5), masked
        item prediction (eq. 7), masked attribute prediction (eq. 9).
    Differs: hidden items are told from all others (full softmax), not from one drawn item; an attribute that an item
        does not have is a plain no (as in the authors' code), and the sum over attributes is not contrasted within the
        batch; no segment prediction, their fourth task; the network's own head and framing of hidden events.
    """

    def __init__(self, labels: Labels) -> None:
        self.labels = labels

    def prepare(self, network: Network, value_N: Tensor) -> None:
        """Nothing: values play no part."""

    def steps(self, network: Network, framed: Framed, whole: Framed | None = None) -> list[Step]:
        """One step, over the hidden events."""
        assert isinstance(network, Pretraining)
        index_N = framed.target_BL.flatten().nonzero().squeeze(1)
        if len(index_N) == 0:
            return []
        h_ND = network.encoded(framed.batch).flatten(0, 1).index_select(0, index_N)
        target_N = framed.target_BL.flatten()[index_N]
        share, share_known = (1.0, 1.0) if whole is None else self._shares(framed, whole)
        loss = share * full_softmax(network.head.states(h_ND), network.item_vectors(), target_N)
        label_NA = self._labels(target_N)
        known_N = label_NA.any(dim=1)
        if known_N.any():
            items_N = target_N[known_N]
            of_item = attribute_loss(network.attributes_of_items(items_N), label_NA[known_N])
            of_place = attribute_loss(network.attributes_of_places(h_ND[known_N]), label_NA[known_N])
            loss = loss + share_known * ATTRIBUTES_WEIGH * (of_item + of_place)
        return [(list(network.parameters()), loss)]

    def counted(self, framed: Framed) -> Tensor:
        """Hidden events."""
        return (framed.target_BL > 0).sum()

    def _shares(self, piece: Framed, whole: Framed) -> tuple[float, float]:
        """A piece's share of the hidden events, and of those whose item has attributes."""
        targets = [one.target_BL[one.target_BL > 0] for one in (piece, whole)]
        known = [int(self._labels(target_N).any(dim=1).sum()) for target_N in targets]
        return len(targets[0]) / len(targets[1]), known[0] / max(known[1], 1)

    def state(self) -> dict[str, Tensor]:
        """Nothing: no draws."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""

    def _labels(self, items_N: Tensor) -> Tensor:
        return self.labels.of(items_N.cpu().numpy()).to(items_N.device)


def pretrain(
    network: Network,
    labels: Labels,
    sequences: Sequences,
    settings: LoopSettings,
    seed: int,
    where: Options,
    progress: Progress,
    begin: Callable[[], object] | None,
    made_of: str,
) -> Trained:
    """Move the network's items and encoder; all epochs of `settings`, none is chosen by validation.

    Args:
        network: Of an encoder that can look both ways, and does not.
        labels: What its items are.
        sequences: The training events, nothing later.
        settings: How.
        seed: Of the heads that are only needed here, and of the loop.
        where: Checkpoints go to a folder beside those of the training.
        progress: Told where it is.
        begin: As in `train_network`.
        made_of: As in `train_network`.

    Raises:
        KeyboardInterrupt: Stopped by hand: what follows would begin elsewhere.
    """
    progress.say(f"First, {settings.epochs} epochs of hidden items and {len(labels.names):,} attributes.")
    with _looking_both_ways(network):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            asked = Pretraining(network, labels)
        took = train_network(
            asked,
            PretrainingObjective(labels),
            sequences,
            settings,
            validate=None,
            seed=seed,
            begin=begin,
            progress=progress,
            folder=None if where.folder is None else where.folder / "pretrain",
            resume=where.resume,
            made_of=made_of,
        )
    if took.interrupted:
        raise KeyboardInterrupt
    return took


@contextmanager
def _looking_both_ways(network: Network) -> Iterator[None]:
    encoder: Any = network.encoder
    assert encoder.two_way and encoder.causal
    encoder.causal = False
    try:
        yield
    finally:
        encoder.causal = True
