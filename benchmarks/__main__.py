"""`python -m benchmarks`: the figures of one machine and one commit, in under three minutes. See README.md."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop

from benchmarks.load import Taken, connected, percentile, submits, whole_orders
from benchmarks.results import Figures, describe, save
from benchmarks.stack import INSTANT_CHAIN, UNLIMITED, bare_server, cpu_ms, engine, rss_mb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.e2e.live import LiveEngine

REPEATS: Final = 3
CALLERS: Final = (1, 16, 64)
SUBMITS: Final = {1: 30, 16: 100, 64: 150}  # in each repeat
SUBMIT_SECONDS: Final = 3.0
ORDERS, ORDER_SECONDS = 150, 6.0
LONE_ORDERS, LONE_SECONDS = 15, 3.0
NO_REPEAT_AFTER_SECONDS: Final = 60.0


async def measure(live: LiveEngine, bare: str) -> Figures:
    """Take turns between engine and bare server, so that what else the machine does meets both.

    Whole orders come first: what is only submitted leaves a backlog behind, which they would wait for.
    """
    async with connected(f"127.0.0.1:{live.grpc_port}") as ours, connected(bare) as floor:
        await submits(floor, callers=16, count=200, seconds=2)
        await whole_orders(ours, callers=8, count=40, seconds=5)
        executed = await _medians("whole orders", lambda: _executed(live, ours, floor))
        return executed | await _medians("submits", lambda: _submitted(ours, floor))


async def _medians(name: str, repeat: Callable[[], Awaitable[Figures]]) -> Figures:
    began, repeats = time.monotonic(), list[Figures]()
    while len(repeats) < REPEATS and time.monotonic() - began < NO_REPEAT_AFTER_SECONDS:
        print(f"{name}, repeat {len(repeats) + 1} of {REPEATS} (load {os.getloadavg()[0]:.1f})", file=sys.stderr)
        repeats.append(await repeat())
    medians = {figure: statistics.median(each[figure] for each in repeats) for figure in repeats[0]}
    return medians | {f"repeats_{name.replace(' ', '_')}": float(len(repeats))}


async def _submitted(ours: rpc.OrderServiceAsyncStub, floor: rpc.OrderServiceAsyncStub) -> Figures:
    figures: Figures = {}
    for callers in CALLERS:
        for name, orders in (("bare", floor), ("engine", ours)):
            taken = await submits(orders, callers=callers, count=SUBMITS[callers], seconds=SUBMIT_SECONDS)
            figures |= _latencies(f"{name}_submit_c{callers}", taken)
    return figures


async def _executed(live: LiveEngine, ours: rpc.OrderServiceAsyncStub, floor: rpc.OrderServiceAsyncStub) -> Figures:
    alone = await whole_orders(ours, callers=1, count=LONE_ORDERS, seconds=LONE_SECONDS)
    bare = await whole_orders(floor, callers=64, count=ORDERS, seconds=ORDER_SECONDS)
    figures: Figures = {
        "engine_event_c1_p50_ms": percentile(alone.events_ms, 50),
        "engine_event_c1_p99_ms": percentile(alone.events_ms, 99),
        "bare_orders_c64_per_second": bare.per_second,
    }
    return figures | await _whole_orders(live, ours)


async def _whole_orders(live: LiveEngine, ours: rpc.OrderServiceAsyncStub) -> Figures:
    before = cpu_ms(live)
    taken = await whole_orders(ours, callers=64, count=ORDERS, seconds=ORDER_SECONDS)
    after = cpu_ms(live)
    figures: Figures = {
        "engine_orders_c64_per_second": taken.per_second,
        "engine_orders_c64_confirmed_share": taken.confirmed / len(taken.calls_ms),
        "engine_orders_c64_unfinished": float(taken.unfinished),
        "engine_event_c64_p50_ms": percentile(taken.events_ms, 50),
        "engine_event_c64_p99_ms": percentile(taken.events_ms, 99),
    }
    for kind in after:
        figures[f"cpu_{kind}_ms_per_order"] = (after[kind] - before.get(kind, 0.0)) / len(taken.calls_ms)
    return figures | {f"rss_{kind}_mb": used for kind, used in rss_mb(live).items()}


def _latencies(name: str, taken: Taken) -> Figures:
    return {
        f"{name}_p50_ms": percentile(taken.calls_ms, 50),
        f"{name}_p99_ms": percentile(taken.calls_ms, 99),
        f"{name}_per_second": taken.per_second,
    }


def main() -> None:
    with bare_server() as bare, engine(**UNLIMITED, **INSTANT_CHAIN) as live:
        figures = uvloop.run(measure(live, bare))
    print(describe(figures))
    print(f"\nkept in {save(figures)}")


if __name__ == "__main__":
    main()
