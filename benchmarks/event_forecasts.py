"""When, what and how much comes next, beside simple methods; and whether joint training helps ranking, user by user.

Bars: 80% intervals of the next event's time hold 0.77 to 0.83 of the test events; the mean error of the time and the
log-loss of the next behavior are below those of the user's own frequency. Split by time, 8:1:1.
`HORAE_SETS=cdnow,deskdrop` measures only some, into the same file; `HORAE_EPOCHS=1` is a smoke run.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import horae
from benchmarks.record import RESULTS
from horae.data.simulate import ShopSettings
from horae.data.split import Split
from horae.recommend.recommender import Recommender
from horae.training.progress import Shown
from horae.training.train import Options

SETS = {
    "foursquare-nyc": "foursquare-nyc/interactions.parquet",
    "deskdrop": "deskdrop/interactions.parquet",
    "cdnow": "cdnow/transactions.parquet",
    "shop": "",
}
SHOP = ShopSettings(users=2_000, items=500, events=100_000, days=180)
BOUNDED = ("train.epochs=10", "train.patience=3", "train.validation_requests=3000")
ASKED = "which-what-when"
UNASKED = ("hstu", "model.behavior_embedding=true", "train.relearn=false")
"""The same network, asked for items alone."""

LOW, HIGH = 0.77, 0.83
METRICS = ("ndcg@10", "recall@10")
OWN = RESULTS / "event_forecasts.json"


def measure(data: Path) -> dict[str, Any]:
    chosen = [name for name in os.environ.get("HORAE_SETS", ",".join(SETS)).split(",") if name]
    known = json.loads(OWN.read_text())["sets"] if OWN.exists() else {}
    new = {name: _of_set(name, data) for name in chosen}
    sets = {name: {**known, **new}[name] for name in SETS if name in known or name in new}
    return {"protocol": "time split 8:1:1, every test event with one of its user before it", "sets": sets}


def _of_set(name: str, data: Path) -> dict[str, Any]:
    split = horae.split_by_time(_events(name, data))
    joint = _trained(split, ASKED, ())
    own = joint.split or split
    items = split.events.has_items
    without = _trained(split, UNASKED[0], UNASKED[1:]) if items else None
    judged = horae.evaluate(joint, own, opponents={} if without is None else {"without": without}).as_dict()
    forecast = judged["forecast"]
    return {
        "events": len(split.events),
        "users": judged["users"],
        "levels": joint.card["forecast"],
        "train": {one: joint.card["training"][one] for one in ("epochs", "best_epoch", "cpu_seconds")},
        "forecast": forecast,
        "passed": _bars(forecast),
        "ranking": None if without is None else _ranking(judged),
        "leak_audit": judged["passed"],
    }


def _events(name: str, data: Path) -> horae.Events:
    if name != "shop":
        return horae.read_events(data / SETS[name])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop.parquet"
        horae.simulate(SHOP, seed=0).frame.write_parquet(file)
        return horae.read_events(file)


def _trained(split: Split, recipe: str, overrides: tuple[str, ...]) -> Recommender:
    epochs = os.environ.get("HORAE_EPOCHS")
    fewer = () if epochs is None else (f"train.epochs={epochs}",)
    return horae.train(split, recipe, overrides=[*BOUNDED, *overrides, *fewer], options=Options(progress=Shown()))


def _bars(forecast: dict[str, Any]) -> dict[str, bool]:
    """Which of the bars are reached."""
    time, passed = forecast["time"], {}
    passed["coverage"] = LOW <= time["metrics"]["coverage"]["mean"] <= HIGH
    passed["time_error"] = time["against"]["user_frequency"]["mae_seconds"]["difference"] < 0
    if "behavior" in forecast:
        against = forecast["behavior"]["against"]
        passed["behavior_log_loss"] = against["user_frequency"]["log_loss"]["difference"] < 0
    return passed


def _ranking(judged: dict[str, Any]) -> dict[str, Any]:
    """With the other heads, without them, and the difference, user by user."""
    return {
        metric: {
            "with": judged["metrics"][metric],
            "without": judged["opponents"]["without"][metric],
            "difference": judged["against"]["without"][metric],
        }
        for metric in METRICS
    }
