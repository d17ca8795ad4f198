"""What the pictures of cold start and content show, measured on a simulated shop: `python docs/measure_cold.py`.

In: nothing. Out: `docs/making/cold.json`, from which `docs/generate.py` draws `docs/images/cold-start.svg` and
`docs/images/content-map.svg`. Run it again when the recipes change; some seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

import horae
from horae.data.simulate import ShopSettings
from horae.features.content.of_items import Reduction

OUT: Final = Path(__file__).resolve().parent / "making" / "cold.json"
SHOP: Final = ShopSettings(users=1_500, items=200, events=30_000, days=120)
SHOWN: Final = ("kitchen", "garden", "music", "photo")
NEW: Final = {"item_id": "new", "title": "Oak music stand", "category": "music"}
RECIPE: Final = "item-knn"


def main() -> None:
    """Measure, and write."""
    shop = horae.simulate(SHOP, seed=4)
    split = horae.split_by_time(horae.read_events(shop.frame), test=0.3)
    run = horae.train(split, RECIPE)
    levels = [_level(level.as_dict()) for level in horae.evaluate_cold(run, split).levels]
    told = {"recipe": RECIPE, "levels": levels, "map": _map(shop.catalog)}
    OUT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _level(level: dict[str, Any]) -> dict[str, Any]:
    own, popular = level["metrics"]["ndcg@10"], level["opponents"]["recent_popularity"]["ndcg@10"]
    return {"events": level["events"], "users": level["users"], "model": own, "popularity": popular}


def _map(catalog: pl.DataFrame) -> list[dict[str, Any]]:
    """Where items stand by title and category, as two principal components; the last one is the new item."""
    some = pl.concat([catalog.filter(pl.col("category").is_in(SHOWN)).select(*NEW), pl.DataFrame([NEW])])
    vector_NC = horae.encode_catalog(some, ["title", "category"], "hashed").vectors["text"][1:]
    place_N2 = Reduction.fitted(vector_NC, 2).of(vector_NC)
    near = np.argsort(-(vector_NC[:-1] @ vector_NC[-1]))[:3].tolist()
    return [
        {"title": title, "category": kind, "x": round(float(x), 2), "y": round(float(y), 2), "near": row in near}
        for row, (title, kind, (x, y)) in enumerate(zip(some["title"], some["category"], place_N2, strict=True))
    ]


if __name__ == "__main__":
    main()
