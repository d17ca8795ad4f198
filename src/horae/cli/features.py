"""`horae features`: what is known of users, items or the whole log as of any moment, as a table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from horae.cli import options as o
from horae.cli.files import check_ending, check_outputs, replacing, table_to
from horae.cli.inputs import Reading, data_table
from horae.cli.output import say, show_json
from horae.cli.verb import verb

if TYPE_CHECKING:
    import polars as pl

    from horae.features.compute import FeatureBlocks

__all__ = ["EXAMPLES", "features"]

EXAMPLES = """\b
Examples:
  horae features events.csv -o features.parquet
  horae features events.csv --by item --at 1d --windows 1d,7d -o items.parquet
  horae features events.csv --at 2024-05-31 --groups windows,recency -o - | head
  horae features events.csv --table plans.csv --relations friends.csv -o features.parquet
"""
PAUSE_SECONDS = 2.0


@verb
def features(
    events: o.Log,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="A .parquet, .csv or .jsonl file, or - for CSV.", show_default=False
        ),
    ],
    by: Annotated[str, typer.Option(help="Whose: user, item, all, or a column's name.")] = "user",
    at: Annotated[
        str,
        typer.Option(
            metavar="WHEN",
            help="events (just before each), a time such as 2024-05-31, a grid's step such as 1d, or a file of "
            "requests (the key and timestamp).",
        ),
    ] = "events",
    windows: Annotated[
        str,
        typer.Option(metavar="LIST", help="What trails behind: 30min, 7d; n10, the last ten events; all."),
    ] = "1h,1d,7d,28d",
    half_lives: Annotated[str, typer.Option(metavar="LIST", help="Of the decayed counts.")] = "1d,7d,28d",
    groups: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="windows,recency,... [default: all that the log allows]", show_default=False),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Columns by key and valid_from, maybe valid_to and known_at, as of then. May be repeated.",
            show_default=False,
        ),
    ] = None,
    relations: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="user_id, other_id, valid_from, maybe valid_to: whose events count as the circle's.",
            show_default=False,
        ),
    ] = None,
    holidays: Annotated[
        str | None,
        typer.Option(
            metavar="COUNTRY",
            help="The calendar knows its holidays: DE, or with a region DE-BY; needs the extra series.",
            show_default=False,
        ),
    ] = None,
    reading: Reading = Reading(),
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Write features of users, items or the log, as of any moment."""
    check_ending(out)
    check_outputs(out, json_)
    from horae.features.calendar import CalendarSettings
    from horae.features.compute import FeatureBlocks
    from horae.features.settings import FeatureSettings

    cleaning = data_table(set_)
    country, _, region = (holidays or "").partition("-")
    settings = FeatureSettings(  # refuses before the log is read
        None if groups is None else _listed(groups),
        _listed(windows),
        _listed(half_lives),
        reading.timezone or "UTC",
        CalendarSettings(country or None, region or None),
    )
    tables = {file: _table(file) for file in table or ()}
    requests = _table(at) if Path(at).is_file() else None
    log = reading.events(events, cleaning)
    related = None if relations is None else _table(relations)
    blocks = FeatureBlocks(log, by, at if requests is None else requests, settings, tables=tables, relations=related)
    told = _Told(blocks)
    _write(told, out)
    if json_:
        columns = {name: str(dtype) for name, dtype in told.schema.items()}
        document = {"file": out, "by": by, "at": at, "rows": told.rows, "groups": list(blocks.groups)}
        show_json({**document, "columns": columns, "report": log.report.as_dict()})
    elif out != "-":
        say(f"{told.rows:,} rows, {len(told.schema)} columns: {out}")


class _Told:
    """The frames as they come; says now and then how far the work is."""

    def __init__(self, blocks: FeatureBlocks) -> None:
        self._blocks = blocks
        self.rows = 0
        self.schema: dict[str, Any] = {}

    def __iter__(self) -> Iterator[pl.DataFrame]:
        whole = f" of {self._blocks.rows:,}" if self._blocks.rows else ""
        said = time.monotonic()
        for frame in self._blocks:
            self.rows += frame.height
            self.schema = dict(frame.schema)
            yield frame
            if time.monotonic() - said > PAUSE_SECONDS:
                say(f"{self.rows:,}{whole} rows")
                said = time.monotonic()


def _write(frames: _Told, out: str) -> None:
    from horae.features.writing import write_parquet

    if out.lower().endswith(".parquet"):
        with replacing(Path(out)) as file:
            write_parquet(frames, file)
        return
    with table_to(out) as write:
        for frame in frames:
            write(frame)


def _table(file: str) -> pl.DataFrame:
    from horae.data.sources import read_table

    return read_table(file, max_bad=0.0).frame


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
