"""`horae anomalies`: events, and users, that a run did not expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from horae.cli import options as o
from horae.cli.asking import moment_of
from horae.cli.files import check_ending, check_outputs, table_to
from horae.cli.inputs import Reading
from horae.cli.output import say, show, show_json
from horae.cli.verb import verb

if TYPE_CHECKING:
    import polars as pl

    from horae.forecasting.anomalies.result import Anomalies
    from horae.recommend.recommender import Recommender
    from horae.schema import Events

__all__ = ["EXAMPLES", "anomalies"]

EXAMPLES = """\b
Examples:
  horae anomalies runs/first
  horae anomalies runs/first newer.csv --false-alarms 0.001 -o odd.csv
  horae anomalies runs/first newer.csv --by user --json
"""


@verb
def anomalies(
    run: o.Run,
    events: o.OptionalLog = None,
    by: Annotated[Literal["event", "user"], typer.Option(help="What to list: odd events, or odd users.")] = "event",
    false_alarms: Annotated[
        float, typer.Option(metavar="RATE", help="Share of ordinary events, and users, that may be flagged.")
    ] = 0.01,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Judge only events from then on. [default: all]", show_default=False),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Write all that was judged, not only what is odd.", show_default=False)
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The list: .csv, .parquet or .jsonl; - for CSV.", show_default=False
        ),
    ] = None,
    seed: o.Seed = 0,
    device: o.Device = "cpu",
    json_: o.Json = False,
) -> None:
    """Find events and users that a run did not expect.

    Of the run's own test part, or of another log: items that were not to be expected, gaps too short or too long, far
    values, bursts, clockwork, nobody asleep. What is usual is told by events that the run did not learn from; the share
    of them that is flagged is the rate of false alarms.
    """
    from horae.forecasting.anomalies.find import find_anomalies
    from horae.recommend.run import load

    if not 0 < false_alarms < 1:
        raise typer.BadParameter(f"{false_alarms}: expected a rate between 0 and 1.", param_hint="--false-alarms")
    if everything and out is None and not json_:
        raise typer.BadParameter("it has an effect with -o or --json only.", param_hint="--all")
    if out is not None:
        check_ending(out)
    check_outputs(out, json_)
    moment = moment_of(since, "--since")
    recommender = load(run, device=device)
    log = None if events is None else _read(recommender, events)
    found = find_anomalies(recommender, log, since=moment, false_alarms=false_alarms, seed=seed)
    table = _table(found, by, everything)
    if out is not None:
        with table_to(out) as write:
            write(table)
        say(f"{table.height:,} {by}s: {out}")
    if json_:
        rows = {} if out else {f"{by}s_listed": _json_rows(table)}
        show_json({"run": str(run), "source": events, "by": by, "file": out, **found.as_dict(), **rows})
    else:
        (say if out == "-" else show)(found.text(by))


def _read(recommender: Recommender, events: str) -> Events:
    """In the way that the run's own log was read, but for what cleaning would hide."""
    from horae.forecasting.anomalies.find import reading_of

    how = recommender.card.get("data", {}).get("reading", {})
    return Reading(**how).events(events, reading_of(recommender))


def _table(found: Anomalies, by: str, everything: bool) -> pl.DataFrame:
    if by == "user":
        return found.users if everything else found.odd_users
    return found.frame if everything else found.odd


def _json_rows(table: pl.DataFrame) -> list[dict[str, Any]]:
    return [
        {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in table.iter_rows(named=True)
    ]
