"""TaskQueue within one process."""

import asyncio
from collections.abc import Callable

from order_engine.domain.order import OrderId


class MemoryTaskQueue:
    """Hands every hint to `hand_over` on the next turn of the event loop."""

    def __init__(self, hand_over: Callable[[OrderId], None]) -> None:
        self._hand_over = hand_over

    def hint(self, order_id: OrderId) -> None:
        asyncio.get_running_loop().call_soon(self._hand_over, order_id)
