"""A shop whose truth is known: simulate its log, its catalog and its users, and write what is true beside them.

In: `ShopSettings` and a seed. Out: `Shop`: a raw log as a real shop would hand it over, and the truth that made it, so
that a test can ask whether the rhythm, the drift or the order was found. Same settings and seed, same bytes.

Popularity has little to do with what comes next: tastes drift (category) or last (a style that runs through titles),
sessions stay with one category, and chains, which only the order of events shows, lead from an item to its complements.
There is one complement for each style, so the last item alone does not tell which: the whole history does.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from horae.data.shop.dirt import soil
from horae.data.shop.settings import DAY, ShopSettings
from horae.data.shop.walk import Walk, walk
from horae.data.shop.words import AGE_GROUPS, CATEGORIES, DEVICES, MATERIALS, STYLES
from horae.data.shop.world import Ints, World, build_world
from horae.errors import StoreError
from horae.schema import BEHAVIOR, ITEM, TIMESTAMP, USER, VALUE

__all__ = ["Shop", "ShopSettings", "simulate", "write_shop"]

STAGES: Final = ("view", "cart", "purchase")


@dataclass(frozen=True, eq=False)
class Shop:
    """A simulated shop.

    Attributes:
        frame: The raw log: `user_id`, `item_id`, `behavior` (view, cart, purchase), `timestamp` (UTC, whole seconds),
            `value` (the price paid; purchases only), and as context `device`, `price` (as shown), `promotion`. In order
            of time, unless dirt has shuffled it.
        catalog: `item_id`, `title`, `category`, `price`, `launch_time`.
        profiles: `user_id`, `age_group` (which hints at the user's style), `joined`.
        truth: What made the log, in plain JSON types: `rhythms`, `categories`, `tastes`, `chains`, `promotions`,
            `steps`, `dirt`.
    """

    frame: pl.DataFrame
    catalog: pl.DataFrame
    profiles: pl.DataFrame
    truth: dict[str, Any]


def simulate(settings: ShopSettings | None = None, seed: int = 0) -> Shop:
    """Open a shop and let its users in. Dirt never changes the clean log beneath it.

    Raises:
        RecipeError: From `ShopSettings`: a value that no shop can have.
    """
    settings = settings or ShopSettings()
    children = np.random.SeedSequence(seed).spawn(4)
    for_world, for_walk, for_names, for_dirt = (np.random.default_rng(child) for child in children)
    world = build_world(settings, for_world)
    log = walk(world, for_walk)
    catalog = _catalog(world, for_names)
    profiles = _profiles(world, for_names)
    frame, dirt = soil(_frame(world, log, catalog, profiles), settings, for_dirt)
    truth = {"seed": seed, "settings": asdict(settings), **_truth(world, log, catalog, profiles), "dirt": dirt}
    return Shop(frame, catalog, profiles, truth)


def write_shop(shop: Shop, folder: str | Path, *, format: Literal["csv", "parquet"] = "csv") -> dict[str, Path]:
    """Write `events`, `catalog`, `profiles` and `truth.json` into a folder; each file appears whole or not at all.

    Raises:
        StoreError: The folder cannot be written to.
    """
    folder = Path(folder)
    tables = {"events": shop.frame, "catalog": shop.catalog, "profiles": shop.profiles}
    paths = {name: folder / f"{name}.{format}" for name in tables} | {"truth": folder / "truth.json"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            _write_whole(paths[name], _table_writer(table, format))
        text = json.dumps(shop.truth, indent=1, ensure_ascii=False)
        _write_whole(paths["truth"], lambda path: path.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise StoreError(
            f"Cannot write the simulated shop to {folder}: {error}.",
            hint="Choose a folder that you may write to, on a disk with room.",
        ) from error
    return paths


def _table_writer(table: pl.DataFrame, format: Literal["csv", "parquet"]) -> Callable[[Path], object]:
    if format == "parquet":
        return table.write_parquet
    return lambda path: table.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%SZ")


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the final name, sync, rename."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _frame(world: World, log: Walk, catalog: pl.DataFrame, profiles: pl.DataFrame) -> pl.DataFrame:
    discount_E = np.where(log.promotion_E >= 0, world.settings.discount, 0.0)
    price_E = np.round(world.price_I[log.item_E] * (1 - discount_E), 2)
    campaigns = pl.Series([promotion.name for promotion in world.promotions], dtype=pl.String)
    promoted = pl.Series(log.promotion_E)
    return pl.DataFrame(
        {
            USER: profiles[USER][log.user_E],
            ITEM: catalog[ITEM][log.item_E],
            BEHAVIOR: pl.Series(STAGES)[log.stage_E],
            TIMESTAMP: _times(log.seconds_E),
            VALUE: pl.Series(np.where(log.stage_E == 2, price_E, np.nan)).fill_nan(None),
            "device": pl.Series(DEVICES)[log.device_E],
            "price": price_E,
            "promotion": campaigns.gather(promoted.set(promoted < 0, None)),
        }
    )


def _catalog(world: World, rng: np.random.Generator) -> pl.DataFrame:
    """Items by number in the world; their ids are in no such order."""
    words = list(CATEGORIES.items())
    adjectives = list(STYLES.values())
    titles: dict[str, int] = {}
    rows = []
    chosen = rng.integers(0, 50, (world.settings.items, 2))
    for item, (adjective, material) in enumerate(chosen.tolist()):
        style = adjectives[world.style_I[item]]
        kind = words[world.category_I[item]][1][world.kind_I[item]]
        title = f"{style[adjective % len(style)]} {MATERIALS[material % len(MATERIALS)]} {kind}".capitalize()
        titles[title] = titles.get(title, 0) + 1
        rows.append(title if titles[title] == 1 else f"{title} no. {titles[title]}")
    return pl.DataFrame(
        {
            ITEM: _ids("i", rng.permutation(world.settings.items)),
            "title": rows,
            "category": pl.Series([name for name, _ in words])[world.category_I],
            "price": world.price_I,
            "launch_time": _times(world.start + world.launch_day_I * DAY),
        }
    )


def _profiles(world: World, rng: np.random.Generator) -> pl.DataFrame:
    """Three users in five are of the age group that goes with their style."""
    users = world.settings.users
    group_U = np.where(rng.random(users) < 0.6, world.style_U, rng.integers(0, len(AGE_GROUPS), users))
    return pl.DataFrame(
        {
            USER: _ids("u", np.arange(users)),
            "age_group": pl.Series(AGE_GROUPS)[group_U],
            "joined": _times((world.start + world.join_day_U * DAY).astype(np.int64)),
        }
    )


def _truth(world: World, log: Walk, catalog: pl.DataFrame, profiles: pl.DataFrame) -> dict[str, Any]:
    names = list(CATEGORIES)[: world.settings.categories]
    item_ids = catalog[ITEM].to_list()
    return {
        "rhythms": [asdict(rhythm) for rhythm in world.rhythms],
        "categories": [
            {
                "name": name,
                "trend_per_year": float(world.trend_C[category]),
                "season_amplitude": float(world.season_C[category]),
                "season_peak_day_of_year": float(world.season_peak_day_C[category]),
            }
            for category, name in enumerate(names)
        ],
        "tastes": _tastes(world, names, profiles[USER].to_list()),
        "chains": _chain_pairs(world, item_ids),
        "promotions": [
            {
                "name": promotion.name,
                "category": names[promotion.category],
                "items": [item_ids[item] for item in promotion.items.tolist()],
                "first": _iso(world.start + promotion.first_day * DAY),
                "end": _iso(world.start + promotion.end_day * DAY),
                "discount": world.settings.discount,
                "lift": world.settings.promotion_lift,
            }
            for promotion in world.promotions
        ],
        "steps": log.steps,
    }


def _tastes(world: World, names: list[str], user_ids: list[str]) -> dict[str, Any]:
    """`favourites`: `[user, since, category]`, each user's first from the log's start."""
    styles = list(STYLES)
    changes = zip(
        world.change_user.tolist(), world.change_seconds.tolist(), world.change_category.tolist(), strict=True
    )
    return {
        "half_life_days": world.settings.taste_half_life_days,
        "favourites": [[user_ids[user], _iso(since), names[category]] for user, since, category in changes],
        "styles": {user: styles[style] for user, style in zip(user_ids, world.style_U.tolist(), strict=True)},
    }


def _chain_pairs(world: World, item_ids: list[str]) -> dict[str, Any]:
    """`[item, next, probability]`: of the steps from `item` along a chain, how many go to `next`, over all users.

    `by_style`: `[item, style, next]`: where a user of that style goes who insists on it.
    """
    styles = list(STYLES)
    pairs: dict[tuple[str, str], float] = {}
    by_style = []
    for item, complements in enumerate(world.chain_IS.tolist()):
        for style, complement in zip(styles, complements, strict=True):
            pair = item_ids[item], item_ids[complement]
            pairs[pair] = pairs.get(pair, 0.0) + 1 / len(styles)
            by_style.append([pair[0], style, pair[1]])
    chances = [[*pair, probability] for pair, probability in pairs.items()]
    return {"share": world.settings.chain_share, "pairs": chances, "by_style": by_style}


def _ids(letter: str, numbers: Ints) -> pl.Series:
    width = max(5, len(str(len(numbers))))
    return pl.Series(f"{letter}{number:0{width}d}" for number in numbers.tolist())


def _times(seconds: Ints) -> pl.Series:
    return pl.Series(seconds * 1_000_000, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
