"""Any process may be killed at any moment: nothing is lost, nothing is doubled, every watcher sees the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import psycopg
import pytest
import redis

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.e2e.live import LiveEngine, live_engine, statuses, submit, watch

ORDERS = 6


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEngine]:
    with live_engine(tmp_path_factory.mktemp("breakable") / "state", PAPERNET_LAND_AFTER_SLOTS_MAX="20") as running:
        yield running


@pytest.fixture
async def orders(breakable: LiveEngine) -> AsyncIterator[rpc.OrderServiceAsyncStub]:
    async with breakable.orders() as stub:
        yield stub


async def until_submitted(orders: rpc.OrderServiceAsyncStub, order_id: str) -> None:
    async for update in orders.StreamOrderStatus(pb.StreamOrderStatusRequest(order_id=order_id), timeout=30):
        if update.status == pb.ORDER_STATUS_SUBMITTED:
            return


async def assert_each_landed_once(engine: LiveEngine, lives: list[list[pb.OrderStatusUpdate]]) -> None:
    """Compare what the watchers saw with the recorded transactions and with the chain."""
    for life in lives:
        assert statuses(life)[-1] == "confirmed"
        assert [one.sequence for one in life] == list(range(1, len(life) + 1))
    ids = [life[0].order_id for life in lives]
    with psycopg.connect(engine.database_url) as connection:
        rows = connection.execute(
            "SELECT order_id::text, signature, outcome FROM transactions WHERE order_id = ANY(%s::uuid[])", (ids,)
        ).fetchall()
    async with httpx.AsyncClient() as client:
        params = [[row[1] for row in rows], {"searchTransactionHistory": True}]
        body = {"jsonrpc": "2.0", "id": 1, "method": "getSignatureStatuses", "params": params}
        found = (await client.post(engine.rpc_url, json=body)).json()["result"]["value"]
    landed = [row[0] for row, status in zip(rows, found, strict=True) if status and status["err"] is None]
    assert sorted(landed) == sorted(ids)
    assert all(outcome is not None for _, _, outcome in rows)


async def submit_some(orders: rpc.OrderServiceAsyncStub, count: int = ORDERS) -> list[str]:
    return list(await asyncio.gather(*(submit(orders) for _ in range(count))))


async def lives_of(orders: rpc.OrderServiceAsyncStub, ids: list[str]) -> list[list[pb.OrderStatusUpdate]]:
    return list(await asyncio.gather(*(watch(orders, order_id) for order_id in ids)))


async def test_a_killed_workers_order_goes_on_within_ten_seconds(
    breakable: LiveEngine, orders: rpc.OrderServiceAsyncStub
) -> None:
    ids = await submit_some(orders)
    await asyncio.gather(*(until_submitted(orders, order_id) for order_id in ids))
    killed = time.monotonic()
    breakable.kill("order_engine", "worker")
    lives = await lives_of(orders, ids)
    assert time.monotonic() - killed < 10 + 6  # and then the rest of the orders' own way
    await assert_each_landed_once(breakable, lives)


async def test_the_api_killed_in_mid_stream_loses_no_update(
    breakable: LiveEngine, orders: rpc.OrderServiceAsyncStub
) -> None:
    ids = await submit_some(orders)
    watching = asyncio.gather(*(watch(orders, order_id) for order_id in ids))
    await asyncio.sleep(0.1)
    breakable.kill("order_engine", "api")
    await assert_each_landed_once(breakable, await watching)


async def test_redis_killed_and_flushed_changes_nothing(
    breakable: LiveEngine, orders: rpc.OrderServiceAsyncStub
) -> None:
    ids = await submit_some(orders)
    with redis.Redis.from_url(breakable.redis_url) as client:
        client.flushall()
    ids += await submit_some(orders, 2)
    breakable.kill("valkey-server")
    ids += await submit_some(orders, 2)
    await assert_each_landed_once(breakable, await lives_of(orders, ids))


async def test_postgresql_killed_and_restarted_changes_nothing(
    breakable: LiveEngine, orders: rpc.OrderServiceAsyncStub
) -> None:
    ids = await submit_some(orders)
    watching = asyncio.gather(*(watch(orders, order_id) for order_id in ids))
    await asyncio.sleep(0.2)
    breakable.kill("postgres", "-D")
    await assert_each_landed_once(breakable, await watching)


async def test_the_chain_killed_and_restarted_changes_nothing(
    breakable: LiveEngine, orders: rpc.OrderServiceAsyncStub
) -> None:
    ids = await submit_some(orders)
    await asyncio.gather(*(until_submitted(orders, order_id) for order_id in ids))
    breakable.kill("order_engine", "papernet")
    await assert_each_landed_once(breakable, await lives_of(orders, ids))


async def test_everything_but_the_supervisor_killed_at_once(
    breakable: LiveEngine, orders: rpc.OrderServiceAsyncStub
) -> None:
    ids = await submit_some(orders)
    watching = asyncio.gather(*(watch(orders, order_id) for order_id in ids))
    await asyncio.sleep(0.3)
    for words in (("order_engine", "worker"), ("valkey-server",), ("postgres", "-D"), ("order_engine", "api")):
        breakable.kill(*words)
    await assert_each_landed_once(breakable, await watching)
