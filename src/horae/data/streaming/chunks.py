"""A long log, chunk by chunk, with our names and types: what `columns.understand` says of the whole, of each chunk.

In: `ParquetLog`, the user's mapping and zone. Out: frames with canonical columns, the number of each row in the log
(`SOURCE_ROW`) and, in place of all context columns, a hash of them (so that equal rows are still found equal), beside
those that are to be kept.

What a column means and how its times are written is decided once, from a sample of the log. The sample goes in front of
each chunk when that is understood and is taken off after, so that no chunk decides by itself. Chunks that would decide
differently all the same (times in two units) are refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from horae.data.cleaning.faults import MAX_EXAMPLES, ORDER_COLUMN, SOURCE_ROW
from horae.data.columns import understand
from horae.data.reading.raw import RawTable
from horae.data.streaming.parquet import ParquetLog
from horae.data.understanding.names import ROLES
from horae.data.understanding.roles import ROW_NUMBER, choose_roles
from horae.errors import DataError
from horae.schema import BEHAVIOR, EVENT_ORDER, ITEM, TARGET, TIMESTAMP, USER, VALUE, Step

__all__ = ["Chunks", "merged"]

SPAN = re.compile(r", -?\d+-\d\d-\d\d \d\d:\d\d to -?\d+-\d\d-\d\d \d\d:\d\d UTC(?=\.$)")
OWN = (USER, ITEM, BEHAVIOR, TIMESTAMP, VALUE, ORDER_COLUMN, EVENT_ORDER, SOURCE_ROW)
ROW_POSITION = "__position"
"""The row's number as the log's own order, where the user says that rows stand in order."""
SEVERAL = "in several parts of the log, for example: "


class Chunks:
    """Understands a log.

    Args:
        log: What to read.
        columns: Canonical name -> the log's, where recognition would err.
        timezone: Of times that name none.
        keep: Columns of context to keep, as text where they are not numbers.

    Attributes:
        steps: What was understood and set aside, so far.
        context: All columns of context, of a sample of the log.

    Raises:
        DataError: Columns that cannot be recognised; a log without items, or whose times stand in two columns.
    """

    def __init__(
        self, log: ParquetLog, columns: Mapping[str, str] | None, timezone: str | None, keep: tuple[str, ...] = ()
    ) -> None:
        self._log = log
        self._keep = keep
        self._timezone = timezone
        self._sample = log.sample()
        self._columns = self._choose(dict(columns or {}))
        self.steps: list[Step] = [Step("format", "understood", 0, "Parquet, read in parts; types kept.")]
        self._left_out = self._unordered()
        _, told = understand(self._sample, columns=columns, timezone=timezone, max_bad=1.0)
        self.steps += [step for step in told if step.name == "columns"]
        self._times = _form(told)
        frame, told = self._understood(self._sample, 0)
        self._counted = Counter({(step.name, step.kind): step.rows for step in told})
        self.context = frame.select(_context(frame))

    @property
    def source_of_users(self) -> str:
        """The log's column of users."""
        return self._columns[USER]

    def frames(self, rows: int) -> Iterator[pl.DataFrame]:
        """All chunks, in order; `steps` grows with each.

        Raises:
            DataError: A chunk whose times are written in another way.
        """
        for start, table in self._log.chunks(rows):
            frame, told = self._understood(_behind(self._sample, table), start - self._sample.frame.height)
            told = [step for step in told if step.name != "columns" and self._is_new(step)]
            found = [replace(step, rows=step.rows - self._counted[step.name, step.kind]) for step in told]
            self.steps = merged([*self.steps, *found])
            yield _hashed(frame.filter(pl.col(SOURCE_ROW) >= start), self._keep)

    def _is_new(self, step: Step) -> bool:
        """Not of the sample's rows alone."""
        return step.rows == 0 or step.rows > self._counted[step.name, step.kind]

    def _choose(self, given: dict[str, str]) -> dict[str, str]:
        """A column, or none, for every role."""
        frame = self._sample.frame
        headerless = all(name == f"column_{i}" for i, name in enumerate(frame.columns, start=1))
        roles = choose_roles(frame, self._log.name, given, headerless)
        if ITEM not in roles.columns:
            raise DataError(
                f"{self._log.name} has no column that can be recognised as items.",
                hint="Name it: --columns item_id=COLUMN.",
            )
        if roles.clock:
            raise DataError(
                f"{self._log.name}: times stand in two columns, {roles.columns[TIMESTAMP]!r} and {roles.clock!r}.",
                hint="Join them to one column before the log is read in parts.",
            )
        return {role: roles.columns.get(role, "") for role in ROLES}

    def _unordered(self) -> list[str]:
        """Columns of places that are known in part only: they order nothing, as `clean` has it for whole logs."""
        source = self._columns[ORDER_COLUMN]
        self._rename = {}
        if EVENT_ORDER in self._log.columns and self._log.unknown(EVENT_ORDER):
            self._rename = {EVENT_ORDER: f"{EVENT_ORDER}_in_log"}
        if source in ("", ROW_NUMBER) or not (unknown := self._log.unknown(source)):
            return []
        self._columns[ORDER_COLUMN] = ""
        message = "positions are unknown; the log's order of rows is used instead, for all."
        hint = "Complete the column, or sort the log."
        self.steps.append(Step("positions", "warning", unknown, message, hint=hint))
        return [source]

    def _understood(self, table: RawTable, first: int) -> tuple[pl.DataFrame, list[Step]]:
        """One table with our names; its row numbers count from `first`, negative ones are the sample's."""
        frame = table.frame.drop(self._left_out).rename(self._rename)
        number = pl.int_range(first, first + pl.len(), dtype=pl.Int64)
        frame = frame.with_columns(number.alias(SOURCE_ROW))
        columns = dict(self._columns)
        if columns[ORDER_COLUMN] == ROW_NUMBER:
            columns[ORDER_COLUMN] = ROW_POSITION
            frame = frame.with_columns(number.alias(ROW_POSITION))
        frame, steps = understand(replace(table, frame=frame), columns=columns, timezone=self._timezone, max_bad=1.0)
        if (form := _form(steps)) != self._times:
            raise DataError(
                f"{self._log.name}: times are written in two ways: {self._times} and, from row {first:,} on, {form}.",
                hint="Bring them to one unit, or one way of writing.",
            )
        steps = [replace(step, message=SPAN.sub("", step.message)) for step in steps]
        return frame, steps


