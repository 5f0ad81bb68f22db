"""What users notice while Redis or PostgreSQL is away: the figures that docs/reliability.md promises."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
import pytest

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.faults.collect import Database
from tests.faults.proxy import Weather
from tests.faults.stack import CLIENT_LINK, Processes

REDIS_AWAY_SECONDS = 30.0
AWAY: Final[tuple[Weather, ...]] = ("refused", "black_hole")  # connections refused, then silent ones
DATABASE_AWAY_SECONDS = 4.0
ANSWER_WITHIN_SECONDS = 3.0
SERVES_AGAIN_WITHIN_SECONDS = 5.0
ENDS_WITHIN_SECONDS = 20.0


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    running = Processes(tmp_path / "state")
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


@dataclass
class Caller:
    """Submits an order every 200 ms and keeps what it was answered, and how fast."""

    processes: Processes
    accepted: list[str] = field(default_factory=list)
    answers: list[tuple[float, str, float]] = field(default_factory=list)  # when, code, after how many seconds

    async def run(self, seconds: float) -> None:
        target = f"127.0.0.1:{self.processes.links[CLIENT_LINK].port}"
        ends = time.monotonic() + seconds
        async with grpc.aio.insecure_channel(target) as channel, asyncio.TaskGroup() as calls:
            while time.monotonic() < ends:
                calls.create_task(self._submit(channel))
                await asyncio.sleep(0.2)

    async def _submit(self, channel: grpc.aio.Channel) -> None:
        began, code = time.monotonic(), "OK"
        orders = rpc.OrderServiceStub(channel)
        request = pb.SubmitOrderRequest(token_in="SOL", token_out="USDC", amount_in=10**7)
        try:
            self.accepted.append((await orders.SubmitOrder(request, timeout=15)).order_id)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        self.answers.append((time.monotonic(), code, time.monotonic() - began))


def set_weather(processes: Processes, weather: Weather, *links: str) -> None:
    for name in links:
        processes.links[name].set_weather(weather)


async def all_end(processes: Processes) -> None:
    database = Database(processes.stack.database_url)
    async with asyncio.timeout(ENDS_WITHIN_SECONDS):
        while await asyncio.to_thread(database.unsettled):  # noqa: ASYNC110 - rows do not ring
            await asyncio.sleep(0.1)


async def ended(processes: Processes) -> set[str]:
    database = Database(processes.stack.database_url)
    return set(await asyncio.to_thread(database.orders)) - set(await asyncio.to_thread(database.unsettled))


async def test_orders_are_taken_and_executed_while_redis_is_lost(processes: Processes) -> None:
    caller = Caller(processes)
    calling = asyncio.create_task(caller.run(REDIS_AWAY_SECONDS + 2))
    await asyncio.sleep(1)
    for weather in AWAY:
        set_weather(processes, weather, "api-redis", "worker-redis")
        await asyncio.sleep(REDIS_AWAY_SECONDS / len(AWAY))
    executed_meanwhile = len(await ended(processes))
    set_weather(processes, "fair", "api-redis", "worker-redis")
    await calling
    await all_end(processes)
    assert {code for _, code, _ in caller.answers} == {"OK"}
    assert max(seconds for _, _, seconds in caller.answers) < ANSWER_WITHIN_SECONDS
    assert executed_meanwhile > len(caller.accepted) / 2
    assert set(caller.accepted) == await ended(processes)
    assert processes.deaths == []


async def test_callers_learn_at_once_that_postgresql_is_away_and_are_served_once_it_is_back(
    processes: Processes,
) -> None:
    caller = Caller(processes)
    calling = asyncio.create_task(caller.run(DATABASE_AWAY_SECONDS + SERVES_AGAIN_WITHIN_SECONDS + 3))
    await asyncio.sleep(1)
    set_weather(processes, "refused", "api-postgres", "worker-postgres")
    await asyncio.sleep(DATABASE_AWAY_SECONDS)
    set_weather(processes, "fair", "api-postgres", "worker-postgres")
    back = time.monotonic()
    await calling
    await all_end(processes)
    refused = [(at, code, seconds) for at, code, seconds in caller.answers if code != "OK"]
    assert {code for _, code, _ in refused} == {"UNAVAILABLE"}
    assert max(seconds for _, _, seconds in refused) < ANSWER_WITHIN_SECONDS
    assert all(at < back + SERVES_AGAIN_WITHIN_SECONDS for at, _, _ in refused)
    assert set(caller.accepted) <= await ended(processes)
    assert processes.deaths == []


async def test_no_process_dies_with_postgresql_and_it_is_served_from_again(processes: Processes) -> None:
    caller = Caller(processes)
    calling = asyncio.create_task(caller.run(12))
    await asyncio.sleep(1)
    processes.kill("postgres", "killed")
    await calling
    await all_end(processes)
    assert {code for _, code, _ in caller.answers} <= {"OK", "UNAVAILABLE"}
    assert max(seconds for _, code, seconds in caller.answers if code != "OK") < ANSWER_WITHIN_SECONDS
    assert caller.answers[-1][1] == "OK"
    assert set(caller.accepted) <= await ended(processes)
    assert {death.process for death in processes.deaths} == {"postgres"}
