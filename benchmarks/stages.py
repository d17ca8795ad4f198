"""How near each stage of a training step is to the machine's arithmetic or memory: CPU milliseconds on one thread.

A step of SASRec (dim 64, 2 layers, feed-forward 64) on amazon-beauty-2014, length 50, and ml-1m, length 200. Beside it
what the machine does at its best in the same minute: products in float32 and bfloat16, exp, copies, fresh memory.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import horae
from horae.models.compose import compose
from horae.models.network import Network
from horae.recipe import load_recipe
from horae.sequences.batch import bucket
from horae.sequences.framing import windows
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training.losses import full_softmax
from horae.training.optimisers import clip, make_optimiser
from horae.training.train import check

SETS = {"amazon-beauty-2014": 50, "ml-1m": 200}
STEPS = 24


def measure(data: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    sets = {name: _stages(data / name / "interactions.parquet", length) for name, length in SETS.items()}
    return {"threads": 1, "machine_at_its_best": _machine(), "sets": sets}


def _stages(file: Path, length: int) -> dict[str, Any]:
    split = horae.split_leave_one_out(horae.read_events(file))
    items = Vocabulary.of(split.train.frame["item_id"])
    sequences = Sequences.from_events(split.fit, items)
    recipe = check(load_recipe("sasrec", [f"model.max_len={length}", "model.ffn_multiple=1"]))
    network = compose(recipe.model, len(items), 1)
    assert isinstance(network, Network)
    network.train()
    optimiser = make_optimiser(network, 1e-3, 0.0)
    rng = np.random.default_rng(0)
    cut = windows(sequences, network.max_len, "all", rng)
    batches = bucket(cut.lengths - 1, recipe.train["batch_tokens"])
    chosen = [batches[number] for number in np.linspace(0, len(batches) - 1, STEPS).astype(int)]
    taken: dict[str, list[float]] = {}

    def timed(stage: str, once: Callable[[], Any]) -> Any:
        started = time.process_time()
        result = once()
        taken.setdefault(stage, []).append(1000 * (time.process_time() - started))
        return result

    targets = positions = 0
    for rows in [chosen[0], *chosen]:  # the first is a warm-up, thrown away below
        framed = timed("batch", lambda rows=rows: network.framing.frame(cut.take(rows), rng))
        index_N = framed.target_BL.flatten().nonzero().squeeze(1)
        h_BLD = timed("encoder forward", lambda framed=framed: network.states(framed.batch))
        h_ND = h_BLD.flatten(0, 1).index_select(0, index_N)
        target_N = framed.target_BL.flatten()[index_N]
        loss = timed(
            "softmax, values and gradients",
            lambda h_ND=h_ND, target_N=target_N: full_softmax(
                h_ND, network.item_vectors(), target_N, precision=torch.bfloat16
            ),
        )
        optimiser.zero_grad()
        timed("encoder backward", loss.backward)
        timed("clip", lambda: clip(list(network.parameters()), 5.0))
        timed("optimiser", optimiser.step)
        targets, positions = targets + len(index_N), positions + framed.target_BL.numel()
    means = {stage: statistics.mean(values[1:]) for stage, values in taken.items()}
    per_step = targets / (STEPS + 1)
    products = 3 * 2 * per_step * len(items) * network.items.dim
    return {
        "items": len(items),
        "targets_per_step": per_step,
        "padding_share": 1 - targets / positions,
        "cpu_ms_per_step": {stage: round(value, 2) for stage, value in means.items()},
        "softmax_gflops": products / (means["softmax, values and gradients"] / 1000) / 1e9,
        "softmax_exps_per_second": per_step * len(items) / (means["softmax, values and gradients"] / 1000),
    }


def _machine() -> dict[str, float]:
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    big = torch.randn(2**25)
    other = torch.empty_like(big)
    a16, b16 = a.bfloat16(), b.bfloat16()
    chunk = torch.rand(2**20).bfloat16()
    return {
        "float32_product_gflops": 2 * 1024**3 / _best(lambda: a @ b) / 1e9,
        "bfloat16_product_gflops": 2 * 1024**3 / _best(lambda: a16 @ b16) / 1e9,
        "bfloat16_exps_per_second": 2**20 / _best(lambda: torch.exp(chunk, out=chunk)),
        "copy_gb_per_second": 2 * 4 * 2**25 / _best(lambda: other.copy_(big)) / 1e9,
        "fresh_memory_gb_per_second": 4 * 2**25 / _best(lambda: torch.ones(2**25)) / 1e9,
    }


def _best(once: Callable[[], Any]) -> float:
    once()
    seconds = []
    for _ in range(7):
        started = time.process_time()
        once()
        seconds.append(time.process_time() - started)
    return min(seconds)
