"""What a run knows of what its items say and show: a short vector per item and modality, and how new ones come in.

In: the run's items, a catalog, `[content]`. Out: `ItemContent`, aligned to item indices, with everything that is needed
to bring in an item that comes later exactly as the others were. It does not know networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import DataError
from horae.features.content.adapter import Adapter
from horae.features.content.attributes import encode_attributes
from horae.features.content.choosing import learning_encoder, text_encoder
from horae.features.content.encode import encode_catalog
from horae.features.content.encoder import FloatArray, TextEncoder
from horae.features.content.hashed import HashedEncoder
from horae.features.content.settings import ContentSettings
from horae.features.content.texts import text_columns, texts_of
from horae.features.content.vectors import BoolArray, ContentVectors, Indexed, InOrder, read_vectors
from horae.recipe import settings as read_settings
from horae.schema import ITEM, DataReport, Id, IndexArray, Step

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TEXT", "ItemContent", "Reduction", "content_of", "refuse_without_catalog"]

TEXT: Final = "text"
"""The modality of texts."""
FARTHEST: Final = 4.0
"""Standard deviations at which a component is cut off: one odd item must not outshout the others."""


@dataclass(frozen=True, eq=False)
class Reduction:
    """`z = clip((x - mean) V / s, -4, 4) / sqrt(P)`: principal components, each as loud as the others.

    Attributes:
        mean_C: Of the vectors that it was fitted on.
        direction_CP: The first principal directions, each divided by its standard deviation.

    Source: Pearson 1901; whitening before an item table as in "Let It Go?" (arXiv:2507.19473), section 3.
    """

    mean_C: FloatArray
    direction_CP: FloatArray

    @classmethod
    def fitted(cls, vector_NC: FloatArray, width: int) -> Self:
        """Of some vectors; fewer than `width` components where these have no more."""
        mean_C = vector_NC.mean(axis=0)
        apart = (vector_NC - mean_C).astype(np.float64)
        variance, direction = np.linalg.eigh(apart.T @ apart / max(len(vector_NC), 1))
        strong = np.flatnonzero(variance > 1e-6 * max(variance[-1], 1e-12))[::-1][:width]
        scaled = direction[:, strong] / np.sqrt(variance[strong])
        return cls(mean_C.astype(np.float32), np.ascontiguousarray(scaled, dtype=np.float32))

    def of(self, vector_NC: FloatArray) -> FloatArray:
        """`z_NP`."""
        width = max(self.direction_CP.shape[1], 1)
        components = ((vector_NC - self.mean_C) @ self.direction_CP).clip(-FARTHEST, FARTHEST)
        return np.asarray(components / np.sqrt(width), dtype=np.float32)

    def of_tensor(self, vector_NC: Tensor) -> Tensor:
        """The same with a gradient, which what is cut off has, too: it would else never come back."""
        import torch

        mean_C, direction_CP = (torch.from_numpy(one).to(vector_NC) for one in (self.mean_C, self.direction_CP))
        components = (vector_NC - mean_C) @ direction_CP
        components = components + (components.clamp(-FARTHEST, FARTHEST) - components).detach()
        shortened: Tensor = components / max(self.direction_CP.shape[1], 1) ** 0.5
        return shortened


@dataclass(frozen=True, eq=False)
class ItemContent:
    """Vectors of a run's items, per modality.

    Attributes:
        vectors: Per modality float32 `[I + 1, P]`; row 0 and unknown items are zeros.
        known: Per modality `[I + 1]`: does the item have one?
        reductions: Per modality, how the vectors were shortened.
        settings: Where they came from; `text` is the encoder that `auto` chose.
        hashed: The fitted encoder, where it was the hashed one.
        adapter: What a training added to the encoder of texts, where it was trained.
        report: What was understood, left out, or found missing.
    """

    vectors: Mapping[str, FloatArray]
    known: Mapping[str, BoolArray]
    reductions: Mapping[str, Reduction]
    settings: ContentSettings
    hashed: HashedEncoder | None = None
    adapter: Adapter | None = None
    report: DataReport = field(default_factory=DataReport)

    @property
    def widths(self) -> dict[str, int]:
        """P by modality, in order."""
        return {name: int(vector_IP.shape[1]) for name, vector_IP in self.vectors.items()}

    @property
    def num_items(self) -> int:
        """I."""
        return len(next(iter(self.known.values()))) - 1

    def parts(self) -> dict[str, tuple[FloatArray, BoolArray]]:
        """Vectors and who has one, by modality: what a table of items is made of."""
        return {name: (self.vectors[name], self.known[name]) for name in self.vectors}

    def known_any(self) -> BoolArray:
        """`[I + 1]`: is anything known of the item?"""
        return np.asarray(np.logical_or.reduce(list(self.known.values())))

    def encode(self, catalog: pl.DataFrame) -> ContentVectors:
        """Whole vectors of a catalog's items, made as the run's own were.

        Raises:
            DataError: No `item_id`, the columns that the run's content was made of are not there, or the encoder is
                not the one that it was made with.
        """
        return _encoded(catalog, self.settings, self.hashed, self.adapter)

    def taught(self, text_IP: FloatArray, adapter: Adapter) -> ItemContent:
        """With the vectors of texts that an encoder makes since it was trained."""
        return replace(self, vectors={**self.vectors, TEXT: text_IP}, adapter=adapter)

    def grown(self, ids: Sequence[Id], fresh: ContentVectors | None) -> ItemContent:
        """With rows for so many more items, in this order; nothing is known of those that `fresh` does not have."""
        vectors, known = {}, {}
        for name, (row_NP, known_N) in self._rows(ids, fresh).items():
            vectors[name] = np.vstack([self.vectors[name], row_NP])
            known[name] = np.append(self.known[name], known_N)
        return replace(self, vectors=vectors, known=known)

    def changed(self, index_N: IndexArray, ids: Sequence[Id], fresh: ContentVectors | None) -> ItemContent:
        """With other rows for the items at these indices, where `fresh` knows something of their ids."""
        vectors, known = {}, {}
        for name, (row_NP, known_N) in self._rows(ids, fresh).items():
            vectors[name], known[name] = self.vectors[name].copy(), self.known[name].copy()
            vectors[name][index_N[known_N]], known[name][index_N[known_N]] = row_NP[known_N], True
        return replace(self, vectors=vectors, known=known)

    def _rows(self, ids: Sequence[Id], fresh: ContentVectors | None) -> dict[str, tuple[FloatArray, BoolArray]]:
        """Per modality the shortened vectors of these ids, and of which there is one."""
        aligned = None if fresh is None else fresh.aligned(InOrder(pl.Series(ITEM, ids)))
        rows = {}
        for name, vector_IP in self.vectors.items():
            row_NP = np.zeros((len(ids), vector_IP.shape[1]), dtype=np.float32)
            known_N = np.zeros(len(ids), dtype=np.bool_)
            if aligned is not None and name in aligned.vectors:
                known_N = aligned.known[name][1:]
                _same_width(aligned, name, self.reductions[name])
                row_NP[known_N] = self.reductions[name].of(aligned.vectors[name][1:][known_N])
            rows[name] = row_NP, known_N
        return rows

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything but the settings, by name."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name in self.vectors:
            arrays |= {f"{name}.vector": self.vectors[name], f"{name}.known": self.known[name]}
            arrays |= {
                f"{name}.mean": self.reductions[name].mean_C,
                f"{name}.direction": self.reductions[name].direction_CP,
            }
        if self.hashed is not None:
            arrays |= {f"hashed/{key}": array for key, array in self.hashed.arrays().items()}
        if self.adapter is not None:
            arrays |= {f"lora/{key}": array for key, array in self.adapter.arrays.items()}
        return arrays

    def as_dict(self) -> dict[str, Any]:
        """For the card: where it came from, and how many items it is known of. Plain JSON types."""
        told = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self.settings).items()}
        known = {name: int(known_I.sum()) for name, known_I in self.known.items()}
        card = {"settings": told, "modalities": list(self.vectors), "known": known, "report": self.report.as_dict()}
        return card if self.adapter is None else {**card, "adapter": self.adapter.as_dict()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], card: Mapping[str, Any]) -> Self:
        """The inverse of `arrays` and `as_dict`."""
        told = card["settings"]
        names = card["modalities"]
        hashed, learned = (
            {key.removeprefix(whose): array for key, array in arrays.items() if key.startswith(whose)}
            for whose in ("hashed/", "lora/")
        )
        return cls(
            {name: arrays[f"{name}.vector"] for name in names},
            {name: arrays[f"{name}.known"] for name in names},
            {name: Reduction(arrays[f"{name}.mean"], arrays[f"{name}.direction"]) for name in names},
            read_settings(ContentSettings, told, "[content]"),
            HashedEncoder.of_arrays(hashed) if hashed else None,
            Adapter(**card["adapter"], arrays=learned) if learned else None,
            DataReport.from_dict(card["report"]),
        )

    def __str__(self) -> str:
        parts = [
            f"{name}: {known_I.sum():,} of {self.num_items:,} items, {self.widths[name]} numbers"
            for name, known_I in self.known.items()
        ]
        alike = [step.message for step in self.report.steps if step.name.endswith("_alike")]
        return ". ".join(["Content known: " + "; ".join(parts), *(f"But {one}" for one in alike)]) + "."


def content_of(
    items: Indexed, settings: ContentSettings, catalog: pl.DataFrame | None, *, like: ItemContent | None = None
) -> ItemContent | None:
    """The content of a run's items; None where the settings name none.

    Encoders see the whole catalog; principal components are those of the run's own items.

    Args:
        items: Those of the run.
        settings: Where vectors come from.
        catalog: What is said and shown of items.
        like: The content of another run, whose encoders and components are used, so that both can be compared.

    Raises:
        DataError: Content is asked for and there is no catalog, or it says nothing about any item, or the other run's
            content has a modality that this one lacks.
        MissingExtraError: The encoder needs an extra that is not installed.
    """
    if not settings.names_any:
        return None
    refuse_without_catalog(settings, catalog)
    hashed: HashedEncoder | None = None
    adapter = None if like is None else like.adapter
    sources = []
    if settings.needs_catalog:
        assert catalog is not None
        if like is not None:  # its own columns stay: another catalog may call them otherwise
            settings, hashed = replace(settings, text=like.settings.text, image=like.settings.image), like.hashed
        if hashed is None:
            settings, hashed = _chosen(settings, catalog)
        elif not settings.columns:
            settings = replace(settings, columns=tuple(text_columns(catalog, None)))
        if settings.lora:
            learning_encoder(settings.text)  # refused now, not after all texts were encoded
        sources.append(_encoded(catalog, settings, hashed, adapter).aligned(items))
    sources += [read_vectors(file).aligned(items) for file in settings.vectors]
    here = reduce(ContentVectors.join, sources)
    vectors: dict[str, FloatArray] = {}
    reductions = {} if like is None else dict(like.reductions)
    if like is not None and set(reductions) != set(here.vectors):
        raise DataError(
            f"The run to start from knows {', '.join(reductions)} of items; here it is {', '.join(here.vectors)}.",
            hint="Give [content] as that run has it.",
        )
    for name, vector_IC in here.vectors.items():
        known_I = here.known[name]
        if not known_I.any():
            raise DataError(
                f"The content says nothing about any item of the log: {name} is unknown for all.",
                hint="Compare item_id in the catalog with item_id in the log.",
            )
        if like is None:
            reductions[name] = Reduction.fitted(vector_IC[known_I], settings.width)
        _same_width(here, name, reductions[name])
        if not reductions[name].direction_CP.shape[1]:
            message = f"all items that have any have the same {name}: it tells none of them apart"
            here.report.add(Step(f"{name}_alike", "warning", int(known_I.sum()), message))
        vectors[name] = np.zeros((len(vector_IC), reductions[name].direction_CP.shape[1]), dtype=np.float32)
        vectors[name][known_I] = reductions[name].of(vector_IC[known_I])
    return ItemContent(vectors, dict(here.known), reductions, settings, hashed, adapter, here.report)


def refuse_without_catalog(settings: ContentSettings, catalog: pl.DataFrame | None) -> None:
    """Say what is missing, before any work.

    Raises:
        DataError: Content is asked of a catalog, and there is none.
    """
    if settings.needs_catalog and catalog is None:
        raise DataError(
            "[content] asks for what items say, but there is no catalog.",
            hint="Add --catalog items.csv, with item_id and title; or in Python catalog=frame.",
        )


def _chosen(settings: ContentSettings, catalog: pl.DataFrame) -> tuple[ContentSettings, HashedEncoder | None]:
    """The encoder of texts, named, and its columns; a hashed one is fitted here."""
    if settings.text == "none":
        return settings, None
    columns = text_columns(catalog, settings.columns or None)
    encoder = text_encoder(settings.text, texts_of(catalog, columns, settings.max_chars))
    hashed = encoder if isinstance(encoder, HashedEncoder) else None
    name = encoder.name if settings.text == "auto" else settings.text
    return replace(settings, text=name, columns=tuple(columns)), hashed


def _encoded(
    catalog: pl.DataFrame, settings: ContentSettings, hashed: HashedEncoder | None, adapter: Adapter | None
) -> ContentVectors:
    attributes = encode_attributes(catalog, settings.attributes) if settings.attributes else None
    if settings.text == "none" and settings.image == "none":
        assert attributes is not None
        return attributes
    encoder: str | TextEncoder = hashed if hashed is not None else settings.text
    if adapter is not None:
        encoder = learning_encoder(settings.text, adapter)
    made = encode_catalog(
        catalog,
        list(settings.columns) if settings.text != "none" else [],
        encoder if settings.text != "none" else "hashed",
        images=settings.image_column if settings.image != "none" else None,
        image_encoder=settings.image if settings.image != "none" else "colors",
        max_chars=settings.max_chars,
    )
    return made if attributes is None else made.join(attributes)


def _same_width(fresh: ContentVectors, name: str, reduction: Reduction) -> None:
    if fresh.width(name) != len(reduction.mean_C):
        raise DataError(
            f"The vectors {name!r} are {fresh.width(name)} numbers wide; the run's are {len(reduction.mean_C)}.",
            hint="Make them with the encoder that made the run's.",
        )
