"""How good over time, for how far ahead, and how often to retrain: three sets refitted in window after window.

`auto` with bounded epochs, one seed; everybody in a table was fitted on everything before its window. deskdrop's items
are new every week, online-retail's come and go by season, foursquare-nyc's places stay.
`HORAE_SETS=deskdrop` runs only some, `HORAE_RECIPES=markov` another recipe, into the same file.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import horae
from benchmarks.record import RESULTS
from horae.data.split import Split
from horae.recommend.recommender import Recommender
from horae.training.choose import asked, settled
from horae.training.progress import Shown
from horae.training.train import Options

SETS = {
    "deskdrop": ("deskdrop/interactions.parquet", 8, "7d"),
    "online-retail": ("online-retail/interactions.parquet", 8, "7d"),
    "foursquare-nyc": ("foursquare-nyc/interactions.parquet", 8, "7d"),
}
BOUNDED = ("train.epochs=10", "train.patience=3", "train.validation_requests=3000")
OWN = RESULTS / "backtests.json"


def measure(data: Path) -> dict[str, Any]:
    chosen = [name for name in os.environ.get("HORAE_SETS", ",".join(SETS)).split(",") if name]
    recipes = [name for name in os.environ.get("HORAE_RECIPES", "auto").split(",") if name]
    sets = json.loads(OWN.read_text())["sets"] if OWN.exists() else {}
    for name in chosen:
        sets[name] = {**sets.get(name, {}), **{recipe: _tested(data, name, recipe) for recipe in recipes}}
    return {
        "protocol": "rolling origin, expanding window, refit in every window, successive targets, full ranking; "
        "intervals over users, drawn with all of their windows",
        "sets": {name: sets[name] for name in SETS if name in sets},
    }


def _tested(data: Path, name: str, recipe: str) -> dict[str, Any]:
    file, folds, window = SETS[name]
    events = horae.read_events(data / file)
    chosen: list[str] = []

    def fit(past: Split) -> Recommender:
        own, _ = settled(asked(recipe, ()), past)
        overrides = BOUNDED if "encoder" in own.model else ()
        fitted = horae.train(past, own, overrides=overrides, options=Options(progress=Shown()))
        chosen.append(fitted.recipe.name)
        return fitted

    started = time.process_time()
    settings = horae.BacktestSettings(folds=folds, window=window)
    tested = horae.backtest(events, fit, settings, progress=_told)
    document = tested.as_dict()
    for fold in document["folds"]:
        fold["leak_audit"] = fold["leak_audit"]["passed"]
    return {"chosen": chosen, **document, "cpu_seconds": round(time.process_time() - started, 1)}


def _told(sentence: str) -> None:
    print(sentence, file=sys.stderr)
