"""What is measured: a whole engine of its own, and a bare gRPC server beside it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from tests.e2e.live import LiveEngine, live_engine

UNLIMITED: Final = {
    "MAX_IN_FLIGHT": "0",
    "MAX_STARTS_PER_MINUTE": "0",
    "MAX_STREAMS_PER_CLIENT": "0",
    "MAX_REQUESTS_PER_SECOND": "0",
}
INSTANT_CHAIN: Final = {
    "PAPERNET_SLOT_MS": "50",
    "PAPERNET_LAND_AFTER_SLOTS_MIN": "0",
    "PAPERNET_LAND_AFTER_SLOTS_MAX": "0",
    "PAPERNET_FAILURE_RATE": "0",
    "PAPERNET_MARKET_VOLATILITY_BPS": "0",
    "POLL_INTERVAL_MS": "200",  # hundreds of orders look at once: more often would be the load itself
}
_KINDS: Final = {
    "order_engine api": "api",
    "order_engine worker": "workers",
    "order_engine papernet": "papernet",
    "-m gateway": "gateway",
    "postgres": "postgres",
    "valkey": "redis",
}


@contextmanager
def engine(**changes: str) -> Iterator[LiveEngine]:
    """Run the whole stack with its own state, in a directory that is gone afterwards."""
    with (
        TemporaryDirectory(prefix="order-engine-bench-") as directory,
        live_engine(Path(directory) / "state", LOG_LEVEL="warning", **changes) as live,
    ):
        yield live


@contextmanager
def bare_server() -> Iterator[str]:
    """Run the bare gRPC server and return its target."""
    command = [sys.executable, "-m", "benchmarks.bare"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise ValueError("no output to read the port from")
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)


def _members(live: LiveEngine) -> Iterator[tuple[str, psutil.Process]]:
    if live.process is None:
        return
    for process in psutil.Process(live.process.pid).children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        kind = next((kind for words, kind in _KINDS.items() if words in line), None)
        if kind is not None:
            yield kind, process


def cpu_ms(live: LiveEngine) -> Mapping[str, float]:
    """Return the processor time used so far, by kind of process."""
    used: Counter[str] = Counter()
    for kind, process in _members(live):
        times = process.cpu_times()
        used[kind] += (times.user + times.system) * 1000  # type: ignore[assignment]
    return used


def rss_mb(live: LiveEngine) -> Mapping[str, float]:
    """Return the resident memory by kind of process. PostgreSQL's shared memory is counted in each of its processes."""
    used: Counter[str] = Counter()
    for kind, process in _members(live):
        used[kind] += process.memory_info().rss / 1e6  # type: ignore[assignment]
    return used
