"""PostgreSQL as this process sees it: statements, how long connections are held, and the pool."""

import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_WRITES: Final = re.compile(r"\b(insert\s+into|update|delete\s+from)\s+([a-z_]+)", re.IGNORECASE)
_READS: Final = re.compile(r"\b(?:from|join)\s+([a-z_]+)", re.IGNORECASE)
_TABLES: Final = frozenset(
    {"orders", "order_events", "attempts", "transactions", "post_mortems", "admission", "alembic_version"}
)
_BEGAN: Final = "order_engine_began"
_TAKEN: Final = "order_engine_taken"

Info = dict[object, object]


class DatabaseMetrics:
    def __init__(self, registry: CollectorRegistry, engine: Engine) -> None:
        self._engine = engine
        self._statements = Histogram(
            "order_engine_database_statement_seconds",
            "Time until PostgreSQL answered a statement, by what it does to which table first.",
            ("statement",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._held = Histogram(
            "order_engine_database_connection_held_seconds",
            "Time from taking a connection out of the pool to giving it back: a transaction with its COMMIT.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "order_engine_database_errors_total",
            "Statements that failed, by SQLSTATE class; none when there was no answer.",
            ("sqlstate_class",),
            registry=registry,
        )
        self._gauge(registry, "order_engine_database_connections_in_use", "Connections out of the pool.", self._in_use)
        self._gauge(registry, "order_engine_database_connections_max", "Size of the pool.", self._size)
        self._listen(engine)

    def _gauge(self, registry: CollectorRegistry, name: str, documentation: str, value: Callable[[], float]) -> None:
        Gauge(name, documentation, registry=registry).set_function(value)

    def _listen(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._began)
        event.listen(engine, "after_cursor_execute", self._ended)
        event.listen(engine, "handle_error", self._failed)
        event.listen(engine, "checkout", self._taken)
        event.listen(engine, "checkin", self._given_back)

    def _in_use(self) -> float:
        pool = self._engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def _size(self) -> float:
        pool = self._engine.pool
        return pool.size() if isinstance(pool, QueuePool) else 0

    def _began(self, connection: Connection, *_: object) -> None:
        connection.info[_BEGAN] = time.perf_counter()

    def _ended(self, connection: Connection, cursor: object, statement: str, *_: object) -> None:
        self._observe(connection, statement)

    def _failed(self, context: ExceptionContext) -> None:
        sqlstate = getattr(context.original_exception, "sqlstate", None)
        self._errors.labels(sqlstate[:2] if isinstance(sqlstate, str) else "none").inc()
        if context.connection is not None and context.statement is not None and not context.is_disconnect:
            self._observe(context.connection, context.statement)

    def _observe(self, connection: Connection, statement: str) -> None:
        began = connection.info.pop(_BEGAN, None)
        if isinstance(began, float):
            self._statements.labels(statement_name(statement)).observe(time.perf_counter() - began)

    def _taken(self, connection: object, record: PoolProxiedConnection, proxy: object) -> None:
        record.info[_TAKEN] = time.perf_counter()

    def _given_back(self, connection: object, record: PoolProxiedConnection) -> None:
        taken = record.info.pop(_TAKEN, None)
        if isinstance(taken, float):
            self._held.observe(time.perf_counter() - taken)


@lru_cache(maxsize=256)
def statement_name(statement: str) -> str:
    """Return such as "update orders": the first write and its table, else "select" and the first table that is ours."""
    for verb, table in _WRITES.findall(statement):
        if table.lower() in _TABLES:
            return f"{verb.split()[0].lower()} {table.lower()}"
    for table in _READS.findall(statement):
        if table.lower() in _TABLES:
            return f"select {table.lower()}"
    return "other"
