"""Dramatiq's Redis broker for hints: woken by a bell instead of polling, and unmoved by Redis going away.

Dramatiq's own consumer sleeps up to a second between looks, acknowledges one message per round trip and stops for three
seconds when Redis fails. This one blocks on a list that every enqueue pushes to (the bell), acknowledges what was
handed over in one go, and looks again until Redis is back. Hints are never delayed, retried or dead-lettered: the
orders in PostgreSQL say what is to be done.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from dramatiq import Consumer, DramatiqError, Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Retries

from order_engine.adapters.redis.connection import DEFAULT_NAMESPACE, RedisFailure, connect_blocking
from order_engine.adapters.redis.hint_format import HintKeys
from order_engine.adapters.redis.outage import Outage

PREFETCH: Final = 16  # small, so that a burst spreads over the workers
BELL_SECONDS: Final = 0.5  # an idle worker looks this often even if no bell rings
ANSWER_SECONDS: Final = 1.5  # of Redis; longer than it may block on the bell
REDIS_RETRY_SECONDS: Final = 0.5
HEARTBEAT_TIMEOUT_MS: Final = 30_000  # after it, what a killed worker had fetched is queued again
ALWAYS: Final = 1_000_000  # out of a million commands: look for killed workers


class HintBroker(RedisBroker):
    """One queue of hints, consumed as described above."""

    def __init__(self, url: str, *, namespace: str = DEFAULT_NAMESPACE) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=connect_blocking(url, answer_seconds=ANSWER_SECONDS, max_connections=8),
            middleware=[Retries(max_retries=0)],
            namespace=namespace,
            heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
            maintenance_chance=ALWAYS,
        )

    def declare_queue(self, queue_name: str) -> None:
        """Declare the queue without a delay queue beside it."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = PREFETCH, timeout: int = 0) -> Consumer:
        """Return a consumer with a prefetch and waits of its own: both arguments are the broker's to choose."""
        return HintConsumer(self, queue_name)

    def close(self) -> None:
        self.client.close()


class HintConsumer(Consumer):
    """Gives out one batch of hints, waits until all of it is handed over, acknowledges it, and fetches the next.

    `__next__` and `close` belong to the consumer's thread, `ack` and `nack` to the threads that process messages.
    """

    def __init__(self, broker: HintBroker, queue_name: str) -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._keys = HintKeys(broker.namespace)
        self._outage = Outage("hint_consumer")
        self._fetched: deque[bytes | None] = deque()
        self._processed: list[str] = []  # message ids in Redis, to be acknowledged
        self._lock = threading.Lock()
        self._in_hand = 0
        self._none_in_hand = threading.Event()
        self._none_in_hand.set()

    def __next__(self) -> MessageProxy | None:
        try:
            if not self._fetched and self._none_in_hand.wait(BELL_SECONDS):
                self._acknowledge()
                self._fetch()
            self._outage.over()
        except RedisFailure as error:
            self._outage.began(error)
            time.sleep(REDIS_RETRY_SECONDS)
        return self._take()

    def ack(self, message: MessageProxy) -> None:
        with self._lock:
            self._processed.append(message.options["redis_message_id"])
            self._in_hand -= 1
            if self._in_hand == 0:
                self._none_in_hand.set()

    def nack(self, message: MessageProxy) -> None:
        """Drop a hint that could not be read: repeating it cannot help."""
        self._broker.logger.warning("Dropping unreadable hint %r.", message.message_id)
        self.ack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        ids = [message.options["redis_message_id"] for message in messages]
        if not ids:
            return
        try:
            self._broker.do_requeue(self._queue_name, *ids)
            self._broker.client.rpush(self._keys.bell, b"1")
        except RedisFailure as error:
            raise _closed(error) from None

    def close(self) -> None:
        """Give back what was fetched and not given out."""
        try:
            self._acknowledge()
        except RedisFailure as error:
            raise _closed(error) from None
        self.requeue(message for data in self._fetched if (message := _decode(data)))

    def _acknowledge(self) -> None:
        with self._lock:
            ids = list(self._processed)
        if not ids:
            return
        with self._broker.client.pipeline(transaction=False) as pipeline:
            pipeline.srem(self._keys.fetched(self._broker.broker_id), *ids)
            pipeline.hdel(self._keys.messages, *ids)
            pipeline.execute()
        with self._lock:
            del self._processed[: len(ids)]

    def _fetch(self) -> None:
        """Take a batch off the queue; when there is none, wait for the bell."""
        self._fetched.extend(self._broker.do_fetch(self._queue_name, PREFETCH))
        if not self._fetched:
            self._broker.client.blpop([self._keys.bell], timeout=BELL_SECONDS)

    def _take(self) -> MessageProxy | None:
        while self._fetched:
            if message := _decode(self._fetched.popleft()):
                with self._lock:
                    self._in_hand += 1
                    self._none_in_hand.clear()
                return message
        return None


def _decode(data: bytes | None) -> MessageProxy | None:
    """Return the message, None for one that is gone or was never one."""
    if data is None:
        return None
    try:
        message = Message.decode(data)
        return MessageProxy(message) if "redis_message_id" in message.options else None
    except (DramatiqError, TypeError):
        return None


def _closed(error: Exception) -> ConnectionClosed:
    return ConnectionClosed(error)  # type: ignore[no-untyped-call]
