"""Bar: ranking with time and behaviour against without, paired over users: better on 3 of 5 sets, worse on none.

Every switch alone against the network without it, one seed, on five sets split by time (deskdrop: weekly refit over its
last 8 weeks); on yoochoose-100k, too, whose sessions are quickly learned. `HORAE_SETS=foursquare-nyc;deskdrop`,
`HORAE_SWITCHES=gap;wait` and `HORAE_SEEDS=0;1;2` run some only, into the same file: so the winners have three seeds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import horae
from benchmarks.record import RESULTS
from benchmarks.time_splits import SETS as FILES
from benchmarks.time_splits import WEEKS
from horae.data.split import Split, split_rolling
from horae.evaluation.intervals import Resamples, user_means
from horae.evaluation.judge import background_of, judge
from horae.evaluation.protocol import requests_of
from horae.recommend.recommender import Recommender
from horae.training.progress import Shown
from horae.training.train import Options

OWN = RESULTS / "time_ablations.json"
SETS = ("deskdrop", "online-retail", "foursquare-nyc", "ml-1m-users-1-2999", "simulated", "yoochoose-100k")
BOUNDED = ("train.epochs=10", "train.patience=3", "train.validation_requests=3000")
WINDOW_COUNTS = (
    '["count_1d", "count_7d", "decayed_count_7d", "distinct_items_7d", "repeat_share_28d", "session_position"]'
)
NETWORKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sasrec": ("sasrec", ()),
    "gap": ("sasrec", ('model.time_inputs=["gap"]',)),
    "wait": ("sasrec", ('model.time_inputs=["wait"]',)),
    "gap and wait": ("sasrec", ('model.time_inputs=["gap", "wait"]',)),
    "hour, weekday": ("sasrec", ('model.time_inputs=["hour", "weekday"]',)),
    "gap, wait, hour, weekday": ("sasrec-time", ()),
    "the same, time2vec": ("sasrec-time", ('model.time_encoding="time2vec"',)),
    "window counts": ("sasrec", (f"model.features={WINDOW_COUNTS}",)),
    "gap, wait, hour, weekday, window counts": ("sasrec-time", (f"model.features={WINDOW_COUNTS}",)),
    "behaviors": ("sasrec", ("model.behavior_embedding=true",)),
    "context: reader": (
        "sasrec",
        (
            'model.context=["country", "region", "user_agent"]',
            'model.request_context=["country", "region", "user_agent"]',
        ),
    ),
    "context: shopper": ("sasrec", ('model.context=["device", "price"]', 'model.request_context=["device"]')),
    "hstu without time": ("hstu", ('model.time_bias="none"', "model.time_inputs=[]")),
    "hstu": ("hstu", ()),
    "gru": ("gru", ("train.learning_rate=0.002", "model.dropout=0.3")),
    "decay-gru": ("decay-gru", ()),
    "lstm": ("lstm", ("train.learning_rate=0.002", "model.dropout=0.3")),
    "decay-lstm": ("decay-lstm", ()),
}
"""What a switch is called, its recipe, its overrides."""
WITHOUT = {
    "hstu": "hstu without time",
    "gap, wait, hour, weekday, window counts": "gap, wait, hour, weekday",
    "decay-gru": "gru",
    "decay-lstm": "lstm",
    **dict.fromkeys(
        (
            "gap",
            "wait",
            "gap and wait",
            "hour, weekday",
            "gap, wait, hour, weekday",
            "the same, time2vec",
            "window counts",
            "behaviors",
            "context: reader",
            "context: shopper",
        ),
        "sasrec",
    ),
}
"""What each switch is compared with."""
ONE_BEHAVIOR = {"foursquare-nyc", "ml-1m-users-1-2999", "yoochoose-100k"}
ONLY = {
    "behaviors": {name for name in SETS if name not in ONE_BEHAVIOR},
    "context: reader": {"deskdrop"},
    "context: shopper": {"simulated"},
}
"""Sets that have what a switch needs, where not all do."""


def measure(data: Path) -> dict[str, Any]:
    sets = _named("HORAE_SETS", SETS)
    seeds = [int(seed) for seed in _named("HORAE_SEEDS", ("0",))]
    chosen = _named("HORAE_SWITCHES", tuple(NETWORKS))
    told = json.loads(OWN.read_text())["sets"] if OWN.exists() else {}
    for name in sets:
        able = [switch for switch in chosen if name in ONLY.get(switch, SETS)]
        needed = dict.fromkeys([*(WITHOUT[one] for one in able if one in WITHOUT), *able])
        splits = _splits(data, name)
        scores = {one: _scores(splits, *NETWORKS[one], seeds) for one in needed}
        known = told.get(name, {})
        known |= {one: _told(scores, one, seeds) for one in needed}
        told[name] = {one: known[one] for one in NETWORKS if one in known}
    return {
        "protocol": "time split 8:1:1 (deskdrop: weekly refit, last 8 weeks), successive targets, NDCG@10 per user, "
        "mean over seeds; differences paired over users, 95% by bootstrap",
        "without": WITHOUT,
        "sets": {name: told[name] for name in SETS if name in told},
    }


def _splits(data: Path, name: str) -> list[Split]:
    simulated = horae.simulate(horae.ShopSettings(events=100_000), seed=5).frame if name == "simulated" else None
    events = horae.read_events(data / FILES[name] if simulated is None else simulated)
    return split_rolling(events, WEEKS, "7d") if name == "deskdrop" else [horae.split_by_time(events)]


def _scores(splits: Sequence[Split], recipe: str, overrides: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    """NDCG@10 of every user, the mean over windows and seeds; and what the trainings cost."""
    found: dict[Any, list[float]] = {}
    cost = 0.0
    for split in splits:
        for seed in seeds:
            one = horae.train(
                split, recipe, overrides=[*overrides, *BOUNDED], seed=seed, options=Options(progress=Shown())
            )
            cost += one.card["training"]["cpu_seconds"]
            for user, value in by_user(one, split).items():
                found.setdefault(user, []).append(value)
    return {
        "train_cpu_seconds": round(cost, 1),
        "by_user": {user: float(np.mean(all_)) for user, all_ in found.items()},
    }


def by_user(recommender: Recommender, split: Split) -> dict[Any, float]:
    """NDCG@10 of each user who has a history; every recommender is asked the same."""
    cut = requests_of(split)
    over = recommender.with_events(split.events)
    judged = judge(over, cut, (10,), background_of(over.items, split))
    warm_B = ~cut.cold_B
    value_U1 = user_means(judged.values["ndcg@10"][warm_B][:, None], cut.user_B[warm_B], len(cut.users))
    known = ~np.isnan(value_U1[:, 0])
    return dict(zip(cut.users.filter(known).to_list(), value_U1[known, 0].tolist(), strict=True))


def _told(scores: Mapping[str, Any], name: str, seeds: Sequence[int]) -> dict[str, Any]:
    """A network's mean, and its difference to the one without."""
    own = scores[name]["by_user"]
    told = {
        "recipe": NETWORKS[name][0],
        "overrides": [*NETWORKS[name][1], *BOUNDED],
        "seeds": list(seeds),
        "users": len(own),
        "ndcg@10": float(np.mean(list(own.values()))),
        "train_cpu_seconds": scores[name]["train_cpu_seconds"],
    }
    if name in WITHOUT:
        base = scores[WITHOUT[name]]["by_user"]
        assert base.keys() == own.keys()
        difference_U1 = np.array([own[user] - base[user] for user in own])[:, None]
        told["against"] = {WITHOUT[name]: Resamples(len(own)).intervals(difference_U1)[0].as_dict("difference")}
    return told


def _named(variable: str, default: Sequence[str]) -> list[str]:
    return [name for name in os.environ.get(variable, ";".join(default)).split(";") if name]
