"""The servers that tests run on.

With DATABASE_URL and REDIS_URL set, those; what is unset is embedded, without durability, in a directory of its own.
Each test gets a database and a Redis namespace with a random name, and leaves neither behind.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from psycopg.sql import SQL, Identifier

from order_engine.adapters.postgres.migrate import migrate
from order_engine.embedded.servers import EmbeddedServers


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """`database_url` names a database from which others may be created, not one to write to."""

    database_url: str
    redis_url: str

    def database(self, name: str) -> str:
        return urlunsplit(urlsplit(self.database_url)._replace(path=f"/{name}"))

    def administer(self, statement: str, **names: str) -> None:
        quoted = {key: Identifier(name) for key, name in names.items()}
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(SQL(statement).format(**quoted))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    database_url = os.environ.get("DATABASE_URL", "").replace("postgresql+psycopg:", "postgresql:")
    redis_url = os.environ.get("REDIS_URL", "")
    if database_url and redis_url:
        yield Servers(database_url=database_url, redis_url=redis_url)
        return
    with (
        tempfile.TemporaryDirectory(prefix="order-engine-tests-") as directory,
        EmbeddedServers(Path(directory), durable=False, postgres=not database_url, redis=not redis_url) as embedded,
    ):
        yield Servers(database_url=database_url or embedded.database_url, redis_url=redis_url or embedded.redis_url)


@pytest.fixture(scope="session")
def database_template(servers: Servers) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    name = f"order_engine_template_{secrets.token_hex(6)}"
    servers.administer("CREATE DATABASE {name}", name=name)
    try:
        migrate(servers.database(name))
        yield name
    finally:
        servers.administer("DROP DATABASE {name} WITH (FORCE)", name=name)


@pytest.fixture
def database_url(servers: Servers, database_template: str) -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    name = f"order_engine_test_{secrets.token_hex(6)}"
    servers.administer(
        "CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy", name=name, template=database_template
    )
    yield servers.database(name)
    servers.administer("DROP DATABASE {name} WITH (FORCE)", name=name)


@pytest.fixture
def redis_url(servers: Servers) -> str:
    return servers.redis_url


@pytest.fixture
def redis_namespace(redis_url: str) -> Iterator[str]:
    """The prefix of every key and channel that the test uses."""
    namespace = f"test-{secrets.token_hex(6)}"
    yield namespace
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(match=f"{namespace}*", count=1000):
            client.delete(key)
