"""`POST /v1/events`: what people did; on disk before the answer, and in the very next recommendation."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError

from horae.data.store import StoredEvent
from horae.serve.engine import Engine, Rejection
from horae.serve.problems import PROBLEMS, AllRejected, Fault, reason
from horae.serve.wire import EventBody, EventsBody, EventsReply, RejectedEvent

__all__ = ["routes"]


def routes(engine: Engine) -> APIRouter:
    """The route over an engine."""
    router = APIRouter(prefix="/v1", tags=["events"], responses=PROBLEMS)

    @router.post("/events")
    def take(body: EventsBody) -> EventsReply:
        """Take 1 to 1,000 events, each by itself: accepted, a duplicate (known `event_id`), or rejected with why."""
        received_at = engine.clock()
        readable: list[tuple[int, StoredEvent]] = []
        refused: list[Rejection] = []
        for index, event in enumerate(body.events):
            try:
                readable.append((index, EventBody.model_validate(event).stored(received_at)))
            except ValidationError as error:
                refused.append(Rejection(index, _event_id(event), _told(error)))
        intake = engine.take(readable, refused)
        if len(intake.rejections) == len(body.events):
            raise AllRejected([Fault(pointer=f"/events/{one.index}", detail=one.reason) for one in intake.rejections])
        return EventsReply(
            accepted=intake.accepted,
            duplicates=intake.duplicates,
            rejected=len(intake.rejections),
            rejections=[
                RejectedEvent(index=one.index, event_id=one.event_id, reason=one.reason) for one in intake.rejections
            ],
            notes=list(intake.notes),
        )

    return router


def _event_id(event: Any) -> str | None:
    found = event.get("event_id") if isinstance(event, dict) else None
    return found if isinstance(found, str) else None


def _told(error: ValidationError) -> str:
    faults = [reason(one, depth=0) for one in error.errors(include_url=False, include_input=False)]
    return "; ".join(f"{fault.pointer.removeprefix('/') or 'event'}: {fault.detail}" for fault in faults)
