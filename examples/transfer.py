"""What one shop learned helps another that shares no item and no user: items are known by what their titles say.

Run: python examples/transfer.py
"""

import numpy as np
import polars as pl

import horae
from horae.training.train import Options

KINDS = ["wool scarf", "winter gloves", "garden spade", "flower seeds", "espresso cup", "coffee beans"]


def shop(name: str, users: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """People go from kind to kind in order; which thing of a kind they take is chance. A log and its catalog."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        kind = int(rng.integers(len(KINDS)))
        for day in range(6):
            item = f"{name}-{(kind + day) % len(KINDS)}-{rng.integers(20)}"
            rows.append((f"{name}-user-{user}", item, 1_700_000_000 + 86_400 * day + 60 * user))
    items = [(f"{name}-{kind}-{one}", f"{words} {one}") for kind, words in enumerate(KINDS) for one in range(20)]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return events, pl.DataFrame(items, schema=["item_id", "title"], orient="row")


def main() -> None:
    small = ["content.text=hashed", "model.dim=32"]
    events, catalog = shop("old", users=400, seed=0)
    old = horae.train(horae.read_events(events), "content-only", overrides=[*small, "train.epochs=10"], catalog=catalog)

    events, catalog = shop("new", users=40, seed=1)
    split = horae.split_leave_one_out(horae.read_events(events))
    for words, options in (("from nothing", None), ("from the old shop", Options(start=old))):
        short = [*small, "train.epochs=3"]
        one = horae.train(split, "content-only", overrides=short, catalog=catalog, options=options)
        reached = horae.evaluate(one, split, opponents={}).metrics["ndcg@10"]
        print(f"{words}: NDCG@10 {reached.mean:.3f} [{reached.low:.3f}, {reached.high:.3f}]")


if __name__ == "__main__":
    main()
