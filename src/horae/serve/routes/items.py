"""`POST /v1/items`: new items, which the very next recommendation may list; nothing is trained or started again."""

from __future__ import annotations

from fastapi import APIRouter

from horae.serve.engine import Engine
from horae.serve.problems import PROBLEMS
from horae.serve.wire import ItemsBody, ItemsReply

__all__ = ["routes"]


def routes(engine: Engine) -> APIRouter:
    """The route over an engine."""
    router = APIRouter(prefix="/v1", tags=["items"], responses=PROBLEMS)

    @router.post("/items")
    def add(body: ItemsBody) -> ItemsReply:
        """Take 1 to 1,000 new items, all or none; a network places each by its content."""
        told = engine.add_items([item.row() for item in body.items], body.change)
        return ItemsReply(added=len(told.added), changed=len(told.changed), kept=len(told.kept), notes=list(told.notes))

    return router
