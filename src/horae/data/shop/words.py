"""The words of the simulated shop: what its categories, kinds and styles are called.

In: nothing. Out: constants. A kind's place in its category matters: each kind's complement is the next one (a tent,
then a sleeping bag), so that a title tells something about what is bought next.
"""

from __future__ import annotations

from typing import Final

__all__ = ["AGE_GROUPS", "CATEGORIES", "DEVICES", "MATERIALS", "STYLES"]

CATEGORIES: Final[dict[str, tuple[str, ...]]] = {
    "outdoor": (
        "tent",
        "sleeping bag",
        "camping stove",
        "headlamp",
        "water bottle",
        "rain jacket",
        "rucksack",
        "map case",
    ),
    "kitchen": ("saucepan", "chef knife", "cutting board", "mixing bowl", "whisk", "oven mitt", "teapot", "spice rack"),
    "office": (
        "desk",
        "desk lamp",
        "office chair",
        "notebook",
        "fountain pen",
        "ink bottle",
        "paper tray",
        "wall clock",
    ),
    "garden": ("spade", "flower pot", "seed box", "watering can", "pruner", "garden hose", "bird feeder", "bench"),
    "music": ("guitar", "string set", "tuner", "guitar strap", "music stand", "metronome", "amplifier", "cable"),
    "sport": ("running shoe", "sports sock", "stopwatch", "jump rope", "dumbbell", "yoga mat", "towel", "gym bag"),
    "photo": ("camera", "lens", "lens filter", "tripod", "memory card", "camera bag", "flash", "photo album"),
    "baby": ("pram", "baby blanket", "rattle", "picture book", "high chair", "bib", "night light", "bath toy"),
    "home": ("sofa", "cushion", "throw", "floor lamp", "carpet", "curtain", "mirror", "vase"),
    "games": ("chess set", "card deck", "dice set", "puzzle", "board game", "game table", "score pad", "card sleeve"),
    "beauty": ("face cream", "hand soap", "hair brush", "shampoo", "perfume", "lip balm", "bath salt", "nail file"),
    "bicycle": ("bicycle", "bicycle lock", "helmet", "front light", "tyre pump", "inner tube", "saddle", "pannier"),
}
"""Category -> its kinds, each followed by its complement, the last by the first."""

STYLES: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("plain", "quiet", "simple", "pale", "slim"),
    "bright": ("bright", "cheerful", "striped", "vivid", "dotted"),
    "sturdy": ("sturdy", "heavy", "rugged", "solid", "broad"),
    "fine": ("fine", "elegant", "polished", "delicate", "classic"),
}
"""What a user likes across categories -> the adjectives that show it in a title."""

MATERIALS: Final = ("walnut", "steel", "cotton", "copper", "linen", "birch", "canvas", "leather", "bamboo", "wool")
AGE_GROUPS: Final = ("18-29", "30-44", "45-59", "60+")
DEVICES: Final = ("mobile", "desktop", "tablet")
