"""The page at `/docs`: every route with its fields and a command to try, without a byte from elsewhere.

In: the app's OpenAPI document. Out: one HTML page. (FastAPI's own page loads scripts from another machine.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

__all__ = ["docs_page"]

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { font-size: 1.05rem; margin-top: 2.5rem } .method { color: #2a6b4f; font-weight: 600 }
code, pre { font: 14px/1.45 ui-monospace, monospace; overflow-wrap: anywhere }
pre { background: #f4f4f2; padding: .8rem; border-radius: 4px; white-space: pre-wrap }
table { border-collapse: collapse; width: 100%; table-layout: fixed; margin: 1rem 0 }
td, th { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #e4e4e0 }
th { width: 36% } th + th { width: 24% } th + th + th { width: 40% }
"""


def docs_page(openapi: Mapping[str, Any], base_url: str) -> str:
    """Write the page.

    Args:
        openapi: `app.openapi()`.
        base_url: Where the reader reached the service; commands are shown with it.
    """
    title = escape(f"{openapi['info']['title']} {openapi['info']['version']}")
    routes = "".join(_routes(openapi, base_url.rstrip("/")))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{escape(openapi['info']['description'])}</p>"
        f'<p>For programs: <a href="openapi.json">openapi.json</a>.</p>{routes}</body></html>'
    )


def _routes(openapi: Mapping[str, Any], base_url: str) -> Iterator[str]:
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            yield f'<h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>'
            yield f"<p>{escape(route.get('description', ''))}</p>"
            schema = _body_schema(openapi, route)
            yield f"<pre>{escape(_command(base_url + path, schema))}</pre>"
            if schema:
                yield _fields("Request", openapi, schema)
            yield _fields("Answer", openapi, _content_schema(openapi, route["responses"]["200"]))


def _command(url: str, schema: Mapping[str, Any]) -> str:
    if not schema:
        return f"curl {url}"
    lines = [f"curl {url} -H 'Content-Type: application/json' -d '{json.dumps(one)}'" for one in schema["examples"]]
    return "\n".join(lines)


def _body_schema(openapi: Mapping[str, Any], route: Mapping[str, Any]) -> Mapping[str, Any]:
    return _content_schema(openapi, route["requestBody"]) if "requestBody" in route else {}


def _content_schema(openapi: Mapping[str, Any], holder: Mapping[str, Any]) -> Mapping[str, Any]:
    return _resolved(openapi, holder["content"]["application/json"]["schema"])


def _resolved(openapi: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference into the components."""
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _fields(caption: str, openapi: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td>"
        f"<td>{'Required. ' if needed and caption == 'Request' else ''}{escape(about)}</td></tr>"
        for name, kind, needed, about in _rows(openapi, schema, "")
    )
    return f"<table><thead><tr><th>{caption}</th><th>Type</th><th></th></tr></thead><tbody>{rows}</tbody></table>"


def _rows(openapi: Mapping[str, Any], schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, bool, str]]:
    for name, field in schema.get("properties", {}).items():
        yield prefix + name, _kind(openapi, field), name in schema.get("required", ()), field.get("description", "")
        is_list = any(part.get("type") == "array" for part in (field, *field.get("anyOf", ())))
        for inner in (_resolved(openapi, one) for one in _inside(field)):
            yield from _rows(openapi, inner, f"{prefix}{name}{'[].' if is_list else '.'}")


def _inside(field: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The object schemas in a field, by reference or in place."""
    if "$ref" in field or "properties" in field:
        yield field
    for part in (*field.get("anyOf", ()), *([field["items"]] if "items" in field else ())):
        yield from _inside(part)


def _kind(openapi: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return "object"
    if "anyOf" in field:
        kinds = dict.fromkeys(_kind(openapi, part) for part in field["anyOf"])
        return " or ".join(kind for kind in kinds if kind != "null")
    if field.get("type") == "array":
        return f"list of {_kind(openapi, field.get('items', {}))}"
    return str(field.get("format", field.get("type", "anything")))
