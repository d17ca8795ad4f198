"""A log or a ready table in, the next values out, judged beside the opponents: the whole way.

In: a source and a question. Out: `SeriesForecast`. It reads no clock: what is known ends with the source, or at `at`.

    1. the source becomes series (`from_events`, `ready`)
    2. methods are fitted before the validation part and judged on it; the best one is chosen
    3. it and its opponents are judged on the test part, which came later
    4. the chosen one is fitted on everything and says what comes next
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import torch

from horae.data.clean import DataSettings, read_events
from horae.data.reading.raw import RawTable
from horae.data.sources import read_table
from horae.errors import DataError, RecipeError
from horae.forecasting.series.ahead import known_ahead
from horae.forecasting.series.choosing import AUTO, SHORT, choose, trainable
from horae.forecasting.series.every import Every, Floats
from horae.forecasting.series.from_events import series_of_events
from horae.forecasting.series.judging import Plan, ahead_of, judge, plan_of, summary
from horae.forecasting.series.methods import FALLBACK, Method, method_of, names_for, said_by
from horae.forecasting.series.network import NETWORKS
from horae.forecasting.series.ready import ready_columns, series_of_table
from horae.forecasting.series.result import SeriesForecast
from horae.forecasting.series.settings import Of, Refit, SeriesSettings
from horae.forecasting.series.table import KEY, SeriesTable
from horae.recommend.device import device_of
from horae.schema import Events
from horae.training.options import Options
from horae.training.progress import Quiet

__all__ = ["AUTO", "SeriesForecast", "check_question", "forecast_series", "forecast_table", "table_of"]


def forecast_series(
    source: Any,
    *,
    by: str | None = None,
    of: Of | None = None,
    every: str | None = None,
    horizon: int = 28,
    model: str = AUTO,
    at: datetime | None = None,
    catalog: pl.DataFrame | None = None,
    promotions: pl.DataFrame | None = None,
    settings: SeriesSettings | None = None,
    seed: int = 0,
    options: Options | None = None,
) -> SeriesForecast:
    """Forecast counts or values on a regular grid, one network for all series, judged beside simple methods.

    Args:
        source: Events, or whatever `horae.read_events` reads; or a ready table `series_id, date, value`, by whatever
            names these usually have.
        by: One series of `all` (as if not said), or one for each `user`, `item`, `category` or value of another column.
        of: `count` of events (as if not said), or `sum`, `mean`, `last` of their values. Of a ready table: what several
            values in one bin become.
        every: Width of a bin: `1h`, `1d` (as if not said), `1w`, `1mo`. Of a ready table: as its values stand.
        horizon: Bins ahead.
        model: `auto` takes the method that is best on the validation part; or a method's name.
        at: As of a time: only what lies strictly before it is known.
        catalog: Items' attributes, for `by="category"`.
        promotions: What is planned, known ahead to the networks: `valid_from`, perhaps `valid_to`, `known_at`, whose it
            is (`series_id`, `item_id`, ...), and columns of numbers.
        settings: All else that may be chosen.
        seed: Same source, question and seed: same answer.
        options: Device and progress.

    Raises:
        DataError: The source makes no series, or the horizon is longer than the history.
        RecipeError: No such method, or an impossible setting.
        MissingExtraError: ETS or ARIMA was asked for without the extra `series`.
    """
    table = table_of(source, by=by, of=of, every=every, at=at, catalog=catalog, settings=settings)
    return forecast_table(table, horizon, model, settings, promotions=promotions, seed=seed, options=options)


def table_of(
    source: Any,
    *,
    by: str | None = None,
    of: Of | None = None,
    every: str | None = None,
    at: datetime | None = None,
    catalog: pl.DataFrame | None = None,
    settings: SeriesSettings | None = None,
    columns: Mapping[str, str] | None = None,
) -> SeriesTable:
    """The series that `forecast_series` forecasts, which has the same arguments.

    Args:
        source: As there; or what `read_table` made of it.
        by: As there.
        of: As there.
        every: As there.
        at: As there.
        catalog: As there.
        settings: As there.
        columns: Of a ready table: which column is `series_id`, `date`, `value`, where recognition would err.
    """
    settings = settings or SeriesSettings()
    at = at if at is None else (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    if not isinstance(source, Events):
        raw = source if isinstance(source, RawTable) else read_table(source)
        found = ready_columns(raw.frame.columns, columns)
        if found is not None:
            if by is not None:
                raise DataError(
                    f"by = {by!r}: {raw.source} holds series, not events ({', '.join(found.values())}).",
                    hint="Leave --by away; or name its columns as events: --columns user_id=COLUMN,timestamp=COLUMN.",
                )
            return series_of_table(raw, found, of, every, settings, at=at)
        source = read_events(raw, settings=DataSettings(timezone=settings.timezone))
    return series_of_events(source, by or "all", of or "count", every or "1d", settings, at=at, catalog=catalog)


def forecast_table(
    table: SeriesTable,
    horizon: int = 28,
    model: str = AUTO,
    settings: SeriesSettings | None = None,
    *,
    promotions: pl.DataFrame | None = None,
    seed: int = 0,
    options: Options | None = None,
) -> SeriesForecast:
    """`forecast_series` for series that are there already; it raises the same."""
    settings, options = settings or SeriesSettings(), options or Options()
    progress = options.progress or Quiet()
    if horizon < 1:
        raise RecipeError(f"horizon = {horizon}: expected 1 or more.", hint="Say how many bins ahead.")
    names, notes = names_for(model, settings)
    table = _with_ahead(_seasoned(table, horizon, settings), horizon, names, settings, promotions)
    plan = plan_of(table.num_bins, horizon, table.season, settings.origins, settings.validation_origins)
    able = trainable(names, model, table, plan, horizon)
    device = device_of(options.device)
    beside = min(settings.classic_beside(table.season), len(table))
    most = {name: len(table) if name == model else beside for name in able}
    methods = [method_of(name, table.season, horizon, settings, most[name], seed, device) for name in able]
    choice = choose(model, methods, table, plan, horizon, settings, progress)
    again: Refit = "once" if not plan.validation else settings.refit
    judged = judge(table, choice.methods, plan.test, horizon, settings.levels, fit=again)
    means = {name: summary(errors) for name, errors in judged.errors.items()}
    own = next(method for method in choice.methods if method.name == choice.model)
    said_SHQ, missing = _next_values(own, table, horizon, settings)
    reasons = {name: SHORT for name in names if name not in able} | choice.reasons
    return SeriesForecast(
        frame=_frame(table, said_SHQ),
        model=choice.model,
        chosen=choice.why,
        metrics=means.pop(choice.model),
        opponents={**means, **dict.fromkeys(reasons)},
        against={
            name: ahead_of(judged.errors[choice.model], judged.errors[name], settings.bootstrap, seed) for name in means
        },
        validation=choice.validation,
        reasons=reasons,
        notes=(*table.notes, *notes, *_plan_notes(plan, settings, horizon), *missing),
        table=table,
        judged=judged,
        interval=settings.interval,
        facts={method.name: facts for method in choice.methods if (facts := method.facts())},
        seed=seed,
    )


def check_question(model: str, every: str | None, settings: SeriesSettings) -> None:
    """Refuse before a log is read what would be refused after; see `forecast_series`."""
    names_for(model, settings)
    Every.parse(every or "1d", settings.timezone)


def _with_ahead(
    table: SeriesTable, horizon: int, names: Sequence[str], settings: SeriesSettings, promotions: pl.DataFrame | None
) -> SeriesTable:
    """The same with what is known ahead, which networks alone can use."""
    ahead, notes = known_ahead(table, horizon, settings.holidays, promotions)
    if ahead is not None and not set(names) & set(NETWORKS):
        raise RecipeError(
            "Holidays and promotions have no effect: no network is among the methods.",
            hint=f"Leave them away, or take --model auto or one of {', '.join(NETWORKS)}.",
        )
    return replace(table, ahead=ahead, notes=(*table.notes, *notes))


def _seasoned(table: SeriesTable, horizon: int, settings: SeriesSettings) -> SeriesTable:
    """Without a season, where the history does not hold a whole one before the last origin, unless it was asked for."""
    if settings.season or table.season == 1 or table.num_bins - horizon >= table.season + 2:
        return table
    note = f"The history holds no season of {table.season:,} bins before the last origin, so none is assumed."
    return replace(table, season=1, notes=(*table.notes, note))


def _next_values(own: Method, table: SeriesTable, horizon: int, settings: SeriesSettings) -> tuple[Floats, list[str]]:
    """What comes next by the chosen method, fitted on everything; the fallback speaks where it cannot."""
    own.fit(table)
    said_SHQ = said_by(own, table, horizon)
    silent_S = ~np.isfinite(said_SHQ).all(axis=(1, 2))
    if not silent_S.any():
        return said_SHQ, []
    fallback = method_of(FALLBACK, table.season, horizon, settings, 0, 0, torch.device("cpu"))
    said_SHQ[silent_S] = said_by(fallback, table, horizon)[silent_S]
    return said_SHQ, [f"{FALLBACK} speaks for {int(silent_S.sum()):,} series that {own.name} cannot forecast."]


def _plan_notes(plan: Plan, settings: SeriesSettings, horizon: int) -> list[str]:
    held, tested = len(plan.validation), len(plan.test)
    if (held, tested) == (settings.validation_origins, settings.origins):
        return []
    return [
        f"The history is short for a horizon of {horizon:,}: {held} of {settings.validation_origins} validation "
        f"origins and {tested} of {settings.origins} test origins."
    ]


def _frame(table: SeriesTable, said_SHQ: Floats) -> pl.DataFrame:
    series, horizon = said_SHQ.shape[:2]
    starts = table.every.starts(table.bins(table.num_bins, table.num_bins + horizon))
    flat = said_SHQ.reshape(-1, 3)
    return pl.DataFrame(
        {
            KEY: table.keys[np.repeat(np.arange(series), horizon)],
            "timestamp": pl.concat([starts] * series),
            "value": flat[:, 1],
            "low": flat[:, 0],
            "high": flat[:, 2],
        }
    )
