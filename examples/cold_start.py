"""A new item in a trained run: one call, and lists may hold it; nothing is trained again.

Run: python examples/cold_start.py
"""

import polars as pl

import horae
from horae.data.simulate import ShopSettings


def main() -> None:
    shop = horae.simulate(ShopSettings(users=150, items=60, events=5_000, days=60), seed=2)
    events = horae.read_events(shop.frame)
    recommender = horae.train(
        events,
        "sasrec",
        catalog=shop.catalog,
        overrides=["train.epochs=3", "model.dim=32", "content.text=hashed", "recommend.new_items=0.2"],
    )
    like = shop.catalog.row(0, named=True)
    new = pl.DataFrame([{**like, "item_id": "brand-new"}], schema=shop.catalog.schema)
    print("Somebody who looked at something like it, before and after it is added:")
    history = [[like["item_id"]]]
    print(recommender.recommend(histories=history, k=5).frame)
    print(recommender.add_items(new))
    frame = recommender.recommend(histories=history, k=5).frame
    print(frame)
    assert "brand-new" in frame["item_id"].to_list()

    recommender.append("u-late", "brand-new")
    print("And what goes with the new item, by the first event on it:")
    print(recommender.recommend(users=["u-late"], k=3).frame)


if __name__ == "__main__":
    main()
