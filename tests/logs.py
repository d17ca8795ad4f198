"""Small logs for tests, made by hand or by a known rule."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from horae.schema import Events


def events_of(
    rows: Sequence[tuple], behaviors: Sequence[str] = ("view",), targets: Sequence[bool] | None = None
) -> Events:
    """Events from (user, item, unix seconds or None[, behavior[, value]]) rows, sorted by user, then place."""
    whole = [(*row, *(behaviors[0], None)[len(row) - 3 :]) for row in rows]
    frame = pl.DataFrame(
        {
            "user_id": [row[0] for row in whole],
            "item_id": [row[1] for row in whole],
            "behavior": pl.Series([row[3] for row in whole], dtype=pl.Enum(list(behaviors))),
            "timestamp": pl.Series([None if row[2] is None else int(row[2] * 1e6) for row in whole], dtype=pl.Int64),
            "value": pl.Series([row[4] for row in whole], dtype=pl.Float64),
            "event_order": pl.Series(range(len(whole)), dtype=pl.Int64),
            "target": pl.Series([True] * len(whole) if targets is None else list(targets)),
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))
    unknown = frame.filter(pl.col("timestamp").is_null())["user_id"].unique().implode()
    key = pl.when(pl.col("user_id").is_in(unknown)).then(None).otherwise(pl.col("timestamp"))
    return Events(frame.sort("user_id", key, "event_order"))


def chain_log(users: int = 200, items: int = 20, length: int = 12, seed: int = 0, noise: float = 0.1) -> Events:
    """Everybody walks i -> i + 1 (mod items), sometimes jumping: order tells the next item, counts tell nothing."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        item = int(rng.integers(items))
        for step in range(length):
            rows.append((f"u{user:04}", f"i{item:03}", 1_600_000_000 + 86_400 * step + user))
            item = int(rng.integers(items)) if rng.random() < noise else (item + 1) % items
    return events_of(rows)
