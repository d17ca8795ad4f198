"""Columns of a log's context as numbers: text as codes of a vocabulary, numbers as they are, unknown as NaN.

In: names and a log to learn from; then any log, or what callers say of an event. Out: `feature_NF`, one row per event,
one column per name. A vocabulary holds the values that were most frequent where it was learned and never changes the
code of one. This module does not know networks, nor which column is known when a question is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from horae.errors import RecipeError
from horae.features.context import is_numeric
from horae.schema import BEHAVIOR, ITEM, TIMESTAMP, USER, VALUE, Events
from horae.sequences.vocabulary import Vocabulary

__all__ = [
    "MOST_VALUES",
    "ContextColumns",
    "Floats",
    "holds_numbers",
    "most_frequent",
    "refuse_nothing_to_learn",
]

Floats = npt.NDArray[np.float32]
WHERE: Final = "[model] context"
MOST_VALUES: Final = 255
"""Of a column of text; rarer ones count as unknown."""
WORTH: Final = 0.1
"""Share of the events that the most frequent values must have: an id of each event teaches nothing."""
INSTEAD: Final = {
    BEHAVIOR: "Write behavior_embedding = true.",
    TIMESTAMP: 'Write time_inputs = ["gap", "wait", "hour", "weekday"].',
    VALUE: 'Write features = ["last_all"].',
    ITEM: "A network sees items anyway.",
    USER: "A network knows people by their histories.",
}
ISO_DATE: Final = r"^\d{4}-\d\d?-\d\d?([T ]|$)"


@dataclass(frozen=True)
class ContextColumns:
    """What turns context into numbers; the same in training and in every request.

    Attributes:
        values: By name, in the order of the columns: the values that have a code, from 1; None where the column holds
            numbers.
    """

    values: Mapping[str, Vocabulary | None] = field(default_factory=dict)

    @classmethod
    def learned(cls, events: Events, names: Sequence[str]) -> ContextColumns:
        """The columns of a log that were asked for.

        Raises:
            RecipeError: No such column, one of dates or lists, or one that says nothing.
        """
        context = events.frame.select(events.context)
        return cls({name: _values(context, name, events.report.read_as(name)) for name in names})

    @classmethod
    def from_dict(cls, document: Mapping[str, list[str] | None]) -> ContextColumns:
        """The inverse of `as_dict`."""
        text = pl.String
        return cls({n: None if v is None else Vocabulary(pl.Series(v, dtype=text)) for n, v in document.items()})

    def as_dict(self) -> dict[str, list[str] | None]:
        """Plain JSON types."""
        return {name: None if known is None else known.all.to_list() for name, known in self.values.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the columns."""
        return tuple(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def of_frame(self, frame: pl.DataFrame) -> Floats:
        """Of each row of a log; a column that it does not have is unknown throughout."""
        feature_NF = np.full((frame.height, len(self)), np.nan, dtype=np.float32)
        for place, (name, known) in enumerate(self.values.items()):
            if name in frame.columns:
                feature_NF[:, place] = _numbers(frame[name], known)
        return feature_NF

    def of_told(self, told: Sequence[Mapping[str, Any]]) -> Floats:
        """Of what callers say, each mapping by itself; what is left out or cannot be understood is unknown."""
        texts = {name: [_text(one.get(name)) for one in told] for name in self.values}
        frame = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
        return self.of_frame(frame) if len(self) else np.empty((len(told), 0), dtype=np.float32)

    def __str__(self) -> str:
        kinds = (f"{name} ({'numbers' if known is None else _counted(known)})" for name, known in self.values.items())
        return f"Context: {', '.join(kinds)}."


def holds_numbers(context: pl.DataFrame, name: str, read_as: str | None = None) -> bool:
    """Does this column of context hold numbers, rather than text?

    Args:
        context: All columns of context.
        name: Of the one.
        read_as: What the log's column of that name was taken for, such as `value`.

    Raises:
        RecipeError: No such column, or one of dates or lists.
    """
    if name not in context.columns:
        if read_as is not None:
            own = f"To have it as context, leave it out of the roles: --columns {read_as}= (read_events: columns)."
            raise RecipeError(
                f'{WHERE}: the log\'s column "{name}" was read as {read_as}, so it is no context.',
                hint=f"{INSTEAD.get(read_as, '')} {own}".strip(),
            )
        listed = f"Columns of context: {', '.join(context.columns) or 'none'}."
        raise RecipeError(f'{WHERE}: the log has no column "{name}" of context.', hint=INSTEAD.get(name, listed))
    column = context[name]
    if column.dtype.is_temporal() or (column.dtype == pl.String and column.str.contains(ISO_DATE).all()):
        raise RecipeError(f"{WHERE}: {name} holds dates.", hint="Give how long it is until then, as a number.")
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise RecipeError(f"{WHERE}: {name} holds {column.dtype}; expected text or numbers.", hint="Leave it out.")
    return is_numeric(column)


def refuse_nothing_to_learn(name: str, distinct: int, known: int, events: int) -> None:
    """Refuse a column that says the same of every event.

    Raises:
        RecipeError: See above. One value that some events lack says something.
    """
    if distinct < 2 and known in (0, events):
        same = "is the same" if known else "is unknown"
        raise RecipeError(f"{WHERE}: {name} {same} in every event: nothing to learn from.", hint="Leave it out.")


def most_frequent(name: str, counts: pl.DataFrame) -> Vocabulary:
    """The values that get a code, those first that come most often.

    Args:
        name: Of the column.
        counts: `value` and `n`, its events.

    Raises:
        RecipeError: Even they are rare.
    """
    kept = counts.sort("n", "value", descending=[True, False]).head(MOST_VALUES)
    if float(kept["n"].sum()) < WORTH * float(counts["n"].sum()):
        raise RecipeError(
            f"{WHERE}: {name} has {counts.height:,} values; even the {MOST_VALUES} most frequent are rare.",
            hint="Give a coarser column: the family of a browser, the country of a place.",
        )
    return Vocabulary(kept["value"])


def _values(context: pl.DataFrame, name: str, read_as: str | None) -> Vocabulary | None:
    numbers = holds_numbers(context, name, read_as)
    known = context[name].drop_nulls()
    refuse_nothing_to_learn(name, known.n_unique(), len(known), context.height)
    return None if numbers else most_frequent(name, known.cast(pl.String).alias("value").value_counts(name="n"))


def _numbers(column: pl.Series, known: Vocabulary | None) -> Floats:
    if column.dtype in (pl.Categorical, pl.Enum, pl.Boolean) or known is not None:
        column = column.cast(pl.String, strict=False)
    if known is None:
        number_N = column.cast(pl.Float64, strict=False).cast(pl.Float32).to_numpy()
        return np.where(np.isfinite(number_N), number_N, np.float32("nan"))
    code_N = known.indices(column)
    unknown_N = (code_N == 0) | column.is_null().to_numpy()
    return np.where(unknown_N, np.float32("nan"), code_N.astype(np.float32))


def _text(value: Any) -> str | None:
    """As polars writes it; what is no Unicode text is no value that a log could hold."""
    if value is None:
        return None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode("utf-8", "replace").decode()


def _counted(known: Vocabulary) -> str:
    return "1 value" if len(known) == 1 else f"{len(known):,} values"
