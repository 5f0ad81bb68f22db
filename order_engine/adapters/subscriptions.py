"""Who in this process waits for news of which order. Shared by every OrderSignals adapter."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from order_engine.domain.order import OrderId

TICK_SECONDS: Final = 0.1  # how late a wait may end whose time is up


class Deadlines:
    """Ends waits whose time is up with one timer for all that end in the same tick: ten thousand cost a few."""

    def __init__(self, tick_seconds: float = TICK_SECONDS) -> None:
        self._tick = tick_seconds
        self._due: dict[int, set[asyncio.Future[None]]] = {}

    def add(self, waiter: asyncio.Future[None], at_most: timedelta) -> int:
        """End `waiter` once `at_most` has passed, up to a tick later. Returns what `discard` wants."""
        loop = waiter.get_loop()
        tick = int((loop.time() + at_most.total_seconds()) / self._tick) + 1
        if tick not in self._due:
            self._due[tick] = set()
            loop.call_at(tick * self._tick, self._expire, tick)
        self._due[tick].add(waiter)
        return tick

    def discard(self, waiter: asyncio.Future[None], tick: int) -> None:
        self._due.get(tick, set()).discard(waiter)

    def _expire(self, tick: int) -> None:
        for waiter in self._due.pop(tick):
            if not waiter.done():
                waiter.set_result(None)


class LocalSubscription:
    """One waiter. A wake-up that comes while it does not wait is kept for its next wait."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._woken = False
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        else:
            self._woken = True

    async def wait(self, at_most: timedelta) -> None:
        if self._woken:
            self._woken = False
            return
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        tick = self._deadlines.add(waiter, at_most)
        try:
            await waiter
        finally:
            self._deadlines.discard(waiter, tick)
            self._waiter = None


class Subscriptions:
    """The subscriptions of one process, by order. A wake-up is passed on once per sequence, however often it comes."""

    def __init__(self) -> None:
        self._deadlines = Deadlines()
        self._by_order: dict[OrderId, set[LocalSubscription]] = {}
        self._newest: dict[OrderId, int] = {}

    @contextmanager
    def subscribe(self, order_id: OrderId) -> Generator[LocalSubscription]:
        subscription = LocalSubscription(self._deadlines)
        self._by_order.setdefault(order_id, set()).add(subscription)
        try:
            yield subscription
        finally:
            self._by_order[order_id].discard(subscription)
            if not self._by_order[order_id]:
                del self._by_order[order_id]
                self._newest.pop(order_id, None)

    @property
    def watched(self) -> list[OrderId]:
        return list(self._by_order)

    def wake(self, order_id: OrderId, sequence: int) -> None:
        """Wake who watches the order, unless they were woken for this sequence or a later one."""
        if order_id not in self._by_order or sequence <= self._newest.get(order_id, 0):
            return
        self._newest[order_id] = sequence
        _wake(self._by_order[order_id])

    def wake_moved(self, newest: Mapping[OrderId, int]) -> None:
        for order_id, sequence in newest.items():
            self.wake(order_id, sequence)

    def wake_all(self) -> None:
        for subscriptions in list(self._by_order.values()):
            _wake(subscriptions)


def _wake(subscriptions: set[LocalSubscription]) -> None:
    for subscription in subscriptions:
        subscription.wake()
