"""Bar: content transfer from ml-1m to ml-100k at 50 users is 10% above training from scratch; goal 25%.

A network that knows items by their titles and genres alone is trained on ml-1m; then 10, 50 or 250 users of ml-100k
are known, by all of their events, and everybody else is asked for the item after each of their newest events, which
the network sees as histories only. Against the same network from scratch, and `sasrec` by ids from scratch; the same
with ids learned beside content on ml-100k, from the start and from scratch. Ten draws of the users, paired.
`HORAE_ROUNDS=2` is a smaller try.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import horae
from horae.evaluation.intervals import Resamples
from horae.recommend.rank import Targets
from horae.recommend.recommender import Recommender
from horae.schema import Events, Requests
from horae.training.progress import Shown
from horae.training.train import Options

USERS = (10, 50, 250)
ROUNDS = int(os.environ.get("HORAE_ROUNDS", "10"))
COLUMNS = 'content.columns=["title", "categories"]'
BIG = ("train.epochs=8", "train.patience=3", "train.validation_requests=3000", COLUMNS)
SMALL = ("train.epochs=20", "train.patience=4", COLUMNS)
WITH_IDS = ("model.fusion=sum", "train.learning_rate=0.005")
ASKED = 300


def measure(data: Path) -> dict[str, Any]:
    big = horae.train(
        horae.read_events(data / "ml-1m/interactions.parquet"),
        "content-only",
        overrides=BIG,
        catalog=_catalog(data / "ml-1m/items.parquet"),
        options=Options(progress=Shown()),
    )
    events = horae.read_events(data / "ml-100k/interactions.parquet")
    catalog = _catalog(data / "ml-100k/items.parquet")
    reached: dict[int, dict[str, list[float]]] = {count: {} for count in USERS}
    for seed in range(ROUNDS):
        order = np.random.default_rng(seed).permutation(events.frame["user_id"].unique().sort().to_numpy())
        asked = Events(events.frame.filter(pl.col("user_id").is_in(order[-ASKED:])))
        for count in USERS:
            known = Events(events.frame.filter(pl.col("user_id").is_in(order[:count])))
            for name, one in _trained(known, catalog, big, seed).items():
                reached[count].setdefault(name, []).append(_quality(one, asked))
    return {
        "protocol": f"{ASKED} users unseen in training, the last event of each, all items of ml-100k that the "
        "training knows, seen masked, others count as missed; means over draws of users, paired differences",
        "source_cpu_seconds": big.card["training"]["cpu_seconds"],
        "big": {"overrides": BIG, "events": len(big.events) if big.events is not None else None},
        "small": {"overrides": SMALL, "ids_beside": WITH_IDS},
        "users": {str(count): _told(values) for count, values in reached.items()},
    }


def _catalog(file: Path) -> pl.DataFrame:
    return pl.read_parquet(file).select("item_id", "title", "categories")


def _trained(known: Events, catalog: pl.DataFrame, big: Recommender, seed: int) -> dict[str, Recommender]:
    """Trained on a few people: from what the big network knows, or from scratch."""
    quiet = Options(progress=Shown())
    transfer = Options(progress=Shown(), start=big)
    ids = [one for one in SMALL if not one.startswith("content")]
    ways = {
        "transfer": ("content-only", SMALL, transfer),
        "scratch": ("content-only", SMALL, quiet),
        "transfer, ids beside": ("content-only", (*SMALL, *WITH_IDS), transfer),
        "scratch, ids beside": ("content-only", (*SMALL, *WITH_IDS), quiet),
        "sasrec": ("sasrec", ids, quiet),
    }
    return {
        name: horae.train(
            known, recipe, overrides=overrides, seed=seed, catalog=None if recipe == "sasrec" else catalog, options=how
        )
        for name, (recipe, overrides, how) in ways.items()
    }


def _quality(recommender: Recommender, asked: Events) -> float:
    """NDCG@10 of each asked user's last event, after all before it."""
    over = recommender.with_events(asked)
    last = asked.frame.with_row_index("row").group_by("user_id", maintain_order=True).agg(pl.col("row").last())
    rows = last["row"].to_numpy().astype(np.int64)
    item = recommender.items.indices(asked.frame["item_id"].gather(rows))
    targets = Targets(item, np.arange(len(rows) + 1))
    gained = np.zeros(len(rows))
    for answer in over.answer(Requests(users=last["user_id"], rows=rows, k=10), targets, raw=True):
        rank = answer.target_ranks
        gained[answer.rows] = np.where((rank > 0) & (rank <= 10), 1 / np.log2(np.maximum(rank, 1) + 1.0), 0.0)
    return float(gained.mean())


def _told(values: dict[str, list[float]]) -> dict[str, Any]:
    means = {name: float(np.mean(runs)) for name, runs in values.items()}
    told: dict[str, Any] = {"ndcg@10": means}
    pairs = (("transfer", "scratch"), ("transfer", "sasrec"))
    beside = "transfer, ids beside"
    for own, other in (*pairs, (beside, "scratch, ids beside"), (beside, "sasrec")):
        difference_D1 = (np.array(values[own]) - np.array(values[other]))[:, None]
        told[f"{own} over {other}"] = {
            **Resamples(len(difference_D1)).intervals(difference_D1)[0].as_dict("difference"),
            "gain": means[own] / means[other] - 1 if means[other] else None,
        }
    return told
