"""The whole engine as a user starts it: `up` as one process with its children, and ways to use and to hurt it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
import psutil

from order_engine.embedded.listening import free_port
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc

READY_WITHIN_SECONDS: Final = 90
FAST_CHAIN: Final = {
    "PAPERNET_SLOT_MS": "50",
    "PAPERNET_LAND_AFTER_SLOTS_MIN": "2",
    "PAPERNET_LAND_AFTER_SLOTS_MAX": "4",
    "PAPERNET_FAILURE_RATE": "0",
    "POLL_INTERVAL_MS": "100",
    "VENUE_TIMEOUT_MS": "3000",  # the machine under test may be busy
}
TERMINAL: Final = {
    pb.ORDER_STATUS_CONFIRMED,
    pb.ORDER_STATUS_FAILED,
    pb.ORDER_STATUS_CANCELLED,
    pb.ORDER_STATUS_EXPIRED,
}


@dataclass
class LiveEngine:
    """Ports of their own, so that any number can run beside each other."""

    state_dir: Path
    changes: dict[str, str] = field(default_factory=dict)
    grpc_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    papernet_port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        ours = {"DATABASE_URL", "REDIS_URL", "SOLANA_RPC_URL"}
        return {
            **{name: value for name, value in os.environ.items() if name not in ours},
            "GRPC_PORT": str(self.grpc_port),
            "PORT": str(self.http_port),
            "PAPERNET_PORT": str(self.papernet_port),
            "STATE_DIR": str(self.state_dir),
            "LOG_FORMAT": "json",
            "METRICS_PORT": "0",
            **FAST_CHAIN,
            **self.changes,
        }

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def rpc_url(self) -> str:
        return f"http://127.0.0.1:{self.papernet_port}"

    def metrics_url(self, name: str) -> str:
        """Return where a child of `up` serves its metrics, as its log says once it has started."""
        log = self.state_dir / "logs" / f"{name}.log"
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not (lines := [line for line in log.read_text().splitlines() if '"metrics_served"' in line]):
            assert time.monotonic() < deadline, f"{name} serves no metrics:\n{log.read_text()}"
            time.sleep(0.05)
        return f"http://127.0.0.1:{json.loads(lines[-1])['port']}/metrics"

    @property
    def database_url(self) -> str:
        return psutil.Process(self.pids("order_engine", "api")[0]).environ()["DATABASE_URL"]

    @property
    def redis_url(self) -> str:
        return psutil.Process(self.pids("order_engine", "api")[0]).environ()["REDIS_URL"]

    def start(self) -> None:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        output = self.state_dir / "up.log"
        with output.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "order_engine", "up", "--no-sample"],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while "serving" not in output.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the engine did not start:\n{output.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def pids(self, *words: str) -> list[int]:
        """Return the processes of this engine whose command line holds all of `words`."""
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if all(word in " ".join(child.cmdline()) for word in words):
                    found.append(child.pid)
            except psutil.Error:
                continue
        return found

    def kill(self, *words: str) -> list[int]:
        """Kill -9 the processes that match; at least one must."""
        found = self.pids(*words)
        assert found, f"no process matches {words}"
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return found

    @asynccontextmanager
    async def orders(self) -> AsyncIterator[rpc.OrderServiceAsyncStub]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            yield rpc.OrderServiceStub(channel)


@contextmanager
def live_engine(state_dir: Path, **changes: str) -> Iterator[LiveEngine]:
    engine = LiveEngine(state_dir, changes)
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()


async def submit(orders: rpc.OrderServiceAsyncStub, **fields: object) -> str:
    """Submit 0.1 SOL to USDC unless told otherwise; return the order's id."""
    terms: dict[str, object] = {"token_in": "SOL", "token_out": "USDC", "amount_in": 10**8, **fields}
    request = pb.SubmitOrderRequest(**terms)  # type: ignore[arg-type]
    reply = await orders.SubmitOrder(request, wait_for_ready=True, timeout=30)
    return reply.order_id


async def watch(orders: rpc.OrderServiceAsyncStub, order_id: str, within: float = 60.0) -> list[pb.OrderStatusUpdate]:
    """Return the order's whole life, resuming after the last sequence whenever the stream breaks."""
    seen: list[pb.OrderStatusUpdate] = []
    deadline = time.monotonic() + within
    while not seen or seen[-1].status not in TERMINAL:
        left = deadline - time.monotonic()
        assert left > 0, f"{order_id} is still {seen[-1:]} after {within} s"
        request = pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=len(seen))
        try:
            async for update in orders.StreamOrderStatus(request, wait_for_ready=True, timeout=left):
                assert update.sequence == len(seen) + 1
                seen.append(update)
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
    return seen


def statuses(updates: list[pb.OrderStatusUpdate]) -> list[str]:
    return [pb.OrderStatus.Name(one.status).removeprefix("ORDER_STATUS_").lower() for one in updates]
