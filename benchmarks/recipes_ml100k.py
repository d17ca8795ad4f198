"""Every network's recipe on ml-100k, leave-one-out, one seed: what each is worth, and its cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import horae
from benchmarks.quality import trained_and_judged
from horae.recipe import load_recipe, recipe_names


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(data / "ml-100k/raw/u.data"))
    plain = {"gru", "lstm", "gru-attention"}  # what gru4rec and lstm-attention are made of
    networks = [name for name in recipe_names() if "encoder" in load_recipe(name).model and name not in plain]
    return {
        "protocol": "leave-one-out, log order of ties, seen masked, recipes as shipped, 20 epochs at most",
        "runs": {
            name: trained_and_judged(split, name, ["train.patience=5", "train.epochs=20"], 0) for name in networks
        },
    }
