"""Redis: reachable, new enough, and not one that throws hints away to make room."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import redis.asyncio
from redis.exceptions import RedisError

from order_engine.cli.doctor.examination import Check, Subject, bad, good, idle

OLDEST_SERVER: Final = (6, 2)


async def check_redis(subject: Subject) -> list[Check]:
    if not subject.redis_url:
        return [idle("redis", "REDIS_URL is not set: `up` starts an embedded Valkey")]
    timeout = subject.timeout_seconds
    try:
        where = _where(subject.redis_url)
        client = redis.asyncio.Redis.from_url(
            subject.redis_url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=None
        )
    except ValueError:
        return [bad("redis", "REDIS_URL is no URL", "write redis://:PASSWORD@HOST:6379/0")]
    try:
        async with client:
            facts = await client.info()
    except (RedisError, OSError) as error:
        return [bad("redis", f"{where}: {error}", "start Redis, or correct REDIS_URL; unset it to use `up`'s own")]
    return list(_examine({str(name): str(value) for name, value in facts.items()}, where))


def _examine(facts: Mapping[str, str], where: str) -> Iterator[Check]:
    product = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version") or facts.get("redis_version", "unknown")
    compatible = facts.get("redis_version", "")
    found = f"{product} {version} at {where}"
    if _numbers(compatible) < OLDEST_SERVER:
        yield bad("redis", found, "upgrade to Redis 6.2 or newer, or any Valkey")
    else:
        yield good("redis", found)
    policy = facts.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        yield good("redis memory", "maxmemory-policy noeviction")
    else:
        yield bad("redis memory", f"maxmemory-policy {policy}", "redis-cli CONFIG SET maxmemory-policy noeviction")
    if facts.get("aof_enabled") == "1":
        yield good("redis durability", "appendonly yes")
    else:
        mend = "redis-cli CONFIG SET appendonly yes: without it, its restart delays orders by up to a second"
        yield bad("redis durability", "appendonly no", mend)


def _where(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
