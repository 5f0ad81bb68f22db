"""`python -m benchmarks.abuse [NAME …]`: what badly behaved clients cost the API and the bridge, and a healthy caller.

Orders wait in this engine, so that streams stay open and what is measured is the doors alone.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from typing import Final

import uvloop

from benchmarks.load import REQUEST, Taken, connected, percentile, submits
from benchmarks.stack import cpu_ms, engine, rss_mb
from tests.e2e.live import LiveEngine

WAITING: Final = {"MAX_IN_FLIGHT": "1", "MAX_STARTS_PER_MINUTE": "1", "MAX_CONNECTIONS_PER_CLIENT": "20000"}
SCENARIOS: Final = {
    "grpc-never-read": ("grpc", 200),
    "websocket-never-read": ("websocket", 200),
    "one-byte-a-second": ("drip", 200),
    "submit-burst": ("submit", 1_000),
    "grpc-idle": ("grpc", 10_000),
    "websocket-idle": ("websocket", 10_000),
}
HEALTHY: Final = {"callers": 1, "count": 100, "seconds": 5}
READY_SECONDS: Final = 90.0


async def measure(live: LiveEngine, names: list[str]) -> None:
    async with connected(f"127.0.0.1:{live.grpc_port}") as orders:
        order_id = [(await orders.SubmitOrder(REQUEST)).order_id for _ in range(2)][-1]  # the first one is started
        await submits(orders, callers=1, count=20, seconds=2)
        for name in names:
            kind, count = SCENARIOS[name]
            memory, calm = rss_mb(live), await submits(orders, **HEALTHY)
            process = await _abusers(live, kind, count, order_id)
            try:
                if kind == "submit":
                    meanwhile, did = await asyncio.gather(submits(orders, **HEALTHY), _ready(process))
                    used = float("nan")  # the burst itself is in it
                else:
                    did = await _ready(process)
                    before = cpu_ms(live)
                    meanwhile = await submits(orders, **HEALTHY)
                    used = cpu_ms(live)["api"] - before["api"]
                held = rss_mb(live)
            finally:
                await _end(process)
            await asyncio.sleep(2)
            _tell(name, f"{count}: {did}", (memory, held, rss_mb(live)))
            print(f"    healthy submit  calm {_times(calm)}  meanwhile {_times(meanwhile)}", end="")
            print(f"  api {used / max(1, len(meanwhile.calls_ms)):.1f} CPU ms each  load {os.getloadavg()[0]:.1f}")


def _tell(name: str, did: str, memory: tuple[object, ...]) -> None:
    print(f"{name} {did}")
    for kind in ("api", "gateway"):
        before, held, after = (used[kind] for used in memory)  # type: ignore[index]
        print(f"    {kind:<8} RSS MB  before {before:.0f}  during {held:.0f}  after {after:.0f}")


def _times(taken: Taken) -> str:
    return f"p50 {percentile(taken.calls_ms, 50):.1f} p99 {percentile(taken.calls_ms, 99):.1f} ms"


async def _abusers(live: LiveEngine, kind: str, count: int, order_id: str) -> Process:
    arguments = [kind, str(count), str(live.grpc_port), str(live.http_port), order_id]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.abusers", *arguments, stdin=PIPE, stdout=PIPE
    )


async def _ready(process: Process) -> str:
    if process.stdout is None:
        raise ValueError("no output to read from")
    async with asyncio.timeout(READY_SECONDS):
        return (await process.stdout.readline()).decode().strip()


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def main() -> None:
    with engine(**WAITING) as live:
        uvloop.run(measure(live, sys.argv[1:] or list(SCENARIOS)))


if __name__ == "__main__":
    main()
