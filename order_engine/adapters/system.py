"""The machine's own clock and randomness."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from order_engine.domain.order import EventId, OrderId


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())


class RandomIdentifiers:
    def order_id(self) -> OrderId:
        """Return a UUIDv7 (RFC 9562): 48 bits of milliseconds, then random, so that ids sort by time."""
        value = int.from_bytes(os.urandom(16), "big")
        value = (value & ~(0xFFFF_FFFF_FFFF << 80)) | (time.time_ns() // 1_000_000 << 80)
        value = (value & ~(0xF << 76)) | (7 << 76)
        value = (value & ~(0b11 << 62)) | (0b10 << 62)
        return OrderId(UUID(int=value))

    def event_id(self) -> EventId:
        return EventId(uuid4())

    def claim_id(self) -> UUID:
        return uuid4()
