"""Many callers, one round trip: what arrives while a flush is under way goes into the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from order_engine.domain.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

Waiting = tuple[Item, asyncio.Future[Result]]


class Batcher(Generic[Item, Result]):
    """Collects the items of concurrent callers and flushes them together, one flush at a time and without a timer.

    `flush` takes at least one item and returns, in the same order, a result or an exception for each. When it raises
    instead, nothing of the batch may have been kept: the items are flushed again one by one, so that a bad one fails
    alone. A `shared_failures` exception concerns every item alike (the server is away): all of them get it at once.

    The flusher is a task of its own that ends when nothing is queued: a cancelled caller leaves the batch alone, and
    there is nothing to close. One batcher belongs to one event loop.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_batch: int = 256,
        shared_failures: tuple[type[Exception], ...] = (Unavailable,),
    ) -> None:
        self._flush = flush
        self._max_batch = max_batch
        self._shared_failures = shared_failures
        self._queue: deque[Waiting[Item, Result]] = deque()
        self._flusher: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return what the flush says about `item`, or raise it. An item whose caller is gone before is not flushed."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((item, done))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        batch: list[Waiting[Item, Result]] = []
        try:
            while batch := self._take():
                await self._flush_batch(batch)
        finally:  # a flusher that is cancelled takes its callers along
            for _, done in (*batch, *self._queue):
                done.cancel()

    def _take(self) -> list[Waiting[Item, Result]]:
        batch: list[Waiting[Item, Result]] = []
        while self._queue and len(batch) < self._max_batch:
            item, done = self._queue.popleft()
            if not done.done():
                batch.append((item, done))
        return batch

    async def _flush_batch(self, batch: Sequence[Waiting[Item, Result]]) -> None:
        outcome = await self._outcome(batch)
        if not isinstance(outcome, Exception):
            _settle(batch, outcome)
        elif len(batch) == 1 or isinstance(outcome, self._shared_failures):
            _settle(batch, [outcome] * len(batch))
        else:
            await self._flush_one_by_one(batch)

    async def _flush_one_by_one(self, batch: Sequence[Waiting[Item, Result]]) -> None:
        for index, waiting in enumerate(batch):
            outcome = await self._outcome([waiting])
            if isinstance(outcome, self._shared_failures):
                _settle(batch[index:], [outcome] * (len(batch) - index))
                return
            _settle([waiting], [outcome] if isinstance(outcome, Exception) else outcome)

    async def _outcome(self, batch: Sequence[Waiting[Item, Result]]) -> Sequence[Result | Exception] | Exception:
        try:
            results = await self._flush([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 whatever it is, it belongs to the callers, not to the flusher
            return error
        if len(results) != len(batch):
            return ValueError(f"{len(results)} results for {len(batch)} items")
        return results


def _settle(batch: Sequence[Waiting[Item, Result]], results: Sequence[Result | Exception]) -> None:
    for (_, done), result in zip(batch, results, strict=True):
        if done.done():
            continue
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)
