"""How much larger helps: validation loss by width, depth and users, and the power laws through them. No bar.

ml-1m users 1 to 2999 by time, the recipe `sasrec` as it is shipped but for one number at a time. A run's loss is the
cross-entropy over all items of what came next in the validation part (nats an event), after the epoch that was best by
it. Twelve runs of some minutes. `HORAE_RUNS=width,data` (or `"depth 4"`) takes some runs only, into the same file; the
fits are made anew from all that are there.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

import horae
from benchmarks.record import RESULTS
from horae.data.split import Split
from horae.evaluation.cut import Cut
from horae.evaluation.validation import quality, validation_cut
from horae.models.network import Network
from horae.recommend.recommender import Recommender
from horae.schema import USER, Events
from horae.sequences.batch import bucket, encode
from horae.sequences.prepared_split import learned_from
from horae.training.fitting import first_vectors, made_ready, watched
from horae.training.loop import LoopSettings, train_network
from horae.training.progress import Shown
from horae.training.train import made_out, untrained

FloatArray = npt.NDArray[np.float64]

OWN = RESULTS / "scaling.json"
FILE: Final = "ml-1m/interactions_timestamped_users_1_2999.parquet"
BOUNDED: Final = ("train.patience=2", "train.relearn=false")
EPOCHS: Final = 16
ASKED: Final = 8_000
TOKENS: Final = 32_768
LOSS: Final = "loss"
EXPONENTS: Final = np.arange(0.02, 3.001, 0.01)


@dataclass(frozen=True)
class Size:
    """What is changed of the recipe, the data or the seed."""

    width: int = 64
    depth: int = 2
    share: float = 1.0
    seed: int = 0


RUNS: Final = {
    **{f"width {width}": Size(width=width) for width in (8, 16, 32, 64, 128)},
    **{f"depth {depth}": Size(depth=depth) for depth in (1, 4)},
    **{f"data 1/{part}": Size(share=1 / part) for part in (8, 4, 2)},
    **{f"seed {seed}": Size(seed=seed) for seed in (1, 2)},
}
MIDDLE: Final = "width 64"
"""The run that every series shares."""
WIDTHS: Final = tuple(name for name in RUNS if name.startswith("width"))
DEPTHS: Final = ("depth 1", MIDDLE, "depth 4")
SHARES: Final = ("data 1/8", "data 1/4", "data 1/2", MIDDLE)
SEEDS: Final = (MIDDLE, "seed 1", "seed 2")
FITS: Final = {
    "weights": (WIDTHS, "weights"),
    "weights without the item table": (tuple(dict.fromkeys([*WIDTHS, *DEPTHS])), "weights_without_items"),
    "events": (SHARES, "events"),
}
"""What a law is in, through which runs."""


def measure(data: Path) -> dict[str, Any]:
    split = horae.split_by_time(horae.read_events(data / FILE))
    runs = json.loads(OWN.read_text())["runs"] if OWN.exists() else {}
    for name in chosen(os.environ.get("HORAE_RUNS", ",".join(RUNS))):
        runs[name] = run_of(split, RUNS[name])
    return told({name: runs[name] for name in RUNS if name in runs})


def chosen(wanted: str) -> list[str]:
    """Runs by name, or by the series that they begin."""
    names = {name.strip() for name in wanted.split(",")}
    return [name for name in RUNS if name in names or name.split()[0] in names]


def told(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The runs, and what is fitted through them."""
    losses = [runs[name][LOSS] for name in SEEDS if name in runs]
    return {
        "protocol": "ml-1m users 1 to 2999, time split 8:1:1, cross-entropy over all items of 8,000 validation "
        "requests (nats an event), at the best epoch; one seed but for the middle run",
        "seeds": {"runs": len(losses), "sd": statistics.stdev(losses) if len(losses) > 1 else None},
        "fits": {
            name: fitted([runs[one][size] for one in names], [runs[one][LOSS] for one in names])
            for name, (names, size) in FITS.items()
            if all(one in runs for one in names)
        },
        "runs": dict(runs),
    }


