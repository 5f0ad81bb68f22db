"""Carries a plan out on running processes, and mends everything at the end."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import cycle
from typing import Final

import redis.asyncio

from tests.faults.collect_chain import ChainReader
from tests.faults.database import full_disk, read_only
from tests.faults.plan import Fault, Plan
from tests.faults.proxy import Link
from tests.faults.stack import LEASE_SECONDS, WORKERS, Away, Processes

LOOK_SECONDS: Final = 0.1
AFTERMATH_SECONDS: Final = 3.0  # until what was disturbed is back


class Injector:
    def __init__(self, processes: Processes, chain: ChainReader, plan: Plan, *, patience: float) -> None:
        """`patience` is with a step that no order takes: then the process is killed where it stands."""
        self._patience = patience
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._processes, self._chain, self._plan = processes, chain, plan
        self._database_url = processes.stack.database_url
        self._lives = {name: cycle(steps) for name, steps in plan.steps.items()}
        self.disturbances: list[tuple[float, float]] = []  # when more than a worker was away
        self._busy: dict[str, int] = {}
        self._do: dict[str, Callable[[Fault], Awaitable[None]]] = {
            "kill": self._kill,
            "immediate shutdown": self._shut_down,
            "suspend": self._suspend,
            "flush": self._flush,
            "out of memory": self._out_of_memory,
            "read-only": self._read_only,
            "disk full": self._disk_full,
            "refuses writes": self._refuses_writes,
            "link": self._link,
            "chain": self._chain_plan,
            "chain fails": self._chain_fails,
            "mode": self._mode,
        }

    async def storm(self) -> None:
        """Let every fault of the plan happen at its time."""
        began = asyncio.get_running_loop().time()
        mortals = [asyncio.create_task(self._live_and_die(name)) for name in self._lives]
        running: set[asyncio.Task[None]] = set()
        for fault in self._plan.faults:
            await asyncio.sleep(max(0.0, began + fault.at - asyncio.get_running_loop().time()))
            running.add(asyncio.create_task(self._strike(fault)))
        await asyncio.sleep(max(0.0, began + self._plan.seconds - asyncio.get_running_loop().time()))
        await asyncio.gather(*running)
        for mortal in mortals:
            mortal.cancel()
        await asyncio.gather(*mortals, return_exceptions=True)

    async def calm(self) -> None:
        """Mend everything; nothing that is armed is left alive."""
        for link in self._processes.links.values():
            link.set_weather("fair")
        for name in self._processes.names():
            self._processes.resume(name)
        self._processes.next_points.clear()
        for name, armed in list(self._processes.points.items()):
            if armed:
                self._processes.kill(name, "calm")
        await self._persist(lambda: self._redis("CONFIG", "SET", "maxmemory", "0"))
        await self._persist(lambda: self._redis("CONFIG", "SET", "min-replicas-to-write", "0"))
        await self._persist(lambda: read_only(self._database_url, on=False))
        await self._persist(lambda: full_disk(self._database_url, full=False))
        await self._persist(lambda: self._chain.call("paperSetFaults", ""))
        await self._persist(lambda: self._chain.call("paperSetFailureRate", 0))

    async def _strike(self, fault: Fault) -> None:
        began = time.time()
        try:
            await self._do[fault.kind](fault)
            self.done[fault.name] += 1
        except (OSError, RuntimeError, redis.RedisError, ValueError) as error:
            self.failed[f"{fault.name}: {type(error).__name__}"] += 1
        except Exception as error:  # noqa: BLE001 - httpx, when the paper network is down just now
            self.failed[f"{fault.name}: {type(error).__name__}"] += 1
        if fault.disturbs_recovery:
            self.disturbances.append((began, time.time() + AFTERMATH_SECONDS))

    async def _live_and_die(self, name: str) -> None:
        """Arm the process with its next step at each start; kill it where it stands when nothing leads it there."""
        processes = self._processes
        while True:
            processes.next_points.setdefault(name, next(self._lives[name]))
            pid, began = processes.pid(name), asyncio.get_running_loop().time()
            while processes.pid(name) == pid:
                await asyncio.sleep(LOOK_SECONDS)
                if processes.is_suspended(name) and processes.points.get(name, "").find(":stop") > 0:
                    await self._let_lie(name, pid)
                if asyncio.get_running_loop().time() - began > self._patience and not self._busy.get(name):
                    processes.kill(name, f"random, armed {processes.points.get(name) or 'with nothing'}")
                    await asyncio.sleep(LOOK_SECONDS)

    async def _let_lie(self, name: str, pid: int | None) -> None:
        self._processes.struck[self._processes.points[name]] += 1
        self._processes.away.append(Away(name, time.time()))
        await asyncio.sleep(LEASE_SECONDS + 2)
        self._processes.resume(name, pid)
        await asyncio.sleep(2)

    async def _kill(self, fault: Fault) -> None:
        for name in WORKERS if fault.target == "all workers" else (fault.target,):
            self._processes.kill(name, fault.name)

    async def _shut_down(self, fault: Fault) -> None:
        self._processes.kill(fault.target, fault.name, signal.SIGQUIT)

    async def _suspend(self, fault: Fault) -> None:
        pid = self._processes.suspend(fault.target)
        self._busy[fault.target] = self._busy.get(fault.target, 0) + 1
        await asyncio.sleep(fault.seconds)
        self._busy[fault.target] -= 1
        self._processes.resume(fault.target, pid)

    async def _flush(self, _: Fault) -> None:
        await self._redis("FLUSHALL")

    async def _out_of_memory(self, fault: Fault) -> None:
        await self._redis("CONFIG", "SET", "maxmemory", "1")
        await asyncio.sleep(fault.seconds)
        await self._persist(lambda: self._redis("CONFIG", "SET", "maxmemory", "0"))

    async def _read_only(self, fault: Fault) -> None:
        await self._redis("CONFIG", "SET", "min-replicas-to-write", "1")
        await asyncio.sleep(fault.seconds)
        await self._persist(lambda: self._redis("CONFIG", "SET", "min-replicas-to-write", "0"))

    async def _disk_full(self, fault: Fault) -> None:
        await full_disk(self._database_url, full=True)
        await asyncio.sleep(fault.seconds)
        await self._persist(lambda: full_disk(self._database_url, full=False))

    async def _refuses_writes(self, fault: Fault) -> None:
        await read_only(self._database_url, on=True)
        await asyncio.sleep(fault.seconds)
        await self._persist(lambda: read_only(self._database_url, on=False))

    async def _link(self, fault: Fault) -> None:
        await asyncio.gather(
            *(self._hurt(self._processes.links[name], fault.detail, fault.seconds) for name in fault.target.split("+"))
        )

    async def _hurt(self, link: Link, how: str, seconds: float) -> None:
        match how:
            case "reset":
                link.reset()
                return
            case "black_hole" | "silent":
                link.set_weather("black_hole")
            case "late":
                link.set_weather("late")
            case _:
                link.set_weather("trickle")
        await asyncio.sleep(seconds)
        link.set_weather("fair")
        if how in ("black_hole", "silent"):
            link.reset()

    async def _chain_plan(self, fault: Fault) -> None:
        await self._chain.call("paperSetFaults", fault.detail)
        await asyncio.sleep(fault.seconds)
        await self._persist(lambda: self._chain.call("paperSetFaults", ""))

    async def _chain_fails(self, fault: Fault) -> None:
        await self._chain.call("paperSetFailureRate", float(fault.detail))
        await asyncio.sleep(fault.seconds)
        await self._persist(lambda: self._chain.call("paperSetFailureRate", 0.02))

    async def _mode(self, fault: Fault) -> None:
        """Start the process again in another mode, and after a while as it was."""
        self._processes.next_points[fault.target] = fault.detail
        self._busy[fault.target] = self._busy.get(fault.target, 0) + 1
        self._processes.kill(fault.target, fault.name)
        await asyncio.sleep(fault.seconds)
        self._busy[fault.target] -= 1
        if self._processes.points.get(fault.target) == fault.detail:
            self._processes.kill(fault.target, f"end of {fault.name}")

    async def _redis(self, *words: str) -> None:
        client = redis.asyncio.Redis.from_url(self._processes.stack.redis_url, socket_timeout=3)
        try:
            await client.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()

    async def _persist(self, mend: Callable[[], Awaitable[object]]) -> None:
        """Repeat what mends until it is done: what it is to mend may be down."""
        for _ in range(100):
            with suppress(Exception):
                await mend()
                return
            await asyncio.sleep(0.2)
        raise RuntimeError("could not mend")
