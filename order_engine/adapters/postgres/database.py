"""The connection to PostgreSQL: one engine per process, and what its errors mean to callers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import orjson
import psycopg
from sqlalchemy import URL, RowMapping, TextClause, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from order_engine.domain.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

MAX_POOL_SIZE: Final = 20
ANSWER_SECONDS: Final = 2.8  # of the server; callers are told within 3 s

_SERVER_SETTINGS: Final = {
    "timezone": "UTC",
    "statement_timeout": "5000",
    "lock_timeout": "1000",
    "idle_in_transaction_session_timeout": "3000",  # shorter than a lease: a frozen worker must not keep its locks
}
_NETWORK: Final = {  # a peer that went silent is noticed within 3 s, not after the kernel's 15 minutes
    "connect_timeout": 3,
    "tcp_user_timeout": 3000,
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
_SERVER_AWAY: Final = ("08", "53", "57P", "25006")  # connection, resources, shutdown, read-only standby


class StatementRefused(Exception):
    """The server answered, and refused: a constraint, a guard, a conflict, a timeout. Nothing was kept."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(f"{sqlstate}: {message}")
        self.is_integrity = sqlstate.startswith("23")


def database_url(url: str) -> URL:
    """Return the URL for the one driver in use; postgres://, postgresql:// and postgresql+psycopg:// are the same."""
    plain = "postgresql" + url.removeprefix("postgres") if url.startswith("postgres://") else url
    return make_url(plain).set(drivername="postgresql+psycopg")


def open_database(url: str, pool_size: int, application_name: str = "order_engine") -> AsyncEngine:
    """Return an engine with at most `pool_size` connections. It connects when first used."""
    if not 1 <= pool_size <= MAX_POOL_SIZE:
        raise ValueError(f"pool_size must be 1 to {MAX_POOL_SIZE}")
    return create_async_engine(
        database_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=2.0,
        pool_pre_ping=True,
        hide_parameters=True,
        use_native_hstore=False,
        json_deserializer=orjson.loads,
        connect_args={
            **_NETWORK,
            "application_name": application_name,
            "prepare_threshold": None,  # poolers in transaction mode lose prepared statements
            "options": " ".join(f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items()),
        },
    )


def in_time(work: Callable[P, Coroutine[object, object, T]]) -> Callable[P, Coroutine[object, object, T]]:
    """Bound what a caller waits for a server that accepts but never answers; no timeout of the network notices it.

    Taking leave of such a server takes as long as waiting for it, so that is left to the abandoned task.

    Raises:
        Unavailable: no answer; whether a COMMIT under way was kept is unknown.
    """

    @wraps(work)
    async def bounded(*arguments: P.args, **named: P.kwargs) -> T:
        task = asyncio.ensure_future(work(*arguments, **named))
        try:
            await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        task.add_done_callback(_swallow)
        task.cancel()
        raise Unavailable(f"the database did not answer within {ANSWER_SECONDS:g} s")

    return bounded


def _swallow(task: asyncio.Future[T]) -> None:
    """Its caller was answered long ago."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Run the body in one transaction.

    Raises:
        Unavailable: the server is away; whether a COMMIT under way was kept is unknown.
        StatementRefused: the server refused; nothing was kept.
    """
    try:
        async with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, psycopg.Error, OSError) as error:
        raise _meaning(error) from error


@asynccontextmanager
async def single_statements(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Run each statement of the body as its own transaction. Raises as `transaction` does."""
    try:
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    except (SQLAlchemyError, psycopg.Error, OSError) as error:
        raise _meaning(error) from error


@in_time
async def read(engine: AsyncEngine, statement: TextClause, **parameters: object) -> Sequence[RowMapping]:
    """Return the rows of one query.

    Raises:
        Unavailable: there was no answer, or none in time.
    """
    try:
        async with single_statements(engine) as connection:
            return (await connection.execute(statement, parameters)).mappings().all()
    except StatementRefused as error:
        raise Unavailable(f"the database did not answer ({error})") from error


async def is_reachable(engine: AsyncEngine) -> bool:
    """Say whether the server answers now, and has our schema."""
    try:
        await read(engine, text("SELECT FROM orders LIMIT 1"))
    except Unavailable:
        return False
    return True


def _meaning(error: Exception) -> Exception:
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if sqlstate is None or lost or sqlstate.startswith(_SERVER_AWAY):
        return Unavailable(f"the database cannot be reached ({type(cause).__name__})")
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return StatementRefused(sqlstate, primary or "")
