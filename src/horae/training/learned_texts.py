"""Texts that a network learns to read: their encoder's adapters beside the network's own weights.

    a step: texts of the batch's items -> encoder -> fresh rows of the table -> loss -> table's rows -> encoder
    after an epoch: all texts -> encoder -> the table's rows, which is all that validation and a run look at

In: a network whose items are made of content, the run's content, its catalog. Out: gradients of the adapters, and rows
of the table. A row that is not fresh in a step is as the epoch before left it. This module does not know losses or
optimisers.

Source: Gao et al. 2021 (arXiv:2101.06983), section 3, for a gradient that waits at the vectors until all pieces of a
    batch have had their say.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from horae.features.content.adapter import Adapter
from horae.features.content.batches import distinct
from horae.features.content.choosing import learning_encoder
from horae.features.content.encode import ids_of
from horae.features.content.folder import FolderEncoder
from horae.features.content.of_items import TEXT, ItemContent
from horae.features.content.texts import texts_of
from horae.features.content.weights import content_digest
from horae.models.items.fused import Fresh, FusedTable
from horae.models.network import Network
from horae.recommend.recommender import Recommender
from horae.schema import IndexArray
from horae.sequences.framing import Framed
from horae.sequences.vocabulary import Vocabulary

__all__ = ["LearnedTexts", "keep_texts", "learn_texts", "texts_learned"]


class LearnedTexts(nn.Module):
    """The texts of a network's items, and the adapters of their encoder; only the latter are its parameters.

    Args:
        encoder: Of a folder.
        content: Of the run, as the encoder made it until now.
        text_I: What is said of each item; empty for padding and where nothing is.
        seed: Of the adapters' first weights, where content has none.
        device: Where it computes.
    """

    def __init__(
        self, encoder: FolderEncoder, content: ItemContent, text_I: list[str], seed: int, device: torch.device
    ) -> None:
        super().__init__()
        rank = content.settings.lora
        learned = encoder.learns(rank, seed, device)
        self.names, self.weights = list(learned), nn.ParameterList(learned.values())
        self.encoder = encoder
        self.reduction = content.reductions[TEXT]
        self.most = content.settings.lora_items
        self.known_I = content.known[TEXT]
        self.texts, self.row_I = distinct(text_I)
        self._asked: Tensor | None = None
        self._fresh: Tensor | None = None

    def begin_step(self, table: FusedTable, framed: Framed, rng: np.random.Generator) -> None:
        """Encode texts of the batch's items anew, for as long as `end_step` has not come."""
        row_M = self._drawn(framed, rng)
        table.fresh = None
        if not len(row_M):
            return
        vector_MC = self.encoder.with_gradient([self.texts[row] for row in row_M])
        self._asked = self.reduction.of_tensor(vector_MC)
        self._fresh = self._asked.detach().requires_grad_()
        place_T = np.full(len(self.texts), -1, dtype=np.int64)
        place_T[row_M] = np.arange(len(row_M))
        place_I = np.where(self.known_I, place_T[self.row_I], -1)
        table.fresh = Fresh(TEXT, torch.from_numpy(place_I).to(self._fresh.device), self._fresh)

    def end_step(self, table: FusedTable) -> None:
        """Hand the gradients that the fresh rows have got on to the adapters; the rows are as before again."""
        table.fresh = None
        if self._asked is not None and self._fresh is not None and self._fresh.grad is not None:
            self._asked.backward(self._fresh.grad)  # type: ignore[no-untyped-call]
        self._asked = self._fresh = None

    def refresh(self, table: FusedTable) -> None:
        """Make the rows of all items by the encoder as it is now."""
        table.fresh = self._asked = self._fresh = None
        row_N = np.unique(self.row_I[self.known_I])
        vector_TP = np.zeros((len(self.texts), self.reduction.direction_CP.shape[1]), dtype=np.float32)
        vector_TP[row_N] = self.reduction.of(self.encoder.encode([self.texts[row] for row in row_N]))
        table.retell(TEXT, np.where(self.known_I[:, None], vector_TP[self.row_I], np.float32(0.0)))

    def encode_some(self, most: int) -> float:
        """Encode some texts, evenly spread, to see how long it takes; which share of all they are."""
        row_N = np.unique(self.row_I[self.known_I])
        some_M = row_N[:: -(-len(row_N) // most)]
        self.encoder.encode([self.texts[row] for row in some_M])
        return len(some_M) / len(row_N)

    def adapter(self) -> Adapter:
        """What was learned."""
        arrays = {name: one.detach().cpu().numpy().copy() for name, one in zip(self.names, self.weights, strict=True)}
        return Adapter(len(arrays[self.names[0]]), content_digest(self.encoder.folder), arrays)

    def _drawn(self, framed: Framed, rng: np.random.Generator) -> IndexArray:
        """Which texts."""
        item_N = np.unique(torch.cat([framed.batch.item_BL.flatten(), framed.target_BL.flatten()]).cpu().numpy())
        row_M = np.unique(self.row_I[item_N[self.known_I[item_N]]])
        return row_M if len(row_M) <= self.most else np.sort(rng.choice(row_M, self.most, replace=False))


def learn_texts(network: Network, recommender: Recommender, seed: int) -> None:
    """Let a network that is to be trained train its texts' encoder, too, where the recipe asks for it."""
    content = recommender.content
    if content is None or not content.settings.lora:
        return
    assert recommender.catalog is not None
    text_I = _texts(recommender.catalog, content, recommender.items)
    encoder = learning_encoder(content.settings.text, content.adapter)
    network.texts = LearnedTexts(encoder, content, text_I, seed, next(network.parameters()).device)


def texts_learned(network: Network) -> tuple[LearnedTexts, FusedTable] | None:
    """The texts that a network learns to read, and the table that is made of them; None where it learns none."""
    if network.texts is None:
        return None
    return cast(LearnedTexts, network.texts), cast(FusedTable, network.items)


def keep_texts(recommender: Recommender) -> None:
    """Once a network is trained: what was learned of texts becomes the run's content, and the encoder is let go."""
    model = recommender.model
    if not isinstance(model, Network) or (learned := texts_learned(model)) is None:
        return
    texts, table = learned
    assert recommender.content is not None
    recommender.content = recommender.content.taught(table.told(TEXT), texts.adapter())
    recommender.card["content"] = recommender.content.as_dict()
    model.texts = None


def _texts(catalog: pl.DataFrame, content: ItemContent, items: Vocabulary) -> list[str]:
    """Of each item, padding first."""
    settings = content.settings
    texts = texts_of(catalog, list(settings.columns), settings.max_chars)
    text_I = [""] * (len(items) + 1)
    for index, text in zip(items.indices(ids_of(catalog)), texts, strict=True):
        text_I[index] = text if index > 0 else ""
    return text_I
