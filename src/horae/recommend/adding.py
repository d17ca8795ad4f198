"""New items in, a recommender that knows them out: whatever has a row for each item grows in place.

First everything is made that may be refused; only then something changes, so that one bad row changes nothing. What is
known of a new item is its content: a table made of content makes its vector, and where a network has learned a vector
for each id, content foretells it. Nothing is trained. This module does not know files or HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from horae.errors import DataError, HoraeError
from horae.features.content.of_items import ItemContent
from horae.features.content.vectors import ContentVectors, read_vectors
from horae.models.base import Growing
from horae.models.network import Network
from horae.recommend.rules.columns import as_read
from horae.recommend.strategy.shaper import Shaper
from horae.schema import ITEM, Id
from horae.sequences.vocabulary import Vocabulary

if TYPE_CHECKING:
    from horae.recommend.recommender import Recommender

__all__ = ["Added", "add_items", "num_trained"]

TRAINED = "items_trained"
"""On the card of a run that items were added to: so many, the first of its table, something was learned of."""
SHOWN = 5
SAMPLE = 100
"""Values of a column of text that say how it is written."""
ALIKE = "Give the values as they stand in the catalog that the run was trained with."


@dataclass(frozen=True)
class Added:
    """What became of the items.

    Attributes:
        added: Ids that are new, in the order of their indices.
        changed: Ids that were there and have other attributes or content now.
        kept: Ids that were there and stay as they were.
        notes: Plain sentences on what was not used.
    """

    added: tuple[Id, ...]
    changed: tuple[Id, ...] = ()
    kept: tuple[Id, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{_items(len(self.added))} added, {len(self.changed):,} changed, {len(self.kept):,} there already"
        return "\n".join([f"{told}.", *self.notes])


def num_trained(recommender: Recommender) -> int:
    """Items that were there in training; those after them were added."""
    return int(recommender.card.get(TRAINED, len(recommender.items)))


def add_items(
    recommender: Recommender,
    catalog: pl.DataFrame | None = None,
    vectors: Any = None,
    *,
    change: bool = False,
) -> Added:
    """See `Recommender.add_items`."""
    model, fallback = recommender.model, recommender.fallback
    if not isinstance(model, Growing) or not isinstance(fallback, Growing):
        raise HoraeError("This run's model takes no new items.", hint="Train it again with the new items in its log.")
    given = _vectors(vectors)
    rows = _rows(catalog, given)
    fresh = recommender.items.unknown(rows[ITEM])
    new = recommender.items.indices(rows[ITEM]) == 0
    if len(fresh) < int(new.sum()):
        raise DataError("An item stands in several rows, as text and as a number.", hint="Give one row for each.")
    there = _native(recommender, rows.filter(~pl.Series(new)))
    used = rows if change else rows.filter(pl.Series(new))
    notes: list[str] = []
    used = _completed(used, recommender.catalog, notes)
    content = _content(recommender, used, given, fresh, there if change else [])
    _must_be_known(model, content, fresh, len(recommender.items))
    merged = None if recommender.catalog is None else _merged(recommender.catalog, used)
    _must_keep_rules(recommender, fresh, used, merged, notes)
    if recommender.catalog is None and len(rows.columns) > 1:
        notes.append("This run has no catalog, so attributes of the new items are not kept.")

    recommender.card = {**recommender.card, TRAINED: num_trained(recommender)}
    met = bool(recommender.strangers.intersection(fresh))
    recommender.items.append(fresh)
    recommender.sequences.recognise(recommender.events if met else None)
    model.grow(len(fresh), content, num_trained(recommender))
    fallback.grow(len(fresh))
    assert recommender.learned is not None
    recommender.learned.grow(len(fresh))
    if recommender.by_profile is not None:
        recommender.by_profile = recommender.by_profile.grown(len(fresh))
    recommender.catalog, recommender.content = merged, content
    recommender.card["items"] = len(recommender.items)
    if content is not None:
        recommender.card["content"] = content.as_dict()
    recommender.forget()
    return Added(tuple(fresh), tuple(there if change else ()), tuple(() if change else there), tuple(notes))


def _vectors(vectors: Any) -> ContentVectors | None:
    return vectors if vectors is None or isinstance(vectors, ContentVectors) else read_vectors(vectors)


def _rows(catalog: pl.DataFrame | None, given: ContentVectors | None) -> pl.DataFrame:
    """One row per item, checked: of the catalog, or of the vectors where these come alone."""
    if catalog is None and given is None:
        raise DataError("No items were given.", hint="Give catalog=frame with item_id, or vectors=frame.")
    if catalog is None:
        assert given is not None
        return pl.DataFrame({ITEM: given.item_ids})
    if ITEM not in catalog.columns:
        found = ", ".join(catalog.columns[:8])
        raise DataError(f"The new items have no column {ITEM}; found {found}.", hint=f"Name one column {ITEM}.")
    ids = catalog[ITEM]
    if ids.null_count():
        raise DataError(f"Row {int(ids.is_null().arg_max() or 0) + 1} of the new items has no {ITEM}.", hint="Fill it.")
    twice = ids.filter(ids.is_duplicated())
    if len(twice):
        raise DataError(f"The new items have {ITEM} {twice[0]!r} in several rows.", hint="Give one row for each.")
    if given is not None:
        strange = set(given.item_ids.cast(pl.String)) - set(ids.cast(pl.String))
        if strange:
            raise DataError(
                f"There is a vector of {min(strange)!r}, which has no row in the catalog of new items.",
                hint="Give a row for each vector, or the vectors alone.",
            )
    return catalog


def _native(recommender: Recommender, rows: pl.DataFrame) -> list[Id]:
    """The ids of rows that are known, as the run has them."""
    return recommender.items.ids(recommender.items.indices(rows[ITEM])).to_list()


def _completed(rows: pl.DataFrame, catalog: pl.DataFrame | None, notes: list[str]) -> pl.DataFrame:
    """With the columns of the run's catalog, in its types; what was not given is what the catalog says, if anything.

    Raises:
        DataError: A value that is not of its column's type.
    """
    if catalog is None:
        return rows
    extra = [name for name in rows.columns if name not in catalog.columns]
    if extra:
        notes.append(f"The run's catalog has no column {', '.join(extra)}: not kept.")
    kept = [name for name in rows.columns if name in catalog.columns]
    typed = rows.select([_typed(rows, name, catalog[name].dtype) for name in kept])
    known = catalog.drop([name for name in kept if name != ITEM])
    return typed.join(known, on=ITEM, how="left", maintain_order="left").select(catalog.columns)


def _typed(rows: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Series:
    try:
        return rows[name].cast(dtype)
    except pl.exceptions.PolarsError:
        lost = rows[name].is_not_null() & rows[name].cast(dtype, strict=False).is_null()
        row = int(lost.arg_max() or 0)
        raise DataError(
            f"Item {rows[ITEM][row]!r}: {name} = {rows[name][row]!r} is no {dtype}, as the run's catalog has it.",
            hint=ALIKE,
        ) from None


def _merged(catalog: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The catalog with these rows, in the place of those that it had of the same items."""
    return pl.concat([catalog.join(rows.select(ITEM), on=ITEM, how="anti", maintain_order="left"), rows])