def merged(steps: list[Step]) -> list[Step]:
    """Steps of the parts of a log as steps of the whole: rows added up, the first examples kept.

    Where the parts say different things (they name their own numbers), what the first one says is told as an example.
    """
    whole: dict[tuple[str, str], Step] = {}
    for step in steps:
        key = (step.name, step.kind)
        known = whole.get(key)
        if known is None:
            whole[key] = step
            continue
        shown = tuple(dict.fromkeys([*known.examples, *step.examples]))[:MAX_EXAMPLES]
        same = step.message == known.message or known.message.startswith(SEVERAL)
        message = known.message if same else f"{SEVERAL}{known.message}"
        whole[key] = replace(known, rows=known.rows + step.rows, message=message, examples=shown)
    return list(whole.values())


def _form(steps: list[Step]) -> str:
    return next(
        (SPAN.sub("", step.message) for step in steps if step.name == "times" and step.kind == "understood"), ""
    )


def _behind(sample: RawTable, table: RawTable) -> RawTable:
    """A table with the sample in front of it."""
    return replace(table, frame=pl.concat([sample.frame, table.frame]), parts=(*sample.parts, *table.parts))


def _hashed(frame: pl.DataFrame, keep: tuple[str, ...]) -> pl.DataFrame:
    """Context columns as two hashes of 64 bits each: two rows that differ there differ here, save once in 10^38."""
    own = [name for name in OWN if name in frame.columns]
    rest = _context(frame)
    if not rest:
        return frame.select(own)
    kinds = (pl.Categorical, pl.Enum)
    context = frame.select(
        pl.col(name).cast(pl.String) if isinstance(frame.schema[name], kinds) else pl.col(name) for name in rest
    )
    hashes = [context.hash_rows(seed).alias(f"context_{seed}") for seed in (1, 2)]
    return frame.select(own).with_columns(*hashes, *(context[name] for name in keep))


def _context(frame: pl.DataFrame) -> list[str]:
    """Columns that are not ours; of Events that are read again, targets are marked anew."""
    again = EVENT_ORDER in frame.columns
    return [name for name in frame.columns if name not in OWN and not (again and name == TARGET)]
