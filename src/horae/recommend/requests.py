"""What a caller gave in, requests out: lists of ids, histories and times, checked once, at the boundary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from numbers import Integral
from typing import Any

import polars as pl

from horae.errors import DataError
from horae.schema import USER, HistoryEvent, Id, Requests

__all__ = ["HistoryLike", "names_of", "requests_of"]

HistoryLike = Sequence[Id | HistoryEvent]


def requests_of(
    users: Iterable[Id] | pl.Series | None,
    histories: Sequence[HistoryLike] | None,
    k: int,
    at: datetime | None,
    exclude: Iterable[Id],
    only: Iterable[Id] | None,
    seen: bool | None,
    wanted: str | None = None,
    rules: Iterable[str] | None = None,
    strategy: str | None = None,
    context: Mapping[str, Any] | None = None,
    profile: Mapping[str, Any] | None = None,
) -> Requests:
    """Requests that all ask the same of different people; see `Recommender.recommend`.

    Raises:
        DataError: Neither users nor histories, or both; one text where a list was meant; k below 1; a context or
            profile that is no mapping.
    """
    if isinstance(users, str) or (histories is not None and any(isinstance(history, str) for history in histories)):
        raise DataError("Expected a list, got one text.", hint='Give users=["u1"] or histories=[["i7", "i9"]].')
    if isinstance(exclude, str) or isinstance(only, str):
        raise DataError("Expected a list of items, got one text.", hint='Give exclude=["i7"] or only=["i7", "i9"].')
    if context is not None and not isinstance(context, Mapping):
        raise DataError(f"context = {context!r}: expected names and values.", hint='Give context={"device": "phone"}.')
    if profile is not None and not isinstance(profile, Mapping):
        raise DataError(f"profile = {profile!r}: expected names and values.", hint='Give profile={"age": 31}.')
    if isinstance(rules, str):
        raise DataError("Expected a list of rules, got one text.", hint='Give rules=["deny where price > 100"].')
    asked = users if users is None or isinstance(users, pl.Series) else _series(list(users))
    lists = None
    if histories is not None:
        lists = [[e if isinstance(e, HistoryEvent) else HistoryEvent(e) for e in history] for history in histories]
    size = len(lists) if lists is not None else 0 if asked is None else len(asked)
    when = at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
    return Requests(
        users=asked,
        histories=lists,
        at=None if when is None else [when] * size,
        k=k,
        exclude=tuple(exclude),
        only=None if only is None else tuple(only),
        seen=seen,
        filter=wanted,
        rules=None if rules is None else tuple(rules),
        strategy=strategy,
        context=[context] * size if context else None,
        profile=[profile] * size if profile else None,
    )


def names_of(requests: Requests) -> list[str]:
    """Each request's id: the caller's, or its number."""
    return list(requests.request_ids) if requests.request_ids is not None else [str(n) for n in range(len(requests))]


def _series(ids: list[Id]) -> pl.Series:
    if ids and all(isinstance(value, Integral) for value in ids):  # numpy's integers, too
        return pl.Series(USER, ids, dtype=pl.Int64)
    return pl.Series(USER, [str(value) for value in ids], dtype=pl.String)