def _must_keep_rules(
    recommender: Recommender, fresh: Sequence[Id], rows: pl.DataFrame, merged: pl.DataFrame | None, notes: list[str]
) -> None:
    """A file's text is numbers or times to rules where all of its values are: one other value ends that.

    Raises:
        DataError: The run's own rules could not be read any more.
    """
    if recommender.catalog is None or merged is None:
        return
    told = [_odd(rows, name, recommender.catalog[name]) for name in rows.columns if name != ITEM]
    odd = [one for one in told if one]
    if not odd:
        return
    items = Vocabulary(recommender.items.all)
    items.append(fresh)
    try:
        Shaper(recommender.recipe.recommend, items, merged, recommender.shaper.learned).check_rules()
    except DataError as error:
        raise DataError(f"{odd[0]} The run's rules need it: {error.message}", hint=ALIKE) from error
    notes.extend(f"{one} Rules and filters can no longer ask for more or less of it." for one in odd)


def _odd(rows: pl.DataFrame, name: str, known: pl.Series) -> str:
    """The first value that keeps a column of numbers, times or yes and no from being read so; empty if none does."""
    some = known.drop_nulls().head(SAMPLE)
    if known.dtype != pl.String or as_read(some).dtype == pl.String or as_read(known).dtype == pl.String:
        return ""
    given = rows.select(ITEM, name).drop_nulls(name).unique(name, maintain_order=True)
    for item, value in given.iter_rows():
        if as_read(pl.concat([some, pl.Series(name, [value])])).dtype == pl.String:
            return f"Item {item!r}: {name} = {value!r} is not written like {some[0]!r}, as the run's catalog has it."
    return ""


