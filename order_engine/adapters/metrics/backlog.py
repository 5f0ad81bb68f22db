"""How much waits: read from the store when somebody asks for the metrics, so that it costs nothing when nobody does."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

import structlog
from prometheus_client import CollectorRegistry, Gauge

from order_engine.domain.errors import Unavailable

FRESH_FOR: Final = timedelta(seconds=1)
PATIENCE: Final = timedelta(seconds=1)  # a database that is away must not take the other metrics with it

_log = structlog.get_logger(__name__)


class Backlog(Protocol):
    @property
    def pending(self) -> int: ...
    @property
    def oldest_due(self) -> timedelta: ...
    @property
    def in_flight(self) -> Mapping[str, int]: ...
    @property
    def abandoned(self) -> int: ...


class BacklogMetrics:
    """NaN while the store cannot be read."""

    def __init__(self, registry: CollectorRegistry, read: Callable[[], Awaitable[Backlog]]) -> None:
        self._pending = Gauge(
            "order_engine_orders_pending",
            "Orders PENDING, due or waiting for their next attempt; counted to 10,000.",
            registry=registry,
        )
        self._queue_age = Gauge(
            "order_engine_queue_age_seconds",
            "How long the oldest due PENDING order has been due; 0 when none is.",
            registry=registry,
        )
        self._in_flight = Gauge(
            "order_engine_orders_in_flight",
            "Orders that are worked on, over all workers, by status; counted to 10,000.",
            ("status",),
            registry=registry,
        )
        self._abandoned = Gauge(
            "order_engine_orders_abandoned",
            "Orders in flight whose worker went silent and which nobody has taken over yet.",
            registry=registry,
        )
        self._read = read
        self._reading: asyncio.Task[None] | None = None
        self._read_at = -math.inf
        self._failing = False
        self._forget()

    async def refresh(self) -> None:
        """Read again unless the last answer is fresh; wait for the answer a moment, but never cancel the query."""
        if self._reading is None:
            if asyncio.get_running_loop().time() - self._read_at < FRESH_FOR.total_seconds():
                return
            self._reading = asyncio.create_task(self._update())
        await asyncio.wait({self._reading}, timeout=PATIENCE.total_seconds())

    async def aclose(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def _update(self) -> None:
        try:
            backlog = await self._read()
        except Unavailable as error:
            if not self._failing:
                _log.warning("backlog_not_read", error=error.message)
            self._failing = True
            self._forget()
        else:
            self._failing = False
            self._show(backlog)
        finally:
            self._read_at = asyncio.get_running_loop().time()
            self._reading = None

    def _show(self, backlog: Backlog) -> None:
        self._pending.set(backlog.pending)
        self._queue_age.set(backlog.oldest_due.total_seconds())
        self._abandoned.set(backlog.abandoned)
        for status, count in backlog.in_flight.items():
            self._in_flight.labels(status).set(count)

    def _forget(self) -> None:
        for gauge in (self._pending, self._queue_age, self._abandoned):
            gauge.set(math.nan)
        for status in ("routing", "building", "submitted"):
            self._in_flight.labels(status).set(math.nan)
