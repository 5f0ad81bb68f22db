"""Cancel an order, and say truthfully what that achieved.

A cancel is an event that bumps the sequence, so it is linearised with signing: either it comes first, and nothing is
ever signed, or the signed transaction came first, and the cancel only stops resending until that one is decided.
"""

from dataclasses import dataclass
from enum import StrEnum

from order_engine.domain.errors import StaleOrder
from order_engine.domain.finality import CANCEL_DECIDED_AFTER
from order_engine.domain.lifecycle import TERMINAL
from order_engine.domain.order import CancelRequested, Order, OrderId, OrderStatus
from order_engine.usecases.ports import Identifiers, OrderObserver, OrderSignals, OrderStore


class CancelVerdict(StrEnum):
    CANCELLED = "cancelled"  # nothing was sent that could still land
    TOO_LATE = "too_late"  # the order had already ended otherwise
    PENDING = "pending"  # a sent transaction may still land


@dataclass(frozen=True, slots=True)
class Cancellation:
    verdict: CancelVerdict
    order: Order
    decided_by_block_height: int = 0  # at finalized; 0 when nothing is open


@dataclass(frozen=True, slots=True)
class CancelOrder:
    store: OrderStore
    signals: OrderSignals
    observer: OrderObserver
    identifiers: Identifiers

    async def __call__(self, order_id: OrderId, owner: str) -> Cancellation:
        """Return a verdict for any order that exists; a lost race is decided again.

        Raises:
            OrderNotFound: there is no such order, or it is someone else's.
        """
        while True:
            order = await self.store.get(order_id, owner)
            if order.status in TERMINAL:
                cancelled = order.status is OrderStatus.CANCELLED
                return Cancellation(CancelVerdict.CANCELLED if cancelled else CancelVerdict.TOO_LATE, order)
            if order.cancel_requested:
                return _pending(order)
            try:
                return await self._cancel(order)
            except StaleOrder:
                continue

    async def _cancel(self, order: Order) -> Cancellation:
        height = _decided_by(order) if order.status is OrderStatus.SUBMITTED else 0
        changed, event = await self.store.append(order, CancelRequested(height), self.identifiers.event_id())
        self.signals.publish(changed.order_id, event.sequence)
        self.observer.recorded(changed, event)
        return Cancellation(CancelVerdict.CANCELLED, changed) if height == 0 else _pending(changed)


def _pending(order: Order) -> Cancellation:
    return Cancellation(CancelVerdict.PENDING, order, _decided_by(order))


def _decided_by(order: Order) -> int:
    return order.last_valid_block_height + CANCEL_DECIDED_AFTER