def _content(
    recommender: Recommender,
    rows: pl.DataFrame,
    given: ContentVectors | None,
    fresh: Sequence[Id],
    others: Sequence[Id],
) -> ItemContent | None:
    """What is then known of all items; None for a run that does not look at content."""
    content = recommender.content
    if content is None:
        if given is not None:
            raise DataError(
                "Vectors were given, but this run does not look at content.",
                hint="Train with a [content] table; see docs/content.md.",
            )
        return None
    said = [] if given is None else [_of_the_run(given, content)]
    if content.settings.needs_catalog and len(rows):
        said.insert(0, content.encode(_with_columns(rows, content)))
    told = reduce(ContentVectors.join, said) if said else None
    if others:
        content = content.changed(recommender.items.indices(others), others, told)
    return content.grown(fresh, told)


def _of_the_run(given: ContentVectors, content: ItemContent) -> ContentVectors:
    strange = [name for name in given.modalities if name not in content.vectors]
    if strange:
        raise DataError(
            f"The run knows no vectors named {strange[0]!r}; it has {', '.join(content.vectors)}.",
            hint="Name the column as it is called in the file that [content] vectors names.",
        )
    return given


def _with_columns(rows: pl.DataFrame, content: ItemContent) -> pl.DataFrame:
    """With a null for each column of content that nobody gave."""
    own = content.settings
    wanted = [*own.columns, *([own.image_column] if own.image != "none" else [])]
    return rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in wanted if name not in rows.columns)


def _must_be_known(model: Growing, content: ItemContent | None, fresh: Sequence[Id], before: int) -> None:
    """A network has no place for an item of which it knows nothing.

    Raises:
        DataError: It has to be trained to know them.
    """
    parts: Iterable[object] = model.modules() if isinstance(model, torch.nn.Module) else ()
    if not fresh or not any(isinstance(part, Network) for part in parts):
        return
    if content is None:
        raise DataError(
            "This run's network knows items by their ids alone, so nothing tells it where a new one belongs.",
            hint="Train with content: --catalog items.csv --set content.text=auto, or recipe text-sasrec.",
        )
    unknown = np.flatnonzero(~content.known_any()[before + 1 :])
    if len(unknown):
        some = ", ".join(repr(fresh[row]) for row in unknown[:SHOWN]) + (", ..." if len(unknown) > SHOWN else "")
        raise DataError(
            f"Nothing is known of {_items(len(unknown))}: {some}. A network places a new item by its content.",
            hint=f"Give {' or '.join(content.vectors)}"
            + (f" (columns {', '.join(content.settings.columns)})." if content.settings.columns else "."),
        )


def _items(num: int) -> str:
    return "1 item" if num == 1 else f"{num:,} items"
