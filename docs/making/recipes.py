"""The page of recipes: every key of every table, from the settings dataclasses, and each installed recipe."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from making.markdown import code, entries, listed, table, type_text

__all__ = ["recipes_page"]


def recipes_page() -> Iterator[str]:
    """Every key of every table, and each recipe as it is installed."""
    from horae.data.settings import DataSettings
    from horae.features.content.settings import ContentSettings
    from horae.models.compose import model_keys
    from horae.models.encoders import ENCODERS
    from horae.models.opponents import settings_of
    from horae.models.settings import NetworkSettings
    from horae.recommend.recommender import RecommendSettings
    from horae.training.loop import LoopSettings
    from horae.training.settings import ObjectiveSettings
    from horae.training.tuning.ranges import FOR_NETWORKS, Span

    yield "# Recipes"
    yield "A recipe is a TOML file with up to six tables. A key that does not exist, has the wrong type, or has no"
    yield "effect beside the others is an error. `horae recipes show NAME` prints a recipe with every default filled"
    yield "in; `--set table.key=value` overrides one key."
    yield ""
    yield "## [data]"
    yield ""
    yield "How the log is cleaned."
    yield ""
    yield _keys(DataSettings)
    yield "## [content]"
    yield ""
    yield "What items say and show, for models that look at it ([content](../content.md))."
    yield ""
    yield _keys(ContentSettings)
    yield "## [model]"
    yield ""
    yield f"Either `encoder` (one of {listed(ENCODERS)}) or `opponent` (see [models](../models.md)); or `ensemble` and"
    yield 'nothing else: a list of recipes, such as `["sasrec", "item-knn"]` (see [ensembles](../models.md#ensembles)).'
    yield ""
    for part in model_keys():
        if part == "network":
            yield "### Every network"
            yield ""
            yield _keys(NetworkSettings)
        elif part in ENCODERS:
            yield f'### encoder = "{part}"'
            yield ""
            module, _, settings_name = ENCODERS[part]
            yield _keys(getattr(importlib.import_module(module), settings_name))
        else:
            yield f'### opponent = "{part}"'
            yield ""
            yield _keys(settings_of(part))
    yield "## [train]"
    yield ""
    yield "What is learned and how. Opponents only count, so their recipes have no `[train]`."
    yield ""
    yield _keys(ObjectiveSettings, LoopSettings)
    yield "## [recommend]"
    yield ""
    yield _keys(RecommendSettings)
    yield "## [tune]"
    yield ""
    yield "What `horae tune` searches ([tuning](../tuning.md)); a training does not read it. Each key"
    yield "is `table.key`, its value a list of choices or a range:"
    yield ""
    yield _keys(Span)
    yield "A network that declares nothing is searched over these:"
    yield ""
    ranges = [(f"`{key}`", f"`{json.dumps(value)}`") for key, value in FOR_NETWORKS.items()]
    yield table(("key", "values"), ranges)
    yield "## The installed recipes"
    yield ""
    for name, text in recipe_texts().items():
        yield f"### {name}"
        yield code(text, "toml")


def recipe_texts() -> dict[str, str]:
    """Each installed recipe as it stands in the package."""
    import horae
    from horae.recipe import recipe_names

    folder = Path(horae.__file__).parent / "recipes"
    return {name: (folder / f"{name}.toml").read_text(encoding="utf-8").strip() for name in recipe_names()}


def _keys(*classes: type[Any]) -> str:
    rows = []
    for cls in classes:
        hints, told = get_type_hints(cls), entries(inspect.cleandoc(cls.__doc__ or ""), "Attributes")
        for key in dataclasses.fields(cls):
            doc = key.metadata.get("doc") or told.get(key.name, "")
            rows.append((f"`{key.name}`", type_text(hints[key.name]), f"`{_toml(key.default)}`", doc))
    return table(("key", "type", "default", "what it does"), rows)


def _toml(value: Any) -> str:
    if value is None:
        return "none"
    if value is dataclasses.MISSING:
        return "must be given"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
