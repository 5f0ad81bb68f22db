"""How a hint lies in Redis: a Dramatiq message, and the bell that tells a sleeping worker of it.

Keys and fields are those of Dramatiq 2's Redis broker (`brokers/redis/dispatch.lua`), so that its own script fetches,
requeues and recovers what is written here.
"""

import time
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import orjson

from order_engine.domain.order import OrderId
from order_engine.usecases.ports import EXECUTE_ORDER

BELL_STROKES: Final = 16  # at most so many workers are woken at once, and as many strokes outlive a busy time


@dataclass(frozen=True, slots=True)
class HintKeys:
    namespace: str

    @property
    def queue(self) -> str:
        return f"{self.namespace}:{EXECUTE_ORDER}"

    @property
    def messages(self) -> str:
        return f"{self.queue}.msgs"

    @property
    def bell(self) -> str:
        return f"{self.queue}.bell"

    def fetched(self, broker_id: str) -> str:
        """Return the set of message ids that a worker process has fetched and not acknowledged."""
        return f"{self.namespace}:__acks__.{broker_id}.{EXECUTE_ORDER}"


def encode_hint(order_id: OrderId) -> tuple[str, bytes]:
    """Return a message id, and the message as Dramatiq decodes it."""
    message_id = str(uuid4())
    message = {
        "queue_name": EXECUTE_ORDER,
        "actor_name": EXECUTE_ORDER,
        "args": [str(order_id)],
        "kwargs": {},
        "options": {"redis_message_id": message_id},
        "message_id": message_id,
        "message_timestamp": time.time_ns() // 1_000_000,
    }
    return message_id, orjson.dumps(message)
