"""TaskQueue on Dramatiq's queue in Redis."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from redis.typing import EncodableT, FieldT

from order_engine.adapters.redis.connection import DEFAULT_NAMESPACE, connect
from order_engine.adapters.redis.flusher import Flusher
from order_engine.adapters.redis.hint_format import BELL_STROKES, HintKeys, encode_hint
from order_engine.adapters.redis.outage import Outage
from order_engine.domain.order import OrderId


class RedisTaskQueue:
    """Writes the hints of one process, all that are pending in one MULTI, and rings the bell.

    Hints are dropped while Redis is away: the sweeper finds every order that is due.
    """

    def __init__(self, url: str, *, namespace: str = DEFAULT_NAMESPACE) -> None:
        self._redis = connect(url)
        self._keys = HintKeys(namespace)
        self._flusher = Flusher(self._enqueue, Outage("task_queue"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def hint(self, order_id: OrderId) -> None:
        self._flusher.add(order_id)

    async def aclose(self) -> None:
        await self._flusher.aclose()
        await self._redis.aclose()

    async def _enqueue(self, order_ids: Sequence[OrderId]) -> None:
        messages: dict[FieldT, EncodableT] = dict(encode_hint(order_id) for order_id in order_ids)
        strokes = [b"1"] * min(len(messages), BELL_STROKES)
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hset(self._keys.messages, mapping=messages)
            transaction.rpush(self._keys.queue, *messages)
            transaction.rpush(self._keys.bell, *strokes)
            transaction.ltrim(self._keys.bell, -BELL_STROKES, -1)
            await transaction.execute()
