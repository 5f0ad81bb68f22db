"""The one Dramatiq actor: it passes the order's id on and is done. The hint is acknowledged, the order is not."""

from collections.abc import Callable
from uuid import UUID

import dramatiq

from order_engine.domain.order import OrderId
from order_engine.usecases.ports import EXECUTE_ORDER


def declare_execute_order(broker: dramatiq.Broker, hand_over: Callable[[OrderId], None]) -> None:
    """Declare the actor. `hand_over` runs in one of Dramatiq's threads, and may block it to slow the queue down."""

    @dramatiq.actor(actor_name=EXECUTE_ORDER, queue_name=EXECUTE_ORDER, broker=broker, max_retries=0)
    def execute_order(order_id: str) -> None:
        hand_over(OrderId(UUID(order_id)))
