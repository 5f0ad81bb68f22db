"""The database's clock jumps. What is counted in its time means nothing then; everything else holds."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest

from tests.faults.calling import Caller, Engine
from tests.faults.database import bend_clock, shift_clock, unbend_clock

pytestmark = pytest.mark.asyncio(loop_scope="session")

JUMPS: Final = (  # from the right time; the last one is back to it
    timedelta(hours=1),
    timedelta(0),
    timedelta(minutes=-5),
    timedelta(hours=-1),
    timedelta(hours=1),
    timedelta(0),
)
AT_EACH_SECONDS: Final = 1.5


async def test_no_order_is_lost_or_doubled_or_left_waiting_when_the_clock_jumps(engine: Engine) -> None:
    processes, url, caller = engine.processes, engine.processes.stack.database_url, Caller(engine.processes)
    await bend_clock(url)
    calling = asyncio.create_task(caller.run())
    for number, jump in enumerate(JUMPS):
        await asyncio.sleep(AT_EACH_SECONDS)
        processes.kill(f"worker-{1 + number % 3}", "killed")  # its leases are of the time before the jump
        await shift_clock(url, jump)
    await asyncio.sleep(AT_EACH_SECONDS)
    caller.stop()
    await calling
    await engine.all_end()
    await unbend_clock(url)
    assert {code for _, code, _ in caller.answers} <= {"OK", "UNAVAILABLE"}
    assert len(caller.accepted) > 10
    assert set(caller.accepted) <= await engine.ended()
    assert all(death.why for death in processes.deaths)
    assert await engine.breaches(caller.accepted) == []
