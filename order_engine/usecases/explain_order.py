"""Tell why an order went the way it went."""

from collections.abc import Sequence
from dataclasses import dataclass

from order_engine.domain.attempts import Attempt, attempts_of
from order_engine.domain.order import Order, OrderEvent, OrderId
from order_engine.usecases.ports import OrderStore


@dataclass(frozen=True, slots=True)
class Explanation:
    order: Order
    attempts: Sequence[Attempt]
    events: Sequence[OrderEvent]


@dataclass(frozen=True, slots=True)
class ExplainOrder:
    store: OrderStore

    async def __call__(self, order_id: OrderId, owner: str) -> Explanation:
        """Return the order, its attempts with every candidate, and its events.

        Raises:
            OrderNotFound: there is no such order, or it is someone else's.
        """
        order = await self.store.get(order_id, owner)
        events = await self.store.events(order_id, 0)
        return Explanation(order, attempts_of(events), events)
