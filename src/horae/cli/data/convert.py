"""`horae data convert`: a raw log in, the cleaned events out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

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
  horae data convert reviews.csv --text-vectors review_text -o events.parquet
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
    text_vectors: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column of texts: what each says becomes numbers text_0, text_1, ... for [model] context.",
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of these texts: auto, minilm, multilingual, hashed, or a folder. [default: hashed]",
            show_default=False,
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(min=1, help="How many numbers, at most. [default: 16]", show_default=False),
    ] = None,
    fit_until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Fitted on texts before it: a date, or 30d back from the end. [default: the training part's end]",
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
    told = {"encoder": encoder, "width": width, "fit_until": fit_until}
    told = {name: value for name, value in told.items() if value is not None}
    if told and text_vectors is None:
        option = "--" + next(iter(told)).replace("_", "-")
        raise typer.BadParameter("it has no effect without --text-vectors.", param_hint=option)
    log = reading.events(events, data_table(set_))
    if impressions is not None:
        log = _with_impressions(log, impressions, within, reading)
    if sentiment is not None:
        from horae.features.content.sentiment import add_sentiment

        log = add_sentiment(log, sentiment)
        say(log.report.steps[-1].message)
    if text_vectors is not None:
        log = _with_text_vectors(log, text_vectors, told)
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


def _with_text_vectors(log: Events, column: str, told: dict[str, Any]) -> Events:
    """The log with numbers for its texts; says how a network is to be told of them."""
    from horae.features.content.text_vectors import add_text_vectors

    joined = add_text_vectors(log, column, progress=True, **told)
    names = [name for name in joined.frame.columns if name not in log.frame.columns]
    say(f"{joined.report.steps[-1].message}\nFor a network: --set 'model.context={json.dumps(names)}'")
    return joined
