"""The stream of (order, sequence) pairs that all processes write and each reads once.

One entry carries all the pairs of one flush, packed. Trimming, flushing and restarting lose entries, never more: what
reads them treats them as wake-ups.
"""

import struct
from collections.abc import Sequence
from typing import Final, cast
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from order_engine.domain.order import OrderId

Signal = tuple[OrderId, int]
Answer = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]  # of XREAD: stream, its entries, their fields

MAX_ENTRIES: Final = 10_000
READ_COUNT: Final = 500
READ_SECONDS: Final = 2.0  # how long one read waits; also how soon a server that lost the stream is noticed
START_OF_STREAM: Final = b"0-0"

_PAIR: Final = struct.Struct(">16sQ")
_FIELD: Final = b"p"


class SignalStream:
    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._key = f"{namespace}:signals"

    async def write(self, signals: Sequence[Signal]) -> None:
        packed = b"".join(_PAIR.pack(order_id.bytes, sequence) for order_id, sequence in signals)
        await self._redis.xadd(self._key, {_FIELD: packed}, maxlen=MAX_ENTRIES, approximate=True)

    async def position(self) -> bytes:
        """Return the id of the last entry ever written, the start if there is no stream."""
        try:
            described = await self._redis.xinfo_stream(self._key)
        except ResponseError:  # no such key
            return START_OF_STREAM
        return cast("bytes", described["last-generated-id"])

    async def read(self, after: bytes) -> tuple[bytes, list[Signal]]:
        """Wait for entries after a position; return the position after them, and what they carry."""
        answer = await self._redis.xread({self._key: after}, count=READ_COUNT, block=int(READ_SECONDS * 1000))
        signals: list[Signal] = []
        for _, entries in cast("Answer", answer or []):
            for entry_id, fields in entries:
                after = entry_id
                signals.extend(_unpack(fields.get(_FIELD, b"")))
        return after, signals


def is_behind(position: bytes, other: bytes) -> bool:
    """Say whether a stream position lies before another one."""
    return _milliseconds_and_count(position) < _milliseconds_and_count(other)


def _milliseconds_and_count(position: bytes) -> tuple[int, int]:
    milliseconds, count = position.split(b"-")
    return int(milliseconds), int(count)


def _unpack(packed: bytes) -> list[Signal]:
    if len(packed) % _PAIR.size:
        return []
    return [(OrderId(UUID(bytes=order_id)), sequence) for order_id, sequence in _PAIR.iter_unpack(packed)]
