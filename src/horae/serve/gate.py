"""What a request must be before anybody reads it: for this host, JSON, and not too long.

In: any HTTP request. Out: the same one with its body read, or a problem document. A service without passwords on a
user's own machine must not be reachable from a web page that this user looks at: a page can send forms and plain text
to any port, but not JSON, and it cannot make its host's name look like this one's.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from horae.serve.problems import problem

__all__ = ["LOOPBACK", "MOST_BYTES", "Gate"]

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
MOST_BYTES: Final = 2**20


class Gate:
    """ASGI middleware.

    Args:
        app: What stands behind it.
        hosts: Names by which this service may be called, without ports; None for any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None = LOOPBACK) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
        if self.hosts is not None and name.lower() not in self.hosts:
            detail = f"This service is not {name!r}: it answers to {', '.join(self.hosts)}."
            await problem(421, "Misdirected Request", detail)(scope, receive, send)
            return
        if scope["method"] != "POST":  # no other route reads a body
            await self.app(scope, receive, send)
            return
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            refusal = problem(
                415, "Unsupported Media Type", "Expected JSON.", hint="Send the header Content-Type: application/json."
            )
            await refusal(scope, receive, send)
            return
        body = await _body(headers, receive)
        if body is None:
            detail = f"The body has over {MOST_BYTES:,} bytes."
            await problem(413, "Content Too Large", detail, hint="Send fewer events at a time.")(scope, receive, send)
            return
        await self.app(scope, _again(body, receive), send)


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """All of it; None if there is too much, which is not waited for."""
    announced = headers.get("content-length", "0")
    if not announced.isdecimal() or len(announced) > 12 or int(announced) > MOST_BYTES:
        return None
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, and then what comes after it (a disconnect)."""
    given = False

    async def once_more() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once_more
