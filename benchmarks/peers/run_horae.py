"""Our side of every contest, in a fresh process: one thread, the public functions, the same answers as the peers'."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import horae
from benchmarks.peers import told
from horae.training.progress import Quiet
from horae.training.train import Options


def epoch(file: str, overrides: list[str]) -> dict[str, Any]:
    """The second epoch's cost, as the training's own log has it; the first warms up."""
    split = horae.split_leave_one_out(horae.read_events(file))
    once = ["train.epochs=2", "train.validation_requests=100", *overrides]
    trained = horae.train(split, "sasrec", overrides=once, options=Options(progress=Quiet()))
    line, cost = trained.log[1], trained.card["training"]
    return {
        "epoch_cpu_seconds": line["cpu_seconds"],
        "epoch_seconds": line["seconds"],
        "steps_per_epoch": line["steps"],
        "targets": line["targets"],
        "padding_share": cost["padding_share"],
    }


def curve(file: str, overrides: list[str], seed: int) -> dict[str, Any]:
    """Validation after each epoch beside the CPU seconds of training so far; the test figures of the weights kept."""
    split = horae.split_leave_one_out(horae.read_events(file))
    everybody = [*overrides, "train.validation_requests=1000000"]
    trained = horae.train(split, "sasrec", overrides=everybody, seed=seed, options=Options(progress=Quiet()))
    points, cpu = [], 0.0
    for line in trained.log:
        cpu += line["cpu_seconds"]
        quality = {f"validation_{name}": line["validation"][name] for name in ("ndcg@10",)}
        points.append({"epoch": line["epoch"], "cpu_seconds": round(cpu, 3), **quality})
    judged = horae.evaluate(trained, split).as_dict()["metrics"]
    test = {f"test_{name}": judged[name]["mean"] for name in ("recall@10", "ndcg@10")}
    return {"seed": seed, "points": points, "best_epoch": trained.card["training"]["best_epoch"], **test}


def answers(file: str, overrides: list[str]) -> dict[str, Any]:
    """Top ten for everybody, after loading the run; one short epoch makes a recommender of the right shape."""
    split = horae.split_leave_one_out(horae.read_events(file))
    quick = ["train.epochs=1", "train.loss=sampled_softmax", "train.windows=last", *overrides]
    trained = horae.train(split, "sasrec", overrides=quick, options=Options(progress=Quiet()))
    with tempfile.TemporaryDirectory() as folder:
        loaded = horae.load(trained.save(Path(folder) / "run"))
    users = loaded.sequences.users.all
    loaded.recommend(users=users[:64], k=10)
    clock = told.Clock()
    answer = loaded.recommend(users=users, k=10)
    taken = clock.read()
    assert len(answer) == 10 * len(users)
    return {"users": len(users), **taken}


def prepare(file: str) -> dict[str, Any]:
    """From a log's Parquet file to the sequences that training cuts its batches from, cleaning included."""
    from horae.sequences.history import Sequences
    from horae.sequences.vocabulary import Vocabulary

    clock = told.Clock()
    events = horae.read_events(file)
    sequences = Sequences.from_events(events, Vocabulary.of(events.frame["item_id"]))
    taken = clock.read()
    assert len(sequences.flat) == len(events)
    return {"events": len(events), **taken}


if __name__ == "__main__":
    told.serve(epoch=epoch, curve=curve, answers=answers, prepare=prepare)
