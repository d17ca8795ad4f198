"""Every way in which Horae refuses, in one tree.

    HoraeError              what was expected, what was got, what to do          CLI exit code
    |- DataError            a log, catalog or request holds something impossible           3
    |- RecipeError          a recipe's key, type or value is wrong                         2
    |- UnknownIdError       a user or item that nobody has seen                            3
    |- NotTrainedError      asked for scores before `fit` or `train`                       2
    |- MissingExtraError    an optional library is not installed; names the extra          2
    |- RunError             a run folder is missing, damaged or from a newer version       4
    |- StoreError           the disk or the event store refused                            4
    |- RemoteError          another machine did not answer, or answered nonsense           5

Raised at the boundary only. Library errors pass unchanged. `horae.cli` and `horae.serve` each translate the tree in
one place; nothing else exits, prints or speaks HTTP.
"""

from __future__ import annotations

__all__ = [
    "DataError",
    "HoraeError",
    "MissingExtraError",
    "NotTrainedError",
    "RecipeError",
    "RemoteError",
    "RunError",
    "StoreError",
    "UnknownIdError",
]


class HoraeError(Exception):
    """The root: catch this to catch everything that Horae itself refuses.

    Args:
        message: What was expected and what was got; names the file, row and column where there is one.
        hint: What to do about it, as an instruction.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class DataError(HoraeError, ValueError):
    """A log, a catalog, a split or a request that cannot be used as it stands."""

    exit_code = 3


class RecipeError(HoraeError, ValueError):
    """A recipe with an unknown key, a wrong type, an impossible value or a key without effect."""

    exit_code = 2


class UnknownIdError(HoraeError, KeyError):
    """A user or an item that the run has never seen."""

    exit_code = 3

    __str__ = HoraeError.__str__  # KeyError would print the repr


class NotTrainedError(HoraeError, RuntimeError):
    """A model was asked for scores before it was fitted."""

    exit_code = 2


class MissingExtraError(HoraeError, ImportError):
    """An optional library is not installed; the hint names the extra that brings it."""

    exit_code = 2


class RunError(HoraeError):
    """A run folder that is missing, damaged, edited or written by a newer version."""

    exit_code = 4


class StoreError(HoraeError, OSError):
    """Storage refused: a full disk, a read-only folder, a locked event store."""

    exit_code = 4

    __str__ = HoraeError.__str__


class RemoteError(HoraeError, OSError):
    """Another machine did not answer, broke off, or answered nonsense."""

    exit_code = 5

    __str__ = HoraeError.__str__
