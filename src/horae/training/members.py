"""An ensemble in, its members as recommenders of their own out, and back. Who trains them is `train`'s business.

    members_of(recommender) -> train each as if it stood alone -> gather(recommender, members)

Each member has its own seed and its own folder; the first has the ensemble's seed, so it is the very model that its
recipe makes alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from horae.models.ensemble import Ensemble, as_table, member_recipes
from horae.recommend.recommender import Recommender
from horae.training.checkpoint import Trained

if TYPE_CHECKING:
    from horae.training.options import Options

__all__ = ["gather", "log_of", "members_of", "together"]


def members_of(recommender: Recommender, seed: int, where: Options) -> list[tuple[Recommender, int, Options]]:
    """Each member, its seed and its place."""
    assert isinstance(recommender.model, Ensemble)
    pairs = zip(recommender.model.members, member_recipes(recommender.recipe.model), strict=True)
    return [
        (replace(recommender, model=model, recipe=recipe), seed + number, _place(where, f"member-{number + 1}"))
        for number, (model, recipe) in enumerate(pairs)
    ]


def gather(recommender: Recommender, members: Sequence[Recommender]) -> None:
    """Make the ensemble of what its members have become, what their recipes had left open included."""
    recommender.model = Ensemble([one.model for one in members], len(recommender.items)).eval()
    recommender.follow()
    table = {"ensemble": [as_table(one.recipe) for one in members]}
    recommender.recipe = replace(recommender.recipe, model=table)


def together(trained: Sequence[Trained]) -> Trained:
    """Sums over members; epochs, too, are those of all."""
    if len(trained) == 1:
        return trained[0]
    return Trained(
        best_epoch=sum(one.best_epoch for one in trained),
        log=[line for one in trained for line in one.log],
        interrupted=any(one.interrupted for one in trained),
        positions=sum(one.positions for one in trained),
        padding=sum(one.padding for one in trained),
        seconds=sum(one.seconds for one in trained),
        cpu_seconds=sum(one.cpu_seconds for one in trained),
    )


def log_of(trained: Sequence[Trained]) -> list[Mapping[str, Any]]:
    """The lines of `log.jsonl`; an ensemble's say whose they are, counted from 1."""
    if len(trained) == 1:
        return list(trained[0].log)
    return [{"member": number, **line} for number, one in enumerate(trained, start=1) for line in one.log]


def _place(where: Options, name: str) -> Options:
    folder = None if where.folder is None else where.folder / name
    tensorboard = None if where.tensorboard is None else where.tensorboard / name
    return replace(where, folder=folder, tensorboard=tensorboard)