def run_of(split: Split, size: Size) -> dict[str, Any]:
    """One training: its loss by epoch, its size, its cost."""
    overrides = (
        f"model.dim={size.width}",
        f"model.num_layers={size.depth}",
        f"train.epochs={round(EPOCHS / size.share)}",
        *BOUNDED,
    )
    recipe, _, cut_split = made_out(split, "sasrec", overrides)
    recommender = untrained(recipe, cut_split, None, size.seed, torch.device("cpu"))
    network, loop = recommender.model, LoopSettings.from_table(recipe.train)
    assert isinstance(network, Network)
    sequences = learned_from(cut_split, "fit", recommender.sequences)
    if size.share < 1:
        sequences = recommender.sequences.alike(some_users(split.fit, size.share))
    asked = validation_cut(split, limit=ASKED, seed=0)

    def validate() -> dict[str, float]:
        nats = loss_of(recommender, asked)
        return {LOSS: nats, "likelihood": -nats, **quality(recommender, asked)}

    started = time.process_time()
    trained = train_network(
        network,
        made_ready(network, sequences, recipe, size.seed, watched(cut_split)),
        sequences,
        loop,
        validate=validate,
        seed=size.seed,
        begin=first_vectors(network, sequences, recipe, size.seed),
        progress=Shown(),
        chooses="likelihood",
    )
    weights, of_items = (sum(one.numel() for one in part.parameters()) for part in (network, network.items))
    return {
        "seed": size.seed,
        "overrides": overrides,
        "width": size.width,
        "depth": size.depth,
        "users": len(sequences.all()),
        "events": len(sequences.flat),
        "weights": weights,
        "weights_without_items": weights - of_items,
        "requests": len(asked),
        LOSS: trained.best_metrics[LOSS],
        "ndcg@10": trained.best_metrics["ndcg@10"],
        "best_epoch": trained.best_epoch,
        "curve": [[line["epoch"], round(line[LOSS], 5), round(line["validation"][LOSS], 5)] for line in trained.log],
        "train_cpu_seconds": round(trained.cpu_seconds, 1),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def some_users(events: Events, share: float) -> Events:
    """A share of the users with all of their events; a smaller share is a part of a larger one."""
    users = events.frame[USER].unique().sort()
    order = np.random.default_rng(0).permutation(len(users))
    kept = users.gather(order[: round(share * len(users))])
    return Events(events.frame.filter(pl.col(USER).is_in(kept.implode())))


def loss_of(recommender: Recommender, asked: Cut) -> float:
    """Mean cross-entropy over all items of what came, each request seeing all that stands before it."""
    network = recommender.model
    assert isinstance(network, Network)
    histories, targets = recommender.histories(asked.requests), asked.targets(recommender.items)
    nats = 0.0
    with torch.inference_mode():
        for rows in bucket(np.minimum(histories.lengths, network.max_len), TOKENS):
            logged_BI = network.score(encode(histories.take(rows), network.max_len)).log_softmax(dim=1)
            block = targets.take(rows)
            request_P = np.repeat(np.arange(len(rows)), np.diff(block.offsets))
            nats -= float(logged_BI[request_P, block.item].sum(dtype=torch.float64))
    return nats / len(targets.item)


def fitted(sizes: Sequence[float], losses: Sequence[float]) -> dict[str, Any]:
    """`loss = floor + factor * size^-exponent` by least squares, and how far the points carry it.

    `without_largest` foretells the largest size from the others; `exponents` is where the exponent goes when each point
    in turn is left out. An exponent at an end of `EXPONENTS` says that these points show no bend: no law is found.
    """
    size_P, loss_P = np.asarray(sizes, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    law = power_law(size_P, loss_P)
    largest = int(size_P.argmax())
    rest = np.arange(len(size_P)) != largest
    smaller = power_law(size_P[rest], loss_P[rest])
    others = [power_law(size_P[kept], loss_P[kept])[2] for kept in left_out(len(size_P))]
    return {
        "points": [[float(size), float(loss)] for size, loss in zip(size_P, loss_P, strict=True)],
        "floor": law[0],
        "factor": law[1],
        "exponent": law[2],
        "residuals": (loss_P - at(law, size_P)).tolist(),
        "at_an_end": bool(law[2] <= EXPONENTS[0] or law[2] >= EXPONENTS[-1]),
        "exponents": [min(others), max(others)],
        "without_largest": {
            "foretold": float(at(smaller, size_P[largest])),
            "measured": float(loss_P[largest]),
        },
    }


def left_out(points: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Which points are kept when each in turn is not."""
    for one in range(points):
        yield np.arange(points) != one


def power_law(size_P: FloatArray, loss_P: FloatArray) -> tuple[float, float, float]:
    """Floor, factor (none below 0) and exponent of the least squares, the exponent from a grid."""
    from scipy.optimize import nnls

    middle = float(np.exp(np.log(size_P).mean()))  # of sizes near 1, so that no column is tiny
    best: tuple[float, float, float, float] | None = None
    for exponent in EXPONENTS:
        columns_P2 = np.stack([np.ones_like(size_P), (size_P / middle) ** -exponent], axis=1)
        (floor, factor), missed = nnls(columns_P2, loss_P)
        if best is None or missed < best[0]:
            best = float(missed), float(floor), float(factor * middle**exponent), float(exponent)
    assert best is not None
    return best[1:]


def at(law: tuple[float, float, float], size: Any) -> Any:
    """What a law says of sizes."""
    floor, factor, exponent = law
    return floor + factor * size**-exponent
