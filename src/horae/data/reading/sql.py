"""A query in, a frame out: SQLite through the standard library, DuckDB and PostgreSQL through their own drivers.

In: `sqlite:///file.db`, `duckdb:///file.db` or `postgresql://user@host/database`, with a query or a table's name.
Out: a frame with the database's types. Nothing is ever written: files are opened read-only. A password never reaches a
message.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl

from horae.data.reading.jsonlines import flatten
from horae.errors import DataError, MissingExtraError, StoreError

__all__ = ["SCHEMES", "is_sql_url", "read_sql", "without_password"]

SCHEMES = ("sqlite", "duckdb", "postgresql", "postgres")
ROWS_AT_ONCE = 200_000


def is_sql_url(source: str) -> bool:
    """Whether a source is a database's address rather than a path."""
    return source.split("://", 1)[0].split("+")[0] in SCHEMES and "://" in source


def without_password(url: str) -> str:
    """The address for messages."""
    return re.sub(r"(://[^/@:]*):[^@/]*@", r"\1@", url)


def read_sql(url: str, query: str | None) -> pl.DataFrame:
    """Run a query.

    Args:
        url: Three slashes before a relative path, four before an absolute one.
        query: SQL, or the name of one table; None: the only table there is.

    Raises:
        DataError: No such database, table or column, or SQL that the database refuses.
        MissingExtraError: The driver is not installed.
    """
    scheme = url.split("://", 1)[0].split("+")[0]
    if scheme == "sqlite":
        return _sqlite(_file(url), url, query)
    if scheme == "duckdb":
        return _duckdb(_file(url), url, query)
    return _postgres(re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url), query)


def _file(url: str) -> Path:
    path = Path(unquote(urlsplit(url).path[1:] or urlsplit(url).netloc))
    if not path.is_file():
        raise DataError(
            f"There is no database file {path}.",
            hint="Three slashes stand before a relative path (sqlite:///shop.db), four before an absolute one.",
        )
    return path


def _sqlite(path: Path, url: str, query: str | None) -> pl.DataFrame:
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            tables = [row[0] for row in connection.execute(
                "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by 1"
            )]  # fmt: skip
            return _fetch(connection.execute(_statement(url, query, tables)))
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise _refused(url, error) from error
    except sqlite3.DatabaseError as error:
        raise DataError(f"{url} is not a readable SQLite database: {error}.", hint="Name another file.") from error


def _duckdb(path: Path, url: str, query: str | None) -> pl.DataFrame:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("Reading DuckDB needs duckdb.", hint="pip install 'horae[sql]'") from error
    try:
        connection = duckdb.connect(str(path), read_only=True)
        try:
            listed = connection.execute("select table_name from information_schema.tables order by 1").fetchall()
            relation = connection.sql(_statement(url, query, [row[0] for row in listed]))
            if relation is None:
                raise DataError("The query gives no rows.", hint="Give a SELECT.")
            frame = pl.from_arrow(relation.to_arrow_table())
            assert isinstance(frame, pl.DataFrame)
            return frame
        finally:
            connection.close()
    except duckdb.Error as error:
        raise _refused(url, error) from error


def _postgres(url: str, query: str | None) -> pl.DataFrame:
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError("Reading PostgreSQL needs psycopg.", hint="pip install 'horae[sql]'") from error
    try:
        with psycopg.connect(url, connect_timeout=20) as connection:
            connection.read_only = True
            tables = connection.execute(
                "select table_name from information_schema.tables "
                "where table_schema not in ('pg_catalog', 'information_schema') order by 1"
            ).fetchall()
            statement = _statement(without_password(url), query, [row[0] for row in tables])
            with connection.cursor(name="horae_reading") as cursor:
                cursor.itersize = ROWS_AT_ONCE
                return _fetch(cursor.execute(statement.encode()))
    except psycopg.OperationalError as error:
        address = without_password(url)
        message = str(error).strip().splitlines()[0]
        raise StoreError(f"Cannot reach {address}: {message}.", hint="Check host, port, user and network.") from error
    except psycopg.Error as error:
        raise _refused(without_password(url), error) from error


def _statement(url: str, query: str | None, tables: Sequence[str]) -> str:
    """SQL as given, a whole table by its name, or the only table."""
    listed = ", ".join(tables[:12]) or "none"
    if query is None:
        if len(tables) != 1:
            raise DataError(f"{url} has {len(tables)} tables: {listed}.", hint="Say which: --query TABLE, or a SELECT.")
        query = tables[0]
    if query in tables:
        return 'select * from "{}"'.format(query.replace('"', '""'))
    if re.fullmatch(r"\w+", query):
        raise DataError(f"{url} has no table {query!r}; it has: {listed}.", hint="Name one of them, or give a SELECT.")
    return query.strip().rstrip(";")


def _fetch(cursor: Any) -> pl.DataFrame:
    """Rows to columns, a block at a time."""
    blocks: list[list[tuple[Any, ...]]] = []
    rows = cursor.fetchmany(ROWS_AT_ONCE)
    if cursor.description is None:
        raise DataError("The query gives no rows.", hint="Give a SELECT.")
    names = [column[0] for column in cursor.description]
    while rows:
        blocks.append([tuple(column) for column in zip(*rows, strict=True)])
        rows = cursor.fetchmany(ROWS_AT_ONCE)
    columns = [_series(name, [v for block in blocks for v in block[i]]) for i, name in enumerate(names)]
    return flatten(pl.DataFrame(columns))


def _series(name: str, values: list[Any]) -> pl.Series:
    """SQLite may mix types in a column: then all of it becomes text."""
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) > 1 and not kinds <= {int, float}:
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    column = pl.Series(name, values, strict=len(kinds) < 2)
    if column.dtype == pl.Object:  # uuid and the like
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    return column


def _refused(url: str, error: Exception) -> DataError:
    message = str(error).strip().splitlines()[0]
    return DataError(f"{url} refused the query: {message}.", hint="Check the table's and columns' names.")
