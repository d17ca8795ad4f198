"""Profiles and a training part in, what people of each kind turn to more than others out: for users without events.

    score(i) = fallback(i) * prod_a lift_a(i),   lift_a(i) = (m + c) / (n q + c)

n people of the training part had item i and have attribute a known; m of them have the request's value of a, which a
share q of all (person, item) pairs have. c people with a lift of 1 smooth it to the overall popularity: the more,
the less the lifts of this value vary beyond chance, so that a profile which tells nothing moves nothing.

Kept are these counts by value, never who is who: see `ByProfile`. This module does not know files or histories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from horae.errors import DataError
from horae.recommend.rules.columns import as_read
from horae.schema import USER, IndexArray
from horae.sequences.history import Sequences

__all__ = ["Attribute", "ByProfile"]

LEAST_PRIOR: Final = 10.0
MOST_PRIOR: Final = 1e6
FloatArray = npt.NDArray[np.float64]
LEAST_PEOPLE: Final = 20
"""A value that fewer people share is not kept: it tells little, and it might tell who somebody is."""
MOST_VALUES: Final = 50
GROUPS: Final = 5
"""Into so many groups of equal size are numbers of many values put."""


@dataclass(frozen=True)
class Attribute:
    """A column of the profiles.

    Attributes:
        name: The column's.
        values: What is told apart, as text; empty where it is a number in groups.
        edges: Ascending bounds between groups of a number: a group ends before its bound.
    """

    name: str
    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """How many values or groups."""
        return len(self.values) or len(self.edges) + 1

    @classmethod
    def learned(cls, column: pl.Series) -> Attribute | None:
        """From the training people's column; None where it tells nobody apart."""
        known = _numbers(column.drop_nulls())
        if known.dtype.is_numeric() and known.n_unique() > GROUPS:
            shares = [group / GROUPS for group in range(1, GROUPS)]
            bounds = (known.cast(pl.Float64).quantile(share, "midpoint") for share in shares)
            edges = sorted({bound for bound in bounds if bound is not None})
            return cls(column.name, edges=tuple(edges)) if len(known) >= GROUPS * LEAST_PEOPLE else None
        counts = known.map_elements(_text, return_dtype=pl.String).value_counts(sort=True, name="people")
        often = counts.filter(pl.col("people") >= LEAST_PEOPLE).head(MOST_VALUES)
        return cls(column.name, tuple(sorted(often[column.name].to_list()))) if often.height > 1 else None

    def indices(self, cells: Sequence[Any]) -> IndexArray:
        """The value or group of each cell, from 0; -1 where it is unknown, or was never common."""
        if self.values:
            place = {value: index for index, value in enumerate(self.values)}
            return np.array([-1 if cell is None else place.get(_text(cell), -1) for cell in cells], dtype=np.int64)
        return np.array([self._group(cell) for cell in cells], dtype=np.int64)

    def _group(self, cell: Any) -> int:
        if cell is None:
            return -1
        try:
            number = float(cell)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"The profile's {self.name} is {cell!r}; expected a number, as in training.",
                hint="Leave out what is not known.",
            ) from error
        return -1 if np.isnan(number) else int(np.searchsorted(self.edges, number, side="right"))


