"""OrderSignals on one Redis stream that every process reads once, with a poll of the store as the safety net.

A signal reaches a watcher in three ways: at once within the publishing process, through the stream, and, when Redis
lost it, through the poll. Nothing is gained by waiting for Redis on subscribing: the reader goes on from a position it
knows, and whenever it has to find a new one (start, reconnect, flushed server) it wakes everybody.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import structlog

from order_engine.adapters.redis.connection import DEFAULT_NAMESPACE, RedisFailure, connect
from order_engine.adapters.redis.flusher import Flusher
from order_engine.adapters.redis.outage import Outage
from order_engine.adapters.redis.signal_stream import READ_SECONDS, Signal, SignalStream, is_behind
from order_engine.adapters.subscriptions import LocalSubscription, Subscriptions
from order_engine.domain.errors import Unavailable
from order_engine.domain.order import OrderId

LatestSequences = Callable[[Sequence[OrderId]], Awaitable[Mapping[OrderId, int]]]

RECONNECT_SECONDS: Final = 0.25

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class RedisOrderSignals:
    """The signals of one process, to be used as an async context manager.

    `latest_sequences` answers for all watched orders at once: their newest stored sequence, unknown ones left out.
    """

    def __init__(
        self,
        url: str,
        *,
        latest_sequences: LatestSequences,
        poll_interval: timedelta,
        namespace: str = DEFAULT_NAMESPACE,
    ) -> None:
        self._latest_sequences = latest_sequences
        self._poll_seconds = poll_interval.total_seconds()
        self._subscriptions = Subscriptions()
        self._writer = connect(url)
        self._reader = connect(url, answer_seconds=READ_SECONDS + 2)
        self._read_stream = SignalStream(self._reader, namespace)
        self._flusher: Flusher[Signal] = Flusher(SignalStream(self._writer, namespace).write, Outage("order_signals"))
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._poll())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._flusher.aclose()
        await self._writer.aclose()
        await self._reader.aclose()

    def publish(self, order_id: OrderId, sequence: int) -> None:
        self._subscriptions.wake(order_id, sequence)
        self._flusher.add((order_id, sequence))

    @asynccontextmanager
    async def subscribe(self, order_id: OrderId) -> AsyncGenerator[LocalSubscription]:
        """Subscribe, with Redis or without. What is published from here on wakes the subscription."""
        with self._subscriptions.subscribe(order_id) as subscription:
            yield subscription

    async def _read(self) -> None:
        outage = Outage("order_signals_reader")
        while True:
            try:
                position = await self._read_stream.position()
                outage.over()
                await self._follow(position)
            except RedisFailure as error:
                outage.began(error)
                await asyncio.sleep(RECONNECT_SECONDS)
            except Exception:  # without its reader this process would learn of everything a poll late, for good
                logger.exception("order_signals_reader_failed")
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self, position: bytes) -> None:
        """Pass on what the stream says, until the stream turns out to be another one."""
        self._subscriptions.wake_all()  # for what was published before `position` was known
        while True:
            position, signals = await self._read_stream.read(position)
            for order_id, sequence in signals:
                self._subscriptions.wake(order_id, sequence)
            if not signals and is_behind(await self._read_stream.position(), position):
                return

    async def _poll(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self._wake_moved()
                failing = False
            except Unavailable as error:
                if not failing:
                    logger.warning("watch_poll_failed", error=error.message)
                failing = True
            except Exception:
                logger.exception("watch_poll_failed")

    async def _wake_moved(self) -> None:
        if watched := self._subscriptions.watched:
            self._subscriptions.wake_moved(await self._latest_sequences(watched))
