"""Bar: rules and diversity add under 1 ms to one request among 12k items (median of CPU milliseconds).

Each way to shape a list is asked beside the plain request, request by request in one run, for the same unseen histories
of 50 events; what is added is the median of the differences.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

import horae
from benchmarks.answers import QUICK
from horae.recommend.recommender import Recommender
from horae.training.train import Options

REQUESTS: Final = 300
WARM: Final = 50
SOLD_OUT: Final = "deny where sold_out"
QUOTA: Final = "quota at most 2 per brand"
WAYS: Final[dict[str, dict[str, Any]]] = {
    "filter, price band": {"rules": ["price between 5 and 20"]},
    "deny, boost": {"rules": [SOLD_OUT, "boost x1.5 where price < 10"]},
    "pin": {"rules": ['pin at 1 where price < 10 and brand == "b3"']},
    "quota": {"rules": [QUOTA]},
    "mmr by catalog": {"diversity": "mmr", "diversity_by": "catalog"},
    "mmr by vectors": {"diversity": "mmr", "diversity_by": "vectors"},
    "dpp by catalog": {"diversity": "dpp", "diversity_by": "catalog"},
    "dpp by vectors": {"diversity": "dpp", "diversity_by": "vectors"},
    "exposure shares": {"exposure_by": "brand", "exposure_shares": {"b3": 0.2}},
    "freshness": {"freshness": 0.3},
    "deny, boost, quota, mmr by vectors": {
        "rules": [SOLD_OUT, "boost x1.5 where price < 10", QUOTA],
        "diversity": "mmr",
        "diversity_by": "vectors",
    },
}


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "amazon-beauty-2014/interactions.parquet"))
    made = horae.train(split, "sasrec", overrides=QUICK, catalog=_catalog(data), options=Options())
    return {
        "items": len(made.items),
        "requests": REQUESTS,
        "columns": "prices, brands and what is sold out are made up; titles and categories are the set's own",
        "ways": {name: _added(made, asking(made, table)) for name, table in WAYS.items()},
    }


def asking(made: Recommender, table: dict[str, Any]) -> Recommender:
    """The same run, asked for lists of another shape."""
    return replace(made, recipe=replace(made.recipe, recommend=table))


def _catalog(data: Path) -> pl.DataFrame:
    items = pl.read_parquet(data / "amazon-beauty-2014/items.parquet").select("item_id", "title", "categories")
    number = pl.int_range(pl.len())
    return items.with_columns(
        price=(number * 37 % 500) / 10.0, brand="b" + (number * 13 % 200).cast(pl.String), sold_out=number % 10 == 0
    )


def _added(plain: Recommender, shaped: Recommender) -> dict[str, float]:
    ids = plain.items.all.to_list()
    base, added = [], []
    for request in range(WARM + REQUESTS):
        history = [ids[(request * 131 + step * 37) % len(ids)] for step in range(50)]
        spent = []
        for one in (plain, shaped):
            started = time.process_time_ns()
            one.recommend(histories=[history], k=10)
            spent.append((time.process_time_ns() - started) / 1e6)
        base.append(spent[0])
        added.append(spent[1] - spent[0])
    return {"plain_cpu_ms": statistics.median(base[WARM:]), "added_cpu_ms": statistics.median(added[WARM:])}