@dataclass(frozen=True, eq=False)
class ByProfile:
    """What the values of profiles say of items.

    Attributes:
        attributes: The columns that tell people apart.
        had_VI: People with each value, attribute after attribute, who had each item; entry 0 unused.
    """

    attributes: tuple[Attribute, ...]
    had_VI: npt.NDArray[np.int32]

    @classmethod
    def learned(cls, profiles: pl.DataFrame, sequences: Sequences) -> ByProfile:
        """Count.

        Args:
            profiles: One row per `user_id`; the other columns are attributes.
            sequences: What may be learned from: the training part.

        Raises:
            DataError: No `user_id`, a user twice, none of the training users, or no column that tells people apart.
        """
        if USER not in profiles.columns or profiles.width < 2 or profiles[USER].is_duplicated().any():
            raise DataError(
                f"Profiles: expected one row for each {USER}, and columns that say what people are like; got "
                f"{', '.join(profiles.columns)}.",
                hint=f"Name the column {USER}, and keep one row for each user.",
            )
        user_P = sequences.users.indices(profiles[USER])
        learned_U = np.diff(sequences.offset_U1) > 0
        there = (user_P > 0) & (user_P <= sequences.num_users)
        there[there] = learned_U[user_P[there] - 1]
        known, user_P = profiles.filter(pl.Series(there)).drop(USER), user_P[there]
        found = [Attribute.learned(known[name]) for name in known.columns]
        attributes = tuple(one for one in found if one is not None)
        if not attributes:
            raise DataError(
                f"Profiles: none of {', '.join(known.columns)} tells people apart: of {len(user_P):,} users with "
                f"training events, fewer than {LEAST_PEOPLE} share a value, or all do.",
                hint="Check that the ids are those of the log; or give broader values, such as age groups.",
            )
        user_N, item_N = _pairs(sequences)
        counts = []
        for attribute in attributes:
            value_U = np.full(sequences.num_users + 1, -1, dtype=np.int64)
            value_U[user_P] = attribute.indices(known[attribute.name].to_list())
            value_N = value_U[user_N]
            told = value_N >= 0
            cell = value_N[told] * (sequences.num_items + 1) + item_N[told]
            count = np.bincount(cell, minlength=attribute.size * (sequences.num_items + 1))
            counts.append(count.reshape(attribute.size, -1).astype(np.int32))
        return cls(attributes, np.concatenate(counts))

    def grown(self, num: int) -> ByProfile:
        """With `num` more items, after the last, that nobody has had yet."""
        return ByProfile(self.attributes, np.pad(self.had_VI, ((0, 0), (0, num))))

    @cached_property
    def _log_lift_VI(self) -> npt.NDArray[np.float32]:
        """`log lift` of each value and item; see the module. A last row of zeros is for what is not known."""
        lifts, first = [], 0
        for attribute in self.attributes:
            had_VI = self.had_VI[first : first + attribute.size].astype(np.float64)
            share_V = had_VI.sum(axis=1) / max(had_VI.sum(), 1.0)
            expected_VI = had_VI.sum(axis=0) * share_V[:, None]
            prior_V1 = _prior(had_VI[:, 1:], expected_VI[:, 1:], share_V)[:, None]
            lifts.append(np.log((had_VI + prior_V1) / (expected_VI + prior_V1)))
            first += attribute.size
        nothing = np.zeros((1, self.had_VI.shape[1]))
        return np.concatenate([*lifts, nothing]).astype(np.float32)

    def told(self, profiles: Sequence[Mapping[str, Any] | None]) -> IndexArray:
        """The rows of values that speak for each request, [B, attributes]; -1 where one is not known.

        Raises:
            DataError: An attribute that training did not know, or a text where it was a number.
        """
        names = [attribute.name for attribute in self.attributes]
        strange = {name for profile in profiles if profile for name in profile} - set(names)
        if strange:
            raise DataError(
                f"The profile names {sorted(strange)[0]!r}, which this run was not told of.",
                hint=f"It knows: {', '.join(names)}.",
            )
        columns, first = [], 0
        for attribute in self.attributes:
            index = attribute.indices([(profile or {}).get(attribute.name) for profile in profiles])
            columns.append(np.where(index < 0, -1, index + first))
            first += attribute.size
        return np.stack(columns, axis=1)

    def lifted(self, scores_BI: Tensor, told_BA: IndexArray) -> Tensor:
        """The fallback's scores, counts from 0 up, times what each one's profile says."""
        log_lift_BI = self._log_lift_VI[told_BA].sum(axis=1)
        later = scores_BI.shape[1] - log_lift_BI.shape[1]  # items that came since: nothing is known of them
        lift_BI = torch.from_numpy(np.pad(np.exp(log_lift_BI), ((0, 0), (0, later)), constant_values=1.0))
        lift_BI = lift_BI.to(scores_BI.device)
        return torch.where(torch.isfinite(scores_BI), scores_BI * lift_BI, scores_BI)

    def arrays(self) -> dict[str, Tensor]:
        """The counts, as safetensors takes them."""
        return {"had_VI": torch.from_numpy(self.had_VI)}

    def as_dict(self) -> list[dict[str, Any]]:
        """The attributes, for the card."""
        return [{"name": a.name, "values": list(a.values), "edges": list(a.edges)} for a in self.attributes]

    @classmethod
    def loaded(cls, attributes: Sequence[Mapping[str, Any]], arrays: Mapping[str, Tensor]) -> Self:
        """The inverse of `as_dict` and `arrays`."""
        named = [Attribute(one["name"], tuple(one["values"]), tuple(one["edges"])) for one in attributes]
        return cls(tuple(named), arrays["had_VI"].numpy())


def _prior(had_VI: FloatArray, expected_VI: FloatArray, share_V: FloatArray) -> FloatArray:
    """How many people of lift 1 each value is given: `1 / variance of its lifts` beyond that of drawing people.

    Source: the moments of a gamma prior of mean 1 (Clayton and Kaldor, Biometrics 43, 1987, section 2.2), weighted by
        expected counts.
    Differs: Bounded; the variance of drawing is a coin's, not a Poisson count's.
    """
    seen_VI = np.maximum(expected_VI, 1e-12)
    chance_V = 1.0 - share_V
    beyond_V = (((had_VI - expected_VI) ** 2 / seen_VI).sum(axis=1) - chance_V * (expected_VI > 0).sum(axis=1)) / (
        np.maximum(expected_VI.sum(axis=1), 1e-12)
    )
    return np.asarray(1.0 / np.clip(beyond_V, 1.0 / MOST_PRIOR, 1.0 / LEAST_PRIOR))


def _pairs(sequences: Sequences) -> tuple[IndexArray, IndexArray]:
    """Who had what as a target, each once; users from 1."""
    flat, width = sequences.flat, sequences.num_items + 1
    pair = np.unique((sequences.user_of_N() * width + flat.item_N)[flat.target_N])
    return np.divmod(pair, width)


def _numbers(known: pl.Series) -> pl.Series:
    """Text that a file without types has for numbers, as numbers; codes such as 01234 stay text."""
    if known.dtype != pl.String or known.str.contains(r"^\s*0\d").any():
        return known
    read = as_read(known)
    return read.drop_nans() if read.dtype.is_numeric() and read.n_unique() > GROUPS else known


def _text(cell: Any) -> str:
    """A value as it is compared: whole numbers alike, however they were typed."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
