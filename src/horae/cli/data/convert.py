"""`horae data convert`: a raw log in, the cleaned events out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from horae.cli import options as o
from horae.cli.files import check_ending, check_outputs, table_to
from horae.cli.inputs import Reading, data_table
from horae.cli.output import say, show_json
from horae.cli.verb import verb

if TYPE_CHECKING:
    from horae.schema import Events

__all__ = ["EXAMPLES", "convert"]

EXAMPLES = """\b
Examples:
  horae data convert ratings.dat -o events.parquet
  horae data convert events.csv -o clean.csv --set data.min_item_events=5
  horae data convert clicks.csv --impressions shown.csv -o events.parquet
  horae data convert reviews.csv --sentiment review_text -o events.parquet
  horae data convert sqlite:///shop.db --query "select * from orders" -o - | head
"""
BLOCK = 200_000


@verb
def convert(
    events: o.Log,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="A .csv, .parquet or .jsonl file, or - for CSV.", show_default=False
        ),
    ],
    impressions: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="user_id, item_id, timestamp: what people were shown; laid beside what they took next.",
            show_default=False,
        ),
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="How soon that has to follow. [default: 1800, half an hour]", show_default=False
        ),
    ] = None,
    sentiment: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column of texts, such as reviews: which value each speaks of becomes text_sentiment.",
            show_default=False,
        ),
    ] = None,
    reading: Reading = Reading(),
    set_: o.Set = None,
    json_: o.Json = False,
) -> None:
    """Clean a log and write it in another format."""
    check_ending(out)
    check_outputs(out, json_)
    if within is not None and impressions is None:
        raise typer.BadParameter("it has no effect without --impressions.", param_hint="--within")
    log = reading.events(events, data_table(set_))
    if impressions is not None:
        log = _with_impressions(log, impressions, within, reading)
    if sentiment is not None:
        from horae.features.content.sentiment import add_sentiment

        log = add_sentiment(log, sentiment)
        say(log.report.steps[-1].message)
    with table_to(out) as write:
        for block in log.frame.iter_slices(BLOCK):
            write(block)
    if json_:
        show_json({"file": out, "events": len(log), "columns": log.frame.columns, "report": log.report.as_dict()})
    elif out != "-":
        say(f"{len(log):,} events: {out}")


def _with_impressions(log: Events, file: str, within: float | None, reading: Reading) -> Events:
    from horae.data.impressions import WITHIN_SECONDS, join_impressions

    as_log = Reading(timezone=reading.timezone, max_bad=reading.max_bad, strict=reading.strict)
    joined = join_impressions(log, as_log.events(file, {}), within_seconds=WITHIN_SECONDS if within is None else within)
    say(joined.report.steps[-1].message)
    return joined
