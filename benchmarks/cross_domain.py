"""Bar: people new in one part of a shop, known in others: NDCG@10 above that of what is popular there, on 2 of 3 parts.

The goal is 1.5 times. amazon-beauty-2014 as six logs, one per category, merged by `horae.merge_logs` with a table that
says who is the same. Split by time; asked is the first event of each person in a part after the boundary, with what
they did strictly before its day; only items of that part are ranked. With the other parts' events: one `sasrec` over
all. Without: what the part's own log can say, popularity for people who are new there, its own `sasrec` for the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

import horae
from horae.data.split import Split
from horae.evaluation.intervals import Resamples
from horae.recommend.rank import Targets
from horae.recommend.recommender import Recommender
from horae.schema import Events, Requests
from horae.training.progress import Shown
from horae.training.train import Options

PARTS: Final = ("Skin Care", "Hair Care", "Makeup")
BOUNDED: Final = ("train.epochs=8", "train.patience=2", "train.validation_requests=2000", "train.relearn=false")
ALL: Final = "sasrec, all parts"
KNN: Final = "item-knn, all parts"
ALONE: Final = "the part alone"
K: Final = 10


def measure(data: Path) -> dict[str, Any]:
    merged = merged_log(data)
    split = horae.split_by_time(merged)
    whole = {ALL: _trained(split, "sasrec", BOUNDED), KNN: _trained(split, "item-knn", ())}
    return {
        "protocol": "amazon-beauty-2014 in six parts, time split 8:1:1, each person's first event in a part after the "
        "boundary, items of that part ranked, seen masked; NDCG@10, differences paired over people; one seed",
        "overrides": BOUNDED,
        "train_cpu_seconds": whole[ALL].card["training"]["cpu_seconds"],
        "parts": {part: _of_part(part, split, whole) for part in PARTS},
    }


def merged_log(data: Path) -> Events:
    """Six logs as one, in which everybody is the same person everywhere."""
    folder = data / "amazon-beauty-2014"
    part = pl.col("categories").str.extract(r"^Beauty>([^>|]+)").alias("part")
    items = pl.read_parquet(folder / "items.parquet").select("item_id", part)
    frame = pl.read_parquet(folder / "interactions.parquet").join(items, on="item_id", maintain_order="left")
    names = items["part"].unique().sort().to_list()
    logs = {name: horae.read_events(frame.filter(pl.col("part") == name).drop("part")) for name in names}
    accounts = frame.select(platform="part", user_id="user_id", person_id="user_id").unique(maintain_order=True)
    return horae.merge_logs(logs, accounts)


def _trained(split: Split, recipe: str, overrides: tuple[str, ...]) -> Recommender:
    return horae.train(split, recipe, overrides=overrides, options=Options(progress=Shown()))


def _of_part(part: str, split: Split, whole: dict[str, Recommender]) -> dict[str, Any]:
    """People who are new in the part, and the others: with what the other parts know, and without."""
    own = Events(split.events.frame.filter(pl.col("platform") == part))
    of_own = horae.split_by_time(own, test=split.boundary, validation=split.validation_boundary)
    alone = _trained(of_own, "sasrec", BOUNDED)
    asked = asked_in(part, split.events.frame, split.boundary)
    told: dict[str, Any] = {"popularity": alone.card["fallback"]["name"]}
    for who, people in (("new", asked.filter("new")), ("others", asked.filter(~pl.col("new")))):
        reached = {name: _quality(one, people, part) for name, one in {**whole, ALONE: alone}.items()}
        told[who] = {"people": people.height, "ndcg@10": {name: float(one.mean()) for name, one in reached.items()}}
        for name in (ALL, KNN):
            difference_U1 = (reached[name] - reached[ALONE])[:, None]
            gap = Resamples(people.height).intervals(difference_U1)[0].as_dict("difference")
            told[who][f"{name} over {ALONE}"] = {**gap, "gain": _gain(reached[name], reached[ALONE])}
    return told


def asked_in(part: str, frame: pl.DataFrame, boundary: str) -> pl.DataFrame:
    """Each person's first event in the part after the boundary, known elsewhere or there; `new`: never there before."""
    inside = pl.col("platform") == part
    earlier = frame.group_by("user_id").agg(
        pl.col("timestamp").min().alias("first"), pl.col("timestamp").filter(inside).min().alias("first_inside")
    )
    after = frame.filter(inside, pl.col("timestamp") >= pl.lit(boundary).str.to_datetime(time_zone="UTC"))
    first = after.unique("user_id", keep="first", maintain_order=True)
    known = first.join(earlier, on="user_id", maintain_order="left").filter(pl.col("first") < pl.col("timestamp"))
    return known.with_columns((pl.col("first_inside") == pl.col("timestamp")).alias("new"))


def _quality(recommender: Recommender, people: pl.DataFrame, part: str) -> np.ndarray:
    """NDCG@10 of each person's next item among those of the part; an item that training did not have is a miss."""
    items = recommender.items.all
    only = tuple(items.filter(items.str.starts_with(f"{part}:")).to_list())
    targets = Targets(recommender.items.indices(people["item_id"]), np.arange(people.height + 1))
    asked = Requests(users=people["user_id"], at=people["timestamp"].to_list(), only=only, k=K)
    gained = np.zeros(people.height)
    for answer in recommender.answer(asked, targets):
        rank = answer.target_ranks
        gained[answer.rows] = np.where((rank > 0) & (rank <= K), 1 / np.log2(np.maximum(rank, 1) + 1.0), 0.0)
    return gained


def _gain(with_U: np.ndarray, without_U: np.ndarray) -> float | None:
    return float(with_U.mean() / without_U.mean() - 1) if without_U.any() else None
