"""OrderSignals within one process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from order_engine.adapters.subscriptions import LocalSubscription, Subscriptions
from order_engine.domain.order import OrderId


class MemoryOrderSignals:
    def __init__(self) -> None:
        self._subscriptions = Subscriptions()

    def publish(self, order_id: OrderId, sequence: int) -> None:
        self._subscriptions.wake(order_id, sequence)

    @asynccontextmanager
    async def subscribe(self, order_id: OrderId) -> AsyncGenerator[LocalSubscription]:
        with self._subscriptions.subscribe(order_id) as subscription:
            yield subscription
