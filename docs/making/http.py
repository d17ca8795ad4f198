"""The page of routes, from the OpenAPI document."""

from __future__ import annotations

import tempfile
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from making.markdown import table

__all__ = ["http_page", "openapi"]


def http_page() -> Iterator[str]:
    """The routes, from the OpenAPI document."""
    from horae.serve.problems import STATUS

    document = openapi()
    yield "# HTTP"
    yield "`horae serve RUN` answers these routes; [serving](../serving.md) shows them at work. The running service has"
    yield "the same as a page (`/docs`) and for programs (`/openapi.json`)."
    yield ""
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            yield f"## {method.upper()} {path}"
            yield ""
            yield route.get("description", "")
            yield ""
            if "requestBody" in route:
                yield _fields(document, "request", _content(route["requestBody"]))
            yield _fields(document, "answer", _content(route["responses"]["200"]), told="")
    yield "## Refusals"
    yield ""
    yield "`application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, and where there is one `hint`"
    yield "and `errors` (a JSON `pointer` and a `detail` each)."
    yield ""
    yield table(("status", "title", "from"), [(s, title, f"`{kind.__name__}`") for kind, (s, title) in STATUS.items()])
    yield "Besides these: 400 (not JSON), 404 and 405 (no such route), 413 (over 1 MiB), 415 (not declared as JSON),"
    yield "421 (asked for by another host name), 422 (a field is missing, unknown or impossible; or no event was"
    yield "taken)."


def openapi() -> dict[str, Any]:
    """The service's own description of itself; no run is needed for it."""
    from horae.data.store import EventStore
    from horae.serve import create_app

    with tempfile.TemporaryDirectory() as folder:
        store = EventStore(Path(folder) / "events.sqlite")
        try:
            found: dict[str, Any] = create_app(typing.cast(Any, types.SimpleNamespace()), store).openapi()
        finally:
            store.close()
    return found


def _content(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = holder["content"]["application/json"]["schema"]
    return schema


def _fields(document: Mapping[str, Any], caption: str, schema: Mapping[str, Any], told: str = "Required. ") -> str:
    return table((caption, "type", "what it is"), list(_field_rows(document, schema, "", told)))


def _field_rows(
    document: Mapping[str, Any], schema: Mapping[str, Any], above: str, told: str
) -> Iterator[tuple[str, str, str]]:
    schema = _resolved(document, schema)
    for name, field in schema.get("properties", {}).items():
        needed = told if name in schema.get("required", ()) else ""
        default = "" if field.get("default") in (None, [], {}, "") else f" Default: {field['default']}."
        about = f"{needed}{field.get('description', '')}{default}".strip()
        yield f"`{above}{name}`", _json_type(document, field), about
        for inner in _objects(document, field):
            listed = any(part.get("type") == "array" for part in (field, *field.get("anyOf", ())))
            yield from _field_rows(document, inner, f"{above}{name}{'[].' if listed else '.'}", told)


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _objects(document: Mapping[str, Any], field: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    resolved = _resolved(document, field)
    if "properties" in resolved:
        yield resolved
    for part in (*field.get("anyOf", ()), *([field["items"]] if "items" in field else ())):
        yield from _objects(document, part)


def _json_type(document: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        kinds = dict.fromkeys(_json_type(document, part) for part in field["anyOf"])
        return " or ".join(kind for kind in kinds if kind != "null")
    if field.get("type") == "array":
        return f"list of {_json_type(document, field.get('items', {}))}"
    return "object" if "$ref" in field else str(field.get("format", field.get("type", "anything")))
