"""What one client may have open and ask for, so that no client can starve the others."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from order_engine.api.interceptors.behavior import Behavior, Context
from order_engine.api.interceptors.clients import Clients
from order_engine.api.refusals import QuotaExceeded, RateLimitExceeded, StreamLimitExceeded

_STREAM_RETRY: Final = timedelta(seconds=1)
_TOLD_EVERY: Final = 60.0  # seconds: a flood must not become a flood of log lines

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLimits:
    """For each client; 0 = unlimited."""

    max_streams: int = 10_000
    requests_per_second: int = 2_000
    burst: int = 4_000
    clients_remembered: int = 10_000


class OpenStreams:
    """Counts each client's open streams; who has none is not kept."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._open: dict[str, int] = {}

    def take(self, client: str) -> bool:
        """Take a place; say no when all of the client's are taken."""
        taken = self._open.get(client, 0)
        if self._at_most and taken >= self._at_most:
            return False
        self._open[client] = taken + 1
        return True

    def give_back(self, client: str) -> None:
        left = self._open[client] - 1
        if left:
            self._open[client] = left
        else:
            del self._open[client]


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RequestRates:
    """A token bucket for each client. Those not heard of for longest are forgotten: theirs have filled up again."""

    def __init__(self, limits: QuotaLimits, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = limits.requests_per_second
        self._burst = max(1, limits.burst)
        self._remembered = limits.clients_remembered
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, client: str) -> float:
        """Take one token and return 0.0, or return the seconds until there is one."""
        if not self._rate:
            return 0.0
        bucket = self._filled(client)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate
        bucket.tokens -= 1
        return 0.0

    def __len__(self) -> int:
        return len(self._buckets)

    def _filled(self, client: str) -> _Bucket:
        now = self._now()
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = _Bucket(self._burst, now)
            if len(self._buckets) > self._remembered:
                self._buckets.popitem(last=False)
            return bucket
        self._buckets.move_to_end(client)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._rate)
        bucket.filled_at = now
        return bucket


class Quotas:
    """Two layers for RPCs: one for streams, one for unary calls."""

    def __init__(self, limits: QuotaLimits | None = None, clients: Clients | None = None) -> None:
        limits = limits or QuotaLimits()
        self._max_streams = limits.max_streams
        self._clients = clients or Clients()
        self._streams = OpenStreams(limits.max_streams)
        self._rates = RequestRates(limits)
        self._told_at = -_TOLD_EVERY

    def rated(self, behavior: Behavior) -> Behavior:
        """Count a unary call.

        Raises:
            RateLimitExceeded.
        """

        async def call(request: object, context: Context) -> object:
            client = self._clients.of(context)
            wait = self._rates.take(client)
            if wait:
                raise self._told(client, RateLimitExceeded("too many requests", timedelta(seconds=wait)))
            return await behavior(request, context)

        return call

    def placed(self, behavior: Behavior, answered: Callable[[Behavior], Behavior]) -> Behavior:
        """Hold a place for a stream until it is over, its answer included: a reader that does not read keeps it.

        `answered` makes an answer of what a behaviour raises; StreamLimitExceeded is raised inside it.
        """
        whole = answered(behavior)
        refused = answered(self._refuse_stream)

        async def call(request: object, context: Context) -> object:
            client = self._clients.of(context)
            if not self._streams.take(client):
                return await refused(request, context)
            try:
                return await whole(request, context)
            finally:
                self._streams.give_back(client)

        return call

    async def _refuse_stream(self, request: object, context: Context) -> object:
        message = f"more than {self._max_streams} streams open"
        raise self._told(self._clients.of(context), StreamLimitExceeded(message, _STREAM_RETRY))

    def _told(self, client: str, error: QuotaExceeded) -> QuotaExceeded:
        now = time.monotonic()
        if now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            _log.warning("client_limited", client=client, reason=error.code)
        return error
