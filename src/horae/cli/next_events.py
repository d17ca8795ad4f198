"""`horae forecast RUN`: what each user does next, as a table, as JSON, or in words for somebody at a terminal.

In: a run and what was asked of it. Out: what is printed and written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from horae.cli.files import table_to
from horae.cli.forecasting import OfRun
from horae.cli.inputs import read_ids
from horae.cli.output import aligned, say, say_all, show, show_json
from horae.page import number

if TYPE_CHECKING:
    import polars as pl

    from horae.schema import Forecasts

__all__ = ["as_words", "forecast_users"]

SHOWN = 20
DAY_SECONDS = 86_400
Row = dict[str, Any]


def forecast_users(run: str, of_run: OfRun, at: datetime | None, out: str | None, device: str, json_: bool) -> None:
    """Ask, and print or write the answer."""
    from horae.forecasting.events import forecast_run

    within = {} if of_run.within is None else {"within": of_run.within}
    told = forecast_run(Path(run), _users(of_run), at, **within, device=device)
    notes = list(told.notes)
    if json_ and out is None:
        facts = {"run": run, "within_seconds": told.within_seconds}
        show_json({**facts, "forecasts": list(_json_rows(told)), "notes": notes})
        return
    if out is None and sys.stdout.isatty():
        show(as_words(told))
    else:
        with table_to(out or "-") as write:
            write(told.frame)
    say_all(notes)
    if json_:
        show_json({"run": run, "file": out, "rows": len(told), "notes": notes})
    elif out not in (None, "-"):
        say(f"{len(told):,} rows: {out}")


def as_words(told: Forecasts) -> str:
    """For a person: one user in full, several as a table of the first twenty; at most 80 columns."""
    rows = told.frame.head(SHOWN).to_dicts()
    if len(told) == 1:
        return _in_full(rows[0], told)
    heads: dict[str, list[str | None]] = {
        "user_id": [str(row["user_id"])[:24] for row in rows],
        "next event": [_minute(row["next_time"]) for row in rows],
        f"in {_days(told)}": [_percent(row["return_probability"]) for row in rows],
        "behavior": [_behavior(row) for row in rows],
        "value": [None if row["value"] is None else number(row["value"]) for row in rows],
    }
    kept = {name: cells for name, cells in heads.items() if name == "user_id" or any(cells)}
    lines = [aligned(list(kept), list(zip(*kept.values(), strict=True)))]
    if len(told) > SHOWN:
        lines.append(f"... and {len(told) - SHOWN:,} more users; -o next.csv writes all of them, with bounds.")
    return "\n".join(lines)


def _in_full(row: Row, told: Forecasts) -> str:
    chances = told.behaviors.filter(request=0).sort("probability", descending=True)
    known = [f"{name} {_percent(chance)}" for name, chance in chances.select("behavior", "probability").iter_rows()]
    times = f"{_minute(row['next_time'])} ({_minute(row['next_time_low'])} to {_minute(row['next_time_high'])})"
    value = f"{number(row['value'])} ({number(row['value_low'])} to {number(row['value_high'])})"
    lines = [
        (f"back within {_days(told)}", _percent(row["return_probability"])),
        ("next event", None if row["next_time"] is None else times),
        ("behavior", ", ".join(known) or None),
        ("value", None if row["value"] is None else value),
    ]
    asked = "" if row["at"] is None else f", asked at {_minute(row['at'])} UTC"
    return f"User {row['user_id']}{asked}; four of five are to lie in brackets\n" + aligned(["", ""], lines).lstrip(
        "\n"
    )


def _users(of_run: OfRun) -> pl.Series | None:
    import polars as pl

    users = None if of_run.users is None else read_ids(of_run.users, "user_id")
    if of_run.user:
        return pl.concat([pl.Series("user_id", of_run.user), *([] if users is None else [users.cast(pl.String)])])
    return users


def _json_rows(told: Forecasts) -> Iterator[Row]:
    """Each row with the chances of all behaviors."""
    chances: dict[int, dict[str, float]] = {}
    for request, behavior, probability in told.behaviors.iter_rows():
        chances.setdefault(request, {})[behavior] = probability
    for place, row in enumerate(told.frame.iter_rows(named=True)):
        plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        yield {**plain, "behaviors": chances.get(place)}


def _minute(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _percent(chance: float | None) -> str | None:
    return None if chance is None else f"{chance:.0%}" if chance >= 0.1 else f"{chance:.1%}"


def _behavior(row: Row) -> str | None:
    if row["behavior"] is None:
        return None
    return f"{row['behavior'][:13]} {_percent(row['behavior_probability'])}"


def _days(told: Forecasts) -> str:
    days = told.within_seconds / DAY_SECONDS
    return f"{number(days)} d" if days >= 1 else f"{number(24 * days)} h"
