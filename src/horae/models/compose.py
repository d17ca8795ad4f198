"""From the recipe's `[model]` table to a model: chooses the parts, and gives each key to the part that it belongs to.

In: the table, and how many items and behaviors there are. Out: a `Model`, untrained. A key that no chosen part has is
an error here, since only here all parts are known. This module does not know data, losses or files.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from torch import nn

from horae.errors import RecipeError
from horae.features.content.of_items import ItemContent
from horae.models.base import Model
from horae.models.encoders import ENCODERS, Encoder
from horae.models.encoders.dropout import choose_kind
from horae.models.ensemble import Ensemble, as_table, member_recipes
from horae.models.history_features import HistoryFeatures
from horae.models.history_numbers import features_of
from horae.models.moments import Moments
from horae.models.network import Network
from horae.models.opponents import OPPONENTS, make_opponent, settings_of, variants
from horae.models.settings import NetworkSettings
from horae.recipe import Table, settings

__all__ = ["compose", "context_of", "looks_both_ways", "model_keys", "reads_content", "resolved"]

WHERE = "[model]"
Key = tuple[str, Any, str]
"""A key's type as text, its default, and what it does."""


def compose(table: Table, num_items: int, num_behaviors: int, content: ItemContent | None = None) -> Model:
    """Make the model that a recipe's `[model]` table describes.

    Args:
        table: Holds `opponent = "name"` or `encoder = "name"`, and keys of the parts so chosen; or `ensemble = [...]`
            alone.
        num_items: I, without padding.
        num_behaviors: Behaviors of the vocabulary, without the unknown one.
        content: What the items say and show, for models that look at it.

    Raises:
        RecipeError: None or several are named, no such part, a key without effect, an impossible value.
    """
    chosen = _choice(table)
    if chosen == "ensemble":
        members = [compose(member.model, num_items, num_behaviors, content) for member in member_recipes(table)]
        return cast(Model, Ensemble(members, num_items))
    if chosen == "opponent":
        _opponent_settings(table)
        return make_opponent(table["opponent"], _rest(table, "opponent"), content)
    shape, encoder_settings = _network_settings(table)
    make_encoder = _load(ENCODERS[table["encoder"]])[0]
    framing = shape.make_framing()
    ways = {} if framing.causal else {"causal": False}
    encoder: Encoder = make_encoder(encoder_settings, shape.dim, shape.max_len, shape.dropout, **ways)
    choose_kind(cast(nn.Module, encoder), shape.dropout_kind)
    head = shape.make_head(num_items, num_behaviors)
    behaviors = num_behaviors if shape.behavior_embedding else 0
    moments = Moments(shape.time_inputs, shape.dim, shape.time_encoding) if shape.time_inputs else None
    features = HistoryFeatures(features_of(shape.features), shape.dim) if shape.features else None
    items = shape.make_items(num_items, content)
    upcoming = shape.make_upcoming(num_items, num_behaviors)
    more = (moments, features, shape.time_dropout, upcoming, shape.make_context(), shape.context_dropout)
    return cast(Model, Network(items, encoder, head, shape.max_len, behaviors, framing, *more))


def resolved(table: Table) -> dict[str, Any]:
    """The same table with every default filled in, as it is saved with a run.

    What an opponent leaves to be chosen on validation stays open, and a setting that is None stays out: TOML has none.
    """
    choice = _choice(table)
    if choice == "ensemble":
        members = member_recipes(table)
        return {"ensemble": [as_table(dataclasses.replace(member, model=resolved(member.model))) for member in members]}
    if choice == "opponent":
        name = table["opponent"]
        filled = dataclasses.asdict(_opponent_settings(table))
        if len(variants(name, _rest(table, "opponent"))) > 1:
            return dict(table)
        return {"opponent": name, **{key: value for key, value in filled.items() if value is not None}}
    shape, encoder_settings = _network_settings(table)
    filled = {"encoder": table["encoder"], **dataclasses.asdict(shape), **dataclasses.asdict(encoder_settings)}
    for key in () if shape.also else ("also", "time_components", "value_scale"):
        del filled[key]  # a run that asks nothing more is written as it always was
    for key in ("fusion", "content_hidden", "id_bound", "id_dropout") if shape.fusion == "ids" else ():
        del filled[key]
    if shape.head != "pair":
        del filled["pair_hidden"]
    return {key: list(value) if isinstance(value, tuple) else value for key, value in filled.items()}  # as TOML has it


def reads_content(table: Table) -> bool:
    """Does the model, or a member of it, look at what items say and show?"""
    members = [one.model for one in member_recipes(table)] if "ensemble" in table else [table]
    return any(one.get("fusion", "ids") != "ids" or one.get("opponent") == "content_neighbours" for one in members)


def looks_both_ways(table: Mapping[str, Any]) -> bool:
    """Can the network's encoder see what stands after a position?"""
    return _two_way(_load(ENCODERS[table["encoder"]])[0])


