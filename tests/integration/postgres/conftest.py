from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.postgres.database import open_database
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from tests.integration.postgres.intruder import Intruder


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_database(database_url, pool_size=4)
    yield engine
    await engine.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> PostgresOrderStore:
    return PostgresOrderStore(engine)


@pytest.fixture
def intruder(database_url: str) -> Iterator[Intruder]:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield Intruder(connection)
