"""List a caller's orders, newest first, in pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from order_engine.domain.order import Order
from order_engine.usecases.ports import OrderFilter, OrderStore, PageKey


@dataclass(frozen=True, slots=True)
class OrderPage:
    orders: Sequence[Order]
    next_after: PageKey | None  # where the next page starts, None on the last one


@dataclass(frozen=True, slots=True)
class ListOrders:
    store: OrderStore

    async def __call__(self, wanted: OrderFilter, page_size: int, after: PageKey | None) -> OrderPage:
        """Return up to `page_size` orders after the one that `after` names. Orders placed meanwhile are not missed:
        they are newer than every page to come."""
        found = await self.store.list_orders(wanted, page_size + 1, after)
        page = found[:page_size]
        if len(found) <= page_size:
            return OrderPage(page, None)
        return OrderPage(page, PageKey(page[-1].create_time, page[-1].order_id))
