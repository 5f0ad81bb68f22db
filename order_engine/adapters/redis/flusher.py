"""Fire and forget, many at a time: what arrives while a flush is under way goes into the next one, without a timer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from order_engine.adapters.redis.connection import RedisFailure
from order_engine.adapters.redis.outage import Outage

Item = TypeVar("Item")


class Flusher(Generic[Item]):
    """Flushes items from a task that lives only while there are any. Drops them when Redis fails, or falls behind.

    One flusher belongs to one event loop.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[None]],
        outage: Outage,
        *,
        max_batch: int = 256,
        max_pending: int = 20_000,
    ) -> None:
        self._flush = flush
        self._outage = outage
        self._max_batch = max_batch
        self._max_pending = max_pending
        self._pending: list[Item] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, item: Item) -> None:
        if len(self._pending) >= self._max_pending:
            return
        self._pending.append(item)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self, at_most_seconds: float = 1.0) -> None:
        """Flush what is pending, for a moment; what Redis does not take by then is dropped."""
        if self._task is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._task, at_most_seconds)
        self._pending.clear()

    async def _run(self) -> None:
        while self._pending:
            batch, self._pending = self._pending[: self._max_batch], self._pending[self._max_batch :]
            try:
                await self._flush(batch)
            except RedisFailure as error:
                self._pending.clear()
                self._outage.began(error)
            else:
                self._outage.over()
