"""Say how an order stands now."""

from dataclasses import dataclass

from order_engine.domain.order import Order, OrderId
from order_engine.usecases.ports import OrderStore


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOrder:
    store: OrderStore

    async def __call__(self, order_id: OrderId, owner: str) -> Order:
        """Return the order.

        Raises:
            OrderNotFound: no such order, or someone else's.
        """
        return await self.store.get(order_id, owner)
