"""Histories and what items are like in; what each person likes more than others do, out: weights, matches, words.

    weight of an entry = log of (its share of the person's events) / (its share of everybody's), if positive

Shares of a person are of decayed events, with five of everybody's events added, so that one event says little. What is
liked is as of the request: a history holds nothing later. This module does not know models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from horae.errors import DataError
from horae.recommend.rules.columns import Columns, Lists, Texts, Truths
from horae.schema import IndexArray
from horae.sequences.history import Histories

__all__ = ["TERM", "Interests", "columns_of"]

FloatArray = npt.NDArray[np.float64]
PRIOR_EVENTS: Final = 5.0
DAY: Final = 86_400.0
TERM: Final = "term"
TITLES: Final = ("title", "name", "product_name", "item_name")
GROUPS: Final = re.compile(r"categor|genre|brand|tag|type|topic|artist|author|maker|color|colour|style|section|kind")
MOST_TERMS: Final = 5_000
MOST_SHARE: Final = 0.2
"""A word in more than this share of the titles says nothing."""
MOST_ENTRIES: Final = 0.5
"""A column with more distinct entries than this share of the items tells items apart, not tastes."""
WORD: Final = re.compile(r"[^\W\d_]{3,}")
STOP: Final = frozenset(  # the words between words, of the languages that titles most often have
    re.findall(
        r"\w+",
        "and the for with from your you our are was were has had have not but all any can its into out per plus new "
        "set pack der die das und mit von für des les une pour avec los las con para por del",
    )
)


@dataclass(frozen=True, eq=False)
class Interests:
    """What items are like, and what is usual.

    Attributes:
        names: (column or `term`, entry) of each column of `entries_IC`.
        entries_IC: CSR [I + 1, C] of ones.
        share_C: The share of everybody's events that has each entry.
        half_life: Seconds after which an event counts half.
    """

    names: list[tuple[str, str]]
    entries_IC: Any
    share_C: FloatArray
    half_life: float

    @classmethod
    def of(cls, columns: Columns, wanted: Sequence[str], count_I: FloatArray, half_life_days: float) -> Interests:
        """Lay out the entries of columns, and the words of titles.

        Args:
            columns: The catalog's.
            wanted: Names of columns; empty for those whose name says that they group items, and titles.
            count_I: Everybody's events on each item.
            half_life_days: As the recipe has it.

        Raises:
            DataError: A column does not exist, or there is none to take.
        """
        parts = [(name, _lists(columns, name)) for name in columns_of(columns, wanted)]
        names = [(TERM if name in TITLES else name, entry) for name, lists in parts for entry in lists.names]
        widths = np.cumsum([0, *(len(lists.names) for _, lists in parts)])
        code = np.concatenate([lists.code_E + start for (_, lists), start in zip(parts, widths[:-1], strict=True)])
        item = np.concatenate([lists.item_E for _, lists in parts])
        entries_IC = csr_matrix((np.ones(len(item)), (item, code)), shape=(columns.size, len(names)))
        share_C = (np.asarray(count_I @ entries_IC).ravel() + 0.5) / (count_I.sum() + 1.0)
        return cls(names, entries_IC, share_C, half_life_days * DAY)

    def weights(self, histories: Histories) -> Any:
        """CSR [B, C]: log lifts above 0; empty for whoever has no history."""
        amount_BI, total_B = self._amounts(histories)
        weight_BC = (amount_BI @ self.entries_IC).tocsr()
        request_E = np.repeat(np.arange(len(histories)), np.diff(weight_BC.indptr))
        usual_E = self.share_C[weight_BC.indices]
        share_E = (weight_BC.data + PRIOR_EVENTS * usual_E) / (total_B[request_E] + PRIOR_EVENTS)
        weight_BC.data = np.maximum(np.log(share_E / usual_E), 0.0)
        weight_BC.eliminate_zeros()
        return weight_BC

    def match(self, histories: Histories) -> FloatArray:
        """How well each item meets each person's interests, [B, I + 1]: the weights of its entries, over their root."""
        size_I = np.sqrt(np.maximum(np.diff(self.entries_IC.indptr), 1))
        match_BI: FloatArray = (self.weights(histories) @ self.entries_IC.T).toarray() / size_I
        return match_BI

    def _amounts(self, histories: Histories) -> tuple[Any, FloatArray]:
        """Decayed events by item, CSR [B, I + 1], and their sum."""
        request_E, item_E = histories.pairs()
        lengths = histories.lengths
        first = np.repeat(histories.start_B - (np.cumsum(lengths) - lengths), lengths)
        time_E = histories.flat.time_N[first + np.arange(len(request_E))]
        newest_B = np.full(len(histories), -np.inf)
        np.fmax.at(newest_B, request_E, time_E)
        now_B = np.where(np.isnan(histories.request_time_B), newest_B, histories.request_time_B)
        age_E = np.nan_to_num(now_B[request_E] - time_E, nan=0.0, posinf=0.0, neginf=0.0)
        weight_E = np.exp2(-np.maximum(age_E, 0.0) / self.half_life)
        shape = (len(histories), self.entries_IC.shape[0])
        amount_BI = csr_matrix((weight_E, (request_E, item_E)), shape=shape)
        total_B: FloatArray = np.bincount(request_E, weights=weight_E, minlength=len(histories)).astype(np.float64)
        return amount_BI, total_B

    def told(self, histories: Histories, most: int) -> Iterator[tuple[int, str, str, float, float, float]]:
        """Request, column, entry, weight, the person's share, everybody's share; each person's strongest first."""
        weight_BC = self.weights(histories)
        amount_BI, total_B = self._amounts(histories)
        amount_BC = (amount_BI @ self.entries_IC).tocsr()
        for request in range(len(histories)):
            part = slice(weight_BC.indptr[request], weight_BC.indptr[request + 1])
            codes, weights = weight_BC.indices[part], weight_BC.data[part]
            amounts = amount_BC[request].toarray().ravel()[codes]
            for place in np.lexsort((codes, -weights))[:most]:
                column, entry = self.names[codes[place]]
                own = float(amounts[place] / max(total_B[request], 1e-12))
                yield request, column, entry, float(weights[place]), own, float(self.share_C[codes[place]])


