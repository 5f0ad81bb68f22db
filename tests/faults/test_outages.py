"""What users notice while Redis or PostgreSQL is away: the figures that docs/reliability.md promises."""

import asyncio
import time
from typing import Final

import pytest

from tests.faults.calling import Caller, Engine
from tests.faults.proxy import Weather
from tests.faults.recovery import RecoveryWatch
from tests.faults.run import RECOVERED_WITHIN
from tests.faults.stack import RPC_LINKS, WORKERS, Processes

pytestmark = pytest.mark.asyncio(loop_scope="session")

REDIS_AWAY_SECONDS = 30.0
AWAY: Final[tuple[Weather, ...]] = ("refused", "black_hole")  # connections refused, then silent ones
WORKS_WITHIN_SECONDS = 45.0  # on a busy machine
DATABASE_AWAY_SECONDS = 4.0
ANSWER_WITHIN_SECONDS = 3.0
SERVES_AGAIN_WITHIN_SECONDS = 5.0
STARTS_AGAIN_WITHIN_SECONDS = 5.0  # PostgreSQL itself


def set_weather(processes: Processes, weather: Weather, *links: str) -> None:
    for name in links:
        processes.links[name].set_weather(weather)


async def until_executed(engine: Engine, caller: Caller, *, after: int, count: int) -> None:
    """Return when so many of the orders behind the first ones are confirmed."""
    async with asyncio.timeout(WORKS_WITHIN_SECONDS):
        while True:
            orders = await asyncio.to_thread(engine.database.orders)
            if sum(orders[one].status == "confirmed" for one in caller.accepted[after:] if one in orders) >= count:
                return
            await asyncio.sleep(0.1)


async def test_orders_are_taken_and_executed_while_redis_is_lost(engine: Engine) -> None:
    processes = engine.processes
    caller = Caller(processes)
    calling = asyncio.create_task(caller.run(REDIS_AWAY_SECONDS + 2))
    await asyncio.sleep(1)
    for weather in AWAY:
        set_weather(processes, weather, "api-redis", "worker-redis")
        await asyncio.sleep(REDIS_AWAY_SECONDS / len(AWAY))
    executed_meanwhile = len(set(caller.accepted) & await engine.ended())
    set_weather(processes, "fair", "api-redis", "worker-redis")
    await calling
    await engine.all_end()
    assert {code for _, code, _ in caller.answers} == {"OK"}
    assert max(seconds for _, _, seconds in caller.answers) < ANSWER_WITHIN_SECONDS
    assert executed_meanwhile > len(caller.accepted) / 2
    assert set(caller.accepted) <= await engine.ended()
    assert processes.deaths == []


async def test_orders_are_executed_while_an_endpoint_of_the_chain_is_silent(engine: Engine) -> None:
    processes, caller = engine.processes, Caller(engine.processes)
    calling = asyncio.create_task(caller.run())
    await until_executed(engine, caller, after=0, count=1)
    silent_since = len(caller.accepted)
    set_weather(processes, "black_hole", RPC_LINKS[0])
    await until_executed(engine, caller, after=silent_since, count=10)
    set_weather(processes, "fair", RPC_LINKS[0])
    caller.stop()
    await calling
    await engine.all_end()
    orders = await asyncio.to_thread(engine.database.orders)
    assert "CHAIN_UNAVAILABLE" not in {(orders[one].failure or {}).get("reason") for one in caller.accepted}


async def test_callers_learn_at_once_that_postgresql_is_away_and_are_served_once_it_is_back(engine: Engine) -> None:
    processes, caller = engine.processes, Caller(engine.processes)
    calling = asyncio.create_task(caller.run())
    await asyncio.sleep(1)
    set_weather(processes, "refused", "api-postgres", "worker-postgres")
    await asyncio.sleep(DATABASE_AWAY_SECONDS)
    set_weather(processes, "fair", "api-postgres", "worker-postgres")
    back = time.monotonic()
    await caller.is_served_again(SERVES_AGAIN_WITHIN_SECONDS)
    caller.stop()
    await calling
    await engine.all_end()
    assert {code for _, code, _ in caller.refused} == {"UNAVAILABLE"}
    assert max(seconds for _, _, seconds in caller.refused) < ANSWER_WITHIN_SECONDS
    assert all(at < back + SERVES_AGAIN_WITHIN_SECONDS for at, _, _ in caller.refused)
    assert set(caller.accepted) <= await engine.ended()
    assert processes.deaths == []


async def test_no_process_dies_with_postgresql_and_it_is_served_from_again(engine: Engine) -> None:
    processes, caller = engine.processes, Caller(engine.processes)
    calling = asyncio.create_task(caller.run())
    await asyncio.sleep(1)
    processes.kill("postgres", "killed")
    await asyncio.sleep(0.5)
    await caller.is_served_again(STARTS_AGAIN_WITHIN_SECONDS + SERVES_AGAIN_WITHIN_SECONDS)
    caller.stop()
    await calling
    await engine.all_end()
    assert {code for _, code, _ in caller.refused} <= {"UNAVAILABLE"}
    assert max(seconds for _, _, seconds in caller.answers) < ANSWER_WITHIN_SECONDS
    assert set(caller.accepted) <= await engine.ended()
    assert {death.process for death in processes.deaths} == {"postgres"}


async def test_another_worker_goes_on_with_the_orders_of_one_that_was_killed(engine: Engine) -> None:
    processes, caller = engine.processes, Caller(engine.processes)
    watch = RecoveryWatch(processes.stack.database_url, lambda: processes.deaths)
    calling, watching = asyncio.create_task(caller.run()), asyncio.create_task(watch.run())
    for worker in WORKERS[:2]:
        await asyncio.sleep(1)
        processes.kill(worker, "killed")
    async with asyncio.timeout(RECOVERED_WITHIN + WORKS_WITHIN_SECONDS):
        while not watch.recoveries:  # noqa: ASYNC110 - rows do not ring
            await asyncio.sleep(0.1)
    caller.stop()
    await calling
    await engine.all_end()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert max(one.seconds for one in watch.recoveries) < RECOVERED_WITHIN
