"""The names on the wire: what a request may say, what an answer says. Strict: an unknown name is an error.

In: JSON. Out: checked values. The names are those of the tables (`horae.schema`). It does not know routes or models.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SkipValidation, StrictInt, StrictStr, model_validator

from horae.data.store import StoredEvent
from horae.schema import HistoryEvent, Id

__all__ = [
    "AliveReply",
    "EventBody",
    "EventsBody",
    "EventsReply",
    "HistoryBody",
    "ItemBody",
    "ItemsBody",
    "ItemsReply",
    "Meta",
    "ReadyReply",
    "RecommendationsBody",
    "RecommendationsReply",
    "Recommended",
    "RejectedEvent",
]

MOST_EVENTS: Final = 1_000
LARGEST: Final = 2**63 - 1


def _in_utc(time: datetime) -> datetime:
    """A naive time is UTC."""
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999 in UTC") from error


IdText = Annotated[StrictStr, Field(min_length=1)]
IdNumber = Annotated[StrictInt, Field(ge=-LARGEST, le=LARGEST)]
WireId = IdText | IdNumber
Time = Annotated[datetime, AfterValidator(_in_utc)]
Value = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e15, le=1e15)]


class Body(BaseModel):
    """What all requests share: a name that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid")


class HistoryBody(Body):
    """One event of a history that comes with the request."""

    item_id: WireId
    behavior: StrictStr | None = None
    timestamp: Time | None = None
    value: Value | None = None
    context: dict[str, Any] = Field(default={}, description="Further columns of the log, such as device or price.")

    def event(self) -> HistoryEvent:
        """As the recommender takes it."""
        return HistoryEvent(self.item_id, self.behavior, self.timestamp, self.value, self.context)


class RecommendationsBody(Body):
    """Who asks (by `user_id`, or by a `history`, oldest first, of somebody the model need not know), and for what."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "u1", "k": 3}, {"history": ["i7", "i9"]}]})

    user_id: WireId | None = None
    history: list[HistoryBody | WireId] | None = Field(
        default=None, description="Objects with item_id, behavior, timestamp, value, context; a bare item id is enough."
    )
    k: Annotated[StrictInt, Field(ge=1, le=10_000)] = Field(default=10, description="How many recommendations.")
    at: Time | None = Field(
        default=None, description="Recommend as of this time: only events strictly before it count. UTC if it is naive."
    )
    exclude: list[WireId] = Field(default=[], description="Items not to recommend.")
    only: list[WireId] | None = Field(default=None, description="Nothing but these items.")
    filter: Annotated[StrictStr, Field(min_length=1, max_length=10_000)] | None = Field(
        default=None, description="A condition on the catalog's columns that every item has to meet: `price < 20`."
    )
    strategy: Literal["model", "confidence", "interest", "context", "combined"] | None = Field(
        default=None, description="What orders the items, in place of the run's strategy."
    )
    context: dict[str, Any] = Field(
        default={}, description="What is known when asking, such as device; `meta` notes what was not used."
    )

    profile: dict[str, Any] = Field(
        default={}, description="What is known of somebody without events, such as age; for runs trained with profiles."
    )

    @model_validator(mode="after")
    def _one_way_to_ask(self) -> RecommendationsBody:
        if (self.user_id is None) == (self.history is None):
            raise ValueError("expected either user_id or history")
        return self

    def request(self) -> dict[str, Any]:
        """As the recommender takes it."""
        constraints: dict[str, Any] = {"k": self.k, "at": self.at, "exclude": self.exclude, "only": self.only}
        more = {"filter": self.filter, "strategy": self.strategy, "context": self.context, "profile": self.profile}
        constraints |= {name: value for name, value in more.items() if value}
        if self.history is None:
            return {"users": [self.user_id], **constraints}
        events = [one.event() if isinstance(one, HistoryBody) else HistoryEvent(one) for one in self.history]
        return {"histories": [events], **constraints}


class Recommended(BaseModel):
    """One item of a list; `source` is the recipe's name, `profile` or `fallback`; `rules`, where any, moved it."""

    item_id: Id
    score: float
    rank: int
    source: str
    rules: list[str] | None = None


class Meta(BaseModel):
    """Where a list comes from; `notes` say in plain words what could not be honoured."""

    run: str
    recipe: str
    source: str
    seconds: float
    notes: list[str]


class RecommendationsReply(BaseModel):
    """The list, best first. Events that it causes carry its `request_id`."""

    request_id: str
    recommendations: list[Recommended]
    meta: Meta


class EventBody(Body):
    """What somebody did. Sent twice (same `event_id`), it counts once."""

    event_id: Annotated[StrictStr, Field(min_length=1, max_length=200)]
    user_id: WireId
    item_id: WireId | None = None
    behavior: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    timestamp: Time | None = Field(default=None, description="When; the time of arrival if absent. UTC if it is naive.")
    value: Value | None = None
    request_id: Annotated[StrictStr, Field(max_length=200)] | None = Field(
        default=None, description="The list that led to it."
    )
    context: dict[str, Any] = Field(
        default={}, description="Further columns of the log, such as device or price; kept."
    )

    def stored(self, received_at: datetime) -> StoredEvent:
        """As the store takes it."""
        return StoredEvent(
            event_id=self.event_id,
            user_id=self.user_id,
            received_at=received_at,
            item_id=self.item_id,
            behavior=self.behavior,
            timestamp=self.timestamp or received_at,
            value=self.value,
            request_id=self.request_id,
            context=self.context,
        )


class EventsBody(Body):
    """1 to 1,000 events; each is judged by itself, so that one that is wrong does not hold up the others."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"events": [{"event_id": "e1", "user_id": "u1", "item_id": "i7", "behavior": "view"}]}]
        }
    )

    events: list[Annotated[EventBody, SkipValidation]] = Field(min_length=1, max_length=MOST_EVENTS)


class RejectedEvent(BaseModel):
    """An event that was not taken: where it stood in the request, and why."""

    index: int
    event_id: str | None
    reason: str


class EventsReply(BaseModel):
    """Counts; those accepted are on disk, and part of the next answer."""

    accepted: int
    duplicates: int
    rejected: int
    rejections: list[RejectedEvent]
    notes: list[str]


class ItemBody(BaseModel):
    """A new item: its id, and what the catalog's columns say of it, such as title or price."""

    model_config = ConfigDict(extra="allow")

    item_id: WireId
    vectors: dict[str, list[Value]] = Field(
        default={}, description="Made elsewhere, by the names that [content] vectors of the run has."
    )

    def row(self) -> dict[str, Any]:
        """As the engine takes it."""
        return self.model_dump(exclude_defaults=True)


class ItemsBody(Body):
    """1 to 1,000 new items, all or none: where one cannot be, nothing is changed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"item_id": "i99", "title": "Red running shoes"}]}]}
    )

    items: list[ItemBody] = Field(min_length=1, max_length=MOST_EVENTS)
    change: bool = Field(
        default=False, description="Items that are there already take what is given here; else they stay as they are."
    )


class ItemsReply(BaseModel):
    """Counts; those added may be in the next answer."""

    added: int
    changed: int
    kept: int = Field(description="Those that were there already and stay as they were.")
    notes: list[str]


class AliveReply(BaseModel):
    """The process is there."""

    status: Literal["alive"] = "alive"


class ReadyReply(BaseModel):
    """What is being served."""

    status: Literal["ready"] = "ready"
    run: str
    recipe: str
    events: int = Field(description="Events in the store.")
