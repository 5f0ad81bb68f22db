"""How this engine talks to Redis: short timeouts and one immediate second try, because nothing is worth a longer wait.

The second try is for a connection that went stale while it was idle. Everything sent is safe to send twice.
"""

from typing import Final

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

CONNECT_TIMEOUT_SECONDS: Final = 1.0
DEFAULT_NAMESPACE: Final = "order_engine"

# Not every way of being away is a RedisError: a refused or reset socket can surface as it is, and uvloop says
# RuntimeError of a transport that was closed under a write.
RedisFailure = (redis.RedisError, OSError, RuntimeError)


def connect(url: str, *, answer_seconds: float = 2.0) -> redis.asyncio.Redis:
    """Return a client. Connects when first used, and again after every failure."""
    return redis.asyncio.Redis.from_url(
        url,
        protocol=2,
        max_connections=8,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=answer_seconds,
        retry=AsyncRetry(NoBackoff(), 1),
    )


def connect_blocking(url: str, *, answer_seconds: float, max_connections: int) -> redis.Redis:
    """Return a client for threads of their own."""
    return redis.Redis.from_url(
        url,
        protocol=2,
        max_connections=max_connections,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=answer_seconds,
        retry=Retry(NoBackoff(), 1),
    )
