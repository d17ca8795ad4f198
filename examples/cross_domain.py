"""A shop that sells books and films: what people read says what they will watch, though nobody has seen them watch.

Run: python examples/cross_domain.py
"""

import numpy as np
import polars as pl

import horae

GENRES = ("space", "crime", "history", "love")
TOGETHER = ["model.dim=32", "model.num_layers=1", "train.epochs=8", "recommend.rules=[\"domain == 'films'\"]"]


def shop(readers: int, viewers: int, both: int) -> dict[str, pl.DataFrame]:
    """Everybody has one genre; which book or film of it they take is chance. Each log has accounts of its own."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[tuple[str, str, int]]] = {"books": [], "films": []}
    for person in range(readers + viewers + both):
        genre = GENRES[rng.integers(len(GENRES))]
        domains = ["books"] * (person < readers + both) + ["films"] * (person >= readers)
        for day, domain in enumerate(one for one in domains for _ in range(4)):
            when = 1_700_000_000 + 86_400 * day + 600 * int(rng.integers(1, 144))
            rows[domain].append((f"{domain[0]}{person}", f"{genre}-{rng.integers(8)}", when))
    return {name: pl.DataFrame(log, ["user_id", "item_id", "timestamp"], orient="row") for name, log in rows.items()}


def main() -> None:
    logs = {name: horae.read_events(frame) for name, frame in shop(readers=100, viewers=60, both=120).items()}
    accounts = pl.DataFrame(
        [(name, f"{name[0]}{person}", f"p{person}") for name in logs for person in range(280)],
        ["platform", "user_id", "person_id"],
        orient="row",
    )
    merged = horae.merge_logs(logs, accounts)
    catalog = merged.frame.select("item_id", domain="platform").unique()
    people = [f"p{person}" for person in range(20)]  # they read, and nobody knows what they watch

    genre = {row[0]: row[1].split(":")[1][:3] for row in merged.frame.select("user_id", "item_id").iter_rows()}
    for words, events in (("films alone", merged.frame.filter(pl.col("platform") == "films")), ("both", merged.frame)):
        log = horae.Events(events)
        one = horae.train(log, "sasrec", overrides=TOGETHER, catalog=catalog)
        lists = one.recommend(users=people, k=5).frame
        assert lists["item_id"].str.starts_with("films:").all()
        right = [item.split(":")[1][:3] == genre[user] for user, item in lists.select("user_id", "item_id").iter_rows()]
        print(f"Learned from {words}: {np.mean(right):.0%} of the films are of the genre that the person reads.")


if __name__ == "__main__":
    main()