def columns_of(columns: Columns, wanted: Sequence[str]) -> list[str]:
    """The columns to take.

    Raises:
        DataError: One does not exist, or there is none to take.
    """
    for name in wanted:
        if name not in columns.names:
            raise DataError(f"There is no column {name!r} to read interests from.", hint=columns.near(name))
    if wanted:
        return list(wanted)
    found = [name for name in columns.names if GROUPS.search(name.lower()) and _groups(columns, name)]
    found += [name for name in columns.names if name in TITLES and isinstance(columns[name], Texts)][:1]
    if not found:
        raise DataError(
            "Nothing says what items are like, so there are no interests.",
            hint="Train with --catalog FILE that has categories or titles; or name [recommend] interest_columns.",
        )
    return found


def _groups(columns: Columns, name: str) -> bool:
    """Does the column group items, rather than name them?"""
    column = columns[name]
    if not isinstance(column, Texts | Lists | Truths):
        return False
    return 1 < len(columns.lists(name).names) <= max(MOST_ENTRIES * columns.size, 20)


def _lists(columns: Columns, name: str) -> Lists:
    column = columns[name]
    return _terms(column) if name in TITLES and isinstance(column, Texts) else columns.lists(name)


def _terms(titles: Texts) -> Lists:
    """The words of titles that several have, and not too many."""
    words = [list(dict.fromkeys(w for w in WORD.findall(name.casefold()) if w not in STOP)) for name in titles.names]
    items_of = np.bincount(titles.code_I[titles.code_I >= 0], minlength=len(words))
    spread: Counter[str] = Counter()
    for own, size in zip(words, items_of.tolist(), strict=True):
        for word in own:
            spread[word] += size
    most = max(MOST_SHARE * items_of.sum(), 2)
    kept = [word for word, size in spread.most_common() if 2 <= size <= most][:MOST_TERMS]
    code_of = {word: code for code, word in enumerate(kept)}
    own_codes = [np.array([code_of[w] for w in own if w in code_of], dtype=np.int64) for own in words]
    nothing: IndexArray = np.empty(0, dtype=np.int64)
    entries = [own_codes[code] if code >= 0 else nothing for code in titles.code_I]
    return Lists.of(entries, kept, titles.code_I >= 0)
