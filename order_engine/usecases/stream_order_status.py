"""Follow an order: subscribe, replay, then follow.

Subscribing comes first, so that an event between the replay and the first wake-up is read, not lost. Wake-ups carry
no data: every event is read from the store, in sequence, and a lost wake-up costs at most `reread_every`.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from order_engine.domain.errors import EngineError, SequenceOutOfRange, Unavailable
from order_engine.domain.lifecycle import TERMINAL
from order_engine.domain.order import OrderEvent, OrderId
from order_engine.usecases.ports import OrderSignals, OrderStore, Subscription

# A store that is away is asked again this often, this many times: longer than its restart takes.
READ_AGAIN_AFTER: Final = timedelta(seconds=1)
FAILED_READS_AT_MOST: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOrderStatus:
    store: OrderStore
    signals: OrderSignals
    reread_every: timedelta

    async def __call__(
        self, order_id: OrderId, owner: str, after_sequence: int = 0
    ) -> AsyncGenerator[OrderEvent, None]:
        """Yield every event after `after_sequence`, each once and in sequence, up to and with the terminal one.

        A restart of the store while following is waited out.

        Raises:
            OrderNotFound: no such order, or someone else's.
            SequenceOutOfRange: `after_sequence` is beyond the last event.
            Unavailable: the store cannot be read; resume after the last sequence seen.
        """
        async with self.signals.subscribe(order_id) as subscription:
            order = await self.store.get(order_id, owner)
            if after_sequence > order.sequence:
                raise SequenceOutOfRange(
                    f"order {order_id} is at sequence {order.sequence}, not yet beyond {after_sequence}",
                    last_sequence=str(order.sequence),
                )
            if order.status in TERMINAL and after_sequence == order.sequence:
                return
            events = await self.store.events(order_id, after_sequence)
            while True:
                for event in events:
                    _check_next(event, after_sequence)
                    yield event
                    after_sequence = event.sequence
                    if event.status in TERMINAL:
                        return
                events = await self._wait(subscription, order_id, after_sequence)

    async def _wait(self, subscription: Subscription, order_id: OrderId, after_sequence: int) -> Sequence[OrderEvent]:
        """Return what there is after the next wake-up, waiting out a store that is away for a moment."""
        failed_reads = 0
        at_most = self.reread_every
        while True:
            await subscription.wait(at_most)
            try:
                return await self.store.events(order_id, after_sequence)
            except Unavailable:
                failed_reads += 1
                if failed_reads == FAILED_READS_AT_MOST:
                    raise
                at_most = min(READ_AGAIN_AFTER, self.reread_every)


def _check_next(event: OrderEvent, after_sequence: int) -> None:
    if event.sequence != after_sequence + 1:
        raise EngineError(f"order {event.order_id}: event {event.sequence} follows {after_sequence}")
