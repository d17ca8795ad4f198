"""A run over HTTP: recommendations out, events in, on this machine only unless somebody opens it.

In: a recommender and an event store. Out: an ASGI app. FastAPI is loaded when the app is made; without it the error
names the extra that brings it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from horae.errors import MissingExtraError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from horae.data.store import EventStore
    from horae.serve.engine import Recommending

__all__ = ["create_app"]


def create_app(recommender: Recommending, store: EventStore, **options: Any) -> FastAPI:
    """Make the service; see `horae.serve.app.create_app` for the options.

    Raises:
        MissingExtraError: FastAPI is not installed.
        StoreError: The store's events could not be read.
    """
    try:
        import fastapi  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Serving needs FastAPI, which is not installed.", hint="pip install 'horae[serve]'"
        ) from error
    from horae.serve import app

    return app.create_app(recommender, store, **options)