def context_of(table: Table, *keys: Literal["context", "request_context"]) -> tuple[str, ...]:
    """The columns of context that a recipe's model is told, by itself or by its members."""
    members = [one.model for one in member_recipes(table)] if "ensemble" in table else [table]
    return tuple(dict.fromkeys(name for one in members for key in keys for name in one.get(key, ())))


def model_keys() -> dict[str, dict[str, Key]]:
    """Every key of `[model]` by part (`network`, then each encoder and opponent), for the docs."""
    parts: dict[str, type[Any]] = {"network": NetworkSettings}
    parts |= {name: _load(entry)[1] for name, entry in ENCODERS.items()}
    parts |= {name: settings_of(name) for name in OPPONENTS}
    return {part: {f.name: _key(cls, f) for f in dataclasses.fields(cls)} for part, cls in parts.items()}


def _choice(table: Table) -> str:
    named = [key for key in ("opponent", "encoder", "ensemble") if key in table]
    if len(named) != 1:
        got = f"both {' and '.join(named[:2])}" if named else "neither an encoder nor an opponent nor an ensemble"
        raise RecipeError(
            f"{WHERE} names {got}.",
            hint=f"Write encoder = one of {', '.join(ENCODERS)}; or opponent = one of {', '.join(OPPONENTS)}; "
            "or ensemble = a list of recipes.",
        )
    choice = named[0]
    if choice == "ensemble":
        return choice
    known = list(OPPONENTS if choice == "opponent" else ENCODERS)
    if table[choice] not in known:
        close = difflib.get_close_matches(str(table[choice]), known, n=1)
        meant = f"Did you mean {close[0]!r}? " if close else ""
        raise RecipeError(
            f"{WHERE} {choice} = {table[choice]!r} does not exist.", hint=f"{meant}Known: {', '.join(known)}."
        )
    return choice


def _load(entry: tuple[str, str, str]) -> tuple[type[Any], type[Any]]:
    module = importlib.import_module(entry[0])
    return getattr(module, entry[1]), getattr(module, entry[2])


def _rest(table: Table, choice: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != choice}


def _network_settings(table: Table) -> tuple[NetworkSettings, Any]:
    """The table, divided among the network and its encoder."""
    make_encoder, encoder_cls = _load(ENCODERS[table["encoder"]])
    shared = _names(NetworkSettings)
    rest = _rest(table, "encoder")
    own = {key: value for key, value in rest.items() if key not in shared}
    _no_strangers(own, shared | _names(encoder_cls), f'encoder = "{table["encoder"]}"')
    for_network = {key: value for key, value in rest.items() if key in shared}
    shape, encoder_settings = settings(NetworkSettings, for_network, WHERE), settings(encoder_cls, own, WHERE)
    encoder_settings.check_dim(shape.dim)
    looks_at_times = bool(shape.time_inputs) or any(feature.timed for feature in features_of(shape.features))
    looks_at_times |= getattr(encoder_settings, "timed", False)
    if not looks_at_times and shape.time_dropout != NetworkSettings.time_dropout:
        raise RecipeError(
            f"{WHERE} time_dropout has no effect: the network looks at no times.",
            hint='Remove it, or write time_inputs = ["gap", "wait"].',
        )
    if shape.framing == "masked" and not _two_way(make_encoder):
        able = [name for name, entry in ENCODERS.items() if _two_way(_load(entry)[0])]
        raise RecipeError(
            f'{WHERE} framing = "masked" needs an encoder that looks both ways; {table["encoder"]!r} looks back only.',
            hint=f"Choose encoder from {', '.join(able)}; or remove framing.",
        )
    return shape, encoder_settings


def _opponent_settings(table: Table) -> Any:
    cls = settings_of(table["opponent"])
    rest = _rest(table, "opponent")
    _no_strangers(rest, _names(cls), f'opponent = "{table["opponent"]}"')
    return settings(cls, rest, WHERE)


def _no_strangers(table: Table, known: set[str], chosen: str) -> None:
    """Refuse a key that only a part not chosen has; one that no part has is left to `settings`, which knows its kin."""
    for key in table:
        owners = [part for part, keys in model_keys().items() if key in keys] if key not in known else []
        if owners:
            raise RecipeError(
                f"{WHERE} {key} has no effect with {chosen}.",
                hint=f"Remove {key}, or choose one that has it: {', '.join(owners)}.",
            )


def _two_way(make_encoder: Any) -> bool:
    return getattr(make_encoder, "two_way", False)


def _names(cls: type[Any]) -> set[str]:
    return {f.name for f in dataclasses.fields(cls)}


def _key(cls: type[Any], key: dataclasses.Field[Any]) -> Key:
    hint = get_type_hints(cls)[key.name]
    options = get_args(hint) if get_origin(hint) is not None else ()
    text = " | ".join(o.__name__ if isinstance(o, type) else repr(o) for o in options) or hint.__name__
    default = key.default if key.default is not dataclasses.MISSING else None
    return text, default, key.metadata.get("doc", "")
