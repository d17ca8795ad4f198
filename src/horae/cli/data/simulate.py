"""`horae data simulate`: a shop's log whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from horae.cli import options as o
from horae.cli.output import say, show, show_json
from horae.cli.verb import verb

__all__ = ["EXAMPLES", "simulate"]

EXAMPLES = """\b
Examples:
  horae data simulate -o shop
  horae data simulate -o shop --users 5000 --items 2000 --events 500000 --days 365
  horae data simulate -o shop --dirt 0.01 --set repeat_share=0.3
"""


@verb
def simulate(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the log is written.", show_default=False)
    ],
    users: Annotated[int, typer.Option(min=1, help="How many users.")] = 2_000,
    items: Annotated[int, typer.Option(min=1, help="How many items.")] = 800,
    events: Annotated[int, typer.Option(min=1, help="How many events, before dirt.")] = 100_000,
    days: Annotated[int, typer.Option(min=1, help="Over how many days.")] = 180,
    dirt: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of gaps, outliers, duplicates, shuffled and missing values.")
    ] = 0.0,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write Parquet files, not CSV.")] = False,
    seed: o.Seed = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other trait of the shop: taste_half_life_days=30.",
            show_default=False,
        ),
    ] = None,
    json_: o.Json = False,
) -> None:
    """Simulate a shop: events, catalog, profiles, and the truth behind them."""
    from dataclasses import asdict

    from horae.data.simulate import ShopSettings, write_shop
    from horae.data.simulate import simulate as simulate_shop
    from horae.recipe import Recipe, settings

    traits = Recipe("shop").with_overrides(f"data.{pair}" for pair in set_ or ()).data
    size = {"users": users, "items": items, "events": events, "days": days}
    soiled = dict.fromkeys(("gaps", "outliers", "duplicates", "shuffles", "missing"), dirt) if dirt else {}
    shop = settings(ShopSettings, {**size, **soiled, **traits}, "the shop")
    log = simulate_shop(shop, seed)
    files = write_shop(log, out, format="parquet" if parquet else "csv")
    if json_:
        written = {name: str(path) for name, path in files.items()}
        show_json({"files": written, "events": log.frame.height, "settings": asdict(shop), "seed": seed})
        return
    show("\n".join(f"{name:<9} {path}" for name, path in files.items()))
    say(f"{log.frame.height:,} rows. Look at them: horae data describe {files['events']}")
