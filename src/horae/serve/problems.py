"""Every refusal, once: Horae's error tree, broken requests and unknown routes as problem documents (RFC 9457).

In: exceptions. Out: `application/problem+json` with `type`, `title`, `status`, `detail`, and where there is one `hint`
and `errors` (a JSON pointer and a reason each). No route makes a refusal of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from horae.errors import (
    DataError,
    HoraeError,
    MissingExtraError,
    NotTrainedError,
    RecipeError,
    RemoteError,
    RunError,
    StoreError,
    UnknownIdError,
)

__all__ = ["PROBLEMS", "STATUS", "AllRejected", "Fault", "Problem", "install", "problem", "reason"]

STATUS: Final[Mapping[type[HoraeError], tuple[int, str]]] = {
    DataError: (422, "Impossible data"),
    RecipeError: (422, "Impossible setting"),
    UnknownIdError: (404, "Unknown id"),
    NotTrainedError: (503, "Not trained"),
    MissingExtraError: (503, "Not installed"),
    RunError: (503, "Damaged run"),
    StoreError: (503, "Storage refused"),
    RemoteError: (502, "Another service failed"),
    HoraeError: (500, "Refused"),
}
MEDIA_TYPE: Final = "application/problem+json"


class Fault(BaseModel):
    """One thing wrong with a body: where (a JSON pointer), and what."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """A refusal: what was expected, what was got, what to do (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    hint: str = ""
    errors: list[Fault] = []


def _schema() -> dict[str, Any]:
    """A problem's schema in one piece, since FastAPI collects only what it finds in routes."""
    schema = Problem.model_json_schema()
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["Fault"]
    return schema


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "A problem (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": _schema()}},
    }
}
"""What every route says about refusals in the OpenAPI document."""


class AllRejected(Exception):  # noqa: N818  (not an error of Horae's, but an answer)
    """None of the events that came was taken."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("all events rejected")
        self.faults = faults


def problem(status: int, title: str, detail: str, *, hint: str = "", errors: Iterable[Fault] = ()) -> Response:
    """One problem document as a response; its `type` is a name made of the title, for programs to branch on."""
    kind = f"urn:horae:problem:{title.lower().replace(' ', '-')}"
    document: dict[str, Any] = {"type": kind, "title": title, "status": status, "detail": detail}
    if hint:
        document["hint"] = hint
    if faults := [fault.model_dump() for fault in errors]:
        document["errors"] = faults
    headers = {"Retry-After": "10"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(json.dumps(document), status, headers, MEDIA_TYPE)


def reason(error: Mapping[str, Any], depth: int) -> Fault:
    """One of pydantic's errors, told shortly; the first `depth` parts of its place are not in the body."""
    place = [str(part) for part in error["loc"][depth:]]
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in place)
    return Fault(pointer=pointer, detail=str(error["msg"]))


def install(app: FastAPI) -> None:
    """Make the app answer every refusal with a problem document."""
    app.add_exception_handler(HoraeError, _refused)
    app.add_exception_handler(AllRejected, _all_rejected)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(HTTPException, _not_served)
    app.add_exception_handler(Exception, _broken)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HoraeError)
    status, title = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return problem(status, title, error.message, hint=error.hint)


async def _all_rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, AllRejected)
    detail = f"None of the {len(error.faults)} events could be taken; the first: {error.faults[0].detail}."
    return problem(422, "Events rejected", detail, hint="Mend them and send them again.", errors=error.faults)


async def _misunderstood(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return problem(400, "Not JSON", "The body is not valid JSON.", hint="Send one JSON object.")
    faults = [reason(one, depth=1) for one in found]
    where = faults[0].pointer or "the body"
    detail = f"The request could not be understood: {where}: {faults[0].detail}."
    return problem(422, "Impossible request", detail, hint="See /docs for names and types.", errors=faults)


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = f"{request.method} {request.url.path}: {error.detail}."
    response = problem(error.status_code, title, detail, hint="See /docs for what is served.")
    response.headers.update(error.headers or {})
    return response


async def _broken(_: Request, error: Exception) -> Response:
    """Whatever nobody foresaw: said without its insides, which stand in the server's log."""
    return problem(500, "Internal error", "Something broke here.", hint=f"The log has a {type(error).__name__}.")
