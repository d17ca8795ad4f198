"""The tables of features, from the registry: each group's columns with unit, meaning and null rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from making.markdown import table

__all__ = ["with_features"]


def with_features(path: Path) -> str:
    """The page, with the tables of today between `<!-- features -->` and `<!-- /features -->`."""
    made = "\n" + "\n".join(_tables())
    text = path.read_text(encoding="utf-8")
    return re.sub(r"(?s)(<!-- features -->\n).*?(<!-- /features -->)", lambda m: f"{m[1]}{made}\n{m[2]}", text)


def _tables() -> Iterator[str]:
    from horae.features.groups import GROUPS

    for name, group in GROUPS.items():
        yield f"**`{name}`**" + (f" needs {group.needs}." if group.needs else "") + "\n"
        rows = [(f"`{one.name}`", one.unit, one.doc, one.null) for one in group.features]
        yield table(("column", "unit", "what it is", "null where"), rows).rstrip() + "\n"
