"""Which recipe for this log? Several on one split, then two of them over several time windows.

Run: python examples/compare_recipes.py
"""

import tempfile

import horae
from horae.data.simulate import ShopSettings, write_shop
from horae.recipe import load_recipe


def main() -> None:
    shop = horae.simulate(ShopSettings(users=100, items=50, events=3_000, days=60), seed=1)
    with tempfile.TemporaryDirectory() as folder:
        events = horae.read_events(write_shop(shop, folder)["events"])

    network = load_recipe("gru", ["train.epochs=8", "model.dim=32"])  # so short only to be quick here
    comparison = horae.compare(events, ["popularity", "markov", network])
    print(comparison)
    print(f"best: {comparison.order[0]}")

    print("\nDoes the order hold over time?")
    print(horae.compare(events, ["popularity", "markov"], folds=3, horizon=0.1))


if __name__ == "__main__":
    main()
