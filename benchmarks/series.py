"""Daily series, 28 days ahead from 3 past origins: MASE of every method.

Bar: below seasonal naive, and level with or below ARIMA, on 2 of the 4 sets. What is compared with ETS and ARIMA is
compared on the series that these had (the largest); the simulated shop is counted by category and as a whole.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import polars as pl

import horae
from horae.data.simulate import ShopSettings, simulate
from horae.forecasting.series.forecast import forecast_table, table_of
from horae.forecasting.series.network import NETWORKS
from horae.forecasting.series.settings import SeriesSettings
from horae.forecasting.series.table import SeriesTable
from horae.training.options import Options
from horae.training.progress import Shown

HORIZON = 28
MEASURED = ("mase", "mae", "rmse", "coverage", "width", "pinball", "series")


def measure(data: Path) -> dict[str, Any]:
    """`HORAE_SERIES=N` takes the N largest series of each set only, for a try."""
    most = int(os.environ.get("HORAE_SERIES", "0")) or 500
    sets = {name: judged(table, most) for name, table in tables(data, most).items()}
    return {
        "protocol": f"rolling origin, {HORIZON} bins ahead, 3 origins, fitted anew before them; 2 before choose",
        "sets": sets,
    }


def tables(data: Path, most: int) -> dict[str, SeriesTable]:
    settings = SeriesSettings(max_series=most)
    cdnow = pl.read_parquet(data / "cdnow" / "transactions.parquet").rename({"amount": "value"}).drop("quantity")
    shop = simulate(ShopSettings(users=2_000, items=500, events=150_000, days=500), seed=1)
    events = horae.read_events(shop.frame)
    by_category = {"by": "category", "catalog": shop.catalog, "settings": settings}
    return {
        "online-retail": table_of(data / "online-retail" / "daily_series.parquet", settings=settings),
        "wikipedia-pageviews-daily": table_of(wikipedia(data), settings=settings),
        "cdnow": table_of(cdnow, of="sum", settings=settings),
        "simulated by category": table_of(events, **by_category),
        "simulated, all": table_of(events, settings=settings),
    }


def wikipedia(data: Path) -> pl.DataFrame:
    frame = pl.read_parquet(data / "wikipedia-pageviews-daily" / "daily_series.parquet")
    return frame.select("series_id", "date", "value")


def judged(table: SeriesTable, most: int) -> dict[str, Any]:
    """`auto` beside its opponents, then each network by itself."""
    beside = SeriesSettings(max_series=most, classic_series=min(50, most))
    alone = SeriesSettings(max_series=most, classic_series=0)
    started, cpu = time.perf_counter(), time.process_time()
    auto = forecast_table(table, HORIZON, "auto", beside, options=Options(progress=Shown()))
    cost = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    networks = {
        name: forecast_table(table, HORIZON, name, alone, options=Options(progress=Shown()))
        for name in NETWORKS
        if name != auto.model and name in auto.validation
    }
    document = auto.as_dict()
    rows = {auto.model: auto.metrics, **{name: one for name, one in auto.opponents.items() if one is not None}}
    rows |= {name: one.metrics for name, one in networks.items()}
    return {
        "model": auto.model,
        "chosen": auto.chosen,
        "series": len(table),
        "bins": table.num_bins,
        "origins": document["origins"],
        "methods": {name: {key: one[key] for key in MEASURED} for name, one in rows.items()},
        "by_horizon": {name: one["by_horizon"]["mase"] for name, one in rows.items()},
        "against": document["against"],
        "validation": auto.validation,
        "networks_against_seasonal_naive": {
            name: one.as_dict()["against"]["seasonal-naive"]["mase"] for name, one in networks.items()
        },
        "fitting": auto.facts,
        "notes": list(auto.notes),
        **{name: round(value, 1) for name, value in cost.items()},
    }
