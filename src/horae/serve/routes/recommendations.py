"""`POST /v1/recommendations`: a list for a user, or for a history of somebody the model never saw."""

from __future__ import annotations

import time
import uuid

from fastapi import APIRouter

from horae.serve.engine import Engine
from horae.serve.problems import PROBLEMS
from horae.serve.wire import Meta, RecommendationsBody, RecommendationsReply, Recommended

__all__ = ["routes"]


def routes(engine: Engine) -> APIRouter:
    """The route over an engine."""
    router = APIRouter(prefix="/v1", tags=["recommendations"], responses=PROBLEMS)

    @router.post("/recommendations", response_model_exclude_none=True)
    def recommend(body: RecommendationsBody) -> RecommendationsReply:
        """Recommend k items; a user without a history gets the fallback's list, and `meta` says so."""
        started = time.perf_counter()
        answer = engine.recommend(**body.request())
        seconds = time.perf_counter() - started
        names = ("item_id", "score", "rank", "source", *(["rules"] if "rules" in answer.frame.columns else []))
        recommended = [Recommended(**row) for row in answer.frame.select(names).iter_rows(named=True)]
        recipe = engine.recommender.recipe.name
        meta = Meta(
            run=engine.run,
            recipe=recipe,
            source=recommended[0].source if recommended else recipe,
            seconds=round(seconds, 6),
            notes=list(answer.notes),
        )
        return RecommendationsReply(request_id=uuid.uuid4().hex, recommendations=recommended, meta=meta)

    return router
