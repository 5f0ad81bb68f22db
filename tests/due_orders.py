"""A store reduced to what a worker process sees of it: which orders are due, and whose claims are alive."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from order_engine.domain.errors import Unavailable
from order_engine.domain.order import EventId, OrderEvent, OrderId
from order_engine.usecases.ports import Claim, DueOrders


def new_order_id() -> OrderId:
    return OrderId(uuid4())


class DueOrderClaims:
    """An OrderClaims whose orders are due until `done`. All claims are alive, except those in `taken`."""

    def __init__(self) -> None:
        self.waiting: list[OrderId] = []
        self.next_at: timedelta | None = None
        self.down = False
        self.taken: set[UUID] = set()
        self.sweeps: list[int] = []
        self.renewed: list[tuple[UUID, ...]] = []
        self.released: list[UUID] = []

    def done(self, order_id: OrderId) -> None:
        if order_id in self.waiting:
            self.waiting.remove(order_id)

    async def due(self, at_most: int) -> DueOrders:
        self.sweeps.append(at_most)
        self._check()
        return DueOrders(order_ids=tuple(self.waiting[:at_most]), next_at=self.next_at)

    async def renew(self, claim_ids: Sequence[UUID]) -> set[UUID]:
        self._check()
        self.renewed.append(tuple(claim_ids))
        return set(claim_ids) - self.taken

    async def release(self, claim_ids: Sequence[UUID]) -> None:
        self._check()
        self.released.extend(claim_ids)

    async def start(self, order_id: OrderId, claim_id: UUID, event_id: EventId) -> tuple[Claim, OrderEvent] | None:
        return None

    async def take_over(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        return None

    async def reload(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        return None

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the store is down")
