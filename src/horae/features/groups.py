"""Every group of features by name. In: names and wishes. Out: the groups. A new group is one line here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from horae.errors import DataError, RecipeError
from horae.features.circle import Circle
from horae.features.context import Context
from horae.features.decay import Decay
from horae.features.group import Group, Wishes
from horae.features.recency import Bursts, Gaps, Recency
from horae.features.session import Session
from horae.features.tables import Tables
from horae.features.temporal import CalendarGroup, RhythmGroup, TrendGroup
from horae.features.windows import Distinct, Extremes, Windows

__all__ = ["GROUPS", "check_groups", "chosen"]

GROUPS: Final[Mapping[str, type[Group]]] = {
    "windows": Windows,
    "distinct": Distinct,
    "extremes": Extremes,
    "decay": Decay,
    "recency": Recency,
    "gaps": Gaps,
    "bursts": Bursts,
    "session": Session,
    "context": Context,
    "circle": Circle,
    "tables": Tables,
    "calendar": CalendarGroup,
    "rhythm": RhythmGroup,
    "trend": TrendGroup,
}

ON_REQUEST: Final = frozenset({"rhythm", "trend"})
"""Left out where no names are given: they look at the whole log for every block of lines."""


def chosen(names: Sequence[str] | None, wishes: Wishes) -> dict[str, Group]:
    """The groups asked for; without names, all but `ON_REQUEST` that the log has what they need for.

    Raises:
        RecipeError: No such group, one named twice, or none.
        DataError: A group that was asked for needs what the log does not have.
    """
    if names is None:
        made = {name: group.of(wishes) for name, group in GROUPS.items() if name not in ON_REQUEST}
        return {name: group for name, group in made.items() if group is not None}
    check_groups(names)
    _check_effect(names, wishes)
    groups: dict[str, Group] = {}
    for name in names:
        group = GROUPS[name].of(wishes)
        if group is None:
            raise DataError(
                f"The features {name} cannot be made: they need {GROUPS[name].needs}.",
                hint="Give what they need, or leave the group out; without groups all that can be made are.",
            )
        groups[name] = group
    return groups


def check_groups(names: Sequence[str]) -> None:
    """Refuse names before a log is read.

    Raises:
        RecipeError: No such group, one named twice, or none.
    """
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise RecipeError(f"There is no group of features {unknown[0]!r}.", hint=f"Choose of: {', '.join(GROUPS)}.")
    if not names or len(set(names)) < len(names):
        raise RecipeError(
            "Groups of features: expected each name once, and one at least.", hint="Such as windows,gaps."
        )


def _check_effect(names: Sequence[str], wishes: Wishes) -> None:
    for name, given in (("circle", wishes.relations is not None), ("tables", bool(wishes.tables))):
        if given and name not in names:
            raise RecipeError(f"What was given for {name} has no effect without it.", hint=f"Add {name} to the groups.")
