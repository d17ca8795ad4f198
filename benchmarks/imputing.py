"""A fifth of daily values hidden, as days, as blocks and as outages of all series: who guesses best, set by set?

Errors are in standard deviations of each series' known values, so that revenue and orders can stand in one number; all
methods may look at what is known on both sides. For a try, HORAE_IMPUTING_SERIES bounds the series of a set,
HORAE_IMPUTING_SEEDS the rounds, HORAE_IMPUTING_EPOCHS the training:
HORAE_IMPUTING_SERIES=8 HORAE_IMPUTING_SEEDS=1 python -m benchmarks imputing --allow-dirty.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from horae import AutoencoderSettings, ImputeSettings, impute

SERIES = int(os.environ.get("HORAE_IMPUTING_SERIES", "1000"))
SEEDS = int(os.environ.get("HORAE_IMPUTING_SEEDS", "3"))
EPOCHS = int(os.environ.get("HORAE_IMPUTING_EPOCHS", AutoencoderSettings.epochs))
HIDDEN, SHORTEST_BLOCK, LONGEST_BLOCK, WEEK = 0.2, 3, 21, 7
LEAST_KNOWN = 60

COUNTING = {
    **{name: ImputeSettings(name) for name in ("forward_fill", "mean", "median", "linear", "time")},
    "seasonal": ImputeSettings("seasonal", period=WEEK),
    "nearest": ImputeSettings("nearest", lags=WEEK),
}


def online_retail(data: Path) -> np.ndarray:
    return matrix(pl.read_parquet(data / "online-retail" / "daily_series.parquet"))


def wikipedia(data: Path) -> np.ndarray:
    return matrix(pl.read_parquet(data / "wikipedia-pageviews-daily" / "daily_series.parquet"))


def cdnow(data: Path) -> np.ndarray:
    """Purchases, customers, units and revenue of each day."""
    log = pl.read_parquet(data / "cdnow" / "transactions.parquet")
    day = pl.from_epoch("timestamp").dt.date()
    daily = log.group_by(date=day).agg(
        purchases=pl.len().cast(pl.Float64),
        customers=pl.col("user_id").n_unique().cast(pl.Float64),
        units=pl.col("quantity").sum().cast(pl.Float64),
        revenue=pl.col("amount").sum(),
    )
    return matrix(daily.unpivot(index="date", variable_name="series_id"))


def matrix(frame: pl.DataFrame) -> np.ndarray:
    """Days x series; evenly chosen series where there are more than asked for; days without a row are unknown."""
    if frame.schema["date"] == pl.String:
        frame = frame.with_columns(pl.col("date").str.to_date())
    names = frame.group_by("series_id").len().filter(pl.col("len") >= LEAST_KNOWN)["series_id"].sort()
    names = names.gather(np.unique(np.linspace(0, len(names) - 1, min(SERIES, len(names))).astype(int)))
    days = frame.select(date=pl.date_range(pl.col("date").min(), pl.col("date").max(), "1d"))
    wide = frame.filter(pl.col("series_id").is_in(names.implode())).pivot("series_id", index="date", values="value")
    table = days.join(wide, on="date", how="left").sort("date").drop("date")
    return table.fill_null(float("nan")).to_numpy()


def points(value_TS: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(value_TS.shape) < HIDDEN) & ~np.isnan(value_TS)


def blocks(value_TS: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Runs of days of one series, each series by itself, until a fifth is gone."""
    steps, series = value_TS.shape
    hidden = np.zeros(value_TS.shape, dtype=bool)
    for column in range(series):
        while hidden[:, column].mean() < HIDDEN:
            start = int(rng.integers(steps))
            hidden[start : start + int(rng.integers(SHORTEST_BLOCK, LONGEST_BLOCK + 1)), column] = True
    return hidden & ~np.isnan(value_TS)


def outages(value_TS: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Runs of days of all series at once: nobody can tell of anybody."""
    return blocks(np.zeros((len(value_TS), 1)), rng) & ~np.isnan(value_TS)


def judged(value_TS: np.ndarray, hidden_TS: np.ndarray, settings: Any) -> dict[str, float]:
    shown_TS = np.where(hidden_TS, np.nan, value_TS)
    started = time.process_time()
    guess_TS = impute(shown_TS, settings)
    seconds = time.process_time() - started
    mean_S, spread_S = np.nanmean(shown_TS, axis=0), np.nanstd(value_TS, axis=0)
    told = hidden_TS & (spread_S > 0)
    guessed = np.isfinite(guess_TS[told])
    filled_TS = np.where(np.isfinite(guess_TS), guess_TS, mean_S)
    error = ((filled_TS - value_TS) / np.where(spread_S > 0, spread_S, 1.0))[told]
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "not_guessed": float(1 - guessed.mean()),
        "cpu_seconds": seconds,
    }


def measured(value_TS: np.ndarray) -> dict[str, Any]:
    figures: dict[str, Any] = {"series": value_TS.shape[1], "days": value_TS.shape[0]}
    for kind, hide in (("points", points), ("blocks", blocks), ("outages", outages)):
        runs: dict[str, list[dict[str, float]]] = {}
        for seed in range(SEEDS):
            hidden_TS = hide(value_TS, np.random.default_rng([seed, 7]))
            networks = {
                "autoencoder": AutoencoderSettings(seed=seed, epochs=EPOCHS),
                "autoencoder_week": AutoencoderSettings(seed=seed, epochs=EPOCHS, period=WEEK),
            }
            for name, settings in {**COUNTING, **networks}.items():
                runs.setdefault(name, []).append(judged(value_TS, hidden_TS, settings))
        means = {
            name: {key: float(np.mean([one[key] for one in taken])) for key in taken[0]} for name, taken in runs.items()
        }
        over = [one["rmse"] / line["rmse"] for one, line in zip(runs["autoencoder"], runs["linear"], strict=True)]
        figures[kind] = {
            "methods": means,
            "best_mae": min(means, key=lambda name: means[name]["mae"]),
            "best_rmse": min(means, key=lambda name: means[name]["rmse"]),
            "autoencoder_rmse_over_linear": {"mean": float(np.mean(over)), "low": min(over), "high": max(over)},
        }
    return figures


def averaged(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}


def measure(data: Path) -> dict[str, Any]:
    sets = {"online-retail": online_retail, "wikipedia-pageviews-daily": wikipedia, "cdnow": cdnow}
    return {
        "hidden_share": HIDDEN,
        "block_days": [SHORTEST_BLOCK, LONGEST_BLOCK],
        "seeds": SEEDS,
        "epochs": EPOCHS,
        "unit": "standard deviations of each series; what a method left missing counts as its series' mean",
        "sets": {name: measured(load(data)) for name, load in sets.items()},
    }
