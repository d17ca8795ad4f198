"""`GET /health/live` and `/health/ready`: is the process there, and can it answer."""

from __future__ import annotations

from fastapi import APIRouter

from horae.serve.engine import Engine
from horae.serve.problems import PROBLEMS
from horae.serve.wire import AliveReply, ReadyReply

__all__ = ["routes"]


def routes(engine: Engine) -> APIRouter:
    """The routes over an engine; an engine that is there has read its store."""
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live")
    async def live() -> AliveReply:
        """The process is there; asks nothing of it."""
        return AliveReply()

    @router.get("/ready", responses=PROBLEMS)
    def ready() -> ReadyReply:
        """The run is loaded and the store answers; 503 if not."""
        events = engine.store.count()
        return ReadyReply(run=engine.run, recipe=engine.recommender.recipe.name, events=events)

    return router
