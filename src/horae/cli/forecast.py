"""`horae forecast`: the next values of series from a log or a ready table; of a run, everybody's next event."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from horae.cli import options as o
from horae.cli.asking import moment_of
from horae.cli.files import check_ending, check_outputs, table_to
from horae.cli.forecasting import Asked, OfRun
from horae.cli.inputs import Reading, read_table_of
from horae.cli.next_events import forecast_users
from horae.cli.output import say, show, show_json, wrapped
from horae.cli.verb import verb

if TYPE_CHECKING:
    import polars as pl

    from horae.forecasting.series.result import SeriesForecast
    from horae.forecasting.series.settings import SeriesSettings
    from horae.forecasting.series.table import SeriesTable

__all__ = ["EXAMPLES", "forecast"]

EXAMPLES = """\b
Examples:
  horae forecast events.csv --horizon 28 -o next.csv --plot next.html
  horae forecast events.csv --by item --of sum --every 1w --horizon 8 -o next.parquet
  horae forecast series.csv --model gru-attention --json
  horae forecast runs/first --user u1 --user u2 -o next.csv
"""


@verb
def forecast(
    source: Annotated[
        str,
        typer.Argument(
            metavar="EVENTS|SERIES|RUN",
            help="A log; a table series_id, date, value; or a folder that `horae train` wrote.",
            show_default=False,
        ),
    ],
    asked: Asked = Asked(),
    of_run: OfRun = OfRun(),
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As of a time: only what lies before it. [default: all]", show_default=False),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The next values: .csv, .parquet or .jsonl; - for CSV.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Write a page with plots there.", show_default=False),
    ] = None,
    reading: Reading = Reading(),
    seed: o.Seed = 0,
    device: o.Device = "cpu",
    json_: o.Json = False,
) -> None:  # fmt: skip
    """Forecast counts or values, judged beside simple methods.

    A log is counted in bins of time; one network learns all series. Past times are forecast first, knowing nothing
    later, so that it is known how far the next values can be trusted.
    """
    if out is not None:
        check_ending(out)
    check_outputs(out, json_)
    if (Path(source) / "card.json").is_file():
        of_run.check(asked, plot)
        forecast_users(source, of_run, moment_of(at), out, device, json_)
        return
    of_run.check_idle(source)
    found = _forecast(source, asked, at, reading, seed, device)
    if plot is not None:
        found.plot(plot)
        say(f"The page with plots: {plot}")
    if out is not None:
        _write(found.frame, out)
    if json_:
        rows = {} if out else {"forecast": _as_text_times(found.frame).to_dicts()}
        show_json({"source": source, "file": out, **found.as_dict(), **rows})
    else:
        (say if out == "-" else show)(wrapped(str(found)))


def _forecast(source: str, asked: Asked, at: str | None, reading: Reading, seed: int, device: str) -> SeriesForecast:
    from horae.data.sources import read_table
    from horae.forecasting.series.forecast import AUTO, check_question, forecast_table
    from horae.training.options import Options
    from horae.training.progress import progress_for

    settings, horizon, model = asked.settings(reading.timezone), asked.horizon or 28, asked.model or AUTO
    check_question(model, asked.every, settings)
    table = _table(source, asked, moment_of(at, zone=reading.timezone), reading, settings)
    say(f"{len(table):,} series of {table.num_bins:,} bins of {table.every}.")
    options = Options(device=device, progress=progress_for(True))
    plan = None if asked.promotions is None else read_table(asked.promotions).frame
    return forecast_table(table, horizon, model, settings, promotions=plan, seed=seed, options=options)


def _table(source: str, asked: Asked, at: Any, reading: Reading, settings: SeriesSettings) -> SeriesTable:
    from horae.data.sources import read_table
    from horae.forecasting.series.forecast import table_of
    from horae.forecasting.series.ready import ready_columns

    bad = {} if reading.max_bad is None else {"max_bad": reading.max_bad}
    text = {"header": reading.header, "delimiter": reading.delimiter, "encoding": reading.encoding}
    raw = read_table(source, query=reading.query, **bad, **text)  # type: ignore[arg-type]
    given = _mapping(reading.columns)
    question = {"by": asked.by, "of": asked.of, "every": asked.every, "at": at, "settings": settings}
    if ready_columns(raw.frame.columns, given) is not None:
        return table_of(raw, columns=given, **question)
    catalog = None if asked.catalog is None else read_table_of(asked.catalog, "item_id")
    return table_of(reading.events(raw, {}), catalog=catalog, **question)


def _mapping(columns: list[str] | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in ",".join(columns or ()).split(",") if pair.strip()]
    return {role.strip(): column.strip() for role, _, column in pairs}


def _write(frame: pl.DataFrame, out: str) -> None:
    with table_to(out) as write:
        write(frame if out.lower().endswith(".parquet") else _as_text_times(frame))
    if out != "-":
        say(f"{frame.height:,} rows: {out}")


def _as_text_times(frame: pl.DataFrame) -> pl.DataFrame:
    """Times with their offset, which text would lose: 2024-05-31T00:00:00+02:00."""
    import polars as pl

    written = [moment.isoformat().replace("+00:00", "Z") for moment in frame["timestamp"]]
    return frame.with_columns(pl.Series("timestamp", written, dtype=pl.String))
