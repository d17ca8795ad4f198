"""Lists for people whom the model never saw: by a history, under constraints, and with nothing known at all.

Run: python examples/unseen_people.py
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import horae
from horae.data.simulate import ShopSettings


def main() -> None:
    shop = horae.simulate(ShopSettings(users=150, items=60, events=5_000, days=60), seed=2)
    events = horae.read_events(shop.frame)
    recommender = horae.train(events, "gru", overrides=["train.epochs=5", "model.dim=32"])
    first, second, third = shop.catalog["item_id"].head(3).to_list()

    print("Somebody who looked at two items:")
    print(recommender.recommend(histories=[[first, second]], k=3).frame)

    print("The same with kinds and times of what was done, without one item, and among some items only:")
    history = [
        horae.HistoryEvent(first, behavior="view", timestamp=datetime(2024, 2, 20, 9, 0, tzinfo=UTC)),
        horae.HistoryEvent(second, behavior="purchase", timestamp=datetime(2024, 2, 20, 9, 5, tzinfo=UTC)),
    ]
    only = shop.catalog["item_id"].head(30).to_list()
    print(recommender.recommend(histories=[history], k=3, exclude=[third], only=only).frame)

    print("Somebody of whom nothing is known, by the fallback:")
    answer = recommender.recommend(users=["nobody"], k=3)
    print(answer.frame, *answer.notes, sep="\n")

    with tempfile.TemporaryDirectory() as folder:
        run = recommender.save(Path(folder) / "run")
        again = horae.load(run).recommend(histories=[[first, second]], k=3)
    assert again.frame.equals(recommender.recommend(histories=[[first, second]], k=3).frame)
    print("The saved run, loaded again, gives the same list.")


if __name__ == "__main__":
    main()
