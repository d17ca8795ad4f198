"""Wiring: a recommender and a store in, an ASGI app out. Nothing is decided here.

The service has no passwords: whoever starts it binds it to this machine (127.0.0.1), and `Gate` keeps web pages out.
"""

from __future__ import annotations

from collections.abc import Collection

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

import horae
from horae.data.store import EventStore
from horae.serve.docs_page import docs_page
from horae.serve.engine import Clock, Engine, Recommending, utc_now
from horae.serve.gate import LOOPBACK, Gate
from horae.serve.problems import install
from horae.serve.routes import events, health, items, recommendations

__all__ = ["create_app"]

CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def create_app(
    recommender: Recommending,
    store: EventStore,
    *,
    clock: Clock = utc_now,
    run: str = "",
    hosts: Collection[str] | None = LOOPBACK,
) -> FastAPI:
    """Make the service. The store's events become part of the histories before this returns.

    Args:
        recommender: The loaded run; from now on the service's alone.
        store: Where events are kept; stays open as long as the service runs, and is the caller's to close.
        clock: Gives the time, with its zone.
        run: The run's name, shown in answers.
        hosts: Host names that requests may come for; None for any, where somebody has opened the service on purpose.

    Raises:
        StoreError: The store's events could not be read.
    """
    engine = Engine(recommender, store, clock, run)
    engine.replay()
    app = FastAPI(
        title="Horae",
        version=horae.__version__,
        description="Recommendations that know when: ask for a list, tell what was done.",
        docs_url=None,
        redoc_url=None,
    )
    install(app)
    app.add_middleware(Gate, hosts=hosts)
    for room in (recommendations, events, items, health):
        app.include_router(room.routes(engine))

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        page = docs_page(app.openapi(), str(request.base_url))
        return HTMLResponse(page, headers={"Content-Security-Policy": CONTENT_POLICY})

    return app
