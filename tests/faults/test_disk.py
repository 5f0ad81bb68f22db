"""No room on the disk, or a database that takes no writes: nobody dies of it for good, and nothing is lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from tests.faults.calling import Caller, Engine
from tests.faults.database import full_disk, read_only
from tests.faults.disk import fill_disk

pytestmark = pytest.mark.asyncio(loop_scope="session")

AWAY_SECONDS: Final = 3.0
FULL_SECONDS: Final = 4.0
ANSWER_WITHIN_SECONDS: Final = 3.5
SERVES_AGAIN_WITHIN_SECONDS: Final = 5.0
STARTS_AGAIN_WITHIN_SECONDS: Final = 20.0
FITS_BYTES: Final = 1024 * 1024  # less than a segment of PostgreSQL's log, or the paper network's journal
Refusal = Callable[[str, bool], Awaitable[None]]


async def _full(url: str, on: bool) -> None:
    await full_disk(url, full=on)


async def _read_only(url: str, on: bool) -> None:
    await read_only(url, on=on)


@pytest.mark.parametrize("refuse", [_full, _read_only], ids=["no_room", "read_only"])
async def test_callers_are_told_that_nothing_can_be_stored_and_no_process_dies(engine: Engine, refuse: Refusal) -> None:
    url, caller = engine.processes.stack.database_url, Caller(engine.processes)
    calling = asyncio.create_task(caller.run())
    await asyncio.sleep(1)
    await refuse(url, True)
    await asyncio.sleep(AWAY_SECONDS)
    await refuse(url, False)
    back = time.monotonic()
    await caller.is_served_again(SERVES_AGAIN_WITHIN_SECONDS)
    caller.stop()
    await calling
    await engine.all_end()
    assert {code for _, code, _ in caller.refused} == {"UNAVAILABLE"}
    assert max(seconds for _, _, seconds in caller.refused) < ANSWER_WITHIN_SECONDS
    assert all(at < back + SERVES_AGAIN_WITHIN_SECONDS for at, _, _ in caller.refused)
    assert set(caller.accepted) <= await engine.ended()
    assert engine.processes.deaths == []
    assert await engine.breaches(caller.accepted) == []


async def test_all_comes_back_by_itself_when_no_process_can_write_to_its_disk(engine: Engine) -> None:
    processes, caller = engine.processes, Caller(engine.processes)
    calling = asyncio.create_task(caller.run())
    await asyncio.sleep(1)
    servers, others = ("postgres", "papernet"), set(processes.names()) - {"postgres", "papernet", "redis"}
    await asyncio.gather(
        fill_disk(processes, servers, FITS_BYTES, FULL_SECONDS), fill_disk(processes, others, 1, FULL_SECONDS)
    )
    await caller.is_served_again(STARTS_AGAIN_WITHIN_SECONDS)
    caller.stop()
    await calling
    await engine.all_end()
    assert {code for _, code, _ in caller.answers} <= {"OK", "UNAVAILABLE"}
    assert {death.process for death in processes.deaths} <= set(servers)
    assert set(caller.accepted) <= await engine.ended()
    assert await engine.breaches(caller.accepted) == []
